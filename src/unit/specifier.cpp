// "%n", "%i", "%t" …: one row a specifier. An unknown letter is an error, as the setting it stands in cannot be right;
// a percent sign before anything but a letter or digit stands for itself, as systemd has it.
// Tested by tests/unit/unit/specifier_test.cpp.

#include "unit/specifier.hpp"

#include "unit/name.hpp"

#include <algorithm>
#include <array>

namespace monoinit::unit {

namespace {

using Text = base::Result<std::string>;

struct Subject {
    const Environment& place;
    std::string_view name;
    std::string_view fragment;
};

using Expand = Text (*)(const Subject&);

struct Specifier {
    char letter;
    Expand expand;
};

template <std::string Environment::*Field> Text place(const Subject& subject) {
    return subject.place.*Field;
}

Text known(const std::string& value, std::string_view what) {
    if (value.empty())
        return base::fail(base::Errc::NotFound, std::string(what) + " is not known here");
    return value;
}

std::string_view stem(std::string_view name) {
    return name.substr(0, name.rfind('.'));
}

std::string_view last_component(std::string_view prefix) {
    const std::size_t dash = prefix.rfind('-');
    return dash == std::string_view::npos ? prefix : prefix.substr(dash + 1);
}

std::string short_host(const Environment& place) {
    return place.host_name.substr(0, place.host_name.find('.'));
}

/// %f: the path an instance (or else the prefix) stands for.
Text file_name(const Subject& subject) {
    const bool instance = is_instance(subject.name);
    std::string text = TRY(unescape(instance ? instance_of(subject.name) : prefix_of(subject.name)));
    if (!text.starts_with('/'))
        text.insert(0, 1, '/');
    return text;
}

/// %d: each unit has a directory of its own below the root.
Text credentials(const Subject& subject) {
    const Environment& place = subject.place;
    const std::string root =
        place.credentials_root.empty() ? place.runtime_directory_root + "/credentials" : place.credentials_root;
    return root + "/" + std::string(subject.name);
}

Text fragment_path(const Subject& subject) {
    return known(std::string(subject.fragment), "the unit's file");
}

Text fragment_directory(const Subject& subject) {
    const std::string path = TRY(fragment_path(subject));
    const std::size_t slash = path.rfind('/');
    return slash == 0 ? "/" : path.substr(0, slash);
}

// clang-format off
constexpr auto specifiers = std::to_array<Specifier>({
    {'a', place<&Environment::architecture>},
    {'A', place<&Environment::os_image_version>},
    {'b', [](const Subject& s) { return known(s.place.boot_id, "the boot ID"); }},
    {'B', place<&Environment::os_build_id>},
    {'C', place<&Environment::cache_root>},
    {'d', credentials},
    {'D', [](const Subject& s) -> Text { return s.place.user_defaults && s.place.uid != 0 ? s.place.home + "/.local/share" : "/usr/share"; }},
    {'E', place<&Environment::configuration_root>},
    {'f', file_name},
    {'g', place<&Environment::group_name>},
    {'G', [](const Subject& s) -> Text { return std::to_string(s.place.gid); }},
    {'h', place<&Environment::home>},
    {'H', place<&Environment::host_name>},
    {'i', [](const Subject& s) -> Text { return std::string(instance_of(s.name)); }},
    {'I', [](const Subject& s) { return unescape(instance_of(s.name)); }},
    {'j', [](const Subject& s) -> Text { return std::string(last_component(prefix_of(s.name))); }},
    {'J', [](const Subject& s) { return unescape(last_component(prefix_of(s.name))); }},
    {'l', [](const Subject& s) -> Text { return short_host(s.place); }},
    {'L', place<&Environment::logs_root>},
    {'m', [](const Subject& s) { return known(s.place.machine_id, "the machine ID"); }},
    {'M', place<&Environment::os_image_id>},
    {'n', [](const Subject& s) -> Text { return std::string(s.name); }},
    {'N', [](const Subject& s) -> Text { return std::string(stem(s.name)); }},
    {'o', place<&Environment::os_id>},
    {'p', [](const Subject& s) -> Text { return std::string(prefix_of(s.name)); }},
    {'P', [](const Subject& s) { return unescape(prefix_of(s.name)); }},
    {'q', [](const Subject& s) -> Text { return s.place.pretty_host_name.empty() ? short_host(s.place) : s.place.pretty_host_name; }},
    {'s', place<&Environment::shell>},
    {'S', place<&Environment::state_root>},
    {'t', place<&Environment::runtime_directory_root>},
    {'T', place<&Environment::temporary>},
    {'u', place<&Environment::user_name>},
    {'U', [](const Subject& s) -> Text { return std::to_string(s.place.uid); }},
    {'v', place<&Environment::kernel_release>},
    {'V', place<&Environment::var_temporary>},
    {'w', place<&Environment::os_version_id>},
    {'W', place<&Environment::os_variant_id>},
    {'y', fragment_path},
    {'Y', fragment_directory},
    {'%', [](const Subject&) -> Text { return std::string("%"); }},
});
// clang-format on

constexpr bool unique_letters() {
    for (std::size_t i = 0; i < specifiers.size(); i++)
        for (std::size_t j = 0; j < i; j++)
            if (specifiers[i].letter == specifiers[j].letter)
                return false;
    return true;
}
static_assert(unique_letters());

constexpr bool may_be_specifier(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '%';
}

} // namespace

Text expand_specifiers(const Environment& environment,
                       std::string_view unit_name,
                       std::string_view fragment,
                       std::string_view text) {
    std::string out;
    const Subject subject{environment, unit_name, fragment};
    while (!text.empty()) {
        const std::size_t percent = text.find('%');
        out.append(text.substr(0, percent));
        if (percent == std::string_view::npos)
            break;
        text.remove_prefix(percent + 1);
        if (text.empty() || !may_be_specifier(text.front())) {
            out += '%';
            continue;
        }
        const auto found = std::ranges::find(specifiers, text.front(), &Specifier::letter);
        if (found == specifiers.end())
            return base::fail(base::Errc::Invalid,
                              std::string("unknown specifier %") + text.front() + "; a percent sign itself is %%");
        out += TRY(found->expand(subject));
        text.remove_prefix(1);
    }
    return out;
}

} // namespace monoinit::unit
