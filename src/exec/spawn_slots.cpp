// Reserved descriptor numbers for guards in the making. Tested by tests/unit/exec.
#include "exec/spawn_slots.hpp"

#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace monoinit::exec {

namespace {

constexpr std::size_t group_count = 12, group_size = 4;
constexpr rlim_t limit_needed = 1024; ///< below that the reserve costs more than it gives

struct Group {
    std::array<int, group_size> numbers{};
    base::GuardId guard;  ///< in the making; 0 = free
    sys::UniqueFd pidfd;  ///< of that guard
};

struct Slots {
    bool ready = false, refused = false;
    std::array<Group, group_count> groups;
    sys::UniqueFd filler; ///< /dev/null: keeps a reserved number occupied
    unsigned end = 0;     ///< behind the highest reserved number
    std::atomic<bool>* detached = nullptr; ///< by group, in a page shared with the guards
};

Slots slots;

/// Not all are to be had, so none; the next guard asks again.
bool give_back() {
    for (Group& group : slots.groups)
        for (int& number : group.numbers)
            if (number > 0)
                ::close(std::exchange(number, 0));
    slots.filler.reset();
    return false;
}

bool reserve() {
    rlimit limit{};
    slots.refused = ::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < limit_needed || !sys::can_unshare_descriptors();
    if (slots.refused)
        return false;
    if (slots.detached == nullptr) {
        void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            return false;
        slots.detached = static_cast<std::atomic<bool>*>(page); // zero bytes are false
    }
    slots.filler.reset(sys::open_file("/dev/null", O_RDWR));
    if (!slots.filler)
        return false;
    int next = 3;
    for (Group& group : slots.groups)
        for (int& number : group.numbers) {
            number = sys::duplicate(slots.filler.get(), next);
            if (number < 0)
                return give_back();
            next = number + 1;
        }
    slots.end = static_cast<unsigned>(next);
    return true;
}

bool is_ready() {
    if (!slots.ready && !slots.refused)
        slots.ready = reserve();
    return slots.ready;
}

void free_group(Group& group) {
    for (const int number : group.numbers)
        ::dup3(slots.filler.get(), number, O_CLOEXEC); // closes what the guard had there
    group.guard = {};
    group.pidfd.reset();
}

Group* group_of(base::GuardId guard) {
    if (!slots.ready || !guard)
        return nullptr;
    for (Group& group : slots.groups)
        if (group.guard == guard)
            return &group;
    return nullptr;
}

Group* free_group_now() {
    for (std::size_t i = 0; i < group_count; i++) {
        Group& group = slots.groups[i];
        if (group.guard && slots.detached[i].load(std::memory_order_acquire))
            free_group(group);
        if (!group.guard)
            return &group;
    }
    return nullptr;
}

} // namespace

std::optional<SpawnSlot> take_slot(const GuardDescriptors& wanted) {
    Group* const group = is_ready() ? free_group_now() : nullptr;
    if (group == nullptr)
        return std::nullopt;
    SpawnSlot slot{static_cast<std::size_t>(group - slots.groups.data()), wanted};
    const auto place = [&](int& fd, std::size_t index) {
        if (fd < 3) // none, or PID 1's own 0, 1, 2: low already
            return true;
        const int number = group->numbers[index];
        const bool placed = ::dup3(fd, number, O_CLOEXEC) >= 0;
        fd = number;
        return placed;
    };
    bool placed = place(slot.descriptors.socket, 0);
    for (std::size_t i = 0; i < 3; i++)
        placed = place(slot.descriptors.streams[i], i + 1) && placed;
    if (!placed) {
        free_group(*group);
        return std::nullopt;
    }
    slots.detached[slot.group].store(false, std::memory_order_relaxed);
    return slot;
}

pid_t fork_with_slot(const SpawnSlot& slot, base::GuardId guard) {
    Group& group = slots.groups[slot.group];
    int pidfd = -1;
    const pid_t pid = sys::fork_sharing_descriptors(pidfd);
    if (pid == 0)
        return 0;
    if (pid < 0) {
        free_group(group);
        return pid;
    }
    group.guard = guard;
    group.pidfd.reset(pidfd);
    return pid;
}

void detach_slot(const SpawnSlot& slot) {
    sys::unshare_descriptors(slots.end);
    slots.detached[slot.group].store(true, std::memory_order_release);
    slots.ready = false; // the reserve is PID 1's
    slots.refused = true;
}

void release_slot(base::GuardId guard) {
    if (Group* const group = group_of(guard))
        free_group(*group);
}

bool release_dead_slot(base::GuardId guard) {
    Group* const group = group_of(guard);
    if (group == nullptr)
        return false;
    pollfd ended{group->pidfd.get(), POLLIN, 0};
    if (::poll(&ended, 1, 0) != 1)
        return false;
    free_group(*group);
    return true;
}

} // namespace monoinit::exec
