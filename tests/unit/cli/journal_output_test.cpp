// The forms of journalctl(1).
#include "cli/journal_output.hpp"
#include "log/stored_record.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace monoinit;
using namespace monoinit::cli;

namespace {

log::Record sample() {
    log::Record record;
    record.cursor = 5;
    record.wall_us = 1'795'692'731'123'456; // Thu 2026-11-26 11:32:11.123456 UTC
    record.mono_us = 12'345'678;
    record.priority = 4;
    record.unit = "web.service";
    record.identifier = "node";
    record.pid = 57;
    record.text = "hello";
    return record;
}

std::string printed(JournalForm form, const log::Record& record, std::vector<std::string> fields = {}) {
    static const base::TimeZone utc;
    JournalStyle style;
    style.form = form;
    style.zone = &utc;
    style.host_name = "box";
    style.fields = std::move(fields);
    std::string out;
    log::BootId boot{};
    boot.fill(0xab);
    JournalPrinter(style).print(out, record, boot);
    return out;
}

} // namespace

TEST_CASE("forms for people") {
    const log::Record record = sample();
    CHECK(printed(JournalForm::Own, record) == "11:32:11 [web] hello\n");
    CHECK(printed(JournalForm::Short, record) == "Nov 26 11:32:11 box node[57]: hello\n");
    CHECK(printed(JournalForm::ShortFull, record) == "Thu 2026-11-26 11:32:11 UTC box node[57]: hello\n");
    CHECK(printed(JournalForm::ShortIso, record) == "2026-11-26T11:32:11+00:00 box node[57]: hello\n");
    CHECK(printed(JournalForm::ShortIsoPrecise, record) == "2026-11-26T11:32:11.123456+00:00 box node[57]: hello\n");
    CHECK(printed(JournalForm::ShortPrecise, record) == "Nov 26 11:32:11.123456 box node[57]: hello\n");
    CHECK(printed(JournalForm::ShortMonotonic, record) == "[   12.345678] box node[57]: hello\n");
    CHECK(printed(JournalForm::ShortUnix, record) == "1795692731.123456 box node[57]: hello\n");
    CHECK(printed(JournalForm::WithUnit, record) == "Thu 2026-11-26 11:32:11 UTC box web.service[57]: hello\n");
    CHECK(printed(JournalForm::Cat, record) == "hello\n");
    CHECK(printed(JournalForm::Verbose, record).starts_with("Thu 2026-11-26 11:32:11.123456 UTC [s="));
}

TEST_CASE("control bytes of a service reach no terminal") {
    log::Record record = sample();
    record.text = "a\x1b[2Jb";
    for (const JournalForm form : {JournalForm::Own, JournalForm::Short, JournalForm::Cat, JournalForm::Verbose})
        CHECK(printed(form, record).find('\x1b') == std::string::npos);
}

TEST_CASE("JSON is JSON, whatever the bytes") {
    log::Record record = sample();
    std::string fields;
    log::append_field(fields, "TAG", "one");
    log::append_field(fields, "TAG", "two");
    record.fields = fields;
    record.text = "bad \xff byte";
    const auto json = nlohmann::json::parse(printed(JournalForm::Json, record));
    CHECK(json["_SYSTEMD_UNIT"] == "web.service");
    CHECK(json["TAG"] == nlohmann::json({"one", "two"}));
    CHECK(json["MESSAGE"][4] == 0xff);
    CHECK(json["_HOSTNAME"] == "box");
    CHECK(nlohmann::json::parse(printed(JournalForm::JsonPretty, sample()))["MESSAGE"] == "hello");
    CHECK(printed(JournalForm::JsonSse, sample()).starts_with("data: {"));
    const auto few = nlohmann::json::parse(printed(JournalForm::Json, sample(), {"MESSAGE"}));
    CHECK(few.size() == 4);
}

TEST_CASE("export writes what is no text with its size") {
    log::Record record = sample();
    record.text = "a\nb";
    const std::string out = printed(JournalForm::Export, record);
    CHECK(out.find("_SYSTEMD_UNIT=web.service\n") != std::string::npos);
    CHECK(out.find(std::string("MESSAGE\n\3\0\0\0\0\0\0\0a\nb\n", 20)) != std::string::npos);
    CHECK(out.ends_with("\n\n"));
}

TEST_CASE("names of forms") {
    CHECK(journal_form("with-unit") == JournalForm::WithUnit);
    CHECK_FALSE(journal_form("shortish"));
}

TEST_CASE("a text of several lines stands below itself") {
    log::Record record = sample();
    record.text = "two\nlines\x1b";
    CHECK(printed(JournalForm::Own, record) == "11:32:11 [web] two\n               lines\\x1b\n");
    CHECK(printed(JournalForm::Short, record) == "Nov 26 11:32:11 box node[57]: two\n" + std::string(30, ' ') + "lines\\x1b\n");
    CHECK(printed(JournalForm::Cat, record) == "two\nlines\\x1b\n");
    CHECK(printed(JournalForm::Json, record).find("two\\nlines") != std::string::npos);
    CHECK(printed(JournalForm::Verbose, record).find("    MESSAGE=two\n            lines\\x1b\n") != std::string::npos);
}
