// The reference pages. Everything in them comes from the table; nothing is written twice.
// Tested by tests/unit/unit/reference_test.cpp.
#include "unit/reference.hpp"

#include "base/enum_names.hpp"
#include "base/fmt.hpp"
#include "base/strings.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace monoinit::unit {

namespace {

constexpr auto support_names =
    base::enum_names<Support>({{Support::Full, "full"}, {Support::Degraded, "degraded"}, {Support::Ignored, "ignored"}});

struct Chapter {
    Group group;
    std::string_view title, manual;
};

// clang-format off
constexpr auto chapters = std::to_array<Chapter>({
    {Group::Unit, "[Unit]", "systemd.unit(5)"}, {Group::Install, "[Install]", "systemd.unit(5)"},
    {Group::Service, "[Service]", "systemd.service(5)"},
    {Group::Exec, "[Service], [Socket], [Mount], [Swap]: execution", "systemd.exec(5)"},
    {Group::Kill, "[Service], [Socket], [Mount], [Swap], [Scope]: killing", "systemd.kill(5)"},
    {Group::Cgroup, "[Service], [Socket], [Mount], [Swap], [Slice], [Scope]: resources", "systemd.resource-control(5)"},
    {Group::Socket, "[Socket]", "systemd.socket(5)"}, {Group::Timer, "[Timer]", "systemd.timer(5)"},
    {Group::Path, "[Path]", "systemd.path(5)"}, {Group::Mount, "[Mount]", "systemd.mount(5)"},
    {Group::Automount, "[Automount]", "systemd.automount(5)"}, {Group::Swap, "[Swap]", "systemd.swap(5)"},
    {Group::Slice, "[Slice]", "systemd.slice(5)"}, {Group::Scope, "[Scope]", "systemd.scope(5)"},
    {Group::Health, "[X-Health], [X-HealthStartup], [X-HealthReady], [X-HealthLive]", "ours; systemd ignores these sections"},
});
// clang-format on

std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text)
        (out += c == '|' ? "\\" : "") += c;
    return out;
}

std::string code(std::string_view text) { return text.empty() ? std::string() : "`" + cell(text) + "`"; }

/// What a reader needs to know beyond the first sentence.
std::string remark(const Directive& row) {
    std::string text(row.note);
    if (!row.replaced_by.empty())
        text = "today " + std::string(row.replaced_by) + (text.empty() ? "" : "; ") + text;
    if (row.since != 0)
        text += (text.empty() ? "" : "; ") + fmt::format("since systemd {}", row.since);
    return text;
}

std::string markdown_row(const Directive& row) {
    const std::string more = remark(row);
    return fmt::format("| `{}=` | {} | {} | {} | {}{} |\n", row.name.view(), base::name_of(support_names, row.support), cell(row.type),
                       code(row.dflt), cell(row.doc), more.empty() ? "" : " *" + cell(more) + "*");
}

const Directive* best_row(std::string_view name) {
    const Directive* found = nullptr;
    for (const auto& row : directives())
        if (row.name == name && (found == nullptr || row.support < found->support))
            found = &row;
    return found;
}

bool is_ours(const Directive& row) { return row.group == Group::Health || row.name.view().starts_with("X-"); }

std::string described(const Directive& row) {
    std::string text = fmt::format("{}=   in [{}]   {}\n  {}\n", row.name.view(), section_of(row.group), support_name(row.support), row.doc.view());
    const auto line = [&](std::string_view title, std::string_view value) {
        if (!value.empty())
            text += fmt::format("  {:<9}{}\n", title, value);
    };
    line("Value:", row.type);
    line("Default:", row.dflt);
    line("Example:", row.example.empty() ? std::string() : fmt::format("{}={}", row.name.view(), row.example.view()));
    line("Here:", row.note);
    line("Today:", row.replaced_by);
    line("Since:", row.since == 0 ? std::string() : fmt::format("systemd {}", row.since));
    for (const auto& chapter : chapters)
        if (chapter.group == row.group)
            line("Manual:", chapter.manual);
    return text;
}

} // namespace

std::string_view support_name(Support support) { return base::name_of(support_names, support); }

std::string directives_markdown() {
    std::string text = "# Directives\n\n"
                       "Made from the table in `src/unit/rows_*.hpp`; do not edit. `full`: does what systemd's manual says. `degraded`: does part of\n"
                       "it. `ignored`: known, without effect. `initctl verify` names every setting of a unit that is not `full`. `X-`: ours, ignored by systemd.\n";
    for (const auto& chapter : chapters) {
        std::string rows;
        for (const auto& row : directives())
            if (row.group == chapter.group)
                rows += markdown_row(row);
        if (!rows.empty())
            text += fmt::format("\n## {}\n\n{}\n\n| directive | support | value | default | what it does |\n|---|---|---|---|---|\n{}",
                                chapter.title, chapter.manual, rows);
    }
    return text;
}

std::string coverage_markdown(const std::vector<std::string_view>& systemd_names) {
    std::array<std::vector<std::string>, 3> known;
    std::vector<std::string> unknown;
    for (const auto name : systemd_names) {
        const Directive* row = best_row(name);
        (row == nullptr ? unknown : known[static_cast<std::size_t>(row->support)]).emplace_back(name);
    }
    std::set<std::string_view> listed(systemd_names.begin(), systemd_names.end());
    std::vector<std::string> newer, old, ours;
    for (const auto& row : directives())
        if (listed.insert(row.name).second)
            (is_ours(row) ? ours : row.since != 0 ? newer : old).emplace_back(row.name);
    const std::size_t all = systemd_names.size();
    std::string text = fmt::format("# Coverage\n\nThe unit directives of systemd.directives(7), systemd 252 (`tests/data/systemd-directives.txt`), "
                                   "against the table. Made from both; do not edit.\n\n| | directives |\n|---|---|\n| in systemd's list | {} |\n", all);
    for (std::size_t i = 0; i < known.size(); i++)
        text += fmt::format("| {} | {} |\n", support_name(static_cast<Support>(i)), known[i].size());
    text += fmt::format("| unknown | {} |\n", unknown.size());
    const auto list = [&](std::string_view title, const std::vector<std::string>& names) {
        if (!names.empty())
            text += fmt::format("\n## {} ({})\n\n{}\n", title, names.size(), base::join(names, " "));
    };
    for (std::size_t i = 0; i < known.size(); i++)
        list(support_name(static_cast<Support>(i)), known[i]);
    list("unknown", unknown);
    list("newer than systemd 252", newer);
    list("not in systemd's list: old names, and what belongs to other sections", old);
    list("monoinit's own, which systemd ignores", ours);
    return text;
}

std::optional<std::string> describe_directive(std::string_view name) {
    if (name.ends_with('='))
        name.remove_suffix(1);
    std::string text;
    for (const auto& row : directives())
        if (row.name == name)
            text += (text.empty() ? "" : "\n") + described(row);
    return text.empty() ? std::nullopt : std::optional(text);
}

std::string_view closest_directive(std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& row : directives())
        names.push_back(row.name);
    return base::closest(name, names);
}

} // namespace monoinit::unit
