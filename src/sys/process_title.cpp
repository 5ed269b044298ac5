// The kernel reads a command line from the memory where it put argv, and goes on into the environment behind it when the
// last byte of argv is not NUL: so a title may fill both. Tested by tests/unit/sys.
#include "sys/process_title.hpp"

#include <algorithm>
#include <cstring>
#include <sys/prctl.h>
#include <unistd.h>

namespace monoinit::sys {

namespace {

char* area = nullptr;
std::size_t arguments_size = 0; ///< bytes of argv, with the last NUL
std::size_t area_size = 0;      ///< with the environment behind it

} // namespace

void remember_title_area(int argc, char** argv) {
    if (argc < 1)
        return;
    const auto extend = [](char* end, char** strings) {
        for (; *strings != nullptr && *strings == end; strings++) // only what follows without a gap
            end += std::strlen(*strings) + 1;
        return end;
    };
    char* const end = extend(argv[0], argv);
    area = argv[0];
    arguments_size = static_cast<std::size_t>(end - area);
    area_size = static_cast<std::size_t>(extend(end, ::environ) - area);
}

const void* title_area() {
    return area;
}

void set_title(std::string_view title) {
    char name[16] = {};
    std::memcpy(name, title.data(), std::min(title.size(), sizeof name - 1));
    ::prctl(PR_SET_NAME, name);
    if (area_size < 2)
        return;
    const std::size_t size = std::min(title.size(), area_size - 1);
    std::memcpy(area, title.data(), size);
    // Up to the end of argv and one beyond: what stood there must not show. Not the whole environment: that may be
    // megabytes, and every page written is one copied.
    const std::size_t cleared = std::min(std::max(size + 1, arguments_size), area_size);
    std::memset(area + size, 0, cleared - size);
}

} // namespace monoinit::sys
