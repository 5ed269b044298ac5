// What views get of the shell, beside the engine. Tested by tests/system/systemctl_oracle.py.
#include "base/fmt.hpp"
#include "runtime/runtime.hpp"

#include <cstring>

namespace monoinit::runtime {

std::array<std::uint8_t, 16> Runtime::invocation_id(base::UnitId unit) const {
    // Derived, not stored: the same after a re-exec. The seed is random and per container start.
    std::uint64_t parts[2];
    const engine::UnitStatus status = engine_->status(unit);
    if (const auto old = old_invocations_.find(status.config->name); old != old_invocations_.end() && old->second.count == status.invocation)
        return old->second.id;
    std::uint64_t name = 14695981039346656037ULL; // FNV-1a: ids of units may change with a re-exec, names do not
    for (const char c : status.config->name)
        name = (name ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    for (int i = 0; i < 2; i++) {
        std::uint64_t x = seed_[i] ^ (status.invocation * 0x9e3779b97f4a7c15ULL) ^ name;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
        parts[i] = x ^ (x >> 31);
    }
    std::array<std::uint8_t, 16> bytes;
    static_assert(sizeof parts == sizeof bytes);
    std::memcpy(bytes.data(), parts, sizeof parts);
    return bytes;
}

ViewContext Runtime::view() {
    return ViewContext{*engine_,
                       sys::moment_now(),
                       [this](base::UnitId unit) { return scopes_->pids_of(unit); },
                       [this](base::UnitId unit) { return guards_->pids_of(unit); },
                       [this](base::UnitId unit) {
                           std::string text;
                           if (engine_->status(unit).invocation != 0)
                               for (const std::uint8_t byte : invocation_id(unit))
                                   text += fmt::format("{:02x}", byte);
                           return text;
                       },
                       [this](base::UnitId unit) { return guards_->history_of(unit); },
                       [this](base::UnitId unit) { return guards_->notices_of(unit); },
                       [this](const std::string& name) { return file_state(name); },
                       [this](base::UnitId unit) { return store_->count(unit); },
                       manager_.group_root, allowed(), inherited_,
                       [this](std::string_view name) { return loader_->mounted().find(name); }, settings_, manager_.accounts};
}

} // namespace monoinit::runtime
