// Verbs that look at unit files; they work without a running init. Tested by tests/unit/cli/offline_test.cpp.
#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/verbs.hpp"
#include "unit/embedded.hpp"
#include "unit/install_links.hpp"
#include "unit/name.hpp"

#include <algorithm>

namespace monoinit::cli {

using unit::FileState;

namespace {

constexpr std::size_t size_limit = 1 << 20;

bool counts_as_enabled(FileState state) {
    switch (state) {
    case FileState::Enabled:
    case FileState::EnabledRuntime:
    case FileState::Static:
    case FileState::Alias:
    case FileState::Indirect:
    case FileState::Generated:
    case FileState::Transient:
        return true;
    case FileState::Linked:
    case FileState::LinkedRuntime:
    case FileState::Masked:
    case FileState::MaskedRuntime:
    case FileState::Disabled:
    case FileState::Bad:
    case FileState::NotFound:
        return false;
    }
    return false;
}

Color color_of(FileState state) {
    if (state == FileState::Enabled || state == FileState::EnabledRuntime)
        return Color::Green;
    if (state == FileState::Disabled || state == FileState::Linked || state == FileState::LinkedRuntime)
        return Color::Yellow;
    return state == FileState::Masked || state == FileState::MaskedRuntime || state == FileState::Bad ? Color::Red : Color::None;
}

std::string_view embedded_text(std::string_view name) {
    for (const unit::EmbeddedUnit& unit : unit::embedded_units())
        if (unit.name == name)
            return unit.text;
    return {};
}

bool is_embedded(std::string_view name) {
    return std::ranges::any_of(unit::embedded_units(), [&](const unit::EmbeddedUnit& unit) { return unit.name == name; });
}

/// The unit's files, each after a line with its path. False when there are none.
bool print_files(Context& context, const unit::UnitConfig& config, bool& first, std::vector<std::string>& rows) {
    bool any = false;
    const auto put = [&](const std::string& heading, std::string_view text) {
        if (context.options.json)
            rows.push_back(json_object({{"unit", json_string(config.name)}, {"path", json_string(heading)}, {"text", json_string(text)}}));
        else
            context.print("{}# {}\n{}{}", first ? "" : "\n", heading, text, text.empty() || text.ends_with('\n') ? "" : "\n");
        first = false;
        any = true;
    };
    if (config.builtin && (config.files.empty() || config.files.front().empty()))
        if (const std::string_view text = embedded_text(config.name); !text.empty())
            put("built into monoinit: " + config.name, text);
    for (const std::string& path : config.files) {
        if (path.empty())
            continue;
        const auto text = context.files().read(path, size_limit);
        if (text)
            put(context.install_options().root + path, *text);
        else
            context.complain("Failed to cat {}: {}", path, text.error().what);
    }
    return any;
}

struct FileRow {
    std::string name;
    FileState state;
    std::string preset;
};

std::string preset_of(Context& context, const unit::Presets& presets, const std::string& name, FileState state) {
    if (state != FileState::Enabled && state != FileState::EnabledRuntime && state != FileState::Disabled && state != FileState::Linked &&
        state != FileState::Indirect && state != FileState::Masked && state != FileState::MaskedRuntime && state != FileState::LinkedRuntime)
        return "-";
    const auto config = context.loader().load_as_written(name);
    if (config->install->empty() && state != FileState::Masked && state != FileState::MaskedRuntime)
        return "-";
    return presets.verdict(name, nullptr) == unit::Presets::Verdict::Enable ? "enabled" : "disabled";
}

/// Whether there is a file or link of this very name.
bool has_file(Context& context, const std::string& name) {
    return std::ranges::any_of(context.loader().environment().unit_path,
                               [&](const std::string& directory) { return context.files().kind(directory + "/" + name).has_value(); });
}

std::vector<FileRow> unit_file_rows(Context& context, const Names& patterns) {
    std::vector<FileRow> rows;
    const Options& options = context.options;
    const unit::Presets presets(context.files());
    for (const std::string& name : context.loader().all_names()) {
        const std::string type = name.substr(name.rfind('.') + 1);
        if (context.systemctl() && is_embedded(name) && !has_file(context, name))
            continue; // built in, as nothing of systemctl's is
        if (!options.types.empty() && std::find(options.types.begin(), options.types.end(), type) == options.types.end())
            continue;
        if (!patterns.empty() && std::none_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
                return base::glob_match(pattern, name) || base::glob_match(unit::with_suffix(pattern), name);
            }))
            continue;
        const FileState state = unit::file_state(context.files(), context.loader(), name, context.install_options());
        const std::string word(unit::file_state_name(state));
        if (!options.states.empty() && std::find(options.states.begin(), options.states.end(), word) == options.states.end())
            continue;
        rows.push_back({name, state, preset_of(context, presets, name, state)});
    }
    if (context.systemctl())
        std::ranges::stable_sort(rows, {}, [](const FileRow& row) { return std::string_view(row.name).substr(row.name.rfind('.') + 1); });
    return rows;
}

} // namespace

int is_enabled(Context& context, Words words) {
    bool enabled = false;
    std::vector<std::string> rows;
    for (const std::string& name : with_dependencies(context, mangled(context, words))) {
        const FileState state = unit::file_state(context.files(), context.loader(), name, context.install_options());
        if (state == FileState::NotFound) {
            if (context.systemctl()) {
                context.complain("Failed to get unit file state for {}: No such file or directory", name);
                return 1; // as systemctl, which says nothing of those behind it
            } else {
                const std::string best = suggest_unit(context, name);
                context.complain("{}: there is no such unit{}", unit::short_name(name), best.empty() ? "" : "; did you mean " + best + "?");
            }
            continue;
        }
        if (context.options.json)
            rows.push_back(json_object({{"unit", json_string(name)}, {"unit_file_state", json_string(unit::file_state_name(state))}}));
        else
            context.say("{}\n", unit::file_state_name(state));
        enabled = enabled || counts_as_enabled(state);
    }
    if (context.options.json)
        context.print("{}\n", json_array(rows));
    return enabled ? 0 : 1;
}

int cat(Context& context, Words words) {
    int status = 0;
    bool first = true;
    std::vector<std::string> rows;
    for (const std::string& name : mangled(context, words)) {
        const auto config = context.loader().load_as_written(name);
        if (config->load_state == unit::LoadState::Masked)
            context.complain("Unit {} is masked.", name);
        if (print_files(context, *config, first, rows))
            continue;
        const std::string best = context.systemctl() ? "" : suggest_unit(context, name);
        context.complain("No files found for {}.{}", name, best.empty() ? "" : " Did you mean " + best + "?");
        status = context.systemctl() ? 1 : 4;
    }
    if (context.options.json)
        context.print("{}\n", json_array(rows));
    return status;
}

int list_unit_files(Context& context, Words words) {
    const std::vector<FileRow> rows = unit_file_rows(context, with_dependencies(context, words));
    if (context.options.json) {
        context.print("[");
        for (const FileRow& row : rows)
            context.print("{}\n  {{\"unit_file\": {}, \"state\": \"{}\", \"preset\": {}}}", &row == rows.data() ? "" : ",", json_string(row.name),
                          unit::file_state_name(row.state), row.preset == "-" ? "null" : "\"" + row.preset + "\"");
        context.print("{}]\n", rows.empty() ? "" : "\n");
        return rows.empty() && !words.empty() ? 1 : 0;
    }
    Table table;
    if (context.options.legend)
        table.add({"UNIT FILE", "STATE", "PRESET"});
    for (const FileRow& row : rows)
        table.add({row.name, Cell(std::string(unit::file_state_name(row.state)), color_of(row.state)), row.preset});
    context.out += table.render(context.color);
    if (context.options.legend)
        context.print("\n{} unit files listed.\n", rows.size());
    return rows.empty() && !words.empty() ? 1 : 0;
}

int get_default(Context& context, Words) {
    for (const char* directory : {"/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}) {
        const auto target = context.files().read_link(std::string(directory) + "/default.target");
        if (target) {
            context.print("{}\n", target->substr(target->rfind('/') + 1));
            return 0;
        }
    }
    context.print("{}\n", context.loader().load("default.target")->name == "default.target" ? "multi-user.target"
                                                                                              : context.loader().load("default.target")->name);
    return 0;
}

} // namespace monoinit::cli
