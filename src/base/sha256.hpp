#pragma once
// SHA-256 and HMAC over it (FIPS 180-4, RFC 2104): for ids that are derived from others. Tested by tests/unit/base/sha256_test.cpp.

#include <array>
#include <cstdint>
#include <string_view>

namespace monoinit::base {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(std::string_view data);
/// `key` of any length.
Digest hmac_sha256(std::string_view key, std::string_view data);

} // namespace monoinit::base
