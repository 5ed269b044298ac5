#pragma once
// Type=dbus: watches BusName= on the system bus for the units that want it, and starts services that the bus asks for, over one
// connection. It is made when dbus.service is up or a name is to be watched, and again when it was lost. Nothing here waits, and
// nothing starts a bus: as long as dbus.service is down while its socket listens, connecting would. Tested by tests/system/bus_names.py.

#include "base/ids.hpp"
#include "base/time.hpp"
#include "control/bus_client.hpp"
#include "sys/epoll_loop.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace monoinit::runtime {

class BusNames {
  public:
    struct Links {
        sys::EpollLoop& loop;
        std::function<void(base::UnitId, bool owned)> tell;
        std::function<void(const std::string& unit)> activate;
        std::function<bool()> bus_is_ours;  ///< dbus.service is up
        std::function<bool()> may_connect;  ///< for a bus that is no unit of ours, perhaps
        std::function<void(const std::string& text)> say;
    };
    BusNames(Links links, std::string socket) : links_(std::move(links)), socket_(std::move(socket)) {}
    ~BusNames();

    /// `tell` is called with how it stands, once it is known, and with every change.
    void watch(base::UnitId unit, const std::string& name);
    void unwatch(base::UnitId unit);
    /// A service that the bus has asked for cannot be had.
    void activation_failed(const std::string& unit, const std::string& why);
    /// A unit's state has changed: perhaps the bus is there now.
    void look_again();
    base::Instant next_deadline() const { return retry_; }
    void retry(base::Instant now);

  private:
    void connect();
    void turn();
    void lose(const base::Error& why);

    Links links_;
    std::string socket_;
    std::optional<control::BusClient> client_;
    std::map<std::string, std::set<base::UnitId>> watched_;
    std::map<base::UnitId, std::string> names_;
    base::Instant retry_ = base::never;
    bool said_ = false; ///< why there is no connection, since the last one
};

} // namespace monoinit::runtime
