// Client side of the control socket. Tested by tests/unit/control.
#include "control/client.hpp"

#include "control/codec.hpp"
#include "sys/socket.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace monoinit::control {

using base::Errc;
using base::fail;
using base::Result;

namespace {

constexpr std::size_t answer_limit = 256 << 20;

std::string environment_variable(const char* name) {
    const char* value = ::getenv(name);
    return value == nullptr ? "" : value;
}

/// A directory of /tmp can be made by anybody: it counts only if one of `owners` made it and only they can write to it.
Result<void> check_directory(const std::string& socket, const std::vector<unsigned>& owners) {
    const std::string directory = socket.substr(0, socket.rfind('/'));
    struct stat info {};
    if (::lstat(directory.c_str(), &info) != 0)
        return base::fail_errno(errno, directory);
    if (!S_ISDIR(info.st_mode))
        return fail(Errc::Denied, directory + " is no directory");
    if (std::find(owners.begin(), owners.end(), info.st_uid) == owners.end())
        return fail(Errc::Denied, directory + " belongs to uid " + std::to_string(info.st_uid) + ", not to monoinit");
    if ((info.st_mode & 022) != 0)
        return fail(Errc::Denied, directory + " is writable by others");
    return {};
}

/// The uid of PID 1. Where /proc hides it (hidepid=2), a socket of /tmp tells: nobody else can listen with that pid.
unsigned uid_of_init() {
    struct stat info {};
    if (::stat("/proc/1", &info) == 0)
        return info.st_uid;
    for (const char* place : {"/tmp", "/dev/shm"}) {
        const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(place), ::closedir);
        while (const dirent* entry = directory ? ::readdir(directory.get()) : nullptr) {
            if (std::strncmp(entry->d_name, "monoinit-", 9) != 0)
                continue;
            const auto fd = sys::connect_unix(std::string(place) + "/" + entry->d_name + "/control", SOCK_STREAM);
            const auto peer = fd ? sys::peer_credentials(fd->get()) : base::Result<ucred>(fd.error());
            if (peer && peer->pid == 1)
                return peer->uid;
        }
    }
    return 0;
}

} // namespace

FindOptions find_options(const std::string& socket_option) {
    FindOptions options;
    options.socket = socket_option.empty() ? environment_variable("MONOINIT_SOCKET") : socket_option;
    options.xdg_runtime_dir = environment_variable("XDG_RUNTIME_DIR");
    options.own_uid = ::getuid();
    options.init_uid = uid_of_init();
    return options;
}

std::vector<Candidate> candidates(const FindOptions& options) {
    if (!options.socket.empty())
        return {{options.socket, {}}};
    std::vector<Candidate> list{{options.root + "/run/monoinit/control", {0, options.init_uid, options.own_uid}}};
    if (!options.xdg_runtime_dir.empty())
        list.push_back({options.xdg_runtime_dir + "/monoinit/control", {0, options.init_uid, options.own_uid}});
    std::vector<unsigned> uids{options.init_uid};
    if (options.own_uid != options.init_uid)
        uids.push_back(options.own_uid);
    for (const unsigned uid : uids)
        for (const char* place : {"/tmp", "/dev/shm"})
            list.push_back({options.root + place + "/monoinit-" + std::to_string(uid) + "/control", {uid}});
    return list;
}

Result<Client> Client::connect_to(const Candidate& candidate) {
    if (!candidate.owners.empty())
        TRY(check_directory(candidate.path, candidate.owners));
    auto fd = TRY(sys::connect_unix(candidate.path, SOCK_STREAM));
    if (!candidate.owners.empty()) {
        const ucred peer = TRY(sys::peer_credentials(fd.get()));
        if (peer.uid != 0 && std::find(candidate.owners.begin(), candidate.owners.end(), peer.uid) == candidate.owners.end())
            return fail(Errc::Denied, candidate.path + " is answered by uid " + std::to_string(peer.uid) + ", not by monoinit");
    }
    return Client(std::move(fd), candidate.path);
}

Result<Client> Client::connect(const FindOptions& options) {
    std::optional<base::Error> denied;
    std::string tried;
    for (const Candidate& candidate : candidates(options)) {
        auto client = connect_to(candidate);
        if (client)
            return client;
        tried += (tried.empty() ? "" : ", ") + candidate.path;
        const int errnum = client.error().errnum;
        const bool nobody = errnum == ENOENT || errnum == ECONNREFUSED || errnum == ENOTDIR;
        if (!nobody && !denied)
            denied = std::move(client).error();
    }
    if (denied)
        return fail(Errc::Denied, denied->what);
    return fail(Errc::NotFound, "nobody answers at " + tried);
}

std::string Client::encode(const Request& request) { return encode_call(request, false); }

Result<void> Client::send(const std::string& message, std::span<const int> descriptors) {
    std::string_view rest(message.c_str(), message.size() + 1); // with its NUL
    while (!rest.empty()) {
        const auto sent = sys::send_message(fd_.get(), rest, descriptors, 0);
        if (!sent)
            return sent.error().errnum == EPIPE ? fail(Errc::System, "monoinit closed the connection") : sent.error();
        rest.remove_prefix(*sent);
        descriptors = {};
    }
    return {};
}

Result<std::string> Client::receive() {
    std::array<char, 32 << 10> buffer; // not cleared: most answers touch a page of it
    std::size_t searched = 0;
    for (;;) {
        const std::size_t end = in_.find('\0', searched);
        if (end != std::string::npos) {
            std::string rest = in_.substr(end + 1);
            in_.resize(end);
            return std::exchange(in_, std::move(rest));
        }
        searched = in_.size();
        if (in_.size() > answer_limit)
            return fail(Errc::TooLarge, "the answer does not end");
        const auto received = TRY(sys::receive_message(fd_.get(), buffer, 0));
        if (received.bytes.empty())
            return fail(Errc::Protocol, "monoinit closed the connection");
        in_ += received.bytes;
    }
}

Result<Reply> Client::call(const Request& request, std::span<const int> descriptors) {
    TRY(send(encode(request), descriptors));
    return finish(request);
}

Result<Reply> Client::finish(const Request& request) {
    const std::string message = TRY(receive());
    auto answer = TRY(decode_reply(request, message));
    return std::move(answer.reply);
}

Result<void> Client::call_more(const Request& request, const std::function<bool(const Reply&, bool)>& on_reply) {
    TRY(send(encode_call(request, true)));
    for (;;) {
        const std::string message = TRY(receive());
        const auto answer = TRY(decode_reply(request, message));
        if (!on_reply(answer.reply, answer.continues) || !answer.continues)
            return {};
    }
}

} // namespace monoinit::control
