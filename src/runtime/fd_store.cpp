// The descriptor store. See fd_store.hpp.
#include "runtime/fd_store.hpp"

#include "base/fmt.hpp"
#include "sys/socket.hpp"

#include <algorithm>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

/// Two numbers for one open file. Where seccomp forbids the question, they count as two.
bool is_same(int a, int b) {
    const pid_t self = ::getpid();
    return ::syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

} // namespace

FdStore::~FdStore() {
    for (const auto& [unit, list] : stored_)
        for (const Stored& each : list)
            loop_.remove(each.fd.get());
}

std::uint64_t FdStore::offer(std::vector<sys::UniqueFd>& descriptors) {
    offered_ = &descriptors;
    return ++last_offer_;
}

void FdStore::store(base::UnitId unit, const supervise::StoreDescriptors& what, std::uint32_t most) {
    if (offered_ == nullptr || what.offer != last_offer_)
        return; // closed by now
    std::vector<sys::UniqueFd> rest;
    std::size_t refused = 0;
    for (sys::UniqueFd& fd : *offered_) {
        const std::vector<Stored>& known = stored_[unit];
        const bool twice = std::ranges::any_of(known, [&](const Stored& each) { return is_same(each.fd.get(), fd.get()); });
        const bool full = count(unit) >= most;
        if (twice || full) {
            refused += full && !twice ? 1 : 0;
            rest.push_back(std::move(fd));
        } else {
            keep(unit, {++last_number_, std::move(fd), what.name, what.poll});
        }
    }
    *offered_ = std::move(rest); // the notify socket has these closed
    if (refused > 0)
        warn_(unit, fmt::format("FDSTORE=1: FileDescriptorStoreMax={} are stored already; {} closed", most, refused));
}

void FdStore::keep(base::UnitId unit, Stored stored) {
    const int fd = stored.fd.get();
    checkpoint_.write(stored_record + static_cast<std::uint32_t>(fd), stored.name);
    checkpoint_.keep({FdKind::Stored, fd, stored.number << 1 | (stored.poll ? 1U : 0U), unit.value, 0});
    watch(unit, stored);
    stored_[unit].push_back(std::move(stored));
}

/// FDPOLL=: one whose other end has gone is of no use. What cannot be waited for (a file) stays.
void FdStore::watch(base::UnitId unit, const Stored& stored) {
    if (!stored.poll)
        return;
    const int fd = stored.fd.get();
    (void)loop_.add(fd, 0, [this, unit, fd](std::uint32_t events) {
        if ((events & (EPOLLHUP | EPOLLERR)) != 0)
            drop(unit, [fd](const Stored& each) { return each.fd.get() == fd; });
    });
}

void FdStore::drop(base::UnitId unit, const std::function<bool(const Stored&)>& which) {
    const auto found = stored_.find(unit);
    if (found == stored_.end())
        return;
    std::vector<sys::UniqueFd> gone;
    std::erase_if(found->second, [&](Stored& each) {
        if (!which(each))
            return false;
        loop_.remove(each.fd.get());
        checkpoint_.forget(each.fd.get());
        checkpoint_.erase(stored_record + static_cast<std::uint32_t>(each.fd.get()));
        gone.push_back(std::move(each.fd));
        return true;
    });
    if (found->second.empty())
        stored_.erase(found);
    sys::close_elsewhere(std::move(gone));
}

void FdStore::remove(base::UnitId unit, const std::string& name) {
    drop(unit, [&name](const Stored& each) { return each.name == name; });
}

void FdStore::release(base::UnitId unit) {
    drop(unit, [](const Stored& each) { return !each.is_lent(); });
}

void FdStore::forget(base::UnitId unit) {
    drop(unit, [](const Stored&) { return true; });
}

void FdStore::lend(base::UnitId unit, std::vector<sys::UniqueFd>& descriptors) {
    take_back(unit);
    for (std::size_t i = 0; i < descriptors.size(); i++)
        keep(unit, {++last_number_, std::move(descriptors[i]), lent_mark + std::to_string(i), false});
    descriptors.clear();
}

void FdStore::take_back(base::UnitId unit) {
    drop(unit, [](const Stored& each) { return each.is_lent(); });
}

std::array<int, 3> FdStore::streams(base::UnitId unit) const {
    std::array<int, 3> fds{-1, -1, -1};
    if (const auto found = stored_.find(unit); found != stored_.end())
        for (const Stored& each : found->second)
            if (const std::size_t index = each.is_lent() ? static_cast<std::size_t>(each.name[1] - '0') : fds.size(); index < fds.size())
                fds[index] = each.fd.get();
    return fds;
}

void FdStore::add_stored(base::UnitId unit, std::vector<int>& fds, std::vector<std::string>& names) const {
    const auto found = stored_.find(unit);
    if (found == stored_.end())
        return;
    for (const Stored& each : found->second) {
        if (each.is_lent())
            continue;
        fds.push_back(each.fd.get());
        names.push_back(each.name);
    }
}

std::size_t FdStore::count(base::UnitId unit) const {
    const auto found = stored_.find(unit);
    return found == stored_.end() ? 0 : static_cast<std::size_t>(std::ranges::count_if(found->second, [](const Stored& each) { return !each.is_lent(); }));
}

void FdStore::adopt(const FdEntry& entry, sys::UniqueFd fd) {
    Stored stored{entry.id >> 1, std::move(fd), "stored", (entry.id & 1) != 0};
    for (auto& [key, bytes] : checkpoint_.read_all())
        if (key == stored_record + static_cast<std::uint32_t>(entry.fd))
            stored.name = bytes;
    const base::UnitId unit{entry.unit};
    last_number_ = std::max(last_number_, stored.number);
    watch(unit, stored);
    std::vector<Stored>& list = stored_[unit];
    list.insert(std::ranges::find_if(list, [&](const Stored& each) { return each.number > stored.number; }), std::move(stored));
}

} // namespace monoinit::runtime
