#pragma once
// What an image leaves to its successor about its own end. Lies in the checkpoint's memory, written by a signal handler, so
// whoever reads it takes every field for hostile. Tested by tests/unit/runtime/checkpoint_test.cpp.

#include <array>
#include <cstdint>

namespace monoinit::runtime {

struct CrashNote {
    std::uint32_t count = 0;      ///< fault signals since boot, those sent by hand included
    std::uint32_t signal = 0;     ///< of the last one; 0 = daemon-reexec
    std::uint64_t last_usec = 0;  ///< CLOCK_BOOTTIME: when the last fault of our own came
    std::uint32_t restoring = 0;  ///< key + 1 of the record being restored when the fault came; 0 = none
    std::uint32_t generation = 0; ///< images so far
    std::int32_t sender = 0;      ///< pid that sent the signal; 0 = outside our namespace
    std::uint8_t own = 0;         ///< the fault was ours: the kernel's, our own abort(), or (signal 0) memory ended in the middle of an event
    std::uint8_t has_address = 0; ///< of the memory, or of the instruction
    std::uint8_t went_back = 0;   ///< a new binary failed before it had proved itself; this is the one before it
    std::uint8_t reserved = 0;
    std::uint64_t address = 0;
    std::uint32_t quick = 0;      ///< own faults, each within seconds of the one before
    std::uint32_t rests = 0;      ///< times in minimal mode since things went well
    std::uint32_t frame_count = 0;
    std::uint32_t heard = 0;       ///< a signal of the container's that was read and has not come to a record yet
    std::uint32_t shutdown_ms = 0; ///< the budget of a shutdown, for minimal mode
    std::array<std::uint64_t, 24> frames{}; ///< return addresses from the fault outwards, relative to where we are loaded
    std::array<char, 160> text{}; ///< what an exception or a failed invariant said

    bool operator==(const CrashNote&) const = default;
};

} // namespace monoinit::runtime
