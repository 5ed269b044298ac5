// See watch_sources.hpp. Tested by tests/unit/exec/watch_sources_test.cpp and tests/system/x_watch.py.
#include "exec/watch_sources.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "exec/source_patterns.hpp"
#include "sys/clock.hpp"
#include "sys/process_title.hpp"
#include "sys/signals.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <optional>
#include <poll.h>
#include <set>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_map>

namespace monoinit::exec {

namespace {

constexpr std::size_t most_directories = 32768; ///< half of what one user may watch by default, at about 1 kB each in the kernel
constexpr int deepest = 64;
constexpr int longest_wait = 10;                ///< times the delay
constexpr base::Duration read_pause = std::chrono::milliseconds(20); ///< a flood is read fifty times a second
constexpr base::Duration read_at_most = std::chrono::milliseconds(200); ///< then it is looked whether anybody listens
constexpr base::Duration clock_tick = std::chrono::milliseconds(20); ///< times of files may be so much in the past
constexpr int instance_pause_ms = 2000;
constexpr std::size_t most_counted = 10'000;   ///< of one change
constexpr std::size_t longest_path = 1000;      ///< a line is written whole, below PIPE_BUF

constexpr std::uint32_t events = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR;

class Watcher {
  public:
    Watcher(const unit::WatchSection& section, int news)
        : section_(section), patterns_(section), news_(news) {}

    void run() {
        if (!open())
            return;
        walk("", 0, false);
        for (;;) {
            pollfd both[2] = {{inotify_.get(), POLLIN, 0}, {news_, 0, 0}};
            ::poll(both, 2, timeout());
            if ((both[1].revents & (POLLERR | POLLHUP)) != 0)
                return;
            if ((both[0].revents & POLLIN) != 0)
                read_events();
            if (last_ != base::never && due() <= sys::now())
                tell_changes();
            if ((both[0].revents & POLLIN) != 0)
                ::poll(nullptr, 0, static_cast<int>(read_pause.count() / 1000));
        }
    }

  private:
    /// Waits for an inotify instance. False: nobody listens any more.
    bool open() {
        for (;;) {
            inotify_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
            if (inotify_)
                return true;
            tell_problem(fmt::format("no inotify instance is to be had (fs.inotify.max_user_instances): {}; nothing is watched until there is", ::strerrordesc_np(errno)));
            pollfd listener{news_, 0, 0};
            if (::poll(&listener, 1, instance_pause_ms) > 0)
                return false;
        }
    }

    /// `directory` without a last slash. `report`: it is new, so what is in it counts as changed.
    void walk(const std::string& directory, int depth, bool report) {
        if (depth > deepest || !patterns_.may_match_below(directory))
            return;
        std::vector<std::string> names;
        const bool named = patterns_.only_names(directory, names);
        if (!watch(directory, named))
            return;
        if (since_ && is_younger(directory) && patterns_.matches(directory + "/x")) // something may have been removed
            count(directory);
        if (named) {
            for (const std::string& name : names)
                visit(directory + "/" + name, depth, report, true);
            return;
        }
        DIR* const opened = ::opendir(directory.empty() ? "/" : directory.c_str());
        if (opened == nullptr)
            return;
        while (const dirent* const entry = ::readdir(opened)) {
            const std::string_view name = entry->d_name;
            if (name == "." || name == "..")
                continue;
            if (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN)
                visit(directory + "/" + std::string(name), depth, report, false);
            else if (report)
                note(directory + "/" + std::string(name));
        }
        ::closedir(opened);
    }

    /// A link to a directory is followed where a pattern names it, so that no ring of links is walked round.
    void visit(const std::string& path, int depth, bool report, bool named) {
        struct stat status {};
        if ((named ? ::stat : ::lstat)(path.c_str(), &status) != 0)
            return;
        if (S_ISDIR(status.st_mode))
            walk(path, depth + 1, report);
        else if (report)
            note(path);
    }

    bool watch(const std::string& directory, bool named) {
        if (by_path_.contains(directory))
            return true;
        if (by_watch_.size() >= most_directories) {
            tell_problem(fmt::format("more than {} directories match; what is beyond is not watched: narrow X-Watch= or name some in X-WatchIgnore=",
                                     most_directories));
            return false;
        }
        const int watch = ::inotify_add_watch(inotify_.get(), directory.empty() ? "/" : directory.c_str(), events);
        if (watch < 0) {
            if (errno == ENOSPC)
                tell_problem(fmt::format("the kernel allows no more inotify watches (fs.inotify.max_user_watches): {} directories are watched, "
                                         "what is beyond is not; name some in X-WatchIgnore=",
                                         by_watch_.size()));
            return false;
        }
        if (const auto known = by_watch_.find(watch); known != by_watch_.end()) // the same directory by another path
            by_path_.erase(known->second.path);
        by_watch_[watch] = {directory, named};
        by_path_[directory] = watch;
        return true;
    }

    void forget(const std::string& directory) {
        const std::string below = directory + "/";
        for (auto at = by_path_.lower_bound(directory); at != by_path_.end() && at->first.starts_with(directory);) {
            if (at->first != directory && !at->first.starts_with(below)) {
                ++at;
                continue;
            }
            ::inotify_rm_watch(inotify_.get(), at->second);
            by_watch_.erase(at->second);
            at = by_path_.erase(at);
        }
    }

    // ---- events -----------------------------------------------------------------------------------------------------

    void read_events() {
        alignas(inotify_event) std::array<char, 64 << 10> buffer;
        const base::Instant until = sys::now() + read_at_most;
        while (std::min(last_ == base::never ? until : due(), until) > sys::now()) {
            const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
            if (size <= 0)
                return;
            for (ssize_t at = 0; at < size;) {
                const auto* const event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
                take(*event);
                at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
            }
        }
    }

    void take(const inotify_event& event) {
        if ((event.mask & IN_Q_OVERFLOW) != 0) { // so much that some of it must have been ours
            overflown_ = true;
            return count("(too many changes to name)");
        }
        const auto found = by_watch_.find(event.wd);
        if (found == by_watch_.end())
            return;
        if ((event.mask & IN_IGNORED) != 0) {
            by_path_.erase(found->second.path);
            by_watch_.erase(found);
            return;
        }
        if (event.len == 0)
            return;
        const bool named = found->second.named;
        const std::string path = found->second.path + "/" + event.name;
        const bool may_be_directory = (event.mask & IN_ISDIR) != 0 || named; // a link where a pattern names it
        if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0 && may_be_directory && patterns_.may_match_below(path)) {
            forget(path); // another directory may have been there
            visit(path, 0, true, named);
        }
        if ((event.mask & IN_ISDIR) == 0)
            return note(path, event.mask);
        if ((event.mask & (IN_MOVED_FROM | IN_DELETE)) == 0 || !patterns_.may_match_below(path))
            return;
        forget(path);
        if (patterns_.matches(path + "/x"))
            count(path);
    }

    void note(const std::string& path, std::uint32_t mask = IN_CREATE) {
        if (!patterns_.matches(path) || (since_ && !is_younger(path)))
            return;
        // Shared folders of desktop machines tell of a write by changing the mode to what it is already.
        struct stat status {};
        if ((mask & ~static_cast<std::uint32_t>(IN_ATTRIB)) == 0) {
            if (::stat(path.c_str(), &status) != 0)
                return;
            if (std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::microseconds(status.st_mtim.tv_nsec / 1000) <= told_)
                return;
        }
        count(path);
    }

    void count(const std::string& path) {
        last_ = sys::now();
        if (first_ == base::never)
            first_ = last_;
        latest_ = path;
        if (changed_.size() < most_counted)
            changed_.insert(path);
    }

    base::Instant due() const { return std::min(last_ + section_.delay, first_ + section_.delay * longest_wait); }

    int timeout() const {
        if (last_ == base::never)
            return -1;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due() - sys::now()).count();
        return static_cast<int>(std::clamp<std::int64_t>(left + 1, 0, 60'000));
    }

    // ---- telling ----------------------------------------------------------------------------------------------------

    /// Editors write a file of another name and rename it: of what is there no more people need not hear.
    void tell_changes() {
        std::size_t there = 0;
        std::string name = latest_;
        for (const std::string& path : changed_) {
            if (::access(path.c_str(), F_OK) != 0)
                continue;
            if (there++ == 0 && ::access(latest_.c_str(), F_OK) != 0)
                name = path;
        }
        const std::size_t others = (there == 0 ? changed_.size() : there) - 1;
        if (!say('c', fmt::format("{} {}", others, base::printable(name, longest_path)))) {
            last_ = sys::now(); // it is read some time
            return;
        }
        changed_.clear();
        told_ = sys::wall_now();
        first_ = last_ = base::never;
        if (std::exchange(overflown_, false))
            walk_again();
    }

    /// Which directories have come and gone is not known any more. What changes before it is watched again shows by its time.
    void walk_again() {
        since_ = sys::wall_now() - clock_tick;
        by_watch_.clear();
        by_path_.clear();
        if (open())
            walk("", 0, true);
        since_.reset();
    }

    bool is_younger(const std::string& path) const {
        struct stat status {};
        return ::lstat(path.c_str(), &status) == 0 &&
               std::chrono::seconds(status.st_ctim.tv_sec) + std::chrono::microseconds(status.st_ctim.tv_nsec / 1000) >= *since_;
    }

    void tell_problem(const std::string& text) {
        if (!std::exchange(said_problem_, true))
            (void)say('p', text);
    }

    bool say(char what, const std::string& text) {
        const std::string line = what + text + '\n';
        return ::write(news_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    }

    const unit::WatchSection& section_;
    SourcePatterns patterns_;
    int news_;
    sys::UniqueFd inotify_;
    struct Directory {
        std::string path;
        bool named = false; ///< only some of its entries, named by the patterns, matter
    };
    std::unordered_map<int, Directory> by_watch_;
    std::map<std::string, int> by_path_;
    std::set<std::string> changed_;
    std::string latest_;
    base::Instant first_ = base::never, last_ = base::never;
    base::Duration told_ = sys::wall_now(); ///< what was written before is known
    std::optional<base::Duration> since_; ///< while it is walked again
    bool said_problem_ = false, overflown_ = false;
};

[[noreturn]] void run_watcher(const unit::WatchSection& section, int news) {
    sys::reset_signal_handlers();
    ::signal(SIGPIPE, SIG_IGN);
    std::array<int, 1> kept{news};
    sys::close_all_but(kept);
    sys::set_title("monoinit: watch");
    sys::unblock_all_signals();
    watch_sources(section, news);
    ::_exit(0);
}

} // namespace

void watch_sources(const unit::WatchSection& section, int news) { Watcher(section, news).run(); }

base::Result<SourceWatcher> start_source_watcher(const unit::WatchSection& section) {
    sys::Pipe pipe = TRY(sys::make_pipe_pair());
    TRY(sys::set_nonblocking(pipe.read.get(), true));
    TRY(sys::set_nonblocking(pipe.write.get(), true));
    const sys::SignalsBlocked blocked;
    const pid_t pid = sys::fork_process();
    if (pid == 0)
        run_watcher(section, pipe.write.get());
    if (pid < 0)
        return base::fail_errno(errno, "cannot fork");
    return SourceWatcher{pid, sys::UniqueFd(sys::pidfd_open(pid)), std::move(pipe.read)};
}

std::vector<SourceNews> source_news(std::string& bytes) {
    std::vector<SourceNews> all;
    for (std::size_t end = bytes.find('\n'); end != bytes.npos; end = bytes.find('\n')) {
        const std::string line = bytes.substr(0, end);
        bytes.erase(0, end + 1);
        SourceNews news;
        if (line.starts_with('p')) {
            news.problem = line.substr(1);
        } else {
            const std::size_t space = std::min(line.find(' '), line.size());
            std::from_chars(line.data() + std::min<std::size_t>(1, line.size()), line.data() + space, news.more);
            news.path = line.substr(std::min(space + 1, line.size()));
        }
        all.push_back(std::move(news));
    }
    return all;
}

} // namespace monoinit::exec
