// See explain_environment.hpp. Which line of Environment= set a variable is looked up in the unit's files: a unit keeps what
// is in force, not how it came to be. Tested by tests/unit/exec/explain_environment_test.cpp.
#include "exec/explain_environment.hpp"

#include "base/strings.hpp"
#include "exec/credential_files.hpp"
#include "exec/environment.hpp"
#include "exec/glob.hpp"
#include "sys/real_files.hpp"
#include "unit/directives.hpp"
#include "unit/lexer.hpp"
#include "unit/words.hpp"

#include <algorithm>
#include <unistd.h>

namespace monoinit::exec {

namespace {

constexpr std::size_t file_limit = 1 << 20;

class Explainer {
  public:
    Explainer(const unit::UnitConfig& unit, const BuiltPlan& built) : unit_(unit), plan_(built.plan), sources_(built.sources) {}

    std::vector<Explained> explain() {
        for (const std::string& variable : plan_.environment)
            set(variable, source_of(variable.substr(0, variable.find('='))));
        find_lines();
        for (const unit::EnvironmentFile& file : plan_.environment_files)
            add_file(file);
        unset();
        for (const unit::Credential& one : plan_.secrets.wanted->load)
            add_credential(one.id, "LoadCredential", one, found_at(one));
        for (const std::string& pattern : plan_.secrets.wanted->import)
            add_imports(pattern);
        for (const unit::Credential& one : plan_.secrets.wanted->set)
            if (!has_credential(one.id))
                add_credential(one.id, "SetCredential", one, "");
        return std::move(entries_);
    }

  private:
    void set(const std::string& assignment, std::string source) {
        const std::size_t equals = assignment.find('=');
        Explained entry{"variable", assignment.substr(0, equals), assignment.substr(equals + 1), std::move(source)};
        std::erase_if(entries_, [&](const Explained& old) { return old.name == entry.name; });
        entries_.push_back(std::move(entry));
    }

    std::string source_of(const std::string& name) const {
        for (const auto& [variable, source] : sources_)
            if (variable == name)
                return source;
        return "monoinit";
    }

    std::string line_of(std::uint16_t file, std::uint32_t line) const {
        return file < unit_.files.size() && line != 0 ? " (" + unit_.files[file] + ":" + std::to_string(line) + ")" : "";
    }

    /// Of several Environment= lines the last that names the variable.
    void find_lines() {
        const std::string row = "Environment";
        for (std::size_t file = 0; file < unit_.files.size(); file++) {
            std::vector<std::uint32_t> lines;
            for (const unit::Place& place : unit_.exec->places)
                if (place.file == file && unit::directives()[place.row].name == row)
                    lines.push_back(place.line);
            const auto text = lines.empty() ? base::Result<std::string>(base::fail(base::Errc::NotFound, {}))
                                            : sys::RealFiles().read(unit_.files[file], file_limit);
            if (!text)
                continue;
            unit::Lexer lexer(*text);
            for (unit::Token token; lexer.next(token);)
                if (token.name == row && std::find(lines.begin(), lines.end(), token.line) != lines.end())
                    name_line(token.value, line_of(static_cast<std::uint16_t>(file), token.line));
        }
    }

    void name_line(std::string_view value, const std::string& line) {
        const auto words = unit::split_words(value, unit::Unquote | unit::CUnescape);
        if (!words)
            return;
        for (const std::string& word : *words)
            for (Explained& entry : entries_)
                if (entry.source.starts_with("Environment=") && word.starts_with(entry.name + "="))
                    entry.source = "Environment=" + line;
    }

    void add_file(const unit::EnvironmentFile& file) {
        const std::string line = line_of(file.file, file.line);
        const auto problem = [&](std::string text) {
            if (const std::string prefix = "EnvironmentFile=" + file.path + ": "; text.starts_with(prefix))
                text.erase(0, prefix.size());
            entries_.push_back({"file", file.path, {}, std::move(text) + line});
        };
        const std::vector<std::string> paths = has_glob(file.path) ? glob_paths(file.path) : std::vector{file.path};
        if (paths.empty())
            return problem(file.optional ? "no file matches, which is allowed" : "no file matches: the unit will not start");
        for (const std::string& path : paths) {
            const auto variables = environment_of_file(path);
            if (!variables)
                return problem(variables.error().what + (file.optional ? ", which is allowed" : ": the unit will not start"));
            for (const std::string& variable : *variables)
                set(variable, "EnvironmentFile=" + path + line);
        }
    }

    void unset() {
        const std::string place = unit::place_of(unit_, "UnsetEnvironment");
        for (const std::string& name : plan_.unset_environment)
            for (Explained& entry : entries_) {
                const bool whole = name.find('=') != name.npos;
                if (entry.kind == "variable" && (whole ? entry.name + "=" + entry.value == name : entry.name == name))
                    entry = {"removed", entry.name, {}, "UnsetEnvironment=" + (place.empty() ? place : " (" + place + ")")};
            }
    }

    std::string found_at(const unit::Credential& one) const {
        if (one.source.starts_with('/'))
            return ::access(one.source.c_str(), F_OK) == 0 ? one.source : missing(one.id, one.source);
        for (const std::string& place : plan_.secrets.places)
            if (const std::string path = place + "/" + one.source; ::access(path.c_str(), F_OK) == 0)
                return path;
        return missing(one.id, one.source);
    }

    /// Empty when SetCredential= has a default.
    std::string missing(const std::string& id, const std::string& source) const {
        const auto& defaults = plan_.secrets.wanted->set;
        if (std::any_of(defaults.begin(), defaults.end(), [&](const auto& one) { return one.id == id; }))
            return {};
        return source.starts_with('/') ? source + ", which does not exist: the unit will not start"
                                       : "nowhere (looked in " + base::join(plan_.secrets.places, " ") + "): left out";
    }

    bool has_credential(const std::string& id) const {
        return std::any_of(entries_.begin(), entries_.end(),
                           [&](const Explained& entry) { return entry.kind == "credential" && entry.name == id; });
    }

    void add_credential(const std::string& id, const char* directive, const unit::Credential& one, const std::string& from) {
        const bool by_default = from.empty() && !one.is_data;
        if (!by_default)
            entries_.push_back({"credential", id, {}, std::string(directive) + "=" + line_of(one.file, one.line) + (from.empty() ? "" : " from " + from)});
    }

    void add_imports(const std::string& text) {
        const std::string pattern = text.substr(0, text.find(':'));
        for (const std::string& place : plan_.secrets.places)
            for (const std::string& path : glob_paths(place + "/" + pattern)) {
                const std::string name = path.substr(path.rfind('/') + 1), stem = pattern.substr(0, pattern.find('*'));
                const std::string id = text.size() == pattern.size() ? name : text.substr(pattern.size() + 1) + name.substr(stem.size());
                if (!has_credential(id))
                    add_credential(id, "ImportCredential", {.is_data = true}, path);
            }
    }

    const unit::UnitConfig& unit_;
    const Plan& plan_;
    const std::vector<std::pair<std::string, std::string>>& sources_;
    std::vector<Explained> entries_;
};

} // namespace

std::vector<Explained> explain_environment(const unit::UnitConfig& unit, const BuiltPlan& built) {
    return Explainer(unit, built).explain();
}

base::Result<Probe> probe_explain_environment(const unit::UnitConfig& unit, const BuiltPlan& built) {
    return Probe::start([&] {
        std::string bytes;
        for (const Explained& entry : explain_environment(unit, built))
            for (const std::string* text : {&entry.kind, &entry.name, &entry.value, &entry.source})
                (bytes += *text) += '\0';
        return bytes + '\n';
    });
}

base::Result<std::vector<Explained>> explained_answer(const std::string& bytes) {
    if (bytes.empty() || bytes.back() != '\n')
        return base::fail(base::Errc::TooLarge, "too large to be shown, or a file did not answer");
    std::vector<Explained> entries;
    const std::vector<std::string_view> texts = base::split(std::string_view(bytes).substr(0, bytes.size() - 1), '\0');
    for (std::size_t i = 0; i + 4 < texts.size(); i += 4)
        entries.push_back({std::string(texts[i]), std::string(texts[i + 1]), std::string(texts[i + 2]), std::string(texts[i + 3])});
    return entries;
}

} // namespace monoinit::exec
