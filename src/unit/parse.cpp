// Text of a unit file -> UnitConfig: tokens from the lexer, rows from the table. What systemd would ignore is ignored, and
// said: what is wrong, where, what may have been meant. Texts of problems are fit for the log, so they hold directive names
// at most, never values. Tested by tests/unit/unit/parse_test.cpp and tests/fuzz/unit_file.cpp.
#include "unit/parse.hpp"

#include "base/strings.hpp"
#include "unit/directives.hpp"
#include "unit/lexer.hpp"
#include "unit/name.hpp"
#include "unit/values.hpp"

#include <algorithm>

namespace monoinit::unit {

namespace {

constexpr std::size_t problem_limit = 100;   ///< of one file; the rest is counted
constexpr std::size_t suggestion_limit = 50; ///< of one file: they cost time
constexpr std::size_t excerpt_limit = 300;

constexpr std::string_view blanks = " \t";
constexpr std::string_view secret_type = "name:data"; ///< of rows whose values are not shown

/// "# …" at the end of a value, outside quotes: meant as a remark, but unit files have none there.
bool has_trailing_remark(std::string_view value) {
    if (value.find('#') == std::string_view::npos)
        return false;
    char quote = 0;
    for (std::size_t i = 0; i < value.size(); i++) {
        const char c = value[i];
        if (c == '\\')
            i++;
        else if (quote != 0)
            quote = c == quote ? '\0' : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '#' && (i == 0 || blanks.find(value[i - 1]) != std::string_view::npos) &&
                 (i + 1 == value.size() || blanks.find(value[i + 1]) != std::string_view::npos))
            return true;
    }
    return false;
}

/// A backslash meant to continue the line, with blanks or a remark behind it.
bool is_broken_continuation(std::string_view line) {
    if (line.find('\\') == std::string_view::npos)
        return false;
    const auto last = line.find_last_not_of(" \t");
    if (last == std::string_view::npos)
        return false;
    if (line[last] == '\\')
        return last + 1 != line.size();
    for (auto at = line.find('\\'); at != std::string_view::npos; at = line.find('\\', at + 1)) {
        const auto after = line.find_first_not_of(blanks, at + 1);
        if (after != std::string_view::npos && after > at + 1 && line[after] == '#')
            return true;
    }
    return false;
}

bool looks_like_directive(std::string_view key) {
    return !key.empty() && key.size() <= 64 && std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
}

/// A value that asks for nothing, so that not honouring it is no loss: "", no, infinity.
bool asks_for_nothing(std::string_view value) {
    const auto yes = parse_bool(value);
    return value.empty() || (yes && !*yes) || value == "infinity";
}

class Parser {
  public:
    Parser(const Environment& environment, UnitConfig& unit)
        : environment_(environment), unit_(unit),
          file_index_(unit.files.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(unit.files.size() - 1)),
          template_(is_template(unit.name)) {}

    void run(std::string_view text) {
        Lexer lexer(text);
        Token token;
        while (lexer.next(token)) {
            handle(token);
            after_broken_ = is_broken_continuation(token.last_line);
        }
        finish();
    }

  private:
    enum class Inside : std::uint8_t { Nothing, Known, Skipped };

    void handle(const Token& token) {
        switch (token.kind) {
        case Token::Kind::Section:
            return enter_section(token);
        case Token::Kind::Assignment:
            return assign(token);
        case Token::Kind::Bad:
            return bad_line(token);
        }
    }

    void bad_line(const Token& token) {
        const bool header = token.excerpt.starts_with('[');
        if (inside_ == Inside::Skipped && !header && !token.fatal_elsewhere)
            return; // another program's section may look as that likes
        Problem* const problem =
            complain(token, Problem::Kind::Syntax, after_broken_ ? broken_text() : std::string(token.complaint));
        if (problem != nullptr && token.fatal_elsewhere)
            problem->consequence = "Only this is left out here; systemd refuses the whole file.";
        if (header)
            inside_ = Inside::Skipped; // what follows belongs to no section we know
    }

    void enter_section(const Token& token) {
        const auto sections = sections_of(unit_.type);
        section_.clear();
        inside_ = Inside::Skipped;
        if (std::find(sections.begin(), sections.end(), token.name) != sections.end()) {
            section_ = token.name;
            inside_ = Inside::Known;
            return;
        }
        if (token.name.starts_with("X-")) {
            auto* ours = health_kind_of(token.name) ? complain(token, Problem::Kind::UnknownSection,
                                                               "[" + std::string(token.name) + "] is for services only")
                                                    : nullptr;
            if (ours != nullptr)
                ours->consequence = "Ignored, with everything up to the next section.";
            return;
        }
        const bool printable = looks_like_directive(token.name);
        auto* problem = complain(token, Problem::Kind::UnknownSection,
                                 printable ? "unknown section [" + std::string(token.name) + "]" : "unknown section");
        if (problem == nullptr)
            return;
        if (const auto close = base::closest(token.name, sections); !close.empty())
            problem->suggestion = "[" + std::string(close) + "]";
        problem->consequence = "Ignored, with everything up to the next section.";
    }

    void assign(const Token& token) {
        if (token.name.starts_with("X-") && find_directive(unit_.type, section_, token.name) == nullptr)
            return;
        if (inside_ != Inside::Known) {
            if (inside_ == Inside::Nothing)
                complain(token, Problem::Kind::Syntax, "a setting before the first [Section]");
            return;
        }
        const Directive* row = find_directive(unit_.type, section_, token.name);
        if (row == nullptr)
            return unknown_directive(token);
        const bool remark = has_trailing_remark(token.value);
        if (row->parse == nullptr) {
            if (remark)
                trailing_remark(token, *row, {});
            else if (!asks_for_nothing(token.value))
                unit_.degraded.push_back({row_index(*row), file_index_, token.line});
            return;
        }
        parse_value(token, *row, remark);
    }

    void parse_value(const Token& token, const Directive& row, bool remark) {
        const std::size_t first_note = unit_.problems.size();
        ParseContext context{environment_, unit_, file_index_, token.line, health_kind_of(section_).value_or(HealthKind::Both), false, {}};
        const auto parsed = row.parse(context, token.value);
        if (template_ && token.value.find('%') != std::string_view::npos)
            return unit_.problems.resize(first_note); // it may well be right with an instance
        if (!parsed)
            return refused(token, row, context, parsed.error(), remark);
        if (row.group == Group::Exec)
            unit_.exec.edit().places.push_back({row_index(row), file_index_, token.line});
        const bool noted = unit_.problems.size() != first_note;
        if (remark && row.type != "text") {
            unit_.problems.resize(first_note);
            trailing_remark(token, row,
                            row.type == "command line" ? "its words are passed to the command"
                            : noted                    ? "its words are left out, what stands before it counts"
                                                       : "it is taken as part of the value");
        }
        for (std::size_t i = first_note; i < unit_.problems.size(); i++)
            if (unit_.problems[i].file.empty())
                complete(unit_.problems[i], token, row, "The rest of the setting counts.");
        // Only these are shown: with long lists it would take the square of their length. An old name is shown under the new one.
        const auto is_default = [&] { return row.show != nullptr && row.show(unit_) == row.dflt; };
        if (row.support == Support::Degraded && !asks_for_nothing(token.value) && !is_default())
            unit_.degraded.push_back({row_index(row), file_index_, token.line});
        trim_problems(first_note);
    }

    /// systemd ignores the setting, or will not load the unit at all.
    void refused(const Token& token, const Directive& row, const ParseContext& context, const base::Error& error, bool remark) {
        std::erase_if(unit_.problems, [](const Problem& problem) { return problem.file.empty(); }); // one reason is enough
        if (context.refuse) {
            unit_.load_state = LoadState::BadSetting;
            if (unit_.load_error.empty())
                unit_.load_error = file_name() + ":" + std::to_string(token.line) + ": " + std::string(row.name) + "=: " + error.what;
        } else if (remark) {
            return trailing_remark(token, row, {});
        }
        if (auto* problem = complain(token, Problem::Kind::BadValue, error.what)) {
            complete(*problem, token, row, context.refuse ? "The unit cannot be started." : "");
            problem->suggestion = context.suggestion;
        }
    }

    void unknown_directive(const Token& token) {
        if (after_broken_) {
            complain(token, Problem::Kind::Syntax, broken_text());
            return;
        }
        if (!looks_like_directive(token.name)) {
            complain(token, Problem::Kind::UnknownDirective, "unknown directive in [" + section_ + "]");
            return;
        }
        const std::string name(token.name);
        auto* problem = complain(token, Problem::Kind::UnknownDirective, "unknown directive " + name + "= in [" + section_ + "]");
        if (problem == nullptr || ++suggestions_ > suggestion_limit)
            return;
        if (suggest_section(*problem, token.name))
            return;
        const auto close = base::closest(token.name, names_in_section(unit_.type, section_));
        if (const Directive* row = close.empty() ? nullptr : find_directive(unit_.type, section_, close)) {
            problem->suggestion = std::string(close) + "=";
            problem->row = row_index(*row);
        }
    }

    /// The directive exists, elsewhere.
    bool suggest_section(Problem& problem, std::string_view name) {
        const auto belongs = [&](std::string_view section, const Directive& row, std::string_view where) {
            problem.text = std::string(name) + "= does not belong in [" + section_ + "]";
            problem.suggestion = std::string(name) + "= in [" + std::string(section) + "]" + std::string(where);
            problem.row = row_index(row);
            return true;
        };
        for (const auto section : sections_of(unit_.type))
            if (const Directive* row = find_directive(unit_.type, section, name); row != nullptr && row->group != Group::Health)
                return belongs(section, *row, "");
        for (const Directive& row : directives())
            if (row.name == name && row.group != Group::Health) // Timeout= rather is TimeoutSec=, misspelt
                return belongs(section_of(row.group), row, " of another kind of unit");
        return false;
    }

    void trailing_remark(const Token& token, const Directive& row, std::string consequence) {
        if (auto* problem = complain(token, Problem::Kind::TrailingRemark, "")) {
            complete(*problem, token, row, std::move(consequence));
            problem->text = std::string(row.name) + "=: unit files have no trailing remarks";
        }
    }

    // ---- problems -------------------------------------------------------------------------------------------------

    const std::string& file_name() const { return unit_.files.empty() ? unit_.name : unit_.files.back(); }

    static std::string broken_text() {
        return "not a setting: the line above does not go on, because something follows its backslash";
    }

    /// Null when there are too many already: then they are only counted.
    Problem* complain(const Token& token, Problem::Kind kind, std::string text) {
        if (problems_++ >= problem_limit)
            return nullptr;
        Problem problem{kind};
        problem.file = file_name();
        problem.line = token.line;
        problem.text = std::move(text);
        problem.excerpt = base::printable(token.excerpt, excerpt_limit);
        unit_.problems.push_back(std::move(problem));
        return &unit_.problems.back();
    }

    /// What a codec's note() left open.
    void complete(Problem& problem, const Token& token, const Directive& row, std::string consequence) {
        problem.file = file_name();
        problem.line = token.line;
        problem.row = row_index(row);
        problem.text = std::string(row.name) + "=: " + problem.text;
        const bool secret = row.type == secret_type;
        problem.excerpt = base::printable(secret ? token.excerpt.substr(0, token.excerpt.find(':')) : token.excerpt, excerpt_limit);
        problem.consequence = std::move(consequence);
    }

    /// Notes count against the limit too.
    void trim_problems(std::size_t first_note) {
        const std::size_t added = unit_.problems.size() - first_note;
        const std::size_t room = problems_ < problem_limit ? problem_limit - problems_ : 0;
        problems_ += added;
        if (added > room)
            unit_.problems.resize(first_note + room);
    }

    void finish() {
        if (problems_ > problem_limit) {
            Problem more{Problem::Kind::File};
            more.file = file_name();
            more.text = "and " + std::to_string(problems_ - problem_limit) + " more lines with problems";
            unit_.problems.push_back(std::move(more));
        }
        if (!unit_.service->permissions_start_only)
            return;
        auto& service = unit_.service.edit();
        for (std::size_t list = 0; list < exec_lists; list++)
            if (static_cast<ExecList>(list) != ExecList::Start)
                for (auto& command : service.commands[list])
                    command.full_privileges = true;
    }

    const Environment& environment_;
    UnitConfig& unit_;
    std::uint16_t file_index_;
    bool template_;
    std::string section_;
    Inside inside_ = Inside::Nothing;
    bool after_broken_ = false;
    std::size_t problems_ = 0, suggestions_ = 0;
};

} // namespace

void parse_unit_text(const Environment& environment, UnitConfig& unit, std::string_view text) {
    if (text.size() > file_size_limit) {
        Problem problem{Problem::Kind::File};
        problem.file = unit.files.empty() ? unit.name : unit.files.back();
        problem.text = "larger than 1 MB, left out";
        unit.problems.push_back(std::move(problem));
        return;
    }
    Parser(environment, unit).run(text);
}

} // namespace monoinit::unit
