#pragma once
// The descriptor store, sd_notify(3): what a service leaves with us (FDSTORE=1) and gets back at its next start. The
// descriptors are strangers': they are never read or closed here, but in a child. Tested by tests/system/fd_store.py.

#include "base/ids.hpp"
#include "runtime/checkpoint.hpp"
#include "supervise/types.hpp"
#include "sys/epoll_loop.hpp"
#include "sys/unique_fd.hpp"

#include <array>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace monoinit::runtime {

class FdStore {
  public:
    using Warn = std::function<void(base::UnitId, std::string)>;
    FdStore(sys::EpollLoop& loop, Checkpoint& checkpoint, Warn warn) : loop_(loop), checkpoint_(checkpoint), warn_(std::move(warn)) {}
    ~FdStore();

    /// Descriptors of the message that is about to be told; withdrawn when it has been. Gives the offer's number.
    std::uint64_t offer(std::vector<sys::UniqueFd>& descriptors);
    void withdraw_offer() { offered_ = nullptr; }

    // The engine's actions. `most`: FileDescriptorStoreMax=.
    void store(base::UnitId unit, const supervise::StoreDescriptors& what, std::uint32_t most);
    void remove(base::UnitId unit, const std::string& name);
    void release(base::UnitId unit);
    void forget(base::UnitId unit); ///< stored and lent ones

    // What a client lends the transient service that it asked for: kept as stored ones are, but until the service is down.
    /// Takes three descriptors out of `descriptors`.
    void lend(base::UnitId unit, std::vector<sys::UniqueFd>& descriptors);
    void take_back(base::UnitId unit);
    std::array<int, 3> streams(base::UnitId unit) const; ///< -1: none

    void add_stored(base::UnitId unit, std::vector<int>& fds, std::vector<std::string>& names) const;
    std::size_t count(base::UnitId unit) const;

    /// Takes up a descriptor of the image before.
    void adopt(const FdEntry& entry, sys::UniqueFd fd);

  private:
    /// Names of lent streams begin so, which FDNAME= cannot.
    static constexpr char lent_mark = ':';
    struct Stored {
        bool is_lent() const { return name.starts_with(lent_mark); }
        std::uint64_t number = 0; ///< in the order of their coming
        sys::UniqueFd fd;
        std::string name;
        bool poll = true;
    };
    void keep(base::UnitId unit, Stored stored);
    void watch(base::UnitId unit, const Stored& stored);
    void drop(base::UnitId unit, const std::function<bool(const Stored&)>& which);

    sys::EpollLoop& loop_;
    Checkpoint& checkpoint_;
    Warn warn_;
    std::unordered_map<base::UnitId, std::vector<Stored>> stored_;
    std::vector<sys::UniqueFd>* offered_ = nullptr;
    std::uint64_t last_offer_ = 0, last_number_ = 0;
};

} // namespace monoinit::runtime
