#pragma once
// Where lines are kept for readers: the seam between the logger and its store. Tested by its implementations.

#include "log/record.hpp"

#include <cstdint>
#include <functional>

namespace monoinit::log {

class Store {
  public:
    /// Answers false to stop.
    using Visitor = std::function<bool(const Record&)>;

    virtual ~Store() = default;
    /// Keeps a line; `cursor` is given by the store and returned. Never fails, never waits: old lines make room.
    virtual std::uint64_t append(const Record& record) = 0;
    /// Cursor of the newest line; 0 = none yet.
    virtual std::uint64_t last_cursor() const = 0;
    /// Lines that pass the filter, in order, beginning after `cursor`.
    virtual void visit(const Filter& filter, std::uint64_t after_cursor, const Visitor& visitor) const = 0;
    /// The cursor after which the last `count` lines that pass the filter begin.
    virtual std::uint64_t cursor_before_last(const Filter& filter, std::size_t count) const = 0;
    /// True when lines after `cursor` that may have passed the filter are gone.
    virtual bool lost_since(const Filter& filter, std::uint64_t cursor) const = 0;
};

} // namespace monoinit::log
