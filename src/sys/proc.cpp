// Reading /proc. The first half works on stack buffers only, since the guard (whose heap is gone) and children of fork use
// it. `children` files may miss a process while its siblings end: who needs all of them repeats until nothing changes.
// Tested by tests/unit/sys.
#include "sys/proc.hpp"

#include "base/result.hpp"
#include "sys/reserve.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace monoinit::sys {

namespace {

using Visit = void (*)(pid_t, void*);

struct LinuxDirent {
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

/// "/proc/" pid "/" rest, built without allocation.
class ProcPath {
  public:
    ProcPath(pid_t pid, std::string_view rest) {
        append("/proc/");
        append(pid);
        append(rest);
    }
    void append(std::string_view text) {
        const std::size_t size = std::min(text.size(), sizeof text_ - 1 - size_);
        std::memcpy(text_ + size_, text.data(), size);
        size_ += size;
        text_[size_] = 0;
    }
    void append(pid_t number) {
        char digits[16];
        const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
        append(std::string_view(digits, static_cast<std::size_t>(end - digits)));
    }
    const char* c_str() const { return text_; }

  private:
    char text_[96];
    std::size_t size_ = 0;
};

/// Calls visit for every all-digit name of a directory; false when it cannot be read.
bool visit_numbers(const char* path, Visit visit, void* context) {
    const int directory = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return false;
    alignas(8) char buffer[2048];
    long size;
    while ((size = ::syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0)
        for (long at = 0; at < size;) {
            const auto* entry = reinterpret_cast<const LinuxDirent*>(buffer + at);
            at += entry->length;
            pid_t number = 0;
            const char* end = entry->name + std::strlen(entry->name);
            if (std::from_chars(entry->name, end, number).ptr == end && number > 0)
                visit(number, context);
        }
    ::close(directory);
    return size == 0;
}

/// The pids of one `children` file; false when it does not exist (process gone, or a kernel without it).
bool visit_children_file(const char* path, Visit visit, void* context) {
    if (fails(Call::Children))
        return false;
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    char buffer[2048];
    ssize_t size;
    pid_t number = 0; // carried over a buffer's end
    while ((size = ::read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < size; i++) {
            if (buffer[i] >= '0' && buffer[i] <= '9') {
                number = number * 10 + (buffer[i] - '0');
            } else if (number > 0) {
                visit(number, context);
                number = 0;
            }
        }
    ::close(fd);
    return size == 0;
}

struct Threads {
    pid_t process;
    Visit visit;
    void* context;
    bool any_file = false;
};

void visit_thread(pid_t thread, void* data) {
    auto& threads = *static_cast<Threads*>(data);
    ProcPath path(threads.process, "/task/");
    path.append(thread);
    path.append("/children");
    if (visit_children_file(path.c_str(), threads.visit, threads.context))
        threads.any_file = true;
}

struct ParentScan {
    pid_t parent;
    Visit visit;
    void* context;
};

/// The next number of `text` at `at`; moves `at` behind it.
std::uint64_t next_number(const char*& at, const char* end) {
    while (at < end && *at == ' ')
        at++;
    std::uint64_t value = 0;
    const bool negative = at < end && *at == '-';
    if (negative)
        at++;
    at = std::from_chars(at, end, value).ptr;
    return negative ? 0 - value : value;
}

std::string read_whole(pid_t pid, const char* name, std::size_t limit) {
    ProcPath path(pid, "/");
    path.append(name);
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    std::string text;
    if (fd < 0)
        return text;
    std::array<char, 4096> buffer;
    ssize_t size;
    while (text.size() < limit && (size = ::read(fd, buffer.data(), buffer.size())) > 0)
        text.append(buffer.data(), static_cast<std::size_t>(size));
    ::close(fd);
    return text;
}

std::vector<std::string> split_at_nul(const std::string& text) {
    std::vector<std::string> parts;
    std::size_t start = 0;
    while (start < text.size()) {
        std::size_t end = text.find('\0', start);
        if (end == text.npos)
            end = text.size();
        parts.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    return parts;
}

void push(pid_t pid, void* context) {
    static_cast<std::vector<pid_t>*>(context)->push_back(pid);
}

} // namespace

ssize_t read_proc_file(pid_t pid, const char* name, char* buffer, std::size_t size) {
    ProcPath path(pid, "/");
    path.append(name);
    // What is missing for a moment must not make somebody a stranger who is none.
    constexpr int tries = 3;
    ssize_t got = -1;
    for (int i = 0; i < tries && (i == 0 || (got < 0 && base::is_shortage(errno))); i++) {
        const int fd = open_briefly(path.c_str(), O_RDONLY);
        if (fd < 0)
            continue;
        got = ::read(fd, buffer, size);
        const int error = errno;
        ::close(fd);
        errno = error;
    }
    return got;
}

bool read_stat(pid_t pid, ProcessStat& stat) {
    char buffer[1024];
    const ssize_t size = read_proc_file(pid, "stat", buffer, sizeof buffer);
    if (size <= 0)
        return false;
    const char* end = buffer + size;
    // comm may hold anything, ")" and spaces included: the last ")" ends it.
    const auto* open = static_cast<const char*>(std::memchr(buffer, '(', static_cast<std::size_t>(size)));
    const auto* close = static_cast<const char*>(::memrchr(buffer, ')', static_cast<std::size_t>(size)));
    if (open == nullptr || close == nullptr || close < open || end - close < 4)
        return false;
    stat = ProcessStat{};
    stat.pid = pid;
    const auto name_size = std::min(static_cast<std::size_t>(close - open - 1), sizeof stat.name - 1);
    std::memcpy(stat.name, open + 1, name_size);
    const char* at = close + 2;
    stat.state = *at++;
    stat.parent = static_cast<pid_t>(next_number(at, end));
    stat.group = static_cast<pid_t>(next_number(at, end));
    stat.session = static_cast<pid_t>(next_number(at, end));
    for (int field = 7; field < 14; field++) // tty_nr … cmajflt
        (void)next_number(at, end);
    stat.user_ticks = next_number(at, end);
    stat.system_ticks = next_number(at, end);
    for (int field = 16; field < 22; field++) // cutime … itrealvalue
        (void)next_number(at, end);
    stat.start_ticks = next_number(at, end);
    (void)next_number(at, end); // vsize
    stat.resident_pages = next_number(at, end);
    return true;
}

pid_t parent_of(pid_t pid) {
    ProcessStat stat;
    return read_stat(pid, stat) ? stat.parent : 0;
}

bool visit_processes(Visit visit, void* context) {
    return visit_numbers("/proc", visit, context);
}

bool visit_children(pid_t parent, Visit visit, void* context) {
    Threads threads{parent, visit, context};
    const ProcPath path(parent, "/task");
    struct stat status;
    if (::stat(path.c_str(), &status) != 0)
        return false; // gone, or no /proc at all
    // Links of the directory: itself, "." and one a thread. Most processes have one thread, which needs no listing.
    constexpr nlink_t one_thread = 3;
    bool listed = true;
    if (status.st_nlink == one_thread)
        visit_thread(parent, &threads);
    else
        listed = visit_numbers(path.c_str(), visit_thread, &threads);
    if (threads.any_file)
        return true;
    if (!listed)
        return false;
    ParentScan scan{parent, visit, context};
    return visit_processes(
        [](pid_t pid, void* data) {
            const auto& each = *static_cast<ParentScan*>(data);
            if (parent_of(pid) == each.parent)
                each.visit(pid, each.context);
        },
        &scan);
}

std::optional<ProcessStat> stat_of(pid_t pid) {
    ProcessStat stat;
    if (!read_stat(pid, stat))
        return std::nullopt;
    return stat;
}

std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> children;
    (void)visit_children(parent, push, &children); // gone: none
    return children;
}

std::vector<pid_t> descendants_of(pid_t root) {
    std::vector<pid_t> found = children_of(root);
    for (std::size_t i = 0; i < found.size(); i++)
        for (const pid_t child : children_of(found[i]))
            if (std::find(found.begin(), found.end(), child) == found.end())
                found.push_back(child);
    return found;
}

bool is_below(pid_t pid, pid_t ancestor) {
    // Bounded: a chain that changes while we climb cannot hold us.
    for (int steps = 0; pid > 0 && steps < 4096; steps++) {
        if (pid == ancestor)
            return true;
        pid = parent_of(pid);
    }
    return false;
}

std::vector<pid_t> all_processes() {
    std::vector<pid_t> processes;
    (void)visit_processes(push, &processes);
    return processes;
}

std::string command_name(pid_t pid) {
    std::string name = read_whole(pid, "comm", 64);
    if (!name.empty() && name.back() == '\n')
        name.pop_back();
    return name;
}

std::vector<std::string> command_line(pid_t pid) {
    std::vector<std::string> words = split_at_nul(read_whole(pid, "cmdline", 64 << 10));
    while (words.size() > 1 && words.back().empty()) // what a title that a process gave itself left of its arguments
        words.pop_back();
    return words;
}

std::optional<std::string> environment_value(pid_t pid, std::string_view name) {
    for (const std::string& variable : split_at_nul(read_whole(pid, "environ", 256 << 10)))
        if (variable.size() > name.size() && variable.starts_with(name) && variable[name.size()] == '=')
            return variable.substr(name.size() + 1);
    return std::nullopt;
}

std::optional<uid_t> user_of(pid_t pid) {
    const ProcPath path(pid, "");
    struct stat status;
    if (::stat(path.c_str(), &status) != 0)
        return std::nullopt;
    return status.st_uid;
}

std::optional<std::uint64_t> proportional_memory(pid_t pid) {
    const std::string text = read_whole(pid, "smaps_rollup", 4096);
    if (const std::size_t at = text.find("\nPss:"); at != text.npos) {
        const char* number = text.data() + at + 5;
        return next_number(number, text.data() + text.size()) * 1024;
    }
    ProcessStat stat;
    if (!read_stat(pid, stat))
        return std::nullopt;
    return stat.resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace monoinit::sys
