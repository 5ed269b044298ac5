#pragma once
// What `initctl doctor` concludes: facts in, findings out. Tested by tests/unit/cli/doctor_test.cpp and tests/system/doctor.py.

#include "base/time.hpp"
#include "sys/surroundings.hpp"

#include <string>
#include <vector>

namespace monoinit::cli {

struct Finding {
    enum class Level : unsigned char { Ok, Note, Problem } level = Level::Ok;
    std::string subject; ///< "limits"
    std::string text;
    std::string fix; ///< what to do, or what would be better; empty: nothing
};

/// What is known of the monoinit that runs here.
struct Patient {
    bool answers = false;
    int pid = 0;
    std::string socket;   ///< in use, or why nobody answers
    std::string version;
    base::Duration stop_budget{}; ///< shutdown_timeout
    bool has_checks = false;      ///< any [X-Health]
};

/// Where monoinit sits: PID 1, below an init of the engine, …
Finding examine_seat(const sys::Surroundings& around, const Patient& patient);
std::vector<Finding> examine(const sys::Surroundings& around, const Patient& patient);

} // namespace monoinit::cli
