// Tested by tests/unit/cli/journal_query_test.cpp.
#include "cli/journal_query.hpp"

#include "base/enum_names.hpp"
#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "base/timestamp.hpp"
#include "cli/context.hpp"
#include "log/record.hpp"
#include "unit/enums.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <charconv>

namespace monoinit::cli {

namespace {

using base::Errc;
using base::fail;

template <class Number> std::optional<Number> number_in(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::optional<std::uint8_t> level(std::string_view text) {
    if (const auto number = number_in<std::uint8_t>(text))
        return *number <= 7 ? number : std::nullopt;
    if (const auto found = base::value_of(unit::syslog_level_names, text))
        return static_cast<std::uint8_t>(*found);
    return std::nullopt;
}

/// "err": that and worse; "warning..err": from one to the other, in either order.
base::Result<void> set_priority(log::Selection& selection, std::string_view text) {
    const std::size_t dots = text.find("..");
    const auto first = level(text.substr(0, dots));
    const auto second = dots == std::string_view::npos ? std::optional<std::uint8_t>(0) : level(text.substr(dots + 2));
    if (!first || !second)
        return fail(Errc::Invalid, "unknown priority " + base::printable(text, 60) + ": 0 to 7, or a name such as err, warning, info; or FROM..TO");
    selection.min_priority = std::min(*first, *second);
    selection.max_priority = std::max(*first, *second);
    return {};
}

base::Result<void> set_facilities(log::Selection& selection, const std::vector<std::string>& names) {
    if (names.empty())
        return {};
    selection.facilities = 0;
    for (const std::string& name : names) {
        auto number = number_in<unsigned>(name);
        if (!number)
            if (const auto found = base::value_of(unit::syslog_facility_names, std::string_view(name)))
                number = static_cast<unsigned>(*found) >> 3;
        if (!number || *number > 23)
            return fail(Errc::Invalid, "unknown facility " + base::printable(name, 60));
        selection.facilities |= 1U << *number;
    }
    return {};
}

base::Result<std::uint64_t> moment(std::string_view option, const std::string& text, std::uint64_t now_us, base::TimeZones& zones) {
    const auto parsed = base::parse_timestamp(text, base::Duration(static_cast<std::int64_t>(now_us)), zones);
    if (!parsed)
        return fail(Errc::Invalid, fmt::format("--{}={}: {}", option, base::printable(text, 80), parsed.error().what));
    return static_cast<std::uint64_t>(std::max<std::int64_t>(parsed->count(), 0));
}

/// FIELD=value … + FIELD=value …
base::Result<void> set_matches(log::Selection& selection, const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        if (word == "+") {
            if (selection.alternatives.empty() || selection.alternatives.back().empty())
                return fail(Errc::Invalid, "\"+\" stands between matches");
            selection.alternatives.emplace_back();
            continue;
        }
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail(Errc::Invalid, base::printable(word, 80) + " is no match: FIELD=value");
        if (selection.alternatives.empty())
            selection.alternatives.emplace_back();
        selection.alternatives.back().push_back({word.substr(0, equals), word.substr(equals + 1)});
    }
    if (!selection.alternatives.empty() && selection.alternatives.back().empty())
        return fail(Errc::Invalid, "\"+\" stands between matches");
    return {};
}

base::Result<void> set_count(JournalQuery& query, const Options& options, Face face) {
    constexpr std::uint32_t many = 10, own_default = 100;
    const bool own = face == Face::Initctl;
    const JournalOptions& journal = options.journal;
    const bool bounded = !journal.cursor.empty() || !journal.after_cursor.empty() || !journal.since.empty();
    if (!options.lines) {
        if (options.follow && !journal.no_tail && !bounded)
            query.count = many;
        else if (own && !bounded && journal.until.empty() && journal.grep.empty() && !journal.boot && !journal.this_run)
            query.count = own_default;
        return {};
    }
    std::string_view text = *options.lines;
    if (text == "all")
        return {};
    query.from_start = text.starts_with('+');
    query.count = text.empty() ? many : number_in<std::uint32_t>(text.substr(query.from_start ? 1 : 0));
    if (!query.count)
        return fail(Errc::Invalid, "-n takes a number, +NUMBER, or all");
    return {};
}

base::Result<void> set_position(log::Selection& selection, const JournalOptions& journal) {
    const std::string& text = journal.cursor.empty() ? journal.after_cursor : journal.cursor;
    if (text.empty())
        return {};
    selection.after = log::parse_cursor(text);
    if (!selection.after)
        return fail(Errc::Invalid, base::printable(text, 120) + " is no cursor");
    selection.after->including = !journal.cursor.empty();
    return {};
}

} // namespace

base::Result<JournalQuery> journal_query(const Options& options, Face face, const std::vector<std::string>& words, std::uint64_t now_us,
                                         base::TimeZones& zones) {
    JournalQuery query;
    log::Selection& selection = query.selection;
    const JournalOptions& journal = options.journal;
    for (const std::string& word : face == Face::Initctl ? words : options.units)
        selection.units.push_back(word == log::stray_unit || word == log::own_unit ? word : unit::with_suffix(word));
    selection.identifiers = journal.identifiers;
    selection.not_identifiers = journal.not_identifiers;
    // `initctl logs -p err`: the letter is --property= for other verbs
    const std::string& priority = journal.priority.empty() && face == Face::Initctl && !options.assignments.empty() ? options.assignments.back() : journal.priority;
    if (!priority.empty())
        TRY(set_priority(selection, priority));
    TRY(set_facilities(selection, journal.facilities));
    if (!journal.since.empty())
        selection.since_us = TRY(moment("since", journal.since, now_us, zones));
    if (!journal.until.empty())
        selection.until_us = TRY(moment("until", journal.until, now_us, zones));
    if (selection.since_us > selection.until_us)
        return fail(Errc::Invalid, "--since= is after --until=");
    if (!journal.grep.empty()) {
        const bool sensitive = journal.case_sensitive.empty() ? log::has_capitals(journal.grep) : journal.case_sensitive != "no" && journal.case_sensitive != "0";
        selection.grep = TRY(log::Pattern::compile(journal.grep, !sensitive));
    }
    if (face != Face::Initctl)
        TRY(set_matches(selection, words));
    if (journal.kernel || journal.user_unit) // there are none of these here
        selection.alternatives = {{{"_TRANSPORT", "kernel"}}};
    TRY(set_position(selection, journal));
    TRY(set_count(query, options, face));
    return query;
}

base::Result<std::optional<log::BootId>> chosen_boot(const std::vector<log::StoreReader::Boot>& boots, std::string_view text) {
    if (text == "all")
        return std::optional<log::BootId>();
    constexpr std::size_t id_size = 32;
    auto base = static_cast<std::int64_t>(boots.size()) - 1; // 0 is the last, as are negative numbers before it
    std::string_view offset = text;
    if (const std::size_t digits = text.find_first_not_of("0123456789abcdefABCDEF"); text.size() >= id_size && (digits == id_size || text.size() == id_size)) {
        const auto id = log::parse_boot(text.substr(0, id_size));
        const auto found = std::ranges::find_if(boots, [&](const auto& boot) { return id && boot.id == *id; });
        if (found == boots.end())
            return fail(Errc::NotFound, "no lines of boot " + base::printable(text, 60));
        base = found - boots.begin();
        offset = text.substr(id_size);
    } else if (!text.starts_with('-') && text != "0" && !text.empty()) {
        base = -1; // 1 is the first
    }
    const std::string_view number = offset.starts_with('+') ? offset.substr(1) : offset;
    const auto steps = offset.empty() ? std::optional<std::int64_t>(0) : number_in<std::int64_t>(number);
    if (!steps)
        return fail(Errc::Invalid, base::printable(text, 60) + " is no boot: 0, -1, 2 … or an ID");
    const std::int64_t index = base + *steps;
    if (index < 0 || index >= static_cast<std::int64_t>(boots.size()))
        return fail(Errc::NotFound, "no lines of boot " + (text.empty() ? std::string("0") : base::printable(text, 60)));
    return std::optional(boots[static_cast<std::size_t>(index)].id);
}

} // namespace monoinit::cli
