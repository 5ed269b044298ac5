#pragma once
// The other end of the control socket: finding it, making sure of who answers, asking. Blocking; for the tools, never
// for PID 1. Tested by tests/unit/control/server_test.cpp (both ends).

#include "base/result.hpp"
#include "control/api.hpp"
#include "sys/unique_fd.hpp"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace monoinit::control {

struct FindOptions {
    std::string socket;           ///< --socket, else MONOINIT_SOCKET: taken as it is
    std::string xdg_runtime_dir;
    unsigned own_uid = 0;
    unsigned init_uid = 0;        ///< of PID 1
    std::string root;             ///< prefix of /run, /tmp and /dev/shm, for tests
};
/// What this process would use: environment, uids.
FindOptions find_options(const std::string& socket_option);
/// Where a socket may be, in the order they are tried, with the uid that must own it (unset: whoever).
struct Candidate {
    std::string path;
    std::vector<unsigned> owners; ///< empty: not checked
};
std::vector<Candidate> candidates(const FindOptions& options);

class Client {
  public:
    /// NotFound when nobody answers anywhere, Denied when somebody does who has no right to.
    static base::Result<Client> connect(const FindOptions& options);
    static base::Result<Client> connect_to(const Candidate& candidate);

    /// Asks and waits for the answer.
    base::Result<Reply> call(const Request& request, std::span<const int> descriptors = {});
    /// call() in two halves, for who waits for more than this: once fd() is readable, finish() does not wait for long.
    base::Result<void> begin(const Request& request) { return send(encode(request)); }
    base::Result<Reply> finish(const Request& request);
    int fd() const { return fd_.get(); }
    /// Asks with `more`: `on_reply` sees each reply, the last one with continues = false, and returns false to stop.
    base::Result<void> call_more(const Request& request, const std::function<bool(const Reply&, bool continues)>& on_reply);
    /// call(), where the kind of the answer is known.
    template <class Answer> base::Result<Answer> ask(const Request& request, std::span<const int> descriptors = {}) {
        auto reply = call(request, descriptors);
        if (!reply)
            return std::move(reply).error();
        if (Answer* answer = std::get_if<Answer>(&*reply))
            return std::move(*answer);
        return base::fail(base::Errc::Protocol, "the answer is of another kind");
    }
    const std::string& path() const { return path_; }

  private:
    Client(sys::UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    static std::string encode(const Request& request);
    base::Result<void> send(const std::string& message, std::span<const int> descriptors = {});
    base::Result<std::string> receive();

    sys::UniqueFd fd_;
    std::string path_;
    std::string in_;
};

} // namespace monoinit::control
