#pragma once
// What the random worlds have reached, so that a simulation that no longer comes near something interesting fails instead
// of passing. Filled by World, printed and required by sim_test.cpp.

#include "engine/engine.hpp"
#include "random_units.hpp"
#include "supervise/service_states.hpp"

#include <array>
#include <map>
#include <set>
#include <string>

namespace monoinit::sim {

struct Coverage {
    std::set<std::pair<supervise::ServiceState, supervise::ServiceState>> edges;
    std::array<std::array<std::uint64_t, 11>, 5> job_ends{}; ///< by JobType (basic) and JobResult
    std::array<std::uint64_t, 12> refusals{};                ///< by RefusalReason
    std::array<std::uint64_t, 9> modes{};                    ///< requests that became a job, by JobMode
    std::map<std::string, std::uint64_t> marks;              ///< lines said and situations, by a word of theirs

    void job_ended(const engine::JobFinished& job) {
        job_ends[static_cast<std::size_t>(job.type)][static_cast<std::size_t>(job.result)]++;
    }
    /// A unit went from one state to another within one event, perhaps through one in between.
    void step(supervise::ServiceState from, supervise::ServiceState to, const std::set<supervise::ActiveState>& through);
    void said(const std::string& text);
    /// What a long simulation must have reached and has not.
    std::vector<std::string> missing() const;
};

} // namespace monoinit::sim
