// Program lookup, and the diagnosis of a failed execve(), which says ENOENT for a missing file and for a missing
// interpreter alike. Tested by tests/unit/exec.
#include "exec/lookup.hpp"

#include "base/strings.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

std::vector<std::string> directories_of(const std::vector<std::string_view>& search_paths) {
    std::vector<std::string> directories;
    for (const std::string_view path : search_paths)
        for (const std::string_view directory : base::split(path, ':'))
            // A relative entry would depend on a working directory that is not set yet.
            if (directory.starts_with('/') && std::find(directories.begin(), directories.end(), directory) == directories.end())
                directories.emplace_back(directory);
    return directories;
}

/// The interpreter a script or an ELF program asks for; empty when it asks for none or cannot be read.
std::string interpreter_of(const std::string& program) {
    const sys::UniqueFd fd(sys::open_file(program.c_str(), O_RDONLY | O_NONBLOCK));
    char head[4096];
    const ssize_t size = fd ? ::pread(fd.get(), head, sizeof head, 0) : -1;
    if (size < 4)
        return {};
    const std::string_view text(head, static_cast<std::size_t>(size));
    if (text.starts_with("#!")) {
        std::string_view line = text.substr(2, text.find('\n') - 2);
        line = base::trim(line);
        return std::string(line.substr(0, line.find_first_of(" \t")));
    }
    if (!text.starts_with(ELFMAG) || text.size() < sizeof(Elf64_Ehdr) || text[EI_CLASS] != ELFCLASS64)
        return {};
    Elf64_Ehdr header;
    std::memcpy(&header, head, sizeof header);
    for (std::size_t i = 0; i < header.e_phnum; i++) {
        const std::size_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
        if (at > text.size() || text.size() - at < sizeof(Elf64_Phdr))
            return {};
        Elf64_Phdr segment;
        std::memcpy(&segment, head + at, sizeof segment);
        if (segment.p_type != PT_INTERP)
            continue;
        char name[256] = {};
        const std::size_t length = std::min<std::size_t>(segment.p_filesz, sizeof name - 1);
        return ::pread(fd.get(), name, length, static_cast<off_t>(segment.p_offset)) > 0 ? std::string(name) : std::string();
    }
    return {};
}

std::string reason(int error) {
    const char* const text = ::strerrordesc_np(error);
    return text != nullptr ? text : "unknown error";
}

} // namespace

std::vector<std::string> find_program(const std::string& command, const std::vector<std::string_view>& search_paths) {
    if (command.find('/') != command.npos)
        return {command};
    std::vector<std::string> found;
    for (const std::string& directory : directories_of(search_paths)) {
        std::string program = directory + "/" + command;
        struct stat status;
        // Whether the service's user may execute it is known only as that user: execve() decides, then tries the next.
        if (::stat(program.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0)
            found.push_back(std::move(program));
    }
    return found;
}

std::string explain_exec_failure(const std::string& command, const std::vector<std::string>& candidates,
                                 const std::vector<std::string_view>& search_paths, int error) {
    if (candidates.empty())
        return command + " not found; PATH tried: " + base::join(directories_of(search_paths), ":");
    const std::string& program = candidates.front();
    struct stat status;
    if ((error == ENOENT || error == ENOTDIR) && ::stat(program.c_str(), &status) != 0)
        return program + " not found";
    if (error == ENOENT || error == EACCES || error == ELOOP) {
        const std::string interpreter = interpreter_of(program);
        if (!interpreter.empty() && ::stat(interpreter.c_str(), &status) != 0)
            return program + ": its interpreter " + base::printable(interpreter, 128) + " was not found";
    }
    if (error == ENOEXEC)
        return program + ": neither a program for this machine nor a script with a \"#!\" line";
    if (error == EACCES && ::stat(program.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return program + " is a directory";
        if ((status.st_mode & 0111) == 0)
            return program + " is not executable (chmod +x it)";
    }
    return program + ": " + reason(error);
}

} // namespace monoinit::exec
