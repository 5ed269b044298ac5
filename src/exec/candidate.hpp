#pragma once
// Asks a binary whether it can take over from this one, before it is executed in PID 1's place: in a probe, since its path may hang
// and it may be anything. Tested by tests/system/reexec.py.

#include "exec/probe.hpp"

namespace monoinit::exec {

/// What a candidate is asked with; the number of a descriptor follows, a copy of the checkpoint.
inline constexpr std::string_view take_over_question = "--can-take-over=";
/// What it answers with, at the beginning; its version follows. Anything else is a refusal.
inline constexpr std::string_view take_over_answer = "monoinit can take over: ";

/// `channel`: the probe's end of a SOCK_SEQPACKET pair, in which the checkpoint's descriptor lies; the binary comes back the same
/// way, opened, so that what is executed is what was asked.
base::Result<Probe> probe_candidate(const std::string& path, int channel);

struct CandidateAnswer {
    std::string refusal; ///< empty: it can
    std::string version;
};
CandidateAnswer candidate_answer(const std::string& bytes);

} // namespace monoinit::exec
