#pragma once
// Work that touches paths named by units, done in a forked child so that a hung mount hangs the child and not PID 1.
// The caller watches `fd` in its loop, sets a timer, and calls take_answer() when the descriptor is readable (end of file
// included); at the deadline it calls abandon(). The child is reaped like any child of PID 1 (a process stuck in the
// kernel dies when the kernel lets it). Tested by tests/unit/exec.

#include "base/result.hpp"
#include "exec/conditions.hpp"
#include "sys/unique_fd.hpp"

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace monoinit::exec {

class Probe {
  public:
    /// Forks; `work` runs in the child and returns the answer's bytes. It may allocate and block, nothing else.
    /// `kept`: a descriptor that the work needs.
    static base::Result<Probe> start(const std::function<std::string()>& work, int kept = -1);

    int fd() const { return answer_.get(); }
    pid_t pid() const { return pid_; }
    /// Reads what there is without blocking. True when the child is done.
    bool take_answer();
    /// Then: what the work returned; nothing when the child has died before.
    std::optional<std::string> answer() const;
    void abandon(); ///< SIGKILL and close

  private:
    Probe(pid_t pid, sys::UniqueFd pidfd, sys::UniqueFd answer)
        : pid_(pid), pidfd_(std::move(pidfd)), answer_(std::move(answer)) {}
    pid_t pid_ = 0;
    sys::UniqueFd pidfd_; ///< the caller may have reaped it before abandon()
    sys::UniqueFd answer_;
    std::string bytes_;
    bool answered_ = false;
};

// The kinds of work, and how to read their answers.

base::Result<Probe> probe_conditions(const std::vector<unit::Condition>& conditions, const std::vector<std::string>& files,
                                     const ConditionContext& context);
base::Result<ConditionsAnswer> conditions_answer(const std::string& bytes);

struct PidFileAnswer {
    int pid = 0;
    std::string error;       ///< when pid is 0
    bool trusted = true;     ///< written by root or by our own uid; else the pid must be below the unit's guard
};
base::Result<Probe> probe_pid_file(const std::string& path);
PidFileAnswer pid_file_answer(const std::string& bytes);

/// Removes trees (RuntimeDirectory=) without following symlinks or crossing mounts. The answer is an empty line, or the error as one.
base::Result<Probe> probe_remove_trees(const std::vector<std::string>& paths);
/// Removes what a start of a unit was given (exec/credential_files.hpp).
base::Result<Probe> probe_remove_credentials(const std::string& root, const std::string& unit,
                                             const std::array<std::uint8_t, 16>& invocation);
/// Removes one file (PIDFile= after the service is down).
base::Result<Probe> probe_remove_file(const std::string& path);

/// The stamp file of a timer: sets its time (0: only reads), makes it where it is missing. The answer is stamp_answer()'s.
base::Result<Probe> probe_stamp(const std::string& path, base::Duration wall);
base::Duration stamp_answer(const std::string& bytes); ///< its time, 0 where there is none

} // namespace monoinit::exec
