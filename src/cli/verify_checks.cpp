// What a unit names and is not there, and loops in the order: what would fail at start, said before.
// Tested by tests/unit/cli.
#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "cli/verify.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <cstdio>
#include <sys/stat.h>
#include <unordered_map>

namespace monoinit::cli {

using unit::Problem;
using unit::UnitConfig;

namespace {

constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything below `root`; the verifier runs on the terminal of whoever asks, so plain calls will do.
class Place {
  public:
    explicit Place(std::string root) : root_(std::move(root)) {}

    bool exists(const std::string& path) const { return mode(path) != 0; }
    bool is_directory(const std::string& path) const { return (mode(path) & S_IFMT) == S_IFDIR; }
    bool is_file(const std::string& path) const { return (mode(path) & S_IFMT) == S_IFREG; }
    bool is_executable(const std::string& path) const { return is_file(path) && (mode(path) & 0111) != 0; }
    std::string first_line(const std::string& path) const {
        std::string line(256, '\0');
        std::FILE* file = std::fopen((root_ + path).c_str(), "re");
        if (file == nullptr)
            return "";
        line.resize(std::fread(line.data(), 1, line.size(), file));
        (void)std::fclose(file); // it was only read
        return line.substr(0, line.find('\n'));
    }
    /// Whether a colon-separated data base such as /etc/passwd has an entry of this name or number.
    bool has_entry(const std::string& path, const std::string& name) const {
        std::FILE* file = std::fopen((root_ + path).c_str(), "re");
        if (file == nullptr)
            return false;
        bool found = false;
        char line[4096];
        while (!found && std::fgets(line, sizeof line, file) != nullptr)
            found = std::string_view(line).starts_with(name + ":");
        (void)std::fclose(file); // it was only read
        return found;
    }

  private:
    mode_t mode(const std::string& path) const {
        struct stat info {};
        return ::stat((root_ + path).c_str(), &info) == 0 ? info.st_mode : 0;
    }
    std::string root_;
};

bool is_number(const std::string& text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos; }

class Checker {
  public:
    Checker(const UnitConfig& unit, const unit::Loader& loader, const std::string& root) : unit_(unit), loader_(loader), place_(root) {}

    std::vector<Problem> run() {
        if (unit_.type == unit::UnitType::Service) {
            if (unit_.exec->root_directory.empty())
                for (const auto& list : unit_.service->commands)
                    for (const unit::Command& command : list)
                        check_command(command);
            check_accounts();
            check_credentials();
        }
        check_needs();
        return std::move(problems_);
    }

  private:
    void complain(std::uint16_t file, std::uint32_t line, std::string text, std::string consequence) {
        Problem problem{Problem::Kind::BadValue};
        problem.file = file < unit_.files.size() ? unit_.files[file] : unit_.name;
        problem.line = line;
        problem.text = std::move(text);
        problem.consequence = std::move(consequence);
        problems_.push_back(std::move(problem));
    }
    std::string search_path() const {
        std::string path(default_path);
        for (const std::string& variable : unit_.exec->environment)
            if (variable.starts_with("PATH="))
                path = variable.substr(5);
        return path;
    }
    void check_command(const unit::Command& command) {
        const std::string dash = command.ignore_failure ? "Its failure is ignored (\"-\")." : "It will fail with 203/EXEC.";
        std::string program = command.path;
        if (program.empty() || program.find('$') != std::string::npos || program.find('%') != std::string::npos)
            return;
        if (!program.starts_with('/')) {
            const std::string path = search_path();
            program.clear();
            for (const std::string_view directory : base::split(path, ':'))
                if (const std::string candidate = std::string(directory) + "/" + command.path; program.empty() && place_.is_executable(candidate))
                    program = candidate;
            if (program.empty())
                return complain(command.file, command.line, command.path + " is not in PATH (" + path + ")", dash);
        }
        if (!place_.is_file(program))
            return complain(command.file, command.line, program + " does not exist", dash);
        if (!place_.is_executable(program))
            return complain(command.file, command.line, program + " is not executable", dash);
        const std::string line = place_.first_line(program);
        if (!line.starts_with("#!"))
            return;
        const std::string_view rest = base::trim(std::string_view(line).substr(2));
        const std::string interpreter(rest.substr(0, rest.find_first_of(" \t\r")));
        const bool carriage_return = line.ends_with('\r');
        if (!interpreter.empty() && (carriage_return || !place_.is_executable(interpreter)))
            complain(command.file, command.line,
                     fmt::format("{} wants the interpreter {}, which {}", program, base::printable(interpreter),
                                 carriage_return ? "does not exist: its first line ends in a carriage return (CRLF)" : "does not exist"),
                     dash);
    }
    void check_accounts() {
        const unit::ExecSection& exec = *unit_.exec;
        const auto missing = [&](const std::string& name, const char* path) {
            return !name.empty() && !is_number(name) && name.find('%') == std::string::npos && !place_.has_entry(path, name);
        };
        if (missing(exec.user, "/etc/passwd"))
            complain(0, 0, "User=" + exec.user + ": there is no such user", "It will fail with 217/USER.");
        if (missing(exec.group, "/etc/group"))
            complain(0, 0, "Group=" + exec.group + ": there is no such group", "It will fail with 216/GROUP.");
        for (const std::string& group : exec.supplementary_groups)
            if (missing(group, "/etc/group"))
                complain(0, 0, "SupplementaryGroups=" + group + ": there is no such group", "It will fail with 216/GROUP.");
        const std::string& directory = exec.working_directory;
        if (directory.starts_with('/') && !exec.working_directory_optional && !place_.is_directory(directory))
            complain(0, 0, "WorkingDirectory=" + directory + " does not exist", "It will fail with 200/CHDIR.");
        for (const unit::EnvironmentFile& file : exec.environment_files)
            if (!file.optional && file.path.find_first_of("*?[%") == std::string::npos && !place_.is_file(file.path))
                complain(file.file, file.line, "EnvironmentFile=" + file.path + " does not exist", "It will not start; with a \"-\" before the path it would.");
    }
    void check_credentials() {
        const unit::CredentialSection& credentials = *unit_.exec->credentials;
        for (const unit::Credential& one : credentials.load) {
            const bool fallback = std::ranges::any_of(credentials.set, [&](const auto& set) { return set.id == one.id; });
            if (one.source.starts_with('/') && !fallback && one.source.find('%') == std::string::npos && !place_.exists(one.source))
                complain(one.file, one.line, "LoadCredential=" + one.id + ": " + one.source + " does not exist",
                         "It will fail with 243/CREDENTIALS, unless the file is there by then or SetCredential= has a default.");
        }
    }
    void check_needs() {
        for (const unit::Dependency& dependency : unit_.unit.dependencies) {
            using enum unit::DependencyKind;
            const bool hard = dependency.kind == Requires || dependency.kind == BindsTo || dependency.kind == Requisite;
            if (!hard || dependency.origin != unit::Origin::File || unit::is_template(dependency.name))
                continue;
            if (loader_.load(dependency.name)->load_state == unit::LoadState::NotFound)
                complain(dependency.file, dependency.line, dependency.name + " is required and does not exist", "It will not start.");
        }
    }

    const UnitConfig& unit_;
    const unit::Loader& loader_;
    Place place_;
    std::vector<Problem> problems_;
};

/// Depth-first search that remembers its path.
class CycleFinder {
  public:
    explicit CycleFinder(const std::vector<std::shared_ptr<const UnitConfig>>& units) {
        for (const auto& unit : units)
            index_.emplace(unit->name, names_.size()), names_.push_back(unit->name);
        after_.resize(names_.size());
        for (std::size_t i = 0; i < units.size(); i++)
            for (const unit::Dependency& dependency : units[i]->unit.dependencies) {
                const auto other = index_.find(dependency.name);
                if (other == index_.end() || other->second == i)
                    continue;
                if (dependency.kind == unit::DependencyKind::After)
                    after_[i].push_back(other->second);
                else if (dependency.kind == unit::DependencyKind::Before)
                    after_[other->second].push_back(i);
            }
        state_.resize(names_.size());
    }
    std::vector<std::string> run() {
        for (std::size_t i = 0; i < names_.size(); i++)
            if (state_[i] == State::New)
                visit(i);
        return std::move(found_);
    }

  private:
    enum class State : unsigned char { New, OnPath, Done };

    void visit(std::size_t start) {
        struct Frame { std::size_t node, next; };
        std::vector<Frame> path{{start, 0}};
        state_[start] = State::OnPath;
        while (!path.empty()) {
            Frame& frame = path.back();
            if (frame.next == after_[frame.node].size()) {
                state_[frame.node] = State::Done;
                path.pop_back();
                continue;
            }
            const std::size_t other = after_[frame.node][frame.next++];
            if (state_[other] == State::New) {
                state_[other] = State::OnPath;
                path.push_back({other, 0});
            } else if (state_[other] == State::OnPath) {
                const auto begin = std::find_if(path.begin(), path.end(), [&](const Frame& f) { return f.node == other; });
                std::string text;
                for (auto it = begin; it != path.end(); ++it)
                    text += names_[it->node] + " after ";
                found_.push_back(text + names_[other]);
            }
        }
    }

    std::vector<std::string> names_, found_;
    std::unordered_map<std::string, std::size_t> index_;
    std::vector<std::vector<std::size_t>> after_;
    std::vector<State> state_;
};

} // namespace

std::vector<Problem> check_environment(const UnitConfig& unit, const unit::Loader& loader, const std::string& root) {
    return Checker(unit, loader, root).run();
}

std::vector<std::string> ordering_cycles(const std::vector<std::shared_ptr<const UnitConfig>>& units) { return CycleFinder(units).run(); }

} // namespace monoinit::cli
