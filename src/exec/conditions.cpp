// All conditions of a unit, one by one: which hold, and which was the first that did not. One row a kind.
// Tested by tests/unit/exec.
#include "exec/conditions.hpp"

#include "base/strings.hpp"
#include "exec/condition_tests.hpp"

#include <array>
#include <functional>

namespace monoinit::exec {

namespace {

using unit::Condition;
using unit::ConditionKind;

struct ConditionRow {
    ConditionKind kind;
    std::string_view name; ///< behind "Condition" or "Assert"
    bool names_path;
    ConditionTest test;
};

// clang-format off
constexpr auto rows = std::to_array<ConditionRow>({
    {ConditionKind::PathExists,             "PathExists",             true,  path_exists},
    {ConditionKind::PathExistsGlob,         "PathExistsGlob",         true,  path_exists_glob},
    {ConditionKind::PathIsDirectory,        "PathIsDirectory",        true,  path_is_directory},
    {ConditionKind::PathIsSymbolicLink,     "PathIsSymbolicLink",     true,  path_is_symbolic_link},
    {ConditionKind::PathIsMountPoint,       "PathIsMountPoint",       true,  path_is_mount_point},
    {ConditionKind::PathIsReadWrite,        "PathIsReadWrite",        true,  path_is_read_write},
    {ConditionKind::PathIsEncrypted,        "PathIsEncrypted",        true,  path_is_encrypted},
    {ConditionKind::DirectoryNotEmpty,      "DirectoryNotEmpty",      true,  directory_not_empty},
    {ConditionKind::FileNotEmpty,           "FileNotEmpty",           true,  file_not_empty},
    {ConditionKind::FileIsExecutable,       "FileIsExecutable",       true,  file_is_executable},
    {ConditionKind::Architecture,           "Architecture",           false, architecture},
    {ConditionKind::Firmware,               "Firmware",               false, firmware},
    {ConditionKind::Virtualization,         "Virtualization",         false, virtualization},
    {ConditionKind::Host,                   "Host",                   false, host},
    {ConditionKind::KernelCommandLine,      "KernelCommandLine",      false, kernel_command_line},
    {ConditionKind::KernelVersion,          "KernelVersion",          false, kernel_version},
    {ConditionKind::Credential,             "Credential",             true,  credential},
    {ConditionKind::Environment,            "Environment",            false, environment},
    {ConditionKind::Security,               "Security",               false, security},
    {ConditionKind::Capability,             "Capability",             false, capability},
    {ConditionKind::AcPower,                "ACPower",                false, ac_power},
    {ConditionKind::NeedsUpdate,            "NeedsUpdate",            true,  needs_update},
    {ConditionKind::FirstBoot,              "FirstBoot",              false, first_boot},
    {ConditionKind::User,                   "User",                   false, user},
    {ConditionKind::Group,                  "Group",                  false, group},
    {ConditionKind::ControlGroupController, "ControlGroupController", false, control_group_controller},
    {ConditionKind::Memory,                 "Memory",                 false, memory},
    {ConditionKind::Cpus,                   "CPUs",                   false, cpus},
    {ConditionKind::CpuFeature,             "CPUFeature",             false, cpu_feature},
    {ConditionKind::OsRelease,              "OSRelease",              false, os_release},
    {ConditionKind::MemoryPressure,         "MemoryPressure",         false, memory_pressure},
    {ConditionKind::CpuPressure,            "CPUPressure",            false, cpu_pressure},
    {ConditionKind::IoPressure,             "IOPressure",             false, io_pressure},
    {ConditionKind::Version,                "Version",                false, version},
});
// clang-format on

constexpr bool rows_in_order() {
    for (std::size_t i = 0; i < rows.size(); i++)
        if (rows[i].kind != static_cast<ConditionKind>(i))
            return false;
    return rows.size() == static_cast<std::size_t>(ConditionKind::Version) + 1;
}
static_assert(rows_in_order());

const ConditionRow& row_of(ConditionKind kind) {
    return rows[static_cast<std::size_t>(kind)];
}

std::string describe(const Condition& condition, const std::vector<std::string>& files) {
    std::string text = condition_name(condition) + "=";
    text += condition.trigger ? "|" : "";
    text += condition.negate ? "!" : "";
    text += base::printable(condition.parameter, 256);
    if (condition.line != 0 && condition.file < files.size())
        text += " (" + files[condition.file] + ":" + std::to_string(condition.line) + ")";
    return text;
}

using Evaluate = std::function<std::optional<bool>(const Condition&)>;

/// Conditions or assertions: those without "|" all, of those with "|" at least one. Nothing when `evaluate` cannot tell.
std::optional<ConditionsAnswer> evaluate_group(const std::vector<Condition>& conditions,
                                               const std::vector<std::string>& files, bool assertions,
                                               const Evaluate& evaluate_one) {
    bool any_trigger = false, triggered = false;
    std::string first_untriggered;
    for (const Condition& condition : conditions) {
        if (condition.assertion != assertions || (condition.trigger && triggered))
            continue;
        const std::optional<bool> holds = evaluate_one(condition);
        if (!holds)
            return std::nullopt;
        if (condition.trigger) {
            any_trigger = true;
            triggered = *holds;
            if (first_untriggered.empty())
                first_untriggered = describe(condition, files);
        } else if (!*holds) {
            return ConditionsAnswer{false, assertions, describe(condition, files)};
        }
    }
    if (any_trigger && !triggered)
        return ConditionsAnswer{false, assertions, first_untriggered};
    return ConditionsAnswer{};
}

std::optional<ConditionsAnswer> evaluate_with(const std::vector<Condition>& conditions,
                                              const std::vector<std::string>& files, const Evaluate& evaluate_one) {
    std::optional<ConditionsAnswer> answer = evaluate_group(conditions, files, false, evaluate_one);
    if (answer && answer->ok)
        answer = evaluate_group(conditions, files, true, evaluate_one);
    return answer;
}

} // namespace

std::string condition_name(const Condition& condition) {
    return std::string(condition.assertion ? "Assert" : "Condition") + std::string(row_of(condition.kind).name);
}

bool needs_probe(ConditionKind kind) {
    return row_of(kind).names_path;
}

bool evaluate(const Condition& condition, const ConditionContext& context) {
    return row_of(condition.kind).test(condition.parameter, context) != condition.negate;
}

std::optional<bool> evaluate_inline(const Condition& condition, const ConditionContext& context) {
    if (!needs_probe(condition.kind))
        return evaluate(condition, context);
    const std::optional<bool> holds = test_path_locally(condition.kind, condition.parameter);
    if (!holds)
        return std::nullopt;
    return *holds != condition.negate;
}

ConditionsAnswer evaluate_all(const std::vector<Condition>& conditions, const std::vector<std::string>& files,
                              const ConditionContext& context) {
    const auto answer = evaluate_with(conditions, files, [&](const Condition& condition) {
        return std::optional<bool>(evaluate(condition, context));
    });
    return answer.value_or(ConditionsAnswer{});
}

std::optional<ConditionsAnswer> evaluate_all_inline(const std::vector<Condition>& conditions,
                                                    const std::vector<std::string>& files,
                                                    const ConditionContext& context) {
    return evaluate_with(
        conditions, files, [&](const Condition& condition) { return evaluate_inline(condition, context); });
}

} // namespace monoinit::exec
