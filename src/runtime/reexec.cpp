// From this image to the next one on purpose, perhaps of another version, and back where that one does not get anywhere. What is at
// the path we were started from is asked first (exec/candidate.hpp). Tested by tests/system/reexec.py.
#include "base/fmt.hpp"
#include "exec/candidate.hpp"
#include "runtime/crash.hpp"
#include "runtime/runtime.hpp"
#include "sys/socket.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr base::Duration asked_within = std::chrono::seconds(10);

bool is_same_file(const struct stat& one, const struct stat& other) { return one.st_dev == other.st_dev && one.st_ino == other.st_ino; }

} // namespace

std::string Runtime::path_started_from() const {
    struct stat named{}, running{};
    // As it was called, since that may be a link that comes to name another file; unless the name says nothing.
    const std::string name = invocation_.argv[0];
    if (name.starts_with('/') && ::stat(name.c_str(), &named) == 0 && ::fstat(exe_.get(), &running) == 0 && is_same_file(named, running))
        return name;
    std::array<char, 4096> target;
    const ssize_t size = ::readlink("/proc/self/exe", target.data(), target.size());
    std::string path(target.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    constexpr std::string_view gone = " (deleted)";
    if (path.ends_with(gone))
        path.resize(path.size() - gone.size());
    return path.empty() ? name : path;
}

void Runtime::daemon_reexec(std::function<void()> begins, std::function<void(const base::Error&)> refused) {
    auto channel = sys::make_socket_pair(SOCK_SEQPACKET, true, false);
    if (!channel)
        return refused(channel.error());
    if (auto given = sys::send_message(channel->first.get(), "checkpoint", std::array{checkpoint_->fd()}); !given)
        return refused(given.error());
    save_dirty();
    save_facts();
    const auto both = std::make_shared<sys::SocketPair>(std::move(*channel));
    const auto make = [path = started_from_, both] { return exec::probe_candidate(path, both->second.get()); };
    probes_->start(make, sys::now(), asked_within, [this, both, begins = std::move(begins), refused = std::move(refused)](const base::Result<std::string>& bytes) {
        exec::CandidateAnswer answer = exec::candidate_answer(bytes ? *bytes : "");
        if (!bytes)
            answer.refusal = "asking the binary: " + bytes.error().what;
        std::array<char, 16> word;
        auto message = sys::receive_message(both->first.get(), word);
        const std::string why = !answer.refusal.empty() ? answer.refusal
                                : !message               ? "the binary did not come: " + base::to_string(message.error())
                                : message->descriptors.empty() ? "the binary did not come" : "";
        if (!why.empty()) {
            log_->say(4, {}, fmt::format("not re-executing: {}", why));
            return refused(base::fail(base::Errc::Invalid, why));
        }
        // As systemd does: the next image finds what the generators make of the files of now.
        files_.look_around();
        loader_->rescan_if_outdated();
        const auto binary = std::make_shared<sys::UniqueFd>(std::move(message->descriptors.front()));
        generators_->run([this, binary, version = answer.version, begins] {
            log_->say(6, {}, fmt::format("re-executing {}", version));
            begins();
            hand_over(std::move(*binary));
        });
    });
}

/// Does not return when it works.
void Runtime::hand_over(sys::UniqueFd binary) {
    save_dirty();
    save_facts();
    struct stat other{}, own{};
    const bool same = ::fstat(binary.get(), &other) == 0 && ::fstat(exe_.get(), &own) == 0 && is_same_file(other, own);
    if (!same) {
        checkpoint_->keep({FdKind::PreviousExecutable, exe_.get(), 0, 0, 0});
        checkpoint_->keep({FdKind::Executable, binary.get(), 0, 0, 0});
    }
    reexec(same ? exe_.get() : binary.get());
    const int error = errno;
    if (!same) {
        checkpoint_->forget(binary.get());
        checkpoint_->keep({FdKind::Executable, exe_.get(), 0, 0, 0});
    }
    log_->say(3, {}, fmt::format("could not re-execute: {}", base::to_string(base::fail_errno(error, "execveat"))));
}

/// The state was taken up and the loop has turned: from here on the binary that handed over to us is not gone back to.
void Runtime::prove_oneself() {
    settled();
    if (previous_exe_) {
        checkpoint_->forget(previous_exe_.get());
        previous_exe_.reset();
    }
}

int answer_take_over(std::string_view descriptor) {
    const auto found = Checkpoint::adopt(sys::UniqueFd(std::atoi(std::string(descriptor).c_str())));
    if (!found) {
        std::printf("%s\n", base::to_string(found.error()).c_str());
        return 1;
    }
    // Another layout under the same number, or a kind of descriptor that a later version has brought.
    if (const auto& damage = found->damage(); damage.lost + damage.foreign != 0) {
        std::printf("it understands %u entries of the checkpoint less than there are\n", damage.lost + damage.foreign);
        return 1;
    }
    std::printf("%s%s\n", std::string(exec::take_over_answer).c_str(), MONOINIT_VERSION);
    return 0;
}

} // namespace monoinit::runtime
