// systemd-cat: a command whose output goes to the log, line by line, by the journal's stream protocol. Tested by
// tests/system/tools.py.
#include "cli/programs.hpp"
#include "cli/tool.hpp"
#include "sys/socket.hpp"
#include "unit/values.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr ToolOption options[] = {
    {"identifier", 't', Argument::Required, "NAME", "what stands before the lines"},
    {"priority", 'p', Argument::Required, "LEVEL", "of the lines: 0 to 7, or emerg, alert, crit, err, warning, notice, info (the default), debug"},
    {"stderr-priority", 0, Argument::Required, "LEVEL", "of the lines of standard error"},
    {"level-prefix", 0, Argument::Required, "BOOL", "whether <3> at the beginning of a line is its level (yes)"},
    {"namespace", 0, Argument::Required, "NAME", "the log of this namespace"},
};
constexpr Tool tool{"systemd-cat", "[OPTIONS…] [COMMAND…]", "Executes a command, or cat, with its output connected to the log.", options, true};

struct Stream {
    std::string place, identifier;
    int priority = 6;
    bool level_prefix = true;
};

/// A connection that takes lines from here on.
base::Result<sys::UniqueFd> open_stream(const Stream& stream) {
    auto fd = TRY(sys::connect_unix(stream.place, SOCK_STREAM));
    const std::string head = fmt::format("{}\n\n{}\n{}\n0\n0\n0\n", stream.identifier, stream.priority, stream.level_prefix ? 1 : 0);
    if (::write(fd.get(), head.data(), head.size()) != static_cast<ssize_t>(head.size()))
        return base::fail_errno(errno, stream.place);
    (void)::shutdown(fd.get(), SHUT_RD);
    return fd;
}

std::string_view reason(const base::Error& error) { return error.errnum != 0 ? std::strerror(error.errnum) : error.what.c_str(); }

int read_level(const ToolLine& line, std::string_view option, std::string_view words, int otherwise, int& level) {
    const auto given = line.last(option);
    level = given ? parse_level(*given) : otherwise;
    return level < 0 ? complain("Failed to parse {}.", words) : 0;
}

} // namespace

int cat_main(int argc, char** argv, const Hooks&) {
    const ToolLine line = read_tool_line(tool, argc, argv);
    if (line.status)
        return *line.status;
    Stream stream;
    stream.identifier = line.last("identifier").value_or("");
    int error_priority = 6;
    if (read_level(line, "priority", "priority value", 6, stream.priority) != 0 ||
        read_level(line, "stderr-priority", "stderr priority value", stream.priority, error_priority) != 0)
        return 1;
    if (const auto prefix = line.last("level-prefix")) {
        const auto value = unit::parse_bool(*prefix);
        if (!value)
            return complain("Failed to parse boolean argument to --level-prefix=: {}.", *prefix);
        stream.level_prefix = *value;
    }
    const std::string space = line.last("namespace").value_or("");
    stream.place = "/run/systemd/journal" + (space.empty() ? "" : "." + space) + "/stdout";
    const auto output = open_stream(stream);
    stream.priority = error_priority;
    const auto error = !output || !line.has("stderr-priority") ? base::Result<sys::UniqueFd>(sys::UniqueFd()) : open_stream(stream);
    if (!output || !error)
        return complain("Failed to create stream fd: {}", reason(output ? error.error() : output.error()));
    std::vector<char*> command;
    char cat[] = "cat";
    if (line.words.empty())
        command.push_back(cat);
    for (int i = argc - static_cast<int>(line.words.size()); i < argc; i++)
        command.push_back(argv[i]);
    command.push_back(nullptr);
    const sys::UniqueFd own_error(::fcntl(2, F_DUPFD_CLOEXEC, 3));
    if (::dup2(output->get(), 1) < 0 || ::dup2(*error ? error->get() : output->get(), 2) < 0)
        return complain("Failed to rearrange stdout/stderr: {}", std::strerror(errno));
    ::execvp(command.front(), command.data());
    const int why = errno;
    (void)::dup2(own_error.get(), 2);
    return complain("Failed to execute process: {}", std::strerror(why));
}

} // namespace monoinit::cli
