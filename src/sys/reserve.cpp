// The reserve descriptor. See reserve.hpp.
#include "sys/reserve.hpp"

#include "sys/syscalls.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace monoinit::sys {

namespace {

int reserve = -1; // a plain number: children that share the table must not close it when they end

} // namespace

void hold_descriptor() {
    if (reserve < 0)
        reserve = open_file("/", O_PATH | O_DIRECTORY);
}

void forget_descriptor() {
    reserve = -1;
}

int open_briefly(const char* path, int flags) {
    const int fd = open_file(path, flags);
    if (fd >= 0 || reserve < 0 || (errno != EMFILE && errno != ENFILE))
        return fd;
    ::close(reserve);
    reserve = -1;
    return open_file(path, flags);
}

} // namespace monoinit::sys
