// The codecs of the execution environment that are more than a line. Error texts never hold the value (they go to the log).
// Tested by tests/unit/unit/directives_test.cpp and parse_test.cpp.
#include "base/strings.hpp"
#include "unit/codecs.hpp"
#include "unit/words.hpp"

#include <algorithm>

namespace monoinit::unit::codec {

using base::Errc;
using base::fail;
using Strings = std::vector<std::string>;

namespace {

/// "CAP_A ~…": mask and whether it is inverted. Unknown names are noted.
struct CapabilityWords {
    std::uint64_t mask = 0;
    bool invert = false;
};

Result<CapabilityWords> capability_words(ParseContext& context, Value value) {
    CapabilityWords words;
    if (value.starts_with('~')) {
        words.invert = true;
        value.remove_prefix(1);
    }
    for (const auto& word : TRY(split_words(value, Unquote))) {
        if (const auto number = capability_from_name(word))
            words.mask |= std::uint64_t{1} << *number;
        else
            note(context, "no such capability, left out");
    }
    return words;
}

/// The first setting and an empty one replace; later ones add, or take away with "~".
std::uint64_t merged(std::uint64_t old, std::uint64_t initial, CapabilityWords words) {
    if (words.mask == 0 || old == initial)
        return words.invert ? ~words.mask : words.mask;
    return words.invert ? old & ~words.mask : old | words.mask;
}

/// "name:rest" or "name"; the rest of "fd:" and kin.
struct Tagged {
    std::string_view tag, rest;
    bool colon = false;
};

Tagged tagged(Value value) {
    const auto colon = value.find(':');
    if (colon == Value::npos)
        return {value, {}, false};
    return {value.substr(0, colon), value.substr(colon + 1), true};
}

} // namespace

Result<void> add_commands(ParseContext& context, Value value, std::vector<Command>& commands) {
    if (value.empty()) {
        commands.clear();
        return {};
    }
    return parse_command_line(context, value, commands);
}

std::string show_commands(const std::vector<Command>& commands) {
    std::string text;
    for (const auto& command : commands)
        (text += text.empty() ? "" : " ; ") += format_command(command);
    return text;
}

Result<void> set_limit(Value value, int resource, std::vector<ResourceLimit>& limits) {
    const auto is_it = [&](const ResourceLimit& limit) { return limit.resource == resource; };
    if (value.empty()) {
        std::erase_if(limits, is_it);
        return {};
    }
    const auto limit = TRY(parse_limit(resource, value));
    std::erase_if(limits, is_it);
    limits.push_back(limit);
    return {};
}

std::string show_limit(const std::vector<ResourceLimit>& limits, int resource) {
    for (const auto& limit : limits)
        if (limit.resource == resource)
            return format_limit(limit);
    return {};
}

Result<void> DirectoryNames::parse(ParseContext& context, Value value, Strings& field) {
    const auto fits = [](std::string_view word) {
        const auto relative = [](std::string_view path) {
            const auto parts = base::split(path, '/'); // "." would be the root of them all
            return !path.empty() && path.front() != '/' && !has_parent_part(path) && std::ranges::count(parts, ".") == 0 &&
                   path != "private" && !path.starts_with("private/");
        };
        const auto colon = word.find(':'); // "directory:link"
        return relative(word.substr(0, colon)) && (colon == std::string_view::npos || relative(word.substr(colon + 1)));
    };
    return add_words(context, value, Unquote | CUnescape, field, fits, "a path that is not relative, or has \"..\", left out");
}

Result<void> Account::parse(ParseContext& context, Value value, std::string& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    auto name = expand(context, std::string(value));
    if (name && is_account_name(*name)) {
        field = std::move(*name);
        return {};
    }
    context.refuse = true;
    return name ? fail(Errc::Invalid, "not a valid user or group") : std::move(name).error();
}

Result<void> Accounts::parse(ParseContext& context, Value value, Strings& field) {
    if (value.empty())
        field.clear();
    for (const auto& word : TRY(split_words(value, Unquote))) {
        std::string name;
        TRY(Account::parse(context, word, name));
        field.push_back(std::move(name));
    }
    return {};
}

Result<void> WorkingDirectory::parse(ParseContext& context, Value value, ExecSection& section) {
    const bool optional = value.starts_with('-');
    if (optional)
        value.remove_prefix(1);
    if (value.empty() || value == "~") {
        section.working_directory = value;
    } else {
        auto path = absolute_path(context, value);
        if (!path) {
            context.refuse = !optional;
            return std::move(path).error();
        }
        section.working_directory = std::move(*path);
    }
    section.working_directory_optional = optional;
    return {};
}

std::string WorkingDirectory::show(const ExecSection& section) {
    return (section.working_directory_optional ? "-" : "") + section.working_directory;
}

Result<void> Input::parse(ParseContext& context, Value value, ExecSection& section) {
    const auto [tag, rest, colon] = tagged(value);
    const auto kind = base::value_of(stdin_names, tag);
    const bool takes_rest = kind == StdinKind::File || kind == StdinKind::Fd;
    if (!kind || (colon && !takes_rest) || (kind == StdinKind::File && !colon))
        return not_one_of(context, value, words_of(stdin_names));
    std::string target;
    if (*kind == StdinKind::File)
        target = TRY(absolute_path(context, rest));
    else if (*kind == StdinKind::Fd)
        target = rest.empty() ? "stdin" : TRY(expand(context, std::string(rest)));
    section.standard_input = *kind;
    section.standard_input_target = std::move(target);
    return {};
}

std::string Input::show(const ExecSection& section) {
    const auto& target = section.standard_input_target;
    return std::string(base::name_of(stdin_names, section.standard_input)) + (target.empty() ? "" : ":" + target);
}

Result<void> InputText::parse(ParseContext& context, Value value, std::string& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    std::string text = TRY(c_unescape(value));
    field += TRY(expand(context, std::move(text))) + "\n";
    return {};
}

std::string InputText::show(const std::string& field) {
    std::string text;
    for (const char c : std::string_view(field).substr(0, field.ends_with('\n') ? field.size() - 1 : field.size()))
        if (c == '\n')
            text += "\\n";
        else
            (text += c == '\\' ? "\\" : "") += c;
    return text;
}

Result<void> InputData::parse(ParseContext&, Value value, std::string& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    field += TRY(decode_base64(value));
    return {};
}

Result<void> OutputStream::parse(ParseContext& context, Value value, Output& field) {
    const auto [tag, rest, colon] = tagged(value);
    const auto kind = base::value_of(stdout_names, tag);
    const bool path = kind == StdoutKind::File || kind == StdoutKind::Append || kind == StdoutKind::Truncate;
    if (!kind || (colon && !path && kind != StdoutKind::Fd) || (path && !colon))
        return not_one_of(context, value, words_of(stdout_names));
    std::string target;
    if (path)
        target = TRY(absolute_path(context, rest));
    else if (*kind == StdoutKind::Fd)
        target = TRY(expand(context, std::string(rest)));
    field = {*kind, std::move(target)};
    return {};
}

std::string OutputStream::show(const Output& field) {
    return std::string(base::name_of(stdout_names, field.kind)) + (field.target.empty() ? "" : ":" + field.target);
}

Result<void> BoundingSet::parse(ParseContext& context, Value value, std::optional<std::uint64_t>& field) {
    field = merged(field.value_or(all_capabilities), all_capabilities, TRY(capability_words(context, value)));
    return {};
}

std::string BoundingSet::show(const std::optional<std::uint64_t>& field) {
    return field ? format_capabilities(*field) : std::string();
}

Result<void> AmbientSet::parse(ParseContext& context, Value value, std::uint64_t& field) {
    field = merged(field, 0, TRY(capability_words(context, value)));
    return {};
}

// clang-format off
static constexpr auto secure_bit_names = base::enum_names<int>({
    {1 << 4, "keep-caps"}, {1 << 5, "keep-caps-locked"}, {1 << 2, "no-setuid-fixup"}, {1 << 3, "no-setuid-fixup-locked"},
    {1 << 0, "noroot"}, {1 << 1, "noroot-locked"}});
// clang-format on

Result<void> SecureBitSet::parse(ParseContext& context, Value value, std::optional<int>& field) {
    int bits = value.empty() ? 0 : field.value_or(0);
    for (const auto& word : TRY(split_words(value, Unquote))) {
        if (const auto bit = base::value_of(secure_bit_names, word))
            bits |= *bit;
        else
            note(context, not_one_of(context, word, words_of(secure_bit_names)).what);
    }
    field = bits;
    return {};
}

std::string SecureBitSet::show(const std::optional<int>& field) {
    Strings words;
    for (const auto& [bit, word] : secure_bit_names)
        if ((field.value_or(0) & bit) != 0)
            words.emplace_back(word);
    return base::join(words, " ");
}

namespace {

constexpr std::string_view bad_credential_name = "not a credential's name (ASCII, no \"/\", no \":\")";

/// The one with this name, made when there is none: of two the later wins.
Credential& credential_named(std::vector<Credential>& field, std::string id, const ParseContext& context) {
    auto at = std::find_if(field.begin(), field.end(), [&](const Credential& one) { return one.id == id; });
    if (at == field.end())
        at = field.insert(field.end(), Credential{});
    *at = Credential{std::move(id), {}, false, context.file, context.line};
    return *at;
}

} // namespace

Result<void> LoadedCredentials::parse(ParseContext& context, Value value, std::vector<Credential>& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    const auto [tag, rest, colon] = tagged(value);
    std::string id = TRY(expand(context, std::string(tag)));
    if (!is_credential_name(id))
        return fail(Errc::Invalid, std::string(bad_credential_name));
    std::string source = rest.empty() ? id : TRY(expand(context, std::string(rest)));
    if (source.starts_with('/'))
        source = TRY(absolute_path(context, rest));
    else if (!is_credential_name(source))
        return fail(Errc::Invalid, "behind the name stands neither an absolute path nor the name of a credential");
    credential_named(field, std::move(id), context).source = std::move(source);
    return {};
}

std::string LoadedCredentials::show(const std::vector<Credential>& field) {
    std::string text;
    for (const auto& one : field)
        text += (text.empty() ? "" : "\n") + one.id + ":" + one.source;
    return text;
}

Result<void> SetCredentials::parse(ParseContext& context, Value value, std::vector<Credential>& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    const auto [tag, rest, colon] = tagged(value);
    if (!colon)
        return fail(Errc::Invalid, "not name:data");
    std::string id = TRY(expand(context, std::string(tag)));
    if (!is_credential_name(id))
        return fail(Errc::Invalid, std::string(bad_credential_name));
    std::string data = TRY(c_unescape(rest, true));
    Credential& credential = credential_named(field, std::move(id), context);
    credential.source = std::move(data);
    credential.is_data = true;
    return {};
}

std::string SetCredentials::show(const std::vector<Credential>& field) {
    std::string text;
    for (const auto& one : field)
        text += (text.empty() ? "" : "\n") + one.id + ":[data]";
    return text;
}

Result<void> ImportedCredentials::parse(ParseContext& context, Value value, Strings& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    std::string text = TRY(expand(context, std::string(value)));
    const auto [tag, rest, colon] = tagged(text);
    const std::string_view prefix = tag.ends_with('*') ? tag.substr(0, tag.size() - 1) : tag;
    if (tag != "*" && (!is_credential_name(prefix) || prefix.find_first_of("*?[") != Value::npos))
        return fail(Errc::Invalid, "not a credential's name, which may end in \"*\"");
    if (colon && !is_credential_name(rest))
        return fail(Errc::Invalid, std::string(bad_credential_name));
    field.push_back(std::move(text));
    return {};
}

Result<void> CpuList::parse(ParseContext&, Value value, std::vector<std::uint16_t>& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    for (const auto cpu : TRY(parse_cpu_list(value)))
        field.push_back(cpu);
    std::sort(field.begin(), field.end());
    field.erase(std::unique(field.begin(), field.end()), field.end());
    return {};
}

} // namespace monoinit::unit::codec
