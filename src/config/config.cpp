// Command line, environment and file become one InitConfig. Tested by tests/unit/config/config_test.cpp.
#include "config/config.hpp"

#include "base/strings.hpp"
#include "config/options.hpp"

#include <algorithm>

namespace monoinit::config {

using base::Errc;

namespace {

constexpr std::size_t file_limit = 1 << 20;
constexpr std::string_view prefix = "MONOINIT_";

/// "; did you mean X?" or nothing.
std::string did_you_mean(std::string_view best) {
    return best.empty() ? "" : "; did you mean " + std::string(best) + "?";
}


/// `said` is what stands before the complaint: the key, or nothing where `at` names it already.
void apply(Loaded& loaded, const Option& option, std::string_view value, Problem problem) {
    const auto set = option.set(loaded.config, value);
    if (set)
        return;
    problem.text += base::printable(value, 80) + ": " + set.error().what;
    loaded.problems.push_back(std::move(problem));
}

void apply_file(Loaded& loaded, const base::FileSource& files) {
    const std::string path = loaded.config.config;
    const auto text = files.read(path, file_limit);
    if (!text) {
        if (text.error().code != Errc::NotFound || path != default_config_path)
            loaded.problems.push_back({{path, 0}, text.error().what});
        return;
    }
    const auto settings = parse_toml(*text, path);
    if (!settings) {
        loaded.problems.push_back({settings.error().at.value_or(base::SourcePos{path, 0}),
                                   settings.error().what + "; no setting of this file is in force"});
        return;
    }
    for (const FileSetting& setting : *settings) {
        const base::SourcePos at{path, setting.line};
        const Option* option = find_option(setting.key);
        if (option == nullptr || !option->in_file)
            loaded.problems.push_back({at, "unknown key " + base::printable(setting.key, 80) +
                                               did_you_mean(base::closest(setting.key, option_keys()))});
        else if (setting.is_array && option->kind != Kind::List)
            loaded.problems.push_back({at, setting.key + ": a single value is expected, not a list"});
        else
            apply(loaded, *option, base::join(setting.values, "\n"), {at, setting.key + " = "});
    }
}

void apply_environment(Loaded& loaded, std::span<const std::string> environment) {
    for (const std::string& entry : environment) {
        const std::size_t equals = entry.find('=');
        if (equals == std::string::npos || !entry.starts_with(prefix))
            continue;
        const std::string name = entry.substr(0, equals);
        std::vector<std::string> names;
        for (const Option& option : options())
            names.push_back(environment_of(option));
        const auto known = std::find(names.begin(), names.end(), name);
        if (known == names.end())
            loaded.problems.push_back(
                {{name, 0}, "no such setting" + did_you_mean(base::closest(name, {names.begin(), names.end()}))});
        else
            apply(loaded, options()[static_cast<std::size_t>(known - names.begin())],
                  std::string_view(entry).substr(equals + 1), {{name, 0}, ""});
    }
}

} // namespace

CommandLine parse_command_line(std::span<const std::string> arguments) {
    CommandLine line;
    for (std::size_t i = 0; i < arguments.size(); i++) {
        const std::string& argument = arguments[i];
        const auto rest = arguments.subspan(i);
        if (argument == "--" || (argument == "install" && i == 0)) {
            line.mode = argument == "install" ? CommandLine::Mode::Install : line.mode;
            line.arguments.assign(rest.begin() + 1, rest.end());
            return line;
        }
        if (!argument.starts_with("-") || argument == "-") {
            line.arguments.assign(rest.begin(), rest.end());
            return line;
        }
        if (argument == "--help" || argument == "-h" || argument == "--version") {
            line.mode = argument == "--version" ? CommandLine::Mode::Version : CommandLine::Mode::Help;
            continue;
        }
        const std::size_t equals = argument.find('=');
        const std::string flag = argument.substr(0, equals);
        const auto known = options();
        const auto option = std::find_if(known.begin(), known.end(), [&](const Option& o) { return flag_of(o) == flag; });
        if (option == known.end()) {
            std::vector<std::string> flags;
            for (const Option& row : known)
                flags.push_back(flag_of(row));
            line.problems.push_back(
                {{flag, 0}, "no such option" + did_you_mean(base::closest(flag, {flags.begin(), flags.end()})), true});
        } else if (equals != std::string::npos) {
            line.settings.emplace_back(option->key, argument.substr(equals + 1));
        } else if (option->kind == Kind::Bool) {
            line.settings.emplace_back(option->key, "yes");
        } else if (i + 1 < arguments.size() && !arguments[i + 1].starts_with("-")) {
            line.settings.emplace_back(option->key, arguments[++i]);
        } else {
            line.problems.push_back({{flag, 0}, "needs a value: " + flag + "=" + std::string(option->value), true});
        }
    }
    return line;
}

Loaded load(const base::FileSource& files, const CommandLine& command_line, std::span<const std::string> environment) {
    Loaded loaded;
    loaded.problems = command_line.problems;
    // Where the file lies is settled first; its settings then come below those of environment and command line.
    constexpr std::string_view config_variable = "MONOINIT_CONFIG=";
    for (const std::string& entry : environment)
        if (entry.starts_with(config_variable))
            loaded.config.config = entry.substr(config_variable.size());
    for (const auto& [key, value] : command_line.settings)
        if (key == "config")
            loaded.config.config = value;
    apply_file(loaded, files);
    apply_environment(loaded, environment);
    for (const auto& [key, value] : command_line.settings)
        if (const Option* option = find_option(key))
            apply(loaded, *option, value, {{flag_of(*option), 0}, "", true});
    return loaded;
}

std::string to_string(const Problem& problem) {
    base::Error error{Errc::Invalid, 0, problem.text, std::nullopt};
    if (!problem.at.file.empty())
        error.at = problem.at;
    return base::to_string(error);
}

} // namespace monoinit::config
