#pragma once
// The reading side for the command line: asks the logger itself, so that `logs` and `status` cost PID 1 nothing.
// Tested by tests/unit/log/logger_test.cpp.

#include "base/result.hpp"
#include "base/time.hpp"
#include "log/reader_protocol.hpp"

#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>

namespace monoinit::log {

struct ReadOptions {
    /// Refuse a socket that belongs to somebody else than root or this uid (a directory in /tmp can be squatted).
    std::optional<uid_t> trusted_uid;
    base::Duration timeout = std::chrono::seconds(5); ///< without a word from the logger; not while following
    /// Lines were overwritten before they could be sent.
    std::function<void()> on_gap;
};

/// Calls `callback` for each line, oldest first, until there are no more or it answers false. NotFound: no logger there.
base::Result<void> read_logs(const std::string& socket_path, const Query& query,
                             const std::function<bool(const Record&)>& callback, const ReadOptions& options = {});

/// Has the logger carry out `query.order` and waits until it is done.
base::Result<OrderDone> order_store(const std::string& socket_path, const Query& query, const ReadOptions& options = {});

} // namespace monoinit::log
