// The guard with real processes: what starts, ends, daemonises, resists and forks too much.
#include "harness.hpp"

#include "exec/child.hpp"
#include "exec/guard_tree.hpp"
#include "sys/syscalls.hpp"

#include <catch2/catch.hpp>

#include <sys/resource.h>

using namespace monoinit;
using namespace monoinit::exec;
using namespace monoinit::exec::test;
using Code = base::ExitInfo::Code;

TEST_CASE("a command runs below its guard and its exit status is reported", "[guard]") {
    Guard guard(shell("echo hello; exit 7"));
    const auto started = guard.wait<GuardStarted>();
    REQUIRE(started.ok);
    CHECK(started.pid > 0);
    const auto exit = guard.wait<GuardExit>();
    CHECK(exit.pid == started.pid);
    CHECK(exit.is_command);
    CHECK(exit.exit == base::ExitInfo{Code::Exited, 7});
    CHECK(exit.tree_empty); // so PID 1 need not wait for the next message
    CHECK(guard.all_output() == "hello\n");
    guard.wait<GuardEmpty>();
    CHECK(guard.finish() == 0);
}

TEST_CASE("death by signal is told apart from exit", "[guard]") {
    CHECK(run(shell("kill -TERM $$")).exit == base::ExitInfo{Code::Killed, SIGTERM});
}

TEST_CASE("the command leads a session of its own and the guard shows its unit", "[guard]") {
    Guard guard(shell("echo; exec sleep 1000"));
    const auto started = guard.wait<GuardStarted>();
    read_line(guard.output());
    const auto stat = sys::stat_of(started.pid);
    REQUIRE(stat);
    CHECK(stat->session == started.pid);
    CHECK(stat->parent == guard.pid());
    CHECK(sys::command_name(guard.pid()) == "guard: test.ser"); // of "test.service" what fits
}

TEST_CASE("daemons that fork twice and leave the session stay in the tree", "[guard]") {
    Guard guard(shell("(setsid sh -c '(sleep 1000 & echo $!) &' ) ; exit 0"));
    guard.wait<GuardStarted>();
    const auto exit = guard.wait<GuardExit>();
    CHECK(exit.exit.status == 0);
    CHECK_FALSE(exit.tree_empty);
    const pid_t daemon = std::stoi(read_line(guard.output()));
    guard.link().query(5);
    auto tree = guard.wait<GuardTree>();
    while (tree.processes.size() > 1) { // the shells in between may not have ended yet
        guard.link().query(5);
        tree = guard.wait<GuardTree>();
    }
    CHECK(tree.token == 5);
    REQUIRE(tree.processes.size() == 1);
    CHECK(tree.processes[0].pid == daemon);
    CHECK(tree.processes[0].parent == guard.pid());

    guard.link().signal(SignalScope::Tree, SIGTERM, true, false);
    const auto empty = guard.wait<GuardEmpty>();
    CHECK(empty.orphans >= 1);
    CHECK(guard.finish() == 0);
    CHECK_FALSE(sys::stat_of(daemon).has_value());
}

TEST_CASE("SIGTERM may be ignored, SIGKILL leaves nothing", "[guard]") {
    Guard guard(shell("trap '' TERM; sh -c 'trap \"\" TERM; echo up; while :; do sleep 1000; done' & "
                      "while :; do wait; done"));
    const auto started = guard.wait<GuardStarted>();
    read_line(guard.output());
    guard.link().signal(SignalScope::Tree, SIGTERM, true, false);
    guard.link().query(1); // answered after the signal was sent
    guard.wait<GuardTree>();
    CHECK(sys::stat_of(started.pid).has_value());
    guard.link().signal(SignalScope::Tree, SIGKILL, false, false);
    CHECK(guard.wait<GuardExit>().exit == base::ExitInfo{Code::Killed, SIGKILL});
    guard.wait<GuardEmpty>();
    CHECK(guard.finish() == 0);
}

namespace {

/// Until the process has ended; one whose parent does not wait stays as a zombie.
void wait_dead(Guard& guard, pid_t pid) {
    for (auto stat = sys::stat_of(pid); stat && stat->state != 'Z'; stat = sys::stat_of(pid)) {
        guard.link().query(1); // an answer is an event to wait for
        guard.wait<GuardTree>();
    }
}

} // namespace

TEST_CASE("a signal for the main process spares the others, and the other way round", "[guard]") {
    Guard guard(shell("sleep 1000 & echo $!; exec sleep 2000"));
    const auto started = guard.wait<GuardStarted>();
    const pid_t child = std::stoi(read_line(guard.output()));

    SECTION("main") {
        guard.link().signal(SignalScope::Main, SIGTERM, true, false);
        CHECK(guard.wait<GuardExit>().exit == base::ExitInfo{Code::Killed, SIGTERM});
        CHECK(sys::stat_of(child).has_value());
    }
    SECTION("tree except main") {
        guard.link().signal(SignalScope::TreeExceptMain, SIGKILL, false, false);
        wait_dead(guard, child);
        CHECK(sys::stat_of(started.pid)->state != 'Z');
    }
    SECTION("one pid") {
        guard.link().signal(SignalScope::One, SIGKILL, false, false, child);
        wait_dead(guard, child);
        CHECK(sys::stat_of(started.pid)->state != 'Z');
    }
    SECTION("a stranger is never signalled") {
        const pid_t stranger = ::fork();
        if (stranger == 0) {
            for (;;)
                ::pause();
        }
        guard.link().signal(SignalScope::One, SIGKILL, false, false, stranger);
        const auto result = guard.wait<GuardSignalled>();
        CHECK(result.reached == 0);
        CHECK(result.refused == 0);
        CHECK(sys::stat_of(stranger)->state != 'Z');
        ::kill(stranger, SIGKILL);
        ::waitpid(stranger, nullptr, 0);
    }
}

TEST_CASE("stopped processes are continued so that they can handle the signal", "[guard]") {
    Guard guard(shell("echo up; kill -STOP $$; exit 0"));
    guard.wait<GuardStarted>();
    read_line(guard.output());
    guard.link().signal(SignalScope::Tree, SIGTERM, true, false);
    CHECK(guard.wait<GuardExit>().exit == base::ExitInfo{Code::Killed, SIGTERM});
}

TEST_CASE("a fork bomb ends", "[guard]") {
    // Bounded by its own counter: each process starts two more until 200 were started, and all that is left spins on forking.
    Guard guard(shell("bomb() { for i in 1 2 3 4 5 6; do (i=0; while :; do (exec sleep 1000) & "
                      "i=$((i+1)); [ $i -lt 30 ] || wait; done) & done; echo up; wait; }; bomb"));
    guard.wait<GuardStarted>();
    read_line(guard.output());
    guard.link().signal(SignalScope::Tree, SIGKILL, false, false);
    guard.wait<GuardEmpty>();
    CHECK(guard.finish() == 0);
    CHECK(sys::children_of(::getpid()).empty());
}

TEST_CASE("a watched process: own child, grandchild, ended before, stranger", "[guard]") {
    Guard guard(shell("sh -c 'echo $$; read x < /dev/zero; exit 0' | cat & true; "
                      "sh -c 'sleep 1000 & echo $!; wait' & exec sleep 1000"));
    const auto started = guard.wait<GuardStarted>();

    SECTION("grandchild: its own parent takes the status, so only the end is known") {
        guard.link().query(1);
        pid_t grandchild = 0;
        while (grandchild == 0) {
            for (const auto& entry : guard.wait<GuardTree>().processes)
                if (entry.parent != guard.pid() && entry.parent != started.pid)
                    grandchild = entry.pid;
            if (grandchild == 0)
                guard.link().query(1);
        }
        guard.link().watch(grandchild);
        CHECK(guard.wait<GuardWatching>().state == WatchState::Alive);
        guard.link().signal(SignalScope::Main, SIGKILL, false, false); // means the watched one now
        const auto exit = guard.wait<GuardExit>();
        CHECK(exit.pid == grandchild);
        CHECK_FALSE(exit.is_command);
    }
    SECTION("stranger") {
        guard.link().watch(::getpid());
        CHECK(guard.wait<GuardWatching>().state == WatchState::NotOurs);
    }
}

TEST_CASE("MAINPID= may name a process that has ended meanwhile", "[guard]") {
    Guard guard(shell("(sh -c 'echo $$; exit 3' &) ; exec sleep 1000"));
    guard.wait<GuardStarted>();
    const pid_t daemon = std::stoi(read_line(guard.output()));
    // It has fallen to the guard when it is reaped; until then the watch itself waits for its end.
    while (sys::stat_of(daemon)) {
        guard.link().query(1);
        guard.wait<GuardTree>();
    }
    guard.link().watch(daemon);
    CHECK(guard.wait<GuardWatching>().state == WatchState::Exited);
    const auto exit = guard.wait<GuardExit>();
    CHECK(exit.pid == daemon);
    CHECK(exit.exit == base::ExitInfo{Code::Exited, 3});
}

TEST_CASE("after a re-exec a guard repeats what was not acknowledged", "[guard]") {
    Plan plan = shell("exit 4");
    plan.unit = "again.service";
    plan.index = 2;
    plan.invocation[0] = 0xab;
    Guard guard(plan);
    guard.wait<GuardStarted>();
    const auto first = guard.wait<GuardExit>();
    guard.wait<GuardEmpty>();

    guard.link().query(9, true);
    const auto hello = guard.wait<GuardHello>();
    CHECK(hello.unit == "again.service");
    CHECK(hello.index == 2);
    CHECK(hello.invocation[0] == 0xab);
    CHECK(hello.guard_pid == guard.pid());
    CHECK_FALSE(hello.main_alive);
    CHECK(guard.wait<GuardStarted>().pid == first.pid);
    CHECK(guard.wait<GuardTree>().token == 9);
    CHECK(guard.wait<GuardExit>().sequence == first.sequence);
    guard.wait<GuardEmpty>();

    guard.link().acknowledge(first.sequence);
    guard.link().query(10, true);
    guard.wait<GuardTree>();
    guard.wait<GuardEmpty>();
    CHECK(guard.finish() == 0);
}

TEST_CASE("without PID 1 the tree is ended", "[guard]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    Plan plan = shell("echo up; exec sleep 1000");
    auto guard = std::make_unique<Guard>(plan);
    const auto started = guard->wait<GuardStarted>();
    read_line(guard->output());
    // Closing our end is all: the guard sees the end of file, as when PID 1 has died for good.
    GuardLink gone = std::move(guard->link());
    { const GuardLink closed = std::move(gone); }
    CHECK(guard->reap() == 0);
    CHECK_FALSE(sys::stat_of(started.pid).has_value());
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("a killed guard is seen as gone without TreeEmpty, and its tree falls to PID 1", "[guard]") {
    Guard guard(shell("echo up; exec sleep 1000"));
    const auto started = guard.wait<GuardStarted>();
    read_line(guard.output());
    ::kill(guard.pid(), SIGKILL);
    guard.wait<GuardGone>();
    CHECK(WTERMSIG(guard.reap()) == SIGKILL);
    CHECK(sys::parent_of(started.pid) == ::getpid());
    ::kill(started.pid, SIGKILL);
    ::waitpid(started.pid, nullptr, 0);
}

TEST_CASE("old kernels: no pidfd, no children files, no close_range", "[guard]") {
    sys::ScopedFault pidfd(sys::Call::PidfdOpen, {ENOSYS});
    sys::ScopedFault close_range(sys::Call::CloseRange, {EPERM});
    sys::ScopedFault children(sys::Call::Children, {ENOENT});
    Guard guard(shell("(setsid sh -c 'sleep 1000 & sleep 1000 & echo up; wait' &); exit 0"));
    CHECK(guard.wait<GuardStarted>().ok);
    read_line(guard.output());
    guard.wait<GuardExit>();
    guard.link().signal(SignalScope::Tree, SIGKILL, false, false);
    guard.wait<GuardEmpty>();
    CHECK(guard.finish() == 0);
    CHECK(guard.all_output().empty());
}

TEST_CASE("fork: EAGAIN is an error of spawn_guard, vfork: EAGAIN a failed start", "[guard]") {
    SECTION("fork") {
        sys::ScopedFault fault(sys::Call::Fork, {EAGAIN});
        GuardChannel channel = *make_guard_channel();
        const auto pid = spawn_guard(shell("true"), channel);
        REQUIRE_FALSE(pid);
        CHECK(pid.error().errnum == EAGAIN);
        CHECK_FALSE(channel.guards);
    }
    SECTION("vfork in the guard") {
        sys::ScopedFault fault(sys::Call::Vfork, {EAGAIN});
        const auto result = run(shell("true"));
        CHECK_FALSE(result.started.ok);
        CHECK(result.started.stage == Stage::Fork);
        CHECK(result.started.error == EAGAIN);
    }
}

TEST_CASE("sets of pids", "[guard]") {
    PidSet set;
    for (pid_t pid = 1; pid <= 5000; pid++)
        CHECK(set.add(pid * 7));
    CHECK_FALSE(set.add(7));
    CHECK(set.contains(35000));
    CHECK_FALSE(set.contains(36));
    CHECK(set.size() == 5000);
    set.clear();
    CHECK_FALSE(set.contains(7));
    CHECK(set.add(7));
}

TEST_CASE("a limit above the hard one becomes the hard one where raising it is not allowed", "[guard]") {
    const rlimit now{100, 200};
    CHECK(within({1000, 1000}, now).rlim_max == 200);
    CHECK(within({150, 1000}, now).rlim_cur == 150);
    CHECK(within({RLIM_INFINITY, RLIM_INFINITY}, now).rlim_cur == 200);
    // fs.nr_open bounds root as well: no start fails over it.
    Plan plan = shell("ulimit -Hn");
    plan.limits.push_back({RLIMIT_NOFILE, ~std::uint64_t{0} / 2, ~std::uint64_t{0} / 2});
    const Finished finished = run(plan);
    CHECK(finished.started.ok);
    CHECK(std::stoull(finished.output) > 0);
}
