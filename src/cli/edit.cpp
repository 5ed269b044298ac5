// edit: a drop-in of one's own, or a whole copy, by an editor or from standard input; works without an init, too.
// Tested by tests/system/systemctl_files.py and tests/system/systemctl_verbs.py.
#include "base/strings.hpp"
#include "cli/verbs.hpp"
#include "sys/program.hpp"
#include "sys/real_files.hpp"
#include "unit/name.hpp"

#include <cerrno>
#include <cstdlib>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr std::size_t size_limit = 1 << 20;
constexpr std::string_view begin_mark = "### What stands between this line and the next of its kind becomes ";
constexpr std::string_view end_mark = "### What stands below this line is left out";

/// The file that an edit of this unit writes.
std::string path_to_edit(const Context& context, const std::string& name) {
    const std::string directory = context.options.runtime ? "/run/systemd/system/" : "/etc/systemd/system/";
    if (context.options.full)
        return directory + name;
    std::string drop_in = context.options.drop_in.empty() ? "override" : context.options.drop_in;
    if (!drop_in.ends_with(".conf"))
        drop_in += ".conf";
    return directory + name + ".d/" + drop_in;
}

std::string text_of(Context& context, const std::string& path) {
    return path.empty() ? std::string() : context.files().read(path, size_limit).value_or("");
}

/// What the editor shows: the drop-in as it is, and below it, as remarks, the unit it adds to.
std::string template_text(Context& context, const unit::UnitConfig& config, const std::string& path) {
    const std::string present = text_of(context, path);
    if (context.options.full)
        return present.empty() && !config.files.empty() ? text_of(context, config.files.front()) : present;
    std::string out = fmt::format("{}{}\n\n{}{}\n{}\n", begin_mark, path, present, present.empty() ? "\n" : "", end_mark);
    for (const std::string& file : config.files) {
        if (file.empty() || file == path)
            continue;
        out += fmt::format("\n### {}\n", file);
        const std::string text = text_of(context, file);
        for (const std::string_view line : base::split(text, '\n'))
            out += fmt::format("# {}\n", line);
    }
    return out;
}

/// What is to be kept of what the editor left.
std::string without_marks(std::string_view text) {
    if (const std::size_t begin = text.find(begin_mark); begin != std::string_view::npos)
        text = text.substr(std::min(text.find('\n', begin), text.size()));
    if (const std::size_t end = text.find(end_mark); end != std::string_view::npos)
        text = text.substr(0, end);
    const std::string_view trimmed = base::trim(text);
    return trimmed.empty() ? std::string() : std::string(trimmed) + "\n";
}

std::string standard_input() {
    std::string text;
    char buffer[4096];
    for (ssize_t count = 0; (count = ::read(0, buffer, sizeof buffer)) > 0 && text.size() <= size_limit;)
        text.append(buffer, static_cast<std::size_t>(count));
    return text;
}

/// $SYSTEMD_EDITOR, $EDITOR, $VISUAL, else one of those that most machines have.
bool run_editor(const std::string& file) {
    for (const char* variable : {"SYSTEMD_EDITOR", "EDITOR", "VISUAL"}) {
        const char* editor = ::getenv(variable);
        if (editor == nullptr || *editor == '\0')
            continue;
        std::vector<std::string> words;
        const std::string line = editor; // it may have options
        for (const std::string_view word : base::split(line, ' '))
            if (!word.empty())
                words.emplace_back(word);
        words.push_back(file);
        const auto ended = sys::run_program(words);
        return ended && *ended == 0;
    }
    for (const char* editor : {"editor", "nano", "vim", "vi"})
        if (const auto ended = sys::run_program({editor, file}); ended)
            return *ended == 0;
    return false;
}

/// The new text of the file; nothing when it was given up, and why was said.
std::optional<std::string> edited(Context& context, const unit::UnitConfig& config, const std::string& path) {
    char name[] = "/tmp/monoinit-edit-XXXXXX";
    const int fd = ::mkstemp(name);
    if (fd < 0) {
        context.complain("Failed to create temporary file: {}", base::to_string(base::fail_errno(errno, "/tmp")));
        return std::nullopt;
    }
    const std::string before = template_text(context, config, path);
    bool kept = ::write(fd, before.data(), before.size()) == static_cast<ssize_t>(before.size());
    ::close(fd);
    context.flush();
    kept = kept && run_editor(name);
    const std::string after = sys::RealFiles().read(name, size_limit).value_or("");
    ::unlink(name);
    if (!kept) {
        context.complain("Cannot edit units: no editor that works. Set $SYSTEMD_EDITOR, $EDITOR or $VISUAL.");
        return std::nullopt;
    }
    std::string text = context.options.full ? after : without_marks(after);
    if (text.empty() || after == before) {
        context.remark("Editing \"{}\" canceled: nothing was {}.", path, text.empty() ? "written" : "changed");
        return std::nullopt;
    }
    return text;
}

/// Whether the unit can be edited; says why not.
bool may_edit(Context& context, const std::string& name, const unit::UnitConfig& config) {
    if (config.load_state == unit::LoadState::Masked) {
        context.complain("Cannot edit {}: unit is masked.", name);
        return false;
    }
    if (config.load_state != unit::LoadState::NotFound || (context.options.force > 0))
        return true;
    context.complain("No files found for {}.", name);
    context.complain("Run '{} edit --force --full {}' to create a new unit.", context.program, name);
    return false;
}

} // namespace

int edit(Context& context, Words words) {
    const bool from_stdin = context.options.from_stdin;
    if (!from_stdin && ::isatty(0) != 1) {
        context.complain("Cannot edit units if not on a tty.");
        return 1;
    }
    if (!context.options.drop_in.empty() && (context.options.full || context.options.drop_in.find('/') != std::string::npos)) {
        context.complain("--drop-in= is the name of a drop-in, and cannot be combined with --full.");
        return 1;
    }
    const Names names = mangled(context, words);
    for (const std::string& name : names)
        if (!may_edit(context, name, *context.loader().load_as_written(name)))
            return context.systemctl() ? 1 : 4;
    const std::string given = from_stdin ? standard_input() : std::string();
    if (given.size() > size_limit) {
        context.complain("More than {} bytes on standard input: that is no unit file.", size_limit);
        return 1;
    }
    int status = 0;
    for (const std::string& name : names) {
        const std::string path = path_to_edit(context, name);
        const auto text = from_stdin ? std::optional(given) : edited(context, *context.loader().load_as_written(name), path);
        if (!text) {
            status = 1;
            continue;
        }
        if (const auto written = context.files().write(path, *text); !written) {
            context.complain("{}", base::to_string(written.error()));
            return 1;
        }
        context.remark("Successfully installed edited file '{}'.", context.install_options().root + path);
    }
    const int reloaded = reload_after(context);
    return status == 0 ? reloaded : status;
}

} // namespace monoinit::cli
