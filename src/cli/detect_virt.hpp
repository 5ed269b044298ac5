#pragma once
// What systemd-detect-virt concludes from files, below a root that tests give. Tested by tests/unit/cli/tools_test.cpp.

#include <optional>
#include <string>

namespace monoinit::cli {

/// "docker", "podman" …, "container-other", "none". `pid1_variable`: $container of PID 1, where it may be read.
std::string container_word(const std::string& root, const std::optional<std::string>& pid1_variable);
/// "kvm", "vmware" …, "none".
std::string machine_word(const std::string& root);

} // namespace monoinit::cli
