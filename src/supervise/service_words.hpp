#pragma once
// Wording shared by the parts of the service machine. Tested through
// tests/unit/supervise/service_test.cpp.

#include "supervise/types.hpp"

namespace monoinit::supervise {

std::string_view directive_of(unit::ExecList list); ///< "ExecStartPre="
/// "100 ms", "1.5 s", "90 s": delays and timeouts; below a second always in ms.
std::string span_words(base::Duration span);
/// "exited (exit 3)", "killed (SIGKILL)", "203/EXEC: /opt/api/run not found".
std::string exit_words(const base::ExitInfo& exit, const std::string& text);

} // namespace monoinit::supervise
