// Tested by tests/unit/log/store_writer_test.cpp.

#include "log/store_writer.hpp"

#include "log/stored_record.hpp"
#include "sys/clock.hpp"
#include "sys/thread.hpp"

#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>

namespace monoinit::log {
namespace {

constexpr std::size_t block_limit = sealed_block; ///< of records, in an open file
constexpr std::size_t stack_size = 128 * 1024;
constexpr int wait_ms = 5, most_waits = 4; ///< for a disk that is slower than datagrams come
constexpr int gather_ms = 4;      ///< few lines: more may come
constexpr int retry_ms = 500;     ///< after an error
constexpr int tend_ms = 60'000;
enum Sleep : int { Awake, Gathering, Sleeping };

} // namespace

BootId boot_id_of(SharedHeader& header) {
    std::uint64_t drawn[2] = {header.boot_high.load(), header.boot_low.load()};
    if (drawn[0] == 0) {
        if (::getrandom(drawn, sizeof drawn, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof drawn)) {
            drawn[0] = static_cast<std::uint64_t>(sys::wall_now().count());
            drawn[1] = static_cast<std::uint64_t>(sys::monotonic_now().count());
        }
        drawn[0] |= 1; // never 0
        header.boot_low = drawn[1];
        header.boot_high = drawn[0];
    }
    BootId id;
    std::memcpy(id.data(), drawn, sizeof drawn);
    return id;
}

StoreWriter::StoreWriter(SharedMemory& memory)
    : ring_(memory.store_ring(), store_ring_size, memory.header().store_head, memory.header().store_tail), header_(memory.header()),
      event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool StoreWriter::configure(const StoreSettings& settings) {
    on_ = !settings.directory.empty();
    if (!started_ && !on_)
        return true;
    order([&](Orders& orders) { orders.settings = settings; });
    if (started_)
        return true;
    started_ = event_ && wake_ && sys::start_thread<&StoreWriter::run>(*this, stack_size);
    return started_;
}

bool StoreWriter::has_room(std::size_t size) const {
    if (room_ < size)
        room_ = ring_.free_space();
    return room_ >= size;
}

bool StoreWriter::may_append(std::size_t size) const {
    return !on_ || never_wait_ || last_error() != 0 || size > largest_record || has_room(size);
}

void StoreWriter::make_room(std::size_t size) {
    for (int tries = 0; tries < most_waits && !may_append(size); tries++) {
        tell_me();
        (void)eventfd_write(wake_.get(), 1);
        pollfd waiting{event_.get(), POLLIN, 0};
        (void)::poll(&waiting, 1, wait_ms);
        drain_event();
    }
}

void StoreWriter::append(const Record& record) {
    if (!on_)
        return;
    Record kept = record;
    if (kept.fields.size() > max_fields)
        kept.fields = {};
    const std::size_t size = stored_size(kept);
    if (!has_room(size)) {
        lost_++;
        return;
    }
    store_record(ring_.reserve(), kept);
    ring_.commit(size);
    room_ -= size;
}

void StoreWriter::wake() {
    if (ring_.empty())
        return;
    // Pairs with nap(): either it sees the new head, or we see that it sleeps.
    const int sleep = sleep_.load(std::memory_order_seq_cst);
    if (sleep == Sleeping || (sleep == Gathering && (hurry_ || ring_.used() > store_ring_size / 4)))
        (void)eventfd_write(wake_.get(), 1);
}

void StoreWriter::drain_event() {
    eventfd_t count = 0;
    (void)eventfd_read(event_.get(), &count);
}

void StoreWriter::notify() { (void)eventfd_write(event_.get(), 1); }

void StoreWriter::order(const std::function<void(Orders&)>& change) {
    {
        const std::lock_guard lock(mutex_);
        change(orders_);
        requests_++;
    }
    hurry_ = true;
    (void)eventfd_write(wake_.get(), 1);
}

std::uint64_t StoreWriter::flush() {
    if (on_ && !ring_.empty()) {
        hurry_ = true;
        wanted_ = true;
        (void)eventfd_write(wake_.get(), 1);
    }
    return ring_.head();
}

void StoreWriter::rotate() {
    order([](Orders& orders) { orders.rotate = true; });
}

void StoreWriter::vacuum(const StoreLimits& limits) {
    order([&](Orders& orders) { orders.vacuum = limits; });
}

// ---- the thread ------------------------------------------------------------------------------------------------------

StoreWriter::Orders StoreWriter::take_orders() {
    const std::lock_guard lock(mutex_);
    return std::exchange(orders_, {});
}

void StoreWriter::obey(Orders orders) {
    if (orders.settings) {
        directory_.reset();
        error_ = 0;
        if (!orders.settings->directory.empty())
            directory_.emplace(orders.settings->directory, orders.settings->limits, boot_id_of(header_));
    }
    if (directory_ && (orders.rotate || orders.vacuum))
        directory_->rotate();
    if (directory_ && orders.vacuum)
        directory_->vacuum(*orders.vacuum);
}

/// Lines that come one by one are gathered for a moment; nothing is lost by waiting, since the ring outlives us.
void StoreWriter::nap(bool gather) {
    const bool failing = error_.load() != 0;
    sleep_.store(gather ? Gathering : Sleeping, std::memory_order_seq_cst);
    pollfd waiting{wake_.get(), POLLIN, 0};
    if (failing)
        (void)::poll(&waiting, 1, retry_ms);
    else if (gather)
        (void)::poll(&waiting, 1, gather_ms);
    else if (ring_.empty())
        (void)::poll(&waiting, 1, directory_ && directory_->ages() ? tend_ms : -1);
    sleep_.store(Awake, std::memory_order_seq_cst);
    eventfd_t count = 0;
    (void)eventfd_read(wake_.get(), &count);
}

void StoreWriter::write_some() {
    if (!directory_)
        return ring_.set_tail(ring_.tail() + ring_.used());
    const auto appended = directory_->append(ring_.contents(), block_limit);
    const int error = appended ? 0 : std::max(appended.error().errnum, 1);
    if (error_.exchange(error) != error)
        notify();
    if (error != 0)
        return;
    if (appended->size == 0) // damaged: nothing after it can be found
        return ring_.set_tail(ring_.tail() + ring_.used());
    header_.store_written = appended->last_cursor;
    ring_.set_tail(ring_.tail() + appended->size);
}

void StoreWriter::run() {
    for (base::Duration tended = sys::monotonic_now();;) {
        const std::uint64_t asked = requests_.load();
        const bool ordered = asked != served_.load();
        Orders orders = ordered ? take_orders() : Orders{};
        if (orders.settings)
            obey({std::move(orders.settings), {}, false});
        bool wrote = false;
        while (!ring_.empty()) {
            write_some();
            wrote = true;
            if ((hurry_ || ring_.used() <= store_ring_size / 2) && wanted_.exchange(false)) // not for each block: who waits would fill it at once
                notify();
            if (error_ != 0 || (ring_.used() < block_limit && !hurry_))
                break;
        }
        obey({{}, orders.vacuum, orders.rotate});
        served_ = asked;
        if (ring_.empty())
            hurry_ = false;
        if (wanted_.exchange(false) || ordered)
            notify();
        if (const base::Duration now = sys::monotonic_now(); directory_ && now - tended > std::chrono::milliseconds(tend_ms)) {
            directory_->tend();
            tended = now;
        }
        nap(wrote && !hurry_);
    }
}

} // namespace monoinit::log
