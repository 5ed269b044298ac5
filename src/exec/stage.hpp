#pragma once
// The steps between the decision to run a command and its execve(): one Stage a step, one row a stage. The exit statuses
// are those of systemd.exec(5), "Process Exit Codes". Tested by tests/unit/exec.

#include "unit/config.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace monoinit::exec {

/// Goes over the wire and into checkpoints: append only.
enum class Stage : std::uint8_t {
    None, Fork, EnvironmentFile, Expand, Descriptors, RuntimeDirectory, StateDirectory, CacheDirectory, LogsDirectory,
    ConfigurationDirectory, Stdin, Stdout, Stderr, Session, Terminal, SignalMask, OomAdjust, Nice, Scheduler, CpuAffinity,
    IoPriority, TimerSlack, Limits, Group, Capabilities, User, NoNewPrivileges, SecureBits, WorkingDirectory, Exec, Root, Credentials, MountPoint,
};

struct StageTraits {
    Stage stage;
    int exit_status;        ///< what the unit's command "exits" with when the step fails
    std::string_view doing; ///< "Failed while <doing>: <strerror>"
    std::string_view directive; ///< what asked for the step; empty: the command's own line
};

// clang-format off
inline constexpr auto stage_traits = std::to_array<StageTraits>({
    {Stage::None,                     0, "starting", ""},
    {Stage::Fork,                     1, "making a process", ""},
    {Stage::EnvironmentFile,          1, "reading an environment file", "EnvironmentFile"},
    {Stage::Expand,                   1, "expanding the command line", ""},
    {Stage::Descriptors,            202, "passing descriptors", ""},
    {Stage::RuntimeDirectory,       233, "making a runtime directory", "RuntimeDirectory"},
    {Stage::StateDirectory,         238, "making a state directory", "StateDirectory"},
    {Stage::CacheDirectory,         239, "making a cache directory", "CacheDirectory"},
    {Stage::LogsDirectory,          240, "making a logs directory", "LogsDirectory"},
    {Stage::ConfigurationDirectory, 241, "making a configuration directory", "ConfigurationDirectory"},
    {Stage::Stdin,                  208, "setting up standard input", "StandardInput"},
    {Stage::Stdout,                 209, "setting up standard output", "StandardOutput"},
    {Stage::Stderr,                 222, "setting up standard error", "StandardError"},
    {Stage::Session,                220, "making a session", ""},
    {Stage::Terminal,               208, "taking the terminal", "StandardInput"},
    {Stage::SignalMask,             207, "setting up signals", ""},
    {Stage::OomAdjust,              206, "setting OOMScoreAdjust=", "OOMScoreAdjust"},
    {Stage::Nice,                   201, "setting Nice=", "Nice"},
    {Stage::Scheduler,              214, "setting the CPU scheduler", "CPUSchedulingPolicy"},
    {Stage::CpuAffinity,            215, "setting CPUAffinity=", "CPUAffinity"},
    {Stage::IoPriority,             211, "setting the IO priority", "IOSchedulingClass"},
    {Stage::TimerSlack,             212, "setting TimerSlackNSec=", "TimerSlackNSec"},
    {Stage::Limits,                 205, "setting resource limits", ""},
    {Stage::Group,                  216, "changing the group", "Group"},
    {Stage::Capabilities,           218, "setting capabilities", "CapabilityBoundingSet"},
    {Stage::User,                   217, "changing the user", "User"},
    {Stage::NoNewPrivileges,        227, "setting NoNewPrivileges=", "NoNewPrivileges"},
    {Stage::SecureBits,             213, "setting SecureBits=", "SecureBits"},
    {Stage::WorkingDirectory,       200, "changing the working directory", "WorkingDirectory"},
    {Stage::Exec,                   203, "executing", ""},
    {Stage::Root,                   210, "changing the root directory", "RootDirectory"},
    {Stage::Credentials,            243, "setting up credentials", "LoadCredential"},
    {Stage::MountPoint,               1, "making the mount point", "Where"},
});
// clang-format on

constexpr bool stages_in_order() {
    for (std::size_t i = 0; i < stage_traits.size(); i++)
        if (stage_traits[i].stage != static_cast<Stage>(i) || stage_traits[i].doing.empty())
            return false;
    return stage_traits.size() == static_cast<std::size_t>(Stage::MountPoint) + 1;
}
static_assert(stages_in_order());

constexpr const StageTraits& traits(Stage stage) {
    const auto index = static_cast<std::size_t>(stage);
    return stage_traits[index < stage_traits.size() ? index : 0];
}

constexpr Stage stage_of(unit::DirectoryKind kind) {
    constexpr Stage stages[unit::directory_kinds] = {Stage::RuntimeDirectory, Stage::StateDirectory, Stage::CacheDirectory,
                                                     Stage::LogsDirectory, Stage::ConfigurationDirectory};
    return stages[static_cast<std::size_t>(kind)];
}

constexpr int exit_status_of(Stage stage) { return traits(stage).exit_status; }

} // namespace monoinit::exec
