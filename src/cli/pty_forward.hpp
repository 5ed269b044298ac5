#pragma once
// A terminal of our own for a service, and the person's terminal connected to it: what is typed, what is printed, the window's size.
// Tested by tests/system/run.py.

#include "base/result.hpp"
#include "sys/unique_fd.hpp"

#include <functional>
#include <optional>
#include <sys/types.h>
#include <termios.h>

namespace monoinit::cli {

class PtyForward {
  public:
    /// A new pseudo terminal, as large as ours. `owner`: of its slave, where we may give it away.
    static base::Result<PtyForward> open(std::optional<uid_t> owner);
    PtyForward(PtyForward&&) = default;
    PtyForward& operator=(PtyForward&&) = default;

    int slave() const { return slave_.get(); }
    /// Forwards until the descriptor `wake()` becomes readable and `done()` says so, the person presses ^] three times in a second, or a signal ends
    /// us. True: the service has ended and everything it printed is out.
    bool run(const std::function<int()>& wake, const std::function<bool()>& done);

  private:
    PtyForward(sys::UniqueFd master, sys::UniqueFd slave) : master_(std::move(master)), slave_(std::move(slave)) {}
    void copy_size() const;
    bool type(const char* bytes, std::size_t size);
    bool take_input();
    void drain();

    sys::UniqueFd master_, slave_;
    int escapes_ = 0;
    std::int64_t first_escape_ = 0; ///< microseconds
    bool input_open_ = true;
};

} // namespace monoinit::cli
