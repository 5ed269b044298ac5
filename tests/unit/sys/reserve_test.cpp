// Each case in a child of its own: limits and descriptors are the process's.
#include "sys/reserve.hpp"

#include "sys/patience.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <functional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace monoinit;

namespace {

/// Whether `holds` is true in a child of fork.
bool in_a_child(const std::function<bool()>& holds) {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(holds() ? 0 : 1);
    int status = 1;
    return ::waitpid(child, &status, 0) == child && status == 0;
}

/// No descriptor is to be had any more.
void use_up() {
    const int last = ::fcntl(0, F_DUPFD, 0);
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = static_cast<rlim_t>(last) + 8;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    while (::fcntl(0, F_DUPFD, 0) >= 0) {
    }
}

} // namespace

TEST_CASE("a file is read with the reserve when no descriptor is left, once until it is held again") {
    CHECK(in_a_child([] {
        sys::hold_descriptor();
        use_up();
        const int fd = sys::open_briefly("/dev/null", O_RDONLY);
        const bool second = sys::open_briefly("/dev/null", O_RDONLY) >= 0;
        const int why = errno;
        ::close(fd);
        sys::hold_descriptor();
        return fd >= 0 && !second && why == EMFILE && sys::open_briefly("/dev/null", O_RDONLY) >= 0;
    }));
}

TEST_CASE("the reserve is for shortages only, and nobody else has one") {
    CHECK(in_a_child([] { // the answer is the file's
        sys::hold_descriptor();
        use_up();
        return sys::open_briefly("/nonexistent/file", O_RDONLY) < 0 && errno == ENOENT;
    }));
    CHECK(in_a_child([] { // who never held one
        use_up();
        return sys::open_briefly("/dev/null", O_RDONLY) < 0 && errno == EMFILE;
    }));
    CHECK(in_a_child([] { // the child of a fork does not close its parent's, whose number may be another's by then
        sys::hold_descriptor();
        use_up();
        sys::forget_descriptor();
        return sys::open_briefly("/dev/null", O_RDONLY) < 0 && errno == EMFILE;
    }));
}

TEST_CASE("what cannot be done without is asked for until the shortage ends, and no longer than two seconds") {
    int calls = 0;
    const auto third = sys::insist([&]() -> base::Result<int> { return ++calls < 3 ? base::Result<int>(base::fail_errno(EMFILE, "short")) : base::Result<int>(7); });
    CHECK(third.value() == 7);
    CHECK(calls == 3);
    calls = 0;
    const auto other = sys::insist([&]() -> base::Result<int> { return calls++, base::fail_errno(EACCES, "forbidden"); });
    CHECK(other.error().errnum == EACCES);
    CHECK(calls == 1);
    calls = 0;
    const auto begin = std::chrono::steady_clock::now();
    const auto never = sys::insist([&]() -> base::Result<int> { return calls++, base::fail_errno(ENOMEM, "short"); });
    CHECK(never.error().errnum == ENOMEM);
    CHECK(calls == 41);
    CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::seconds(2));
}
