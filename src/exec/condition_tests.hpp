#pragma once
// One function a condition kind: whether `parameter` holds, before negation. condition_paths.cpp looks at paths that units
// name (these may block), condition_system.cpp at the machine. Part of conditions.hpp.

#include "exec/conditions.hpp"

#include <string>
#include <string_view>

namespace monoinit::exec {

using ConditionTest = bool (*)(const std::string& parameter, const ConditionContext& context);

bool path_exists(const std::string&, const ConditionContext&);
bool path_exists_glob(const std::string&, const ConditionContext&);
bool path_is_directory(const std::string&, const ConditionContext&);
bool path_is_symbolic_link(const std::string&, const ConditionContext&);
bool path_is_mount_point(const std::string&, const ConditionContext&);
bool path_is_read_write(const std::string&, const ConditionContext&);
bool path_is_encrypted(const std::string&, const ConditionContext&);
bool directory_not_empty(const std::string&, const ConditionContext&);
bool file_not_empty(const std::string&, const ConditionContext&);
bool file_is_executable(const std::string&, const ConditionContext&);

bool architecture(const std::string&, const ConditionContext&);
bool firmware(const std::string&, const ConditionContext&);
bool virtualization(const std::string&, const ConditionContext&);
bool host(const std::string&, const ConditionContext&);
bool kernel_command_line(const std::string&, const ConditionContext&);
bool kernel_version(const std::string&, const ConditionContext&);
bool version(const std::string&, const ConditionContext&);
bool credential(const std::string&, const ConditionContext&);
bool environment(const std::string&, const ConditionContext&);
bool security(const std::string&, const ConditionContext&);
bool capability(const std::string&, const ConditionContext&);
bool ac_power(const std::string&, const ConditionContext&);
bool needs_update(const std::string&, const ConditionContext&);
bool first_boot(const std::string&, const ConditionContext&);
bool user(const std::string&, const ConditionContext&);
bool group(const std::string&, const ConditionContext&);
bool control_group_controller(const std::string&, const ConditionContext&);
bool memory(const std::string&, const ConditionContext&);
bool cpus(const std::string&, const ConditionContext&);
bool cpu_feature(const std::string&, const ConditionContext&);
bool os_release(const std::string&, const ConditionContext&);
bool memory_pressure(const std::string&, const ConditionContext&);
bool cpu_pressure(const std::string&, const ConditionContext&);
bool io_pressure(const std::string&, const ConditionContext&);

/// The answer without leaving the root file system, so without blocking; nothing when that cannot be told.
std::optional<bool> test_path_locally(unit::ConditionKind kind, const std::string& path);

} // namespace monoinit::exec
