// Options whose values are words of a list: "help" prints them, another word is refused. Tested by tests/system/systemctl_verbs.py.
#include "base/signals.hpp"
#include "base/strings.hpp"
#include "base/timestamp.hpp"
#include "cli/journal_output.hpp"
#include "cli/verbs.hpp"
#include "unit/active_state.hpp"
#include "unit/enums.hpp"
#include "unit/install.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>

namespace monoinit::cli {

namespace {

using Words = std::vector<std::string_view>;

template <class Names> Words words_of(const Names& names) {
    Words words;
    for (const auto& [value, word] : names)
        words.push_back(word);
    return words;
}

Words unit_types() {
    Words words;
    for (auto type = unit::UnitType::Service; type <= unit::UnitType::Scope; type = static_cast<unit::UnitType>(static_cast<int>(type) + 1))
        words.push_back(unit::suffix(type));
    return words;
}

Words file_states() {
    Words words;
    for (auto state = unit::FileState::Enabled; state < unit::FileState::NotFound; state = static_cast<unit::FileState>(static_cast<int>(state) + 1))
        words.push_back(unit::file_state_name(state));
    return words;
}

bool holds(const Words& words, std::string_view word) { return std::ranges::find(words, word) != words.end(); }

void print_words(Context& context, const Words& words) {
    for (const std::string_view word : words)
        context.print("{}\n", word);
}

void print_states(Context& context) {
    const std::pair<std::string_view, Words> lists[] = {{"Available unit load states:\n", words_of(unit::load_state_names)},
                                                        {"\nAvailable unit active states:\n", words_of(unit::active_state_names)},
                                                        {"\nAvailable unit file states:\n", file_states()}};
    for (const auto& [title, words] : lists) {
        context.print("{}", context.options.legend ? title : "");
        print_words(context, words);
    }
}

void print_signals(Context& context, bool as_table) {
    if (as_table && context.options.legend)
        context.print("SIGNAL NAME\n");
    for (int signal = 1; signal <= SIGRTMAX; signal++) {
        const std::string name = base::signal_name(signal);
        if (as_table)
            context.print("{:<6} {}\n", signal, name);
        else
            context.print("{}\n", name.starts_with("SIG") ? name.substr(3) : name);
    }
}

} // namespace

std::optional<int> check_option_values(Context& context) {
    const Options& options = context.options;
    const auto refuse = [&](std::string_view form, const std::string& word, std::string_view after) {
        context.complain("{}{}{}", form, base::printable(word, 80), after);
        return context.systemctl() ? 1 : 2;
    };
    const auto wants_help = [](const std::vector<std::string>& words) { return std::ranges::find(words, "help") != words.end(); };
    if (wants_help(options.types)) {
        context.print("{}", options.legend ? "Available unit types:\n" : "");
        return print_words(context, unit_types()), 0;
    }
    if (wants_help(options.states))
        return print_states(context), 0;
    for (const std::string& type : options.types)
        if (!holds(unit_types(), type) && !holds(words_of(unit::load_state_names), type))
            return refuse("Unknown unit type or load state '", type, "'.\nUse -t help to see a list of allowed values.");
    if (options.signal == "help" || options.signal == "list")
        return print_signals(context, options.signal == "list"), 0;
    if (options.job_mode == "help")
        return print_words(context, words_of(unit::job_mode_names)), 0;
    if (options.timestamp_word == "help")
        return print_words(context, words_of(base::timestamp_styles)), 0;
    if (options.output == "help") {
        const std::string names = journal_form_names();
        for (const std::string_view name : base::split(names, ','))
            context.print("{}\n", base::trim(name));
        return 0;
    }
    if (!options.output.empty() && !journal_form(options.output))
        return refuse("Unknown output '", options.output, "'.");
    std::uint32_t lines = 0;
    if (options.lines && *options.lines != "all") {
        const std::string_view text = std::string_view(*options.lines).substr(options.lines->starts_with('+') ? 1 : 0);
        if (const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), lines); error != std::errc{} || end != text.data() + text.size())
            return refuse("Failed to parse lines '", *options.lines, "'");
    }
    if (!options.machine.empty() && options.machine != ".host" && options.user_manager.empty())
        return refuse("", "only this container can be controlled (no -M)", "");
    return std::nullopt;
}

} // namespace monoinit::cli
