// show, env, is-active, is-failed and the manager's environment block. Tested by tests/system.
#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/property_order.hpp"
#include "cli/verbs.hpp"
#include "control/codec.hpp"
#include "unit/install_links.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

extern char** environ;

namespace monoinit::cli {

namespace {

int failed(Context& context, const base::Error& error) {
    context.complain("{}: {}", context.program, error.what);
    return 1;
}

/// A property with several values has one a line. What is empty is shown only where it was asked for.
void print_properties(Context& context, const control::PropertyList& properties) {
    const bool empty_too = context.options.all || !context.options.properties.empty();
    for (const auto& [name, value] : properties) {
        if (value.empty() && !empty_too)
            continue;
        for (const std::string_view line : base::split(value, '\n')) {
            if (context.options.value)
                context.print("{}\n", line);
            else
                context.print("{}={}\n", name, line);
        }
    }
}

/// `show PID`: the unit a process belongs to.
base::Result<std::string> unit_of(Context& context, const std::string& word) {
    if (word.empty() || word.find_first_not_of("0123456789") != std::string::npos || word.size() > 9)
        return unit::with_suffix(word);
    return TRY(ask<control::StatusReply>(context, control::StatusRequest{.pid = std::stoi(word)})).unit.summary.name;
}

/// ActiveState of each unit; what is not loaded is "inactive".
base::Result<Names> active_states(Context& context, const Names& units) {
    Names states;
    for (const std::string& unit : units) {
        const auto reply =
            TRY(ask<control::PropertiesReply>(context, control::PropertiesRequest{.unit = unit, .only = {"ActiveState"}}));
        states.push_back(reply.properties.empty() ? "inactive" : reply.properties.front().second);
    }
    return states;
}

void print_states(Context& context, const Names& units, const Names& states) {
    std::vector<std::string> rows;
    for (std::size_t i = 0; i < states.size(); i++) {
        if (context.options.json)
            rows.push_back(json_object({{"unit", json_string(units[i])}, {"active_state", json_string(states[i])}}));
        else
            context.say("{}\n", states[i]);
    }
    if (context.options.json)
        context.print("{}\n", json_array(rows));
}

/// What is needed to answer NeedDaemonReload=, beside what was asked for.
constexpr std::array<std::string_view, 3> for_reload = {"FragmentPath", "DropInPaths", "X-Loaded"};

bool wants(const Names& asked, const std::string& name) { return asked.empty() || std::ranges::find(asked, name) != asked.end(); }

Names with_helpers(Names asked) {
    if (!asked.empty() && wants(asked, "NeedDaemonReload"))
        asked.insert(asked.end(), for_reload.begin(), for_reload.end());
    return asked;
}

void fill_need_of_reload(Context& context, const std::string& unit, control::PropertyList& properties) {
    Names files;
    std::int64_t loaded = 0;
    std::string drop_ins;
    for (const auto& [name, value] : properties) {
        if (name == "FragmentPath")
            files.push_back(value);
        else if (name == "DropInPaths")
            drop_ins = value;
        else if (name == "X-Loaded")
            std::from_chars(value.data(), value.data() + value.size(), loaded);
    }
    for (const std::string_view path : base::split(drop_ins, ' '))
        if (!path.empty())
            files.emplace_back(path);
    for (auto& [name, value] : properties)
        if (name == "NeedDaemonReload")
            value = changed_on_disk(context, unit, files, base::Duration(loaded)) ? "yes" : "no";
}

/// The init looks neither at links in directories nor at preset files; we do.
void fill_file_state(Context& context, const std::string& unit, control::PropertyList& properties) {
    std::string fragment = "?"; // not asked for
    for (const auto& [name, value] : properties)
        if (name == "FragmentPath")
            fragment = value;
    for (auto& [name, value] : properties) {
        if (name == "UnitFileState" && value.empty()) {
            const unit::FileState state = unit::file_state(context.files(), context.loader(), unit, context.install_options());
            value = state == unit::FileState::NotFound ? std::string_view() : unit::file_state_name(state);
        }
        if (name == "UnitFilePreset" && !fragment.empty())
            value = unit::Presets(context.files()).verdict(unit) == unit::Presets::Verdict::Disable ? "disabled" : "enabled";
    }
}

} // namespace

std::string environment_text(const std::vector<control::EnvironmentEntry>& entries) {
    std::string text;
    Names told;
    for (const auto& [kind, name, value, source] : entries) { // a group for each source, in order of appearance
        if (kind != "variable" || std::ranges::find(told, source) != told.end())
            continue;
        told.push_back(source);
        text += "# " + source + "\n";
        for (const auto& entry : entries)
            if (entry.kind == "variable" && entry.source == source)
                text += entry.name + "=" + entry.value + "\n";
    }
    for (const auto& entry : entries)
        if (entry.kind == "file")
            text += "# EnvironmentFile=" + entry.name + ": " + entry.source + "\n";
        else if (entry.kind == "removed")
            text += "# " + entry.name + ": taken out by " + entry.source + "\n";
        else if (entry.kind == "credential")
            text += "# $CREDENTIALS_DIRECTORY/" + entry.name + ": " + entry.source + "\n";
    return text;
}

int show(Context& context, Words words) {
    const auto expanded = expand(context, words);
    if (!expanded)
        return failed(context, expanded.error());
    Names units = words.empty() ? Names{""} : Names{};
    for (std::size_t i = 0; i < expanded->size(); i++) {
        const bool number = i < words.size() && words.size() == expanded->size();
        const auto name = number ? unit_of(context, words[i].find_first_of("*?[") == std::string::npos ? words[i] : (*expanded)[i])
                                 : base::Result<std::string>((*expanded)[i]);
        if (!name)
            return failed(context, name.error());
        units.push_back(*name);
    }
    bool first = true;
    for (const std::string& unit : units) {
        auto reply =
            ask<control::PropertiesReply>(context, control::PropertiesRequest{.unit = unit, .only = with_helpers(context.options.properties), .timestamp = context.options.timestamp_word});
        if (!reply)
            return failed(context, reply.error());
        if (!unit.empty()) {
            fill_file_state(context, unit, reply->properties);
            if (wants(context.options.properties, "NeedDaemonReload"))
                fill_need_of_reload(context, unit, reply->properties);
        }
        std::erase_if(reply->properties, [&](const auto& property) { return !wants(context.options.properties, property.first); });
        order_properties(reply->properties, unit, context.systemctl());
        if (context.options.json) {
            context.out += control::to_json(*reply) + "\n";
            continue;
        }
        if (!first)
            context.print("\n");
        first = false;
        print_properties(context, reply->properties);
    }
    return 0;
}

int env(Context& context, Words words) {
    const std::string unit = words.empty() ? "" : unit::with_suffix(words.front());
    const auto reply = ask<control::EnvironmentReply>(context, control::EnvironmentRequest{unit});
    if (!reply) {
        context.complain("{}: {}", unit.empty() ? context.program : std::string(unit::short_name(unit)), reply.error().what);
        return reply.error().code == base::Errc::NotFound && !context.systemctl() ? 4 : 1;
    }
    if (context.options.json)
        context.out += control::to_json(*reply) + "\n";
    else if (reply->entries.empty())
        for (const std::string& variable : reply->variables)
            context.print("{}\n", variable);
    else
        context.out += environment_text(reply->entries);
    return 0;
}

int is_active(Context& context, Words words) {
    const auto units = expand(context, words);
    const auto states = units ? active_states(context, *units) : base::Result<Names>(units.error());
    if (!states)
        return failed(context, states.error());
    print_states(context, *units, *states);
    return std::ranges::any_of(*states, [](const std::string& state) { return state == "active" || state == "reloading"; }) ? 0 : 3;
}

int is_failed(Context& context, Words words) {
    if (words.empty()) { // systemctl 253: the whole system
        const auto info = ask<control::ManagerInfo>(context, control::InfoRequest{});
        if (!info)
            return failed(context, info.error());
        context.say("{}\n", context.options.json ? json_object({{"system_state", json_string(info->system_state)}}) : info->system_state);
        return info->failed > 0 ? 0 : 1;
    }
    const auto units = expand(context, words);
    const auto states = units ? active_states(context, *units) : base::Result<Names>(units.error());
    if (!states)
        return failed(context, states.error());
    print_states(context, *units, *states);
    return std::find(states->begin(), states->end(), "failed") != states->end() ? 0 : 1;
}

int change_environment(Context& context, Words words) {
    control::SetEnvironmentRequest request;
    if (context.verb == "unset-environment") {
        request.unset = words;
    } else if (context.verb == "set-environment") {
        request.assign = words;
    } else if (words.empty()) {
        if (context.systemctl())
            context.remark("Calling import-environment without a list of variable names is deprecated.");
        for (char** variable = environ; *variable != nullptr; variable++)
            request.assign.emplace_back(*variable);
    } else {
        for (const std::string& name : words)
            if (const char* value = ::getenv(name.c_str()))
                request.assign.push_back(name + "=" + value);
            else
                context.complain("Environment variable ${} not set, ignoring.", base::printable(name, 80));
    }
    for (const std::string& assignment : request.assign)
        if (assignment.find('=') == std::string::npos || assignment.front() == '=') {
            context.complain("{}: {} is not NAME=VALUE", context.program, base::printable(assignment, 80));
            return context.systemctl() ? 1 : 2;
        }
    const auto done = ask<control::Empty>(context, request);
    if (!done)
        return failed(context, done.error());
    context.done_silently();
    return 0;
}

} // namespace monoinit::cli
