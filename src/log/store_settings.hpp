#pragma once
// What a log store may use: journald.conf(5)'s settings, scaled for a container. Part of the logger's configuration.

#include "base/time.hpp"

#include <cstdint>
#include <string>

namespace monoinit::log {

struct StoreLimits {
    std::uint64_t max_use = 0;   ///< SystemMaxUse=, bytes; 0: default_max_use, at most a tenth of the file system
    std::uint64_t keep_free = 0; ///< SystemKeepFree=; 0: default_keep_free, at most a twentieth
    std::uint64_t max_file = 0;  ///< SystemMaxFileSize=; 0: an eighth of max_use, at most default_max_file
    std::uint64_t max_files = 100; ///< SystemMaxFiles=; 0: any number
    base::Duration max_age{};      ///< MaxRetentionSec=; 0: any
    base::Duration max_file_age{}; ///< MaxFileSec=; 0: any
    bool compress = true;          ///< Compress=

    bool operator==(const StoreLimits&) const = default;
};
inline constexpr std::uint64_t default_max_use = 256UL << 20, default_keep_free = 256UL << 20, default_max_file = 8UL << 20;

struct StoreSettings {
    std::string directory; ///< empty: nothing is stored
    StoreLimits limits;

    bool operator==(const StoreSettings&) const = default;
};

} // namespace monoinit::log
