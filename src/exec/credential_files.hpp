#pragma once
// LoadCredential=, SetCredential= and ImportCredential= of systemd.exec(5): gathering what a unit asks for and laying it down
// where its user alone can read it. Guards make the files, probes remove them; PID 1 touches neither.
// Tested by tests/unit/exec/credential_files_test.cpp and tests/system/credentials.py.

#include "base/result.hpp"
#include "exec/plan.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::exec {

inline constexpr std::string_view container_secrets = "/run/secrets"; ///< of Docker, Compose, Podman and Kubernetes

struct LoadedCredential {
    std::string id, data;
    std::string from; ///< path, or "SetCredential="
};

/// Where a credential that is not a path is looked for: given to us, then the container's, then the image's stores.
std::vector<std::string> credential_places(const std::vector<std::string>& environment);

/// Reads everything, 1 MB in all. A name that is nowhere is left out, as systemd does; a path that is missing is an error
/// unless SetCredential= has the same name. Errors begin with "LoadCredential=ID: ".
base::Result<std::vector<LoadedCredential>> gather_credentials(const SecretsPlan& plan, const std::string& unit);

/// Once per invocation of the unit: gathers, and makes root/UNIT anew. Nothing to do for a unit that asks for none.
base::Result<void> provide_credentials(const Plan& plan);

/// Removes root/UNIT if it is still that of this invocation: the next start may have made it anew already.
base::Result<void> remove_credentials(const std::string& root, const std::string& unit,
                                      const std::array<std::uint8_t, 16>& invocation);

} // namespace monoinit::exec
