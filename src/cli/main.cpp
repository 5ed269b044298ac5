// The tools by the name they are called with: argv becomes a Context, dispatch() does the rest.
// Tested by tests/unit/cli/verbs_test.cpp and tests/system.
#include "base/strings.hpp"
#include "cli/verbs.hpp"

#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace monoinit::cli {

namespace {

std::string basename_of(const char* path) {
    const std::string text = path == nullptr ? "" : path;
    return text.substr(text.rfind('/') + 1);
}

bool wants_color() {
    const char* term = ::getenv("TERM");
    const char* no_color = ::getenv("NO_COLOR");
    return ::isatty(1) == 1 && (no_color == nullptr || *no_color == '\0') && (term == nullptr || std::strcmp(term, "dumb") != 0);
}

int run(Face face, const char* fallback_name, int argc, char** argv, const Hooks& hooks) {
    Context context;
    context.face = face;
    context.program = argc > 0 ? basename_of(argv[0]) : fallback_name;
    context.hooks = hooks;
    context.color = wants_color();
    std::vector<std::string> arguments;
    for (int i = 1; i < argc; i++)
        arguments.emplace_back(argv[i]);
    auto line = parse_options(face, context.program, arguments);
    if (!line) {
        context.complain("{}", line.error().what);
        return face == Face::Initctl ? 2 : 1;
    }
    context.options = std::move(line->options);
    if (context.options.help) {
        context.out = help_text(face);
        return 0;
    }
    if (context.options.version)
        return version(context, {});
    if (!context.options.host.empty()) {
        context.complain("{}: only this container can be controlled (no -H)", context.program);
        return 1;
    }
    if (face != Face::Journalctl)
        if (const auto status = check_option_values(context))
            return *status;
    const auto style = base::value_of(base::timestamp_styles, context.options.timestamp_word);
    if (!style) {
        context.complain("Invalid value: {}.", base::printable(context.options.timestamp_word, 80));
        return 1;
    }
    context.options.timestamp = *style;
    if (face == Face::Journalctl)
        return logs(context, line->words);
    return dispatch(context, line->words);
}

} // namespace

int initctl_main(int argc, char** argv, const Hooks& hooks) { return run(Face::Initctl, "initctl", argc, argv, hooks); }

int systemctl_main(int argc, char** argv, const Hooks& hooks) { return run(Face::Systemctl, "systemctl", argc, argv, hooks); }

int journalctl_main(int argc, char** argv, const Hooks& hooks) { return run(Face::Journalctl, "journalctl", argc, argv, hooks); }

} // namespace monoinit::cli
