// Rendering of errors. Tested by tests/unit/base.
#include "base/result.hpp"

#include <cerrno>
#include <cstring>

namespace monoinit::base {

Error fail_errno(int errnum, std::string what) {
    what += ": ";
    what += ::strerrordesc_np(errnum) != nullptr ? ::strerrordesc_np(errnum) : "unknown error";
    return Error{Errc::System, errnum, std::move(what), std::nullopt};
}

bool is_shortage(int errnum) {
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == EAGAIN || errnum == ENOBUFS;
}

std::string to_string(const Error& error) {
    if (!error.at)
        return error.what;
    std::string text = error.at->file;
    if (error.at->line != 0)
        text += ":" + std::to_string(error.at->line);
    return text + ": " + error.what;
}

} // namespace monoinit::base
