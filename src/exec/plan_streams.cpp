// Where the three streams of a command go. What systemd sends to the journal, syslog or kmsg all goes into the log pipe.
// Tested by tests/unit/exec.
#include "exec/plan_streams.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

namespace monoinit::exec {

namespace {

using unit::StdinKind;
using unit::StdoutKind;
using Kind = StreamPlan::Kind;

constexpr std::string_view terminal_stream = "terminal";

bool is_log(StdoutKind kind) {
    switch (kind) {
    case StdoutKind::Journal:
    case StdoutKind::JournalConsole:
    case StdoutKind::Kmsg:
    case StdoutKind::KmsgConsole:
        return true;
    case StdoutKind::Inherit:
    case StdoutKind::Null:
    case StdoutKind::Tty:
    case StdoutKind::File:
    case StdoutKind::Append:
    case StdoutKind::Truncate:
    case StdoutKind::Socket:
    case StdoutKind::Fd:
        return false;
    }
    return false;
}

bool reads_terminal(const unit::ExecSection& exec) {
    switch (exec.standard_input) {
    case StdinKind::Tty:
    case StdinKind::TtyForce:
    case StdinKind::TtyFail:
        return true;
    case StdinKind::Null:
    case StdinKind::Data:
    case StdinKind::File:
    case StdinKind::Socket:
    case StdinKind::Fd:
        return false;
    }
    return false;
}

/// Output that inherits goes where input comes from, unless that is nothing or data: then to the log.
bool output_is_log(const unit::ExecSection& exec) {
    if (exec.standard_output.kind != StdoutKind::Inherit)
        return is_log(exec.standard_output.kind);
    return exec.standard_input == StdinKind::Null || exec.standard_input == StdinKind::Data;
}

class Streams {
  public:
    Streams(const unit::ExecSection& exec, const CommandContext& context, Plan& plan)
        : exec_(exec), context_(context), plan_(plan) {}

    std::optional<PlanFailure> fill() {
        fill_input();
        fill_output();
        fill_error();
        return std::move(failure_);
    }

  private:
    std::string terminal() const { return exec_.tty_path.empty() ? "/dev/console" : exec_.tty_path; }

    void fail(Stage stage, std::string detail) {
        if (!failure_)
            failure_ = PlanFailure{stage, ENOENT, std::move(detail)};
    }

    void use_socket(StreamPlan& stream, Stage stage) {
        stream.kind = Kind::Fd;
        stream.is_socket = true;
        if (context_.listen_fds.size() == 1)
            stream.fd = context_.listen_fds.front();
        else
            fail(stage, "\"socket\" needs a service that one socket was passed to");
    }

    void use_named(StreamPlan& stream, Stage stage, const std::string& name, const char* otherwise) {
        const std::string wanted = name.empty() ? otherwise : name;
        const auto at = std::find(context_.listen_names.begin(), context_.listen_names.end(), wanted);
        const auto index = static_cast<std::size_t>(at - context_.listen_names.begin());
        stream.kind = Kind::Fd;
        if (index < context_.listen_fds.size() && at != context_.listen_names.end())
            stream.fd = context_.listen_fds[index];
        else if (const int passed = passed_stream(wanted); passed >= 0)
            stream = {.kind = Kind::Fd, .fd = passed, .is_terminal = wanted == terminal_stream};
        else
            fail(stage, "no descriptor called \"" + wanted + "\" was passed");
    }

    /// What whoever asked for a transient service lent it; -1: nothing of that name.
    int passed_stream(std::string_view name) const {
        constexpr std::string_view names[] = {"stdin", "stdout", "stderr"};
        if (name == terminal_stream)
            return context_.streams[0];
        for (std::size_t i = 0; i < std::size(names); i++)
            if (names[i] == name)
                return context_.streams[i];
        return -1;
    }

    void use_log(StreamPlan& stream, int fd) {
        stream.kind = fd >= 0 ? Kind::Fd : Kind::Null;
        stream.fd = fd;
        stream.is_log = fd >= 0;
    }

    void fill_input() {
        StreamPlan& input = plan_.input;
        switch (exec_.standard_input) {
        case StdinKind::Null:
            input.kind = Kind::Null;
            return;
        case StdinKind::Tty:
        case StdinKind::TtyForce:
        case StdinKind::TtyFail:
            input.kind = Kind::Terminal;
            input.is_terminal = true;
            input.path = terminal();
            input.force_terminal = exec_.standard_input == StdinKind::TtyForce;
            return;
        case StdinKind::Data:
            input.kind = Kind::Data;
            input.text = exec_.standard_input_data;
            return;
        case StdinKind::File:
            input.kind = Kind::File;
            input.path = exec_.standard_input_target;
            input.flags = shares_file_with_input(exec_.standard_output) || shares_file_with_input(exec_.standard_error)
                              ? O_RDWR | O_CREAT
                              : O_RDONLY;
            return;
        case StdinKind::Socket:
            return use_socket(input, Stage::Stdin);
        case StdinKind::Fd:
            return use_named(input, Stage::Stdin, exec_.standard_input_target, "stdin");
        }
    }

    bool shares_file_with_input(const unit::Output& output) const {
        return output.kind == StdoutKind::File && exec_.standard_input == StdinKind::File &&
               output.target == exec_.standard_input_target;
    }

    void fill_file(StreamPlan& stream, const unit::Output& wanted, int flags) {
        stream.kind = shares_file_with_input(wanted) ? Kind::SameAsStdin : Kind::File;
        stream.path = wanted.target;
        stream.flags = O_WRONLY | O_CREAT | flags;
    }

    void fill_terminal(StreamPlan& stream) {
        stream.kind = reads_terminal(exec_) ? Kind::SameAsStdin : Kind::File;
        stream.is_terminal = true;
        stream.path = terminal();
        stream.flags = O_WRONLY;
    }

    void fill_output() {
        StreamPlan& output = plan_.output;
        if (output_is_log(exec_))
            return use_log(output, context_.log_stdout);
        fill_from(output, exec_.standard_output, Stage::Stdout, "stdout");
        if (exec_.standard_output.kind == StdoutKind::Inherit)
            output.kind = Kind::SameAsStdin;
    }

    void fill_error() {
        StreamPlan& error = plan_.error;
        const unit::Output& wanted = exec_.standard_error;
        const bool as_output = wanted.kind == StdoutKind::Inherit ||
                               (wanted.kind == exec_.standard_output.kind && wanted.target == exec_.standard_output.target &&
                                wanted.kind != StdoutKind::Fd && !is_log(wanted.kind));
        // Two pipes of the log are kept apart (log_stderr of monoinit.toml), also where the unit says nothing of stderr.
        if (wanted.kind == StdoutKind::Inherit && output_is_log(exec_) && context_.log_stderr >= 0 && context_.log_stderr != context_.log_stdout)
            return use_log(error, context_.log_stderr);
        if (as_output) {
            error.kind = Kind::SameAsStdout;
            error.is_log = plan_.output.is_log;
            return;
        }
        if (is_log(wanted.kind))
            return use_log(error, context_.log_stderr >= 0 ? context_.log_stderr : context_.log_stdout);
        fill_from(error, wanted, Stage::Stderr, "stderr");
    }

    void fill_from(StreamPlan& stream, const unit::Output& wanted, Stage stage, const char* name) {
        switch (wanted.kind) {
        case StdoutKind::Inherit: // decided by the caller, like the log
        case StdoutKind::Journal:
        case StdoutKind::JournalConsole:
        case StdoutKind::Kmsg:
        case StdoutKind::KmsgConsole:
        case StdoutKind::Null:
            stream.kind = Kind::Null;
            return;
        case StdoutKind::Tty:
            return fill_terminal(stream);
        case StdoutKind::File:
            return fill_file(stream, wanted, 0);
        case StdoutKind::Append:
            return fill_file(stream, wanted, O_APPEND);
        case StdoutKind::Truncate:
            return fill_file(stream, wanted, O_TRUNC);
        case StdoutKind::Socket:
            return use_socket(stream, stage);
        case StdoutKind::Fd:
            return use_named(stream, stage, wanted.target, name);
        }
    }

    const unit::ExecSection& exec_;
    const CommandContext& context_;
    Plan& plan_;
    std::optional<PlanFailure> failure_;
};

} // namespace

std::optional<PlanFailure> plan_streams(const unit::ExecSection& exec, const CommandContext& context, Plan& plan) {
    return Streams(exec, context, plan).fill();
}

OutputNeeds output_needs(const unit::ExecSection& exec) {
    OutputNeeds needs;
    needs.output = output_is_log(exec);
    needs.error = is_log(exec.standard_error.kind);
    // One pipe for both keeps the order of lines between the two.
    needs.shared = needs.output && (needs.error || exec.standard_error.kind == StdoutKind::Inherit);
    return needs;
}

} // namespace monoinit::exec
