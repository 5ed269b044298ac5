// A line as journal fields.
#include "log/fields.hpp"
#include "store_support.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace monoinit::log;
using namespace monoinit::log::test;

TEST_CASE("fields are journald's") {
    std::string list;
    append_field(list, "CODE_LINE", "4");
    Record record = line(1, "web.service", "hello", 4);
    record.fields = list;
    record.pid = 9;
    record.continues = true;
    const auto fields_of = [](const Record& of, const BootId& boot) {
        std::map<std::string, std::string> found;
        for_each_field(of, boot, [&](std::string_view name, std::string_view value) { found.emplace(name, value); });
        return found;
    };
    auto fields = fields_of(record, boot_number(1));
    CHECK(fields["PRIORITY"] == "4");
    CHECK(fields["_SYSTEMD_UNIT"] == "web.service");
    CHECK(fields["_TRANSPORT"] == "stdout");
    CHECK(fields["_PID"] == "9");
    CHECK(fields["_LINE_BREAK"] == "line-max");
    CHECK(fields["_BOOT_ID"] == "01010101010101010101010101010101");
    CHECK(fields["CODE_LINE"] == "4");
    CHECK(fields["MESSAGE"] == "hello");
    record.own = true;
    fields = fields_of(record, {});
    CHECK(fields["UNIT"] == "web.service");
    CHECK(fields.count("_SYSTEMD_UNIT") + fields.count("_BOOT_ID") == 0);
    CHECK(fields["_TRANSPORT"] == "driver");
}
