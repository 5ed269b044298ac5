// Command lines of services. Words and quotes are words.hpp's; here are the prefixes, the ";" between commands, and the
// variables that exec/ puts in when the environment is known. Tested by tests/unit/unit/command_line_test.cpp.
#include "unit/command_line.hpp"

#include "unit/codec_tools.hpp"
#include "unit/values.hpp"
#include "unit/words.hpp"

#include <algorithm>

namespace monoinit::unit {

using base::Errc;
using base::fail;
using base::Result;

namespace {

constexpr std::string_view blanks = " \t\n\r";

/// Takes the prefixes off the first word. Each counts once; "!!" excludes "!" and both exclude "+".
/// Returns whether there was an "@".
bool take_prefixes(std::string_view& word, Command& command) {
    bool separate_argv0 = false;
    for (; !word.empty(); word.remove_prefix(1)) {
        const bool privileges_open = !command.full_privileges && !command.ambient_fallback;
        if (word.front() == '-' && !command.ignore_failure)
            command.ignore_failure = true;
        else if (word.front() == '@' && !separate_argv0)
            separate_argv0 = true;
        else if (word.front() == ':' && !command.no_environment)
            command.no_environment = true;
        else if (word.front() == '+' && privileges_open && !command.no_setuid)
            command.full_privileges = true;
        else if (word.front() == '!' && privileges_open) {
            command.ambient_fallback = command.no_setuid;
            command.no_setuid = !command.no_setuid;
        } else
            break;
    }
    return separate_argv0;
}

Result<void> check_path(std::string_view path) {
    if (path.empty())
        return fail(Errc::Invalid, "no command behind the prefix");
    if (!is_safe_text(path))
        return fail(Errc::Invalid, "the command's name holds quotes, backslashes or control characters");
    if (path.back() == '/' || path == "." || path == "..")
        return fail(Errc::Invalid, "the command is a directory");
    if (path.front() != '/' && path.find('/') != std::string_view::npos)
        return fail(Errc::Invalid, "the command is neither an absolute path nor a plain name");
    return {};
}

/// A ";" standing alone here ends the command.
bool take_alone(std::string_view& line, std::string_view token) {
    if (!line.starts_with(token))
        return false;
    const auto after = line.substr(token.size());
    if (!after.empty() && blanks.find(after.front()) == std::string_view::npos)
        return false;
    line = after.substr(std::min(after.find_first_not_of(blanks), after.size()));
    return true;
}

constexpr unsigned command_words = Unquote | CUnescape;

/// systemd tries strictly first, then lets unknown escapes stand, with a warning.
Result<std::optional<std::string>> next_command_word(ParseContext& context, std::string_view& line) {
    std::string_view strict = line;
    auto word = next_word(strict, command_words);
    if (word) {
        line = strict;
        return word;
    }
    std::string_view relaxed = line;
    auto again = next_word(relaxed, command_words | UnescapeRelax);
    if (!again)
        return word;
    note(context, "unknown escape sequence taken as it stands; write \\\\ for a backslash");
    line = relaxed;
    return again;
}

Result<void> parse_arguments(ParseContext& context, std::string_view& line, Command& command, bool& more) {
    while (!line.empty()) {
        if (take_alone(line, ";")) {
            more = true;
            return {};
        }
        if (take_alone(line, "\\;")) {
            command.argv.emplace_back(";");
            continue;
        }
        auto word = TRY(next_command_word(context, line));
        if (!word)
            return {};
        command.argv.push_back(TRY(expand(context, std::move(*word))));
    }
    return {};
}

/// One command; `more` when a ";" followed it. An empty path means that there was nothing.
Result<Command> parse_one(ParseContext& context, std::string_view& line, Command command, bool& more, bool& optional) {
    const auto first = TRY(next_command_word(context, line));
    if (!first)
        return command;
    if (*first == ";") {
        more = true;
        return command;
    }
    std::string_view word = *first;
    const bool separate_argv0 = take_prefixes(word, command);
    optional = command.ignore_failure;
    std::string path = TRY(expand(context, std::string(word)));
    TRY(check_path(path));
    if (!separate_argv0)
        command.argv.push_back(path);
    command.path = simplify_path(path);
    TRY(parse_arguments(context, line, command, more));
    if (command.argv.empty())
        return fail(Errc::Invalid, "the \"@\" prefix needs a second word: the name the command is called by");
    return command;
}

/// The text up to the end of "${NAME}" at text[0] == '$', or npos where there is none.
std::size_t braced_length(std::string_view text) {
    const auto close = text.find('}');
    return text.starts_with("${") && close != std::string_view::npos ? close + 1 : std::string_view::npos;
}

std::string expand_word(std::string_view word, const VariableLookup& lookup) {
    std::string out;
    while (!word.empty()) {
        const auto dollar = word.find('$');
        out += word.substr(0, dollar);
        if (dollar == std::string_view::npos)
            break;
        word.remove_prefix(dollar);
        std::size_t used = 1;
        if (word.starts_with("$$")) {
            out += '$';
            used = 2;
        } else if (const auto length = braced_length(word); length != std::string_view::npos) {
            out += lookup(word.substr(2, length - 3)).value_or("");
            used = length;
        } else {
            out += '$';
        }
        word.remove_prefix(used);
    }
    return out;
}

} // namespace

Result<void> parse_command_line(ParseContext& context, std::string_view line, std::vector<Command>& commands) {
    for (bool more = true; more;) {
        more = false;
        bool optional = false;
        Command command;
        command.file = context.file;
        command.line = context.line;
        auto parsed = parse_one(context, line, std::move(command), more, optional);
        if (!parsed) {
            context.refuse = !optional;
            return std::move(parsed).error();
        }
        if (!parsed->path.empty())
            commands.push_back(std::move(*parsed));
    }
    return {};
}

std::string format_command(const Command& command) {
    std::string text;
    if (command.ignore_failure)
        text += '-';
    if (command.no_environment)
        text += ':';
    if (command.full_privileges)
        text += '+';
    text += command.ambient_fallback ? "!!" : command.no_setuid ? "!" : "";
    const bool separate_argv0 = command.argv.empty() || simplify_path(command.argv.front()) != command.path;
    if (separate_argv0)
        text += '@';
    text += quote_word(command.path);
    for (const auto& argument : command.argv)
        if (separate_argv0 || &argument != &command.argv.front())
            text += " " + (argument == ";" ? std::string("\\;") : quote_word(argument));
    return text;
}

std::vector<std::string> expand_argv(const Command& command, const VariableLookup& lookup) {
    if (command.no_environment)
        return command.argv;
    std::vector<std::string> argv;
    for (const std::string_view word : command.argv) {
        const bool own_word = word.starts_with('$') && !word.starts_with("${") && !word.starts_with("$$");
        if (!own_word) {
            argv.push_back(expand_word(word, lookup));
            continue;
        }
        if (const auto value = lookup(word.substr(1)))
            if (auto words = split_words(*value, Unquote | Relax))
                for (auto& one : *words)
                    argv.push_back(std::move(one));
    }
    return argv;
}

} // namespace monoinit::unit
