#pragma once
// Generators and init scripts in the loop (exec/generators.hpp): one run at a time, in a probe, so that PID 1 reaps and answers
// meanwhile. Tested by tests/system/generators.py.

#include "base/files.hpp"
#include "exec/generators.hpp"
#include "runtime/log_process.hpp"
#include "runtime/probes.hpp"

#include <functional>
#include <string>
#include <vector>

namespace monoinit::runtime {

class Generators {
  public:
    struct Links {
        Probes& probes;
        LogProcess& log;
        const base::FileSource& files;
        const unit::Loader& loader;
    };
    explicit Generators(Links links) : links_(links) {}

    /// Where their units go; without a call no generator is ever run. `container`: sys::Place's word.
    void set_up(unit::GeneratorDirectories directories, const std::vector<std::string>& environment, const std::string& container,
                const std::string& architecture);
    /// Calls `then` when all is done: at once where there is nothing to run. A call while they run makes them run again.
    void run(std::function<void()> then);
    /// The end has begun: they are killed, and what waits for them goes on.
    void abandon();

  private:
    bool anything_to_do();
    void start();
    void finish();

    Links links_;
    bool set_up_ = false, ended_ = false, have_made_ = false;
    exec::GeneratorsPlan plan_;
    std::vector<std::string> generator_path_;
    std::uint64_t probe_ = 0; ///< 0 = none runs
    std::vector<std::function<void()>> served_, waiting_; ///< by the run under way, by the next one
};

} // namespace monoinit::runtime
