// When PID 1 is out of something: what it keeps for that, what it says, and what it does when memory ends in the middle of an
// event. See runtime.hpp. Tested by tests/system/faults.py and promise_06_shortage.py.
#include "runtime/runtime.hpp"

#include "runtime/crash.hpp"
#include "sys/heap.hpp"
#include "sys/reserve.hpp"

#include <ctime>
#include <new>
#include <utility>

namespace monoinit::runtime {

/// Between events: what the last one has used up is taken again, and said.
void Runtime::hold_reserves() {
    sys::hold_descriptor();
    hold_zone_watch();
    if (!sys::heap::holds_reserve() && reserves_held_ && !said_short_) {
        said_short_ = true;
        log_->say(2, {}, "out of memory: going on with the reserve");
    }
    if (sys::heap::hold_reserve()) {
        reserves_held_ = true;
        if (std::exchange(said_short_, false))
            log_->say(5, {}, "there is memory again");
    }
    if (const bool away = server_ && server_->turns_away(); away != said_turning_away_) {
        said_turning_away_ = away;
        log_->say(away ? 4 : 5, {}, away ? "no descriptor is left for another client of the control socket: those that come wait" : "clients of the control socket are let in again");
    }
    if (const bool polling = loop_->polled() > 0; polling != said_polling_) {
        said_polling_ = polling;
        log_->say(polling ? 4 : 5, {}, polling ? "the kernel has no room for more descriptors to wait for (fs.epoll.max_user_watches, memory): going on with poll(2)"
                                               : "the kernel has room for all descriptors to wait for again");
    }
}

/// An allocation has failed, the reserve is gone, and what was under way is half done, which nobody can judge. The checkpoint holds
/// what was true before it: another image takes over, as after a fault, without counting it as one.
void Runtime::out_of_memory() {
    constexpr timespec pause{0, 50'000'000}; // a shortage that lasts must not become a busy loop
    try {
        log_->say(2, {}, "out of memory in the middle of an event: executing itself anew");
    } catch (const std::bad_alloc&) { // the successor says that it took over
        ::nanosleep(&pause, nullptr);
    }
    reexec_in_the_middle();
    fail_image("out of memory"); // there is no going on from here: the fault handler tries for some seconds more
}

} // namespace monoinit::runtime
