#pragma once
// A connection to a D-Bus message bus that watches who owns names, and that the bus may ask to start services: dbus-daemon
// --systemd-activation asks whoever is org.freedesktop.systemd1, and all who wait for such a service wait with it. Never blocks: the caller watches fd() and
// calls turn(). Descriptors that come along uninvited are closed elsewhere. Tested by tests/system/bus_names.py.

#include "base/result.hpp"
#include "sys/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace monoinit::control {

/// The socket of the system bus: what `address` ($DBUS_SYSTEM_BUS_ADDRESS) says, else the usual one; empty if it is no path.
std::string bus_socket(std::string_view address);

class BusClient {
  public:
    struct Heard {
        std::function<void(const std::string& name, bool owned)> owner;
        std::function<void(const std::string& unit)> activate; ///< activation_failed() answers where that cannot be
    };

    /// Connects to the socket; errors are those of connect(2). `activates`: asks to be org.freedesktop.systemd1.
    static base::Result<BusClient> connect(const std::string& path, bool activates);

    int fd() const { return fd_.get(); }
    bool wants_to_write() const { return !out_.empty(); }
    /// How it stands with the name is told once the bus has answered, and again whenever it changes. Asking twice makes it told again.
    void watch(const std::string& name);
    void unwatch(const std::string& name);
    void activation_failed(const std::string& unit, const std::string& why);
    /// Reads and writes what can be without waiting; an error when the connection is over.
    base::Result<void> turn(const Heard& heard);

  private:
    BusClient(sys::UniqueFd fd, bool activates);
    enum class Stage : std::uint8_t { Authenticating, Talking };
    std::uint32_t call(std::string_view member, const std::string& argument);
    base::Result<void> write();
    base::Result<void> read(const Heard& heard);
    base::Result<void> take(const Heard& heard);
    base::Result<void> take_line();
    void understand(std::string_view bytes, const Heard& heard);
    std::string& queue() { return stage_ == Stage::Talking ? out_ : later_; }

    sys::UniqueFd fd_;
    Stage stage_ = Stage::Authenticating;
    std::string in_, out_, later_; ///< later_: calls that wait for the authentication
    std::uint64_t skip_ = 0;       ///< bytes of a message that is too long
    std::uint32_t serial_ = 0;
    std::map<std::uint32_t, std::string> asked_; ///< serial of a question -> name
};

} // namespace monoinit::control
