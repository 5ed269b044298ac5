// set-property, clean, freeze, thaw: what changes a unit beside its jobs. Files are written here, with the rights of who asks.
// Tested by tests/system/systemctl_verbs.py.
#include "base/strings.hpp"
#include "cli/verbs.hpp"
#include "unit/directives.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <ctime>
#include <filesystem>

namespace monoinit::cli {

namespace {

/// What may be set of a unit that runs: resources, as systemd has it.
const unit::Directive* settable(const std::string& unit, std::string_view property) {
    const auto type = unit::type_of(unit);
    const auto sections = type ? unit::sections_of(*type) : std::vector<std::string_view>{};
    if (sections.size() < 3)
        return nullptr;
    const unit::Directive* row = unit::find_directive(*type, sections[2], property);
    return row != nullptr && row->group == unit::Group::Cgroup ? row : nullptr;
}

/// Empty where the value can be read, else what is wrong with it.
std::string complaint_about(Context& context, const unit::Directive& row, const std::string& unit, std::string_view value) {
    if (value.find('\n') != std::string_view::npos)
        return "a value is one line";
    if (row.parse == nullptr)
        return {};
    unit::UnitConfig scratch;
    scratch.name = unit;
    scratch.type = *unit::type_of(unit);
    unit::ParseContext parse{.environment = context.loader().environment(), .unit = scratch};
    const auto parsed = row.parse(parse, value);
    return parsed ? std::string() : parsed.error().what;
}

base::Result<std::string> property_of(Context& context, const std::string& unit, const std::string& property) {
    const auto reply = TRY(ask<control::PropertiesReply>(context, control::PropertiesRequest{.unit = unit, .only = {property}}));
    return reply.properties.empty() ? std::string() : reply.properties.front().second;
}

bool exists(Context& context, const std::string& unit) {
    const auto state = property_of(context, unit, "LoadState");
    return state && *state != "not-found";
}

struct CleanWord {
    std::string_view word;
    std::optional<unit::DirectoryKind> kind; ///< none: the descriptor store
    bool by_default;
};
constexpr CleanWord clean_words[] = {
    {"configuration", unit::DirectoryKind::Configuration, false}, {"state", unit::DirectoryKind::State, false},
    {"cache", unit::DirectoryKind::Cache, true},                  {"logs", unit::DirectoryKind::Logs, false},
    {"runtime", unit::DirectoryKind::Runtime, true},              {"fdstore", std::nullopt, true},
};

constexpr const CleanWord &state_word = clean_words[1], &store_word = clean_words[5];

std::string root_of(const unit::Environment& environment, unit::DirectoryKind kind) {
    switch (kind) {
    case unit::DirectoryKind::Runtime: return environment.runtime_directory_root;
    case unit::DirectoryKind::State: return environment.state_root;
    case unit::DirectoryKind::Cache: return environment.cache_root;
    case unit::DirectoryKind::Logs: return environment.logs_root;
    case unit::DirectoryKind::Configuration: return environment.configuration_root;
    }
    return {};
}

bool wants_cleaned(const Context& context, const CleanWord& row) {
    const Names& what = context.options.what;
    return what.empty() ? row.by_default : std::ranges::find(what, row.word) != what.end() || std::ranges::find(what, "all") != what.end();
}

/// Directories, and links to them, that the unit has of the kinds asked for.
std::vector<std::string> to_clean(Context& context, const unit::UnitConfig& config) {
    std::vector<std::string> paths;
    for (const CleanWord& row : clean_words) {
        if (!wants_cleaned(context, row) || !row.kind)
            continue;
        const std::string root = root_of(context.loader().environment(), *row.kind);
        for (const std::string& entry : config.exec->directories[static_cast<std::size_t>(*row.kind)].paths)
            for (const std::string_view part : base::split(entry, ':'))
                paths.push_back(root + "/" + std::string(part));
    }
    const bool stamped = config.type == unit::UnitType::Timer && config.timer->persistent && wants_cleaned(context, state_word);
    if (stamped)
        paths.push_back(context.loader().environment().state_root + "/systemd/timers/stamp-" + config.name);
    return paths;
}

int clean_one(Context& context, const std::string& unit) {
    const auto refuse = [&](std::string_view why) {
        context.complain("Failed to clean unit {}: {}", unit, why);
        return 1;
    };
    const auto config = context.loader().load(unit);
    const auto state = property_of(context, unit, "ActiveState");
    const auto job = property_of(context, unit, "Job");
    if (!state || !job)
        return refuse((!state ? state : job).error().what);
    if (config->load_state != unit::LoadState::Loaded)
        return refuse(fmt::format("Unit {} not loaded properly.", unit));
    if ((*state != "inactive" && *state != "failed") || !job->empty())
        return refuse("Unit is not inactive or has pending job.");
    const std::vector<std::string> paths = to_clean(context, *config);
    const bool stores = config->service->file_descriptor_store_max > 0 && wants_cleaned(context, store_word);
    if (paths.empty() && !stores)
        return refuse("No matching resources found.");
    if (stores)
        if (const auto done = ask<control::Empty>(context, control::SetPropertiesRequest{unit, {"NFileDescriptorStore=0"}}); !done)
            return refuse(done.error().what);
    for (const std::string& path : paths) {
        std::error_code error;
        std::filesystem::remove_all(path, error);
        if (error)
            return refuse(path + ": " + error.message());
    }
    return 0;
}

int set_frozen(Context& context, const std::string& unit, bool frozen) {
    const std::string_view verb = frozen ? "freeze" : "thaw";
    const auto refuse = [&](std::string_view why) {
        context.complain("Failed to {} unit {}: {}", verb, unit, why);
        return 1;
    };
    if (!exists(context, unit))
        return refuse(fmt::format("Unit {} not loaded.", unit));
    const auto done = ask<control::Empty>(context, control::SetPropertiesRequest{unit, {frozen ? "FreezerState=frozen" : "FreezerState=running"}});
    if (!done)
        return refuse(done.error().what);
    constexpr timespec pause{0, 10'000'000}; // a client waits for the kernel, PID 1 does not
    for (int attempt = 0; attempt < 1000; attempt++) {
        const auto state = property_of(context, unit, "FreezerState");
        if (!state || *state != "freezing")
            return 0;
        ::nanosleep(&pause, nullptr);
    }
    return refuse("not all of its processes have stopped within 10 s");
}

/// Of what was set and is kept: why it does not act, or not yet.
void say_what_acts_later(Context& context, const std::string& unit, const Names& names) {
    const auto reply = ask<control::StatusReply>(context, control::StatusRequest{.unit = unit});
    if (!reply)
        return;
    const bool up = reply->unit.summary.active_state != "inactive" && reply->unit.summary.active_state != "failed";
    for (const std::string& name : names) {
        const auto notice = std::ranges::find_if(reply->unit.notices, [&](const std::string& each) { return each.starts_with(name + "= is "); });
        if (notice != reply->unit.notices.end())
            context.remark("{}: kept, but {}", unit, *notice);
        else if (up && (name == "Slice" || name == "Delegate"))
            context.remark("{}: {}= is kept and acts when the unit is started next", unit, name);
    }
}

} // namespace

int set_property(Context& context, Words words) {
    const std::string unit = full_name(context, words.front());
    const auto refuse = [&](const std::string& why) {
        context.complain("Failed to set unit properties on {}: {}", unit, why);
        return 1;
    };
    if (!exists(context, unit))
        return refuse(fmt::format("Unit {} not found.", unit));
    std::vector<std::pair<const unit::Directive*, std::string>> settings;
    Names live, names;
    for (std::size_t i = 1; i < words.size(); i++) {
        const std::size_t equals = words[i].find('=');
        if (equals == std::string::npos) {
            context.complain("Not an assignment: {}", base::printable(words[i], 200));
            return 1;
        }
        const std::string name = words[i].substr(0, equals), value = words[i].substr(equals + 1);
        if (name == "Markers") {
            live.push_back(words[i]);
            continue;
        }
        const unit::Directive* row = settable(unit, name);
        if (row == nullptr)
            return refuse(fmt::format("Cannot set property {}, or unknown property.", base::printable(name, 100)));
        if (const std::string wrong = complaint_about(context, *row, unit, value); !wrong.empty())
            return refuse(fmt::format("{}=: {}", name, wrong));
        settings.emplace_back(row, value);
        names.push_back(name);
    }
    if (!live.empty())
        if (const auto done = ask<control::Empty>(context, control::SetPropertiesRequest{unit, live}); !done)
            return refuse(done.error().what);
    if (settings.empty())
        return 0;
    const std::string place = context.options.runtime ? "/run/systemd/system.control" : "/etc/systemd/system.control";
    const std::vector<std::string>& read = context.loader().environment().unit_path;
    if (std::ranges::find(read, place) == read.end())
        return refuse(place + ", where it would be kept, is not on the unit path (--unit-path=)");
    const std::string directory = place + "/" + unit + ".d";
    const std::string_view section = unit::sections_of(*unit::type_of(unit))[2];
    for (const auto& [row, value] : settings) {
        const std::string text = fmt::format("# Made by set-property; made anew by the next one.\n[{}]\n{}={}\n", section, row->name.view(), value);
        const auto written = context.files().write(fmt::format("{}/50-{}.conf", directory, row->name.view()), text);
        if (!written)
            return refuse(base::to_string(written.error()));
    }
    const int reloaded = reload_after(context);
    if (reloaded == 0)
        say_what_acts_later(context, unit, names);
    return reloaded;
}

int clean(Context& context, Words words) {
    const Names& what = context.options.what;
    const auto known = [](const std::string& word) {
        return word == "all" || std::ranges::find(clean_words, word, &CleanWord::word) != std::end(clean_words);
    };
    if (std::ranges::find(what, "help") != what.end()) {
        for (const CleanWord& row : clean_words)
            context.print("{}\n", row.word);
        return 0;
    }
    if (const auto wrong = std::ranges::find_if_not(what, known); wrong != what.end()) {
        context.complain("Unknown resource type '{}'.", base::printable(*wrong, 100));
        return 1;
    }
    const auto units = expand(context, words);
    if (!units) {
        context.complain("{}: {}", context.program, units.error().what);
        return 1;
    }
    int status = 0;
    for (const std::string& unit : *units)
        if (const int failed = clean_one(context, unit); failed != 0)
            status = failed;
    return status;
}

int freeze(Context& context, Words words) {
    const auto units = expand(context, words);
    if (!units) {
        context.complain("{}: {}", context.program, units.error().what);
        return 1;
    }
    int status = 0;
    for (const std::string& unit : *units)
        if (const int failed = set_frozen(context, unit, context.verb == "freeze"); failed != 0)
            status = failed;
    return status;
}

} // namespace monoinit::cli
