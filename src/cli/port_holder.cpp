// Reads what programs write when their port is taken (node, python, nginx, redis … each says it in its own words) and
// /proc, where the listener is found by the inode of its socket. Tested by tests/unit/cli/port_holder_test.cpp.
#include "cli/port_holder.hpp"

#include "base/strings.hpp"
#include "sys/directory_reader.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr std::string_view quotes = "\"'(),;[]"; ///< what may stand around a number in a command line

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
    std::string low(text);
    std::ranges::transform(low, low.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return low;
}

bool says_in_use(const std::string& low) {
    return low.find("address already in use") != low.npos || low.find("eaddrinuse") != low.npos || low.find("address in use") != low.npos;
}

/// Numbers from 1 to 65535 that stand where `before` ends and no further digit, letter or point follows.
void add_ports(std::string_view text, std::string_view before, std::vector<std::uint16_t>& ports) {
    for (std::size_t at = text.find(before); at != text.npos; at = text.find(before, at + 1)) {
        std::size_t begin = at + before.size();
        while (begin < text.size() && (text[begin] == ' ' || text[begin] == '=' || text[begin] == ':'))
            begin++;
        unsigned port = 0;
        const auto [end, error] = std::from_chars(text.data() + begin, text.data() + text.size(), port);
        const bool ends = end == text.data() + text.size() || (!is_digit(*end) && *end != '.' && *end != 'x');
        if (error == std::errc{} && ends && port > 0 && port < 65536 && !std::ranges::count(ports, port))
            ports.push_back(static_cast<std::uint16_t>(port));
    }
}

std::string read_all(const char* path) {
    const sys::UniqueFd fd(sys::open_file(path, O_RDONLY));
    std::string text;
    char buffer[16384];
    for (ssize_t size; fd && (size = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(size));
    return text;
}

bool holds(const std::string& pid, const std::string& socket) {
    const std::string path = "/proc/" + pid + "/fd";
    sys::UniqueFd directory(sys::open_file(path.c_str(), O_RDONLY | O_DIRECTORY));
    if (!directory)
        return false; // it is gone, or not ours to look at
    sys::DirectoryReader reader(std::move(directory));
    while (const char* const name = reader.next()) {
        char target[64];
        const ssize_t size = ::readlinkat(reader.fd(), name, target, sizeof target);
        if (size > 0 && std::string_view(target, static_cast<std::size_t>(size)) == socket)
            return true;
    }
    return false;
}

/// The process that has the socket open; 0 when none that we may look at has.
int holder_of(std::uint64_t inode) {
    const std::string socket = "socket:[" + std::to_string(inode) + "]";
    sys::UniqueFd proc(sys::open_file("/proc", O_RDONLY | O_DIRECTORY));
    if (!proc)
        return 0;
    sys::DirectoryReader reader(std::move(proc));
    while (const char* const name = reader.next())
        if (is_digit(*name) && holds(name, socket))
            return std::stoi(name);
    return 0;
}

/// "0100007F" -> "127.0.0.1": words of four bytes in the machine's order.
std::string address_text(std::string_view hex) {
    unsigned char bytes[16] = {};
    const std::size_t size = hex.size() / 2;
    if (size != 4 && size != sizeof bytes)
        return "";
    for (std::size_t word = 0; word < size; word += 4) {
        std::uint32_t value = 0;
        std::from_chars(hex.data() + word * 2, hex.data() + word * 2 + 8, value, 16);
        std::memcpy(bytes + word, &value, sizeof value);
    }
    char text[INET6_ADDRSTRLEN];
    return ::inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, text, sizeof text) == nullptr ? "" : text;
}

} // namespace

bool says_address_in_use(const std::vector<std::string>& lines) {
    return std::ranges::any_of(lines, [](const std::string& line) { return says_in_use(lower(line)); });
}

std::vector<std::uint16_t> ports_complained_of(const std::vector<std::string>& lines, std::string_view command) {
    std::vector<std::uint16_t> ports;
    std::vector<std::string> low;
    std::ranges::transform(lines, std::back_inserter(low), lower);
    if (std::ranges::none_of(low, says_in_use))
        return ports;
    for (const std::string& line : low)
        if (says_in_use(line))
            add_ports(line, ":", ports);
    for (const std::string& line : low)
        add_ports(line, "port", ports);
    for (std::string_view word : base::split(command, ' ')) {
        while (!word.empty() && quotes.find(word.back()) != quotes.npos)
            word.remove_suffix(1);
        const std::size_t mark = word.find_last_of(":=");
        std::string_view number = mark == word.npos ? word : word.substr(mark + 1);
        while (!number.empty() && quotes.find(number.front()) != quotes.npos)
            number.remove_prefix(1);
        if (!number.empty() && std::ranges::all_of(number, is_digit))
            add_ports(":" + std::string(number), ":", ports);
    }
    return ports;
}

std::vector<Listener> listeners_in(std::string_view table) {
    constexpr std::string_view listening = "0A";
    constexpr std::size_t local = 1, state = 3, inode = 9;
    std::vector<Listener> found;
    for (const std::string_view line : base::split(table, '\n')) {
        std::vector<std::string_view> fields = base::split(line, ' ');
        std::erase(fields, std::string_view());
        if (fields.size() <= inode || fields[state] != listening)
            continue;
        const std::size_t colon = std::min(fields[local].rfind(':'), fields[local].size() - 1);
        const std::string_view hex = fields[local].substr(colon + 1);
        unsigned port = 0;
        Listener listener;
        std::from_chars(hex.data(), hex.data() + hex.size(), port, 16);
        std::from_chars(fields[inode].data(), fields[inode].data() + fields[inode].size(), listener.inode);
        listener.port = static_cast<std::uint16_t>(port);
        listener.address = address_text(fields[local].substr(0, colon));
        found.push_back(std::move(listener));
    }
    return found;
}

std::optional<std::uint64_t> listener_inode(std::string_view table, std::uint16_t port) {
    for (const Listener& listener : listeners_in(table))
        if (listener.port == port)
            return listener.inode;
    return std::nullopt;
}

std::vector<Listener> all_listeners() {
    const std::string four = read_all("/proc/net/tcp"), six = read_all("/proc/net/tcp6");
    std::vector<Listener> found = listeners_in(four), more = listeners_in(six);
    found.insert(found.end(), more.begin(), more.end());
    return found;
}

std::vector<Listener> held_listeners(int pid, const std::vector<Listener>& listeners) {
    std::vector<Listener> held;
    const std::string process = std::to_string(pid);
    for (const Listener& listener : listeners)
        if (holds(process, "socket:[" + std::to_string(listener.inode) + "]"))
            held.push_back(listener);
    return held;
}

std::optional<PortHolder> find_port_holder(const std::vector<std::uint16_t>& ports) {
    const std::string tables[] = {read_all("/proc/net/tcp"), read_all("/proc/net/tcp6")};
    for (const std::uint16_t port : ports)
        for (const std::string& table : tables)
            if (const auto inode = listener_inode(table, port))
                return PortHolder{port, holder_of(*inode)};
    return std::nullopt;
}

} // namespace monoinit::cli
