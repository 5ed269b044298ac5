#pragma once
// Serves readers from the store. Everybody may look, but nobody can hold the logger up or make it grow: readers are
// limited in number (each uid and in all), a query in size and time, and one that does not take its lines for ten seconds
// is dropped. Lines are fetched from the store as the reader takes them: what had to go meanwhile shows as a Gap.
// Tested by tests/unit/log/logger_test.cpp.

#include "log/reader_protocol.hpp"
#include "log/store.hpp"
#include "log/store_writer.hpp"
#include "sys/epoll_loop.hpp"
#include "sys/unique_fd.hpp"

#include <map>
#include <string>

namespace monoinit::log {

class LogServer {
  public:
    /// `listener` is not owned; -1: no readers.
    LogServer(sys::EpollLoop& loop, const Store& store, StoreWriter& files, int listener);
    /// Where the files are.
    void set_directory(std::string directory) { directory_ = std::move(directory); }

    /// After lines were stored: those who follow get them.
    void pump();
    /// Drops those who are too slow. True when it wants to be called again within a second.
    bool tend(base::Duration now);

  private:
    struct Client {
        sys::UniqueFd fd;
        uid_t uid = 0;
        std::string in, out;
        std::optional<Query> query;
        std::uint64_t cursor = 0;
        bool started = false, ended = false;
        bool ordered = false; ///< Query::order has been passed on …
        std::uint64_t place = 0; ///< … and is done when all is written up to here
        bool want_write = false;
        base::Duration last_progress{}; ///< CLOCK_MONOTONIC
    };

    void accept_one();
    bool admissible(uid_t uid) const;
    void on_event(int fd, std::uint32_t events);
    bool read_query(Client& client);
    void fill(Client& client);
    bool flush(Client& client);
    void serve(Client& client);
    void carry_out(Client& client);
    void drop(int fd);

    sys::EpollLoop& loop_;
    const Store& store_;
    StoreWriter& files_;
    std::string directory_;
    int listener_;
    sys::UniqueFd spare_; ///< so that accept() works when descriptors have run out
    std::map<int, Client> clients_;
};

} // namespace monoinit::log
