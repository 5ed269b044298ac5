// systemd-escape: texts and paths as parts of unit names, and back. Judged by the real one in tests/system/tools.py.
#include "base/strings.hpp"
#include "cli/programs.hpp"
#include "cli/tool.hpp"
#include "unit/name.hpp"

namespace monoinit::cli {

namespace {

constexpr ToolOption options[] = {
    {"suffix", 0, Argument::Required, "SUFFIX", "end the names in .SUFFIX"},
    {"template", 0, Argument::Required, "TEMPLATE", "make them instances of this template"},
    {"instance", 0, Argument::None, "", "with --unescape: of the instance only"},
    {"unescape", 'u', Argument::None, "", "the other way round"},
    {"mangle", 'm', Argument::None, "", "what systemctl makes of a name that somebody types"},
    {"path", 'p', Argument::None, "", "they are paths"},
};
constexpr Tool tool{"systemd-escape", "[OPTIONS…] NAME…", "Escapes texts for use in names of units.", options};

using Text = base::Result<std::string>;

struct Wish {
    std::string suffix, model; ///< model: the template
    bool unescape = false, mangle = false, path = false, instance = false;
};

base::Error slip(std::string text) { return base::fail(base::Errc::Invalid, std::move(text)); }

/// What contradicts itself; nothing if it is fine.
std::optional<std::string> contradiction(const ToolLine& line, const Wish& wish) {
    const bool suffix = line.has("suffix"), model = line.has("template");
    if (suffix && !unit::type_of("x." + wish.suffix))
        return fmt::format("Invalid unit suffix type \"{}\".", wish.suffix);
    if (model && !(unit::is_valid_name(wish.model) && unit::is_template(wish.model)))
        return fmt::format("Template name {} is not valid.", wish.model);
    if (line.words.empty())
        return "Not enough arguments.";
    if (model && suffix)
        return "--suffix= and --template= may not be combined.";
    if ((model || suffix) && wish.mangle)
        return "--suffix= and --template= are not compatible with --mangle.";
    if (suffix && wish.unescape)
        return "--suffix is not compatible with --unescape.";
    if (wish.path && wish.mangle)
        return "--path may not be combined with --mangle.";
    if (wish.instance && !wish.unescape)
        return "--instance must be used in conjunction with --unescape.";
    if (wish.instance && model)
        return "--instance may not be combined with --template.";
    return std::nullopt;
}

Text unescaped(const Wish& wish, const std::string& word) {
    std::string text = word;
    if (!wish.model.empty() || wish.instance) {
        if (!unit::is_valid_name(word) || !unit::is_instance(word))
            return slip(fmt::format("Unit {} is missing the instance name.", word));
        const std::string model = unit::template_of(word);
        if (!wish.model.empty() && model != wish.model)
            return slip(fmt::format("Unit {} template {} does not match specified template {}.", word, model, wish.model));
        text = unit::instance_of(word);
    }
    auto result = wish.path ? unit::unescape_path(text) : unit::unescape(text);
    if (!result)
        return slip("Failed to unescape string: Invalid argument");
    return result;
}

Text escaped(const Wish& wish, const std::string& word) {
    std::string text;
    if (wish.path) {
        if (word.empty())
            complain("Input '{}' is not a valid file system path, escaping is likely not going be reversible.", word);
        else if (word.front() != '/')
            complain("Input '{}' is not an absolute file system path, escaping is likely not going to be reversible.", word);
        text = unit::escape_path(word);
        if (text.empty())
            return slip(fmt::format("Input '{}' is not a normalized file system path, failed to escape.", word));
    } else {
        text = unit::escape(word);
    }
    if (!wish.suffix.empty())
        return text + "." + wish.suffix;
    if (wish.model.empty())
        return text;
    const std::string name = unit::with_instance(wish.model, text);
    if (text.empty() || !unit::is_valid_name(name))
        return slip("Failed to replace instance: Invalid argument");
    return name;
}

/// No patterns here: their characters are escaped as others are.
Text mangled_name(const std::string& word) {
    std::string text;
    for (const char c : word)
        text += c == '*' || c == '?' || c == '[' ? unit::escape({&c, 1}) : std::string(1, c);
    std::string name = unit::with_suffix(text);
    if (!unit::is_valid_name(name))
        return slip("Failed to mangle name: Invalid argument");
    return name;
}

} // namespace

int escape_main(int argc, char** argv, const Hooks&) {
    const ToolLine line = read_tool_line(tool, argc, argv);
    if (line.status)
        return *line.status;
    const Wish wish{line.last("suffix").value_or(""), line.last("template").value_or(""), line.has("unescape"), line.has("mangle"),
                    line.has("path"), line.has("instance")};
    if (const auto wrong = contradiction(line, wish))
        return complain("{}", *wrong);
    for (std::size_t i = 0; i < line.words.size(); i++) {
        const std::string& word = line.words[i];
        const Text text = wish.unescape ? unescaped(wish, word) : wish.mangle ? mangled_name(word) : escaped(wish, word);
        if (!text)
            return complain("{}", text.error().what);
        if (!put_out((i == 0 ? "" : " ") + *text))
            return 1;
    }
    return put_out("\n") ? 0 : 1;
}

} // namespace monoinit::cli
