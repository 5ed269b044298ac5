// The writer thread. `spool_` says what it is at: Idle; Filling (the spool was empty, bytes from the ring's tail on are
// being put in: a successor counts them); Draining up to a ring position (what is still in the spool has to leave, then
// that position is the tail). Tested by tests/unit/log/stdout_writer_test.cpp, logger_test.cpp.

#include "log/stdout_writer.hpp"

#include "sys/thread.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::log {
namespace {

constexpr std::uint64_t idle_word = 0, filling_word = 1, draining_word = 2;
constexpr std::size_t block_limit = 64 * 1024;
constexpr std::size_t stack_size = 64 * 1024;

std::uint64_t count_lines(std::string_view text) {
    return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

bool cannot_splice(int error) { return error == EINVAL || error == ENOSYS || error == EPERM || error == EOPNOTSUPP; }

/// How much one direct write may hold: a pipe takes a page at once or not at all, so no line is torn there either.
std::size_t limit_for(int fd) {
    struct stat info{};
    const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    return regular ? block_limit : std::size_t{PIPE_BUF};
}

} // namespace

std::string_view whole_lines(std::string_view lines, std::size_t limit) {
    if (lines.size() <= limit && lines.ends_with('\n'))
        return lines;
    const void* last = memrchr(lines.data(), '\n', std::min(limit, lines.size()));
    if (last == nullptr)
        last = std::memchr(lines.data(), '\n', lines.size());
    if (last == nullptr)
        return lines;
    return lines.substr(0, static_cast<std::size_t>(static_cast<const char*>(last) - lines.data()) + 1);
}

StdoutWriter::StdoutWriter(OutletWords& words, OutRing& ring, Fds fds)
    : ring_(ring), spool_(words.spool), lost_(words.lost), fds_(fds),
      direct_(fds.spool_read < 0 || fds.spool_write < 0), direct_limit_(limit_for(fds.output)),
      event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), wake_(eventfd(0, EFD_CLOEXEC)) {
    if (!direct_)
        (void)fcntl(fds_.spool_write, F_SETFL, O_NONBLOCK); // ours alone
}

bool StdoutWriter::start() {
    return is_usable() && sys::start_thread<&StdoutWriter::run>(*this, stack_size);
}

void StdoutWriter::wake() {
    // Pairs with run(): either it sees the new head, or we see that it sleeps.
    if (!ring_.empty() && sleeping_.load(std::memory_order_seq_cst) && sleeping_.exchange(false))
        (void)eventfd_write(wake_.get(), 1);
}

void StdoutWriter::drain_event() {
    eventfd_t count = 0;
    (void)eventfd_read(event_.get(), &count);
}

void StdoutWriter::notify() { (void)eventfd_write(event_.get(), 1); }

bool StdoutWriter::idle() const { return ring_.empty() && !busy_.load(std::memory_order_seq_cst); }

int StdoutWriter::spooled() const {
    int size = 0;
    return fds_.spool_read >= 0 && ioctl(fds_.spool_read, FIONREAD, &size) == 0 ? size : 0;
}

std::uint64_t StdoutWriter::lines_waiting() const {
    const std::uint64_t word = spool_.load(std::memory_order_seq_cst);
    std::string_view waiting = ring_.contents();
    if ((word & 3) == draining_word) { // of that block, what left the spool is out
        const std::uint64_t block = (word >> 2) - ring_.tail();
        const auto left = static_cast<std::uint64_t>(spooled());
        waiting.remove_prefix(static_cast<std::size_t>(std::min<std::uint64_t>(block - std::min(block, left), waiting.size())));
    }
    return count_lines(waiting);
}

void StdoutWriter::run() {
    recover();
    for (;;) {
        while (!ring_.empty())
            write_block();
        sleeping_.store(true, std::memory_order_seq_cst);
        if (!ring_.empty() && sleeping_.exchange(false))
            continue;
        eventfd_t count = 0;
        (void)eventfd_read(wake_.get(), &count);
    }
}

void StdoutWriter::recover() {
    const std::uint64_t word = spool_.load(std::memory_order_seq_cst);
    const auto left = static_cast<std::size_t>(spooled());
    std::uint64_t target = ring_.tail() + left; // Filling: what got in before the end came
    if ((word & 3) == draining_word)
        target = word >> 2;
    if ((word & 3) == idle_word || target < ring_.tail() + left || target > ring_.tail() + ring_.used())
        target = ring_.tail(); // not ours: let it out, and begin where the ring does
    spool_.store(target << 2 | draining_word, std::memory_order_seq_cst);
    const std::size_t undone = drain_spool(left);
    advance(std::max(ring_.tail(), target - std::min<std::uint64_t>(target, undone)));
}

void StdoutWriter::write_block() {
    busy_.store(true, std::memory_order_seq_cst);
    const std::string_view lines = ring_.contents();
    const std::uint64_t lost_before = lost_.load(std::memory_order_relaxed);
    std::size_t size = 0;
    if (!direct_) {
        spool_.store(filling_word, std::memory_order_seq_cst);
        size = fill_spool(lines);
        spool_.store((ring_.tail() + size) << 2 | draining_word, std::memory_order_seq_cst);
        size -= drain_spool(size);
    }
    if (size == 0) // direct, or a line that the spool cannot hold
        size = write_directly(whole_lines(lines, direct_limit_));
    if (lost_.load(std::memory_order_relaxed) == lost_before)
        error_.store(0, std::memory_order_relaxed);
    advance(ring_.tail() + size);
}

void StdoutWriter::advance(std::uint64_t tail) {
    ring_.set_tail(tail);
    spool_.store(idle_word, std::memory_order_seq_cst);
    busy_.store(false, std::memory_order_seq_cst);
    if (wanted_.load(std::memory_order_seq_cst) && ring_.free_space() >= ring_size / 2 && wanted_.exchange(false))
        notify();
}

/// Whole lines into the spool, a page at a time; it is empty and nobody else writes there. Returns the bytes.
std::size_t StdoutWriter::fill_spool(std::string_view lines) {
    std::size_t filled = 0;
    while (filled < std::min(lines.size(), block_limit)) {
        const std::string_view part = whole_lines(lines.substr(filled), page_size);
        const ssize_t written = write(fds_.spool_write, part.data(), part.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written > 0)
            filled += static_cast<std::size_t>(written);
        if (written < static_cast<ssize_t>(part.size()))
            break; // full
    }
    return filled;
}

/// Lets `size` bytes out. Returns how many of them stay undone, because splice() cannot go where stdout does.
std::size_t StdoutWriter::drain_spool(std::size_t size) {
    while (size > 0) {
        const ssize_t moved = splice(fds_.spool_read, nullptr, fds_.output, nullptr, size, 0);
        if (moved > 0)
            size -= std::min(size, static_cast<std::size_t>(moved));
        else if (moved == 0)
            return 0; // the spool was emptied by somebody else
        else if (errno == EINTR || (errno == EAGAIN && wait_writable()))
            continue; // EAGAIN: somebody made stdout nonblocking
        else
            return give_up_spool(size, errno);
    }
    return 0;
}

/// The last `size` bytes of the block under way are taken back from the spool: to be written directly, or lost.
std::size_t StdoutWriter::give_up_spool(std::size_t size, int error) {
    direct_ = cannot_splice(error);
    const std::uint64_t target = spool_.load(std::memory_order_seq_cst) >> 2;
    if (direct_) // from here on the ring has them, should we be killed
        spool_.store((target - size) << 2 | draining_word, std::memory_order_seq_cst);
    std::array<char, page_size> buffer;
    while (spooled() > 0) {
        const ssize_t got = read(fds_.spool_read, buffer.data(), buffer.size());
        if (got <= 0)
            break;
        if (!direct_)
            lose({buffer.data(), static_cast<std::size_t>(got)}, error);
    }
    return direct_ ? size : 0;
}

/// Returns how many bytes are done with: written, or lost.
std::size_t StdoutWriter::write_directly(std::string_view lines) {
    for (;;) {
        const ssize_t written = write(fds_.output, lines.data(), lines.size());
        if (written > 0)
            return static_cast<std::size_t>(written);
        if (written < 0 && (errno == EINTR || (errno == EAGAIN && wait_writable())))
            continue;
        lose(lines, written < 0 ? errno : EIO);
        return lines.size();
    }
}

bool StdoutWriter::wait_writable() {
    pollfd waiting{fds_.output, POLLOUT, 0};
    return poll(&waiting, 1, -1) >= 0 || errno == EINTR;
}

void StdoutWriter::lose(std::string_view lines, int error) {
    lost_.fetch_add(count_lines(lines), std::memory_order_relaxed);
    error_.store(error, std::memory_order_relaxed);
    notify();
}

} // namespace monoinit::log
