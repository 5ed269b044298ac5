// See tool.hpp. Tested by tests/system/tools.py.
#include "cli/tool.hpp"

#include "cli/verbs.hpp"
#include "unit/enums.hpp"

#include <cerrno>
#include <climits>
#include <getopt.h>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr ToolOption common[] = {{"help", 'h', Argument::None, "", "this text"}, {"version", 0, Argument::None, "", "the version"}};
constexpr int long_only = UCHAR_MAX + 1; ///< values of options without a letter begin here

std::vector<ToolOption> options_of(const Tool& tool) {
    std::vector<ToolOption> rows(std::begin(common), std::end(common));
    rows.insert(rows.end(), tool.options.begin(), tool.options.end());
    return rows;
}

int how(Argument argument) {
    switch (argument) {
    case Argument::None: return no_argument;
    case Argument::Required: return required_argument;
    case Argument::Optional: return optional_argument;
    }
    return no_argument;
}

bool write_fully(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(fd, text.data(), text.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

} // namespace

bool ToolLine::has(std::string_view option) const {
    for (const auto& [name, value] : given)
        if (name == option)
            return true;
    return false;
}

std::optional<std::string> ToolLine::last(std::string_view option) const {
    std::optional<std::string> found;
    for (const auto& [name, value] : given)
        if (name == option)
            found = value.value_or("");
    return found;
}

std::vector<std::string> ToolLine::all(std::string_view option) const {
    std::vector<std::string> values;
    for (const auto& [name, value] : given)
        if (name == option)
            values.push_back(value.value_or(""));
    return values;
}

ToolLine read_tool_line(const Tool& tool, int argc, char** argv) {
    ToolLine line;
    const std::vector<ToolOption> rows = options_of(tool);
    std::string letters = tool.stops_at_word ? "+" : "";
    std::vector<option> longs;
    for (std::size_t i = 0; i < rows.size(); i++) {
        const ToolOption& row = rows[i];
        const int value = row.letter != 0 ? row.letter : long_only + static_cast<int>(i);
        if (row.letter != 0)
            letters += row.letter + std::string(static_cast<std::size_t>(how(row.argument)), ':');
        if (row.name != nullptr)
            longs.push_back({row.name, how(row.argument), nullptr, value});
    }
    longs.push_back({});
    ::optind = 0; // begins anew
    for (int value; (value = ::getopt_long(argc, argv, letters.c_str(), longs.data(), nullptr)) != -1;) {
        if (value == '?') {
            line.status = 1; // getopt has said it
            return line;
        }
        for (std::size_t i = 0; i < rows.size(); i++)
            if (value == (rows[i].letter != 0 ? rows[i].letter : long_only + static_cast<int>(i)))
                line.given.emplace_back(rows[i].name != nullptr ? rows[i].name : std::string_view(&tool.options[i - std::size(common)].letter, 1),
                                        ::optarg == nullptr ? std::nullopt : std::optional<std::string>(::optarg));
        if (line.given.back().first == "help") {
            line.status = put_out(tool_help(tool)) ? 0 : 1;
            return line;
        }
        if (line.given.back().first == "version") {
            line.status = put_out(systemd_version() + "\n") ? 0 : 1;
            return line;
        }
    }
    line.words.assign(argv + ::optind, argv + argc);
    return line;
}

std::string tool_help(const Tool& tool) {
    std::string out = fmt::format("{} {}\n\n{}\n\nOptions:\n", tool.name, tool.arguments, tool.purpose);
    Table table;
    for (const ToolOption& row : options_of(tool)) {
        if (*row.help == '\0')
            continue;
        std::string name = row.letter == 0 ? "   " : fmt::format("-{} ", row.letter);
        if (row.name != nullptr)
            name += fmt::format("--{}", row.name);
        if (*row.value != '\0')
            name += row.argument == Argument::Optional ? fmt::format("[={}]", row.value) : fmt::format("{}{}", row.name == nullptr ? " " : "=", row.value);
        table.add({name, row.help});
    }
    out += table.render(false, 2, "  ");
    return tool.more.empty() ? out : fmt::format("{}\n{}\n", out, tool.more);
}

void complain_line(std::string text) { (void)write_fully(2, text += '\n'); }

bool put_out(std::string_view text) { return write_fully(1, text); }

int parse_level(std::string_view text) {
    if (text.size() == 1 && text.front() >= '0' && text.front() <= '7')
        return text.front() - '0';
    return base::value_of(unit::syslog_level_names, text).value_or(-1);
}

} // namespace monoinit::cli
