// What the sanitizers are told in every process of a sanitized monoinit: linked into it, since the environment of most
// of them is made by units. Reports go to files, in a directory that tests/system/harness.py looks into after each box: whoever
// reports may have lost his standard error, and that he died may be survived as any other accident is.
// Leaks are the unit tests' matter: PID 1 is executed anew or ends with all its memory, and guards never had theirs.
// Faults are PID 1's own matter (runtime/crash.hpp), and until it has handlers the kernel lets nobody send it one.
#include <cstdio>
#include <execinfo.h>
#include <fcntl.h>
#include <unistd.h>

#define OPTIONS                                                                                                                  \
    "log_path=" MONOINIT_REPORTS "/asan:exitcode=99:detect_leaks=0:use_sigaltstack=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:" \
    "quarantine_size_mb=16:malloc_context_size=12:verify_asan_link_order=0:report_globals="

extern "C" {

const char* __asan_default_options();
const char* __ubsan_default_options();
void __ubsan_on_report();
void __ubsan_get_current_report_data(const char** kind, const char** message, const char** file, unsigned* line, unsigned* column, char** address);

/// Overruns of what is static are looked for in PID 1, and by the unit tests everywhere: at its start a process takes three times as
/// long with them, and most are tools that live for a moment.
const char* __asan_default_options() {
    return ::getpid() == 1 ? OPTIONS "1" : OPTIONS "0";
}

const char* __ubsan_default_options() {
    return "exitcode=99";
}

/// UBSan's own log_path is lost to ASan's, whose symbols come first.
void __ubsan_on_report() {
    const char *kind, *message, *file;
    unsigned line, column;
    char* address;
    __ubsan_get_current_report_data(&kind, &message, &file, &line, &column, &address);
    char path[sizeof MONOINIT_REPORTS + 24];
    std::snprintf(path, sizeof path, MONOINIT_REPORTS "/ubsan.%d", ::getpid());
    const int report = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    ::dprintf(report, "%s:%u:%u: %s: %s\n", file, line, column, kind, message);
    void* frames[32];
    ::backtrace_symbols_fd(frames, ::backtrace(frames, 32), report);
    ::close(report);
}
}
