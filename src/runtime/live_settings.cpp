// See live_settings.hpp.
#include "runtime/live_settings.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "unit/words.hpp"

#include <algorithm>
#include <charconv>

namespace monoinit::runtime {

namespace {

std::string_view name_in(std::string_view assignment) { return assignment.substr(0, assignment.find('=')); }

void drop(std::vector<std::string>& entries, std::string_view name) {
    std::erase_if(entries, [&](const std::string& entry) { return name_in(entry) == name; });
}

} // namespace

void LiveSettings::assign(std::string_view assignment) {
    drop(assigned, name_in(assignment));
    drop(unset, name_in(assignment));
    assigned.emplace_back(assignment);
}

void LiveSettings::unset_name(std::string_view name) {
    drop(assigned, name);
    drop(unset, name);
    unset.emplace_back(name);
}

void LiveSettings::apply_to(std::vector<std::string>& environment) const {
    for (const std::string& name : unset)
        drop(environment, name);
    for (const std::string& assignment : assigned) {
        drop(environment, name_in(assignment));
        environment.push_back(assignment);
    }
}

std::string LiveSettings::marks_of(std::string_view unit) const {
    const auto found = marks.find(unit);
    std::string text;
    for (const auto& [mark, name] : mark_names)
        if (found != marks.end() && (found->second & mark) != 0)
            text += (text.empty() ? "" : " ") + std::string(name);
    return text;
}

std::string LiveSettings::save() const {
    std::string bytes = fmt::format("log {} {}\nwatchdogs {}\n", log_level, log_nowhere ? 1 : 0, service_watchdogs ? 1 : 0);
    for (const auto& [name, marked] : marks)
        bytes += fmt::format("marks {} {}\n", marked, unit::quote_word(name));
    for (const std::string& name : frozen)
        bytes += fmt::format("frozen {}\n", unit::quote_word(name));
    for (const std::string& assignment : assigned)
        bytes += fmt::format("set {}\n", unit::quote_word(assignment));
    for (const std::string& name : unset)
        bytes += fmt::format("unset {}\n", unit::quote_word(name));
    return bytes;
}

void LiveSettings::restore(std::string_view bytes) {
    const auto number = [](const std::string& text) {
        int value = 0;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    };
    for (const std::string_view line : base::split(bytes, '\n')) {
        const auto words = unit::split_words(line, unit::Unquote | unit::CUnescape);
        if (!words || words->size() < 2)
            continue;
        const std::string &key = (*words)[0], &first = (*words)[1];
        if (key == "log" && words->size() == 3) {
            log_level = number(first);
            log_nowhere = (*words)[2] == "1";
        } else if (key == "watchdogs") {
            service_watchdogs = first == "1";
        } else if (key == "marks" && words->size() == 3) {
            marks[(*words)[2]] = static_cast<unsigned>(number(first));
        } else if (key == "frozen") {
            frozen.insert(first);
        } else if (key == "set") {
            assigned.push_back(first);
        } else if (key == "unset") {
            unset.push_back(first);
        }
    }
}

} // namespace monoinit::runtime
