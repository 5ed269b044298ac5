// Environments. The reader of files follows systemd's parse_env_file() state by state, since people move such files
// between the two. Tested by tests/unit/exec.
#include "exec/environment.hpp"

#include "base/strings.hpp"
#include "exec/glob.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

constexpr std::size_t file_limit = 1 << 20;

std::string_view name_of(std::string_view assignment) {
    return assignment.substr(0, assignment.find('='));
}

constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// systemd's parse_env_file_internal(): one state a character.
class EnvironmentParser {
  public:
    std::vector<std::string> parse(std::string_view text) {
        for (const char c : text)
            step(c);
        if (state_ == State::Comment || state_ == State::CommentEscape || state_ == State::BeforeKey)
            return std::move(found_);
        if (state_ != State::Key) // a key without "=" at the end of the file is nothing
            finish();
        return std::move(found_);
    }

  private:
    enum class State {
        BeforeKey, Key, BeforeValue, Value, ValueEscape, SingleQuote, DoubleQuote, DoubleQuoteEscape, Comment, CommentEscape,
    };

    void step(char c) {
        const bool newline = c == '\n' || c == '\r';
        switch (state_) {
        case State::BeforeKey:
            if (c == '#' || c == ';')
                state_ = State::Comment;
            else if (!is_blank(c))
                begin_key(c);
            return;
        case State::Key:
            if (newline)
                state_ = State::BeforeKey;
            else if (c == '=')
                state_ = State::BeforeValue;
            else
                key_ += c;
            return;
        case State::BeforeValue:
            if (newline)
                return finish();
            if (is_blank(c))
                return;
            return begin_value(c, State::Value);
        case State::Value:
            if (newline)
                return finish();
            return begin_value(c, State::Value);
        case State::ValueEscape:
            state_ = State::Value;
            if (!newline) // an escaped newline continues the line
                append(c);
            return;
        case State::SingleQuote:
            if (c == '\'')
                state_ = State::BeforeValue;
            else
                append(c);
            return;
        case State::DoubleQuote:
            if (c == '"')
                state_ = State::BeforeValue;
            else if (c == '\\')
                state_ = State::DoubleQuoteEscape;
            else
                append(c);
            return;
        case State::DoubleQuoteEscape:
            state_ = State::DoubleQuote;
            if (c == '"' || c == '\\' || c == '`' || c == '$') {
                append(c);
            } else if (c != '\n') {
                append('\\');
                append(c);
            }
            return;
        case State::Comment:
            if (c == '\\')
                state_ = State::CommentEscape;
            else if (newline)
                state_ = State::BeforeKey;
            return;
        case State::CommentEscape:
            state_ = State::Comment;
            return;
        }
    }

    void begin_key(char c) {
        state_ = State::Key;
        key_.assign(1, c);
        value_.clear();
        trailing_blanks_ = 0;
    }

    /// A quote opens where the value begins and behind another quoted part; inside a bare word it is an ordinary sign.
    void begin_value(char c, State otherwise) {
        const bool may_quote = state_ == State::BeforeValue;
        if (may_quote && c == '\'') {
            state_ = State::SingleQuote;
        } else if (may_quote && c == '"') {
            state_ = State::DoubleQuote;
        } else if (c == '\\') {
            state_ = State::ValueEscape;
            trailing_blanks_ = 0;
        } else {
            state_ = otherwise;
            value_ += c;
            trailing_blanks_ = is_blank(c) ? trailing_blanks_ + 1 : 0;
        }
    }

    void append(char c) {
        value_ += c;
        trailing_blanks_ = 0;
    }

    void finish() {
        state_ = State::BeforeKey;
        while (!key_.empty() && is_blank(key_.back()))
            key_.pop_back();
        value_.resize(value_.size() - trailing_blanks_);
        // "export NAME=value" is no assignment here either; systemd ignores such lines.
        if (is_variable_name(key_) && base::is_valid_utf8(value_))
            set_variable(found_, key_ + "=" + value_);
    }

    State state_ = State::BeforeKey;
    std::string key_, value_;
    std::size_t trailing_blanks_ = 0; ///< bare blanks at the end of the value: cut off
    std::vector<std::string> found_;
};

base::Result<std::string> read_environment_file(const std::string& path) {
    const sys::UniqueFd fd(sys::open_file(path.c_str(), O_RDONLY));
    if (!fd)
        return base::fail_errno(errno, "EnvironmentFile=" + path);
    std::string text;
    char buffer[4096];
    ssize_t size;
    while ((size = ::read(fd.get(), buffer, sizeof buffer)) > 0) {
        text.append(buffer, static_cast<std::size_t>(size));
        if (text.size() > file_limit)
            return base::fail(base::Errc::TooLarge, "EnvironmentFile=" + path + ": larger than 1 MB");
    }
    if (size < 0)
        return base::fail_errno(errno, "EnvironmentFile=" + path);
    return text;
}

} // namespace

bool is_variable_name(std::string_view name) {
    const auto is_part = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), is_part);
}

std::optional<std::string_view> find_variable(const std::vector<std::string>& environment, std::string_view name) {
    for (const std::string_view each : environment)
        if (each.size() > name.size() && each[name.size()] == '=' && each.starts_with(name))
            return each.substr(name.size() + 1);
    return std::nullopt;
}

void set_variable(std::vector<std::string>& environment, std::string assignment) {
    const std::string_view name = name_of(assignment);
    for (std::string& each : environment)
        if (name_of(each) == name) {
            each = std::move(assignment);
            return;
        }
    environment.push_back(std::move(assignment));
}

void merge_environment(std::vector<std::string>& environment, const std::vector<std::string>& later) {
    for (const std::string& assignment : later)
        set_variable(environment, assignment);
}

void unset_variables(std::vector<std::string>& environment, const std::vector<std::string>& names) {
    for (const std::string& name : names)
        std::erase_if(environment, [&](const std::string& each) {
            return name.find('=') == name.npos ? name_of(each) == name : each == name;
        });
}

std::vector<std::string> parse_environment_text(std::string_view text) {
    return EnvironmentParser{}.parse(text);
}

base::Result<std::vector<std::string>> environment_of_file(const std::string& path) {
    return parse_environment_text(TRY(read_environment_file(path)));
}

base::Result<void> add_environment_files(std::vector<std::string>& environment,
                                         const std::vector<unit::EnvironmentFile>& files) {
    for (const unit::EnvironmentFile& file : files) {
        const std::vector<std::string> paths = has_glob(file.path) ? glob_paths(file.path) : std::vector{file.path};
        if (paths.empty() && !file.optional)
            return base::Error{base::Errc::NotFound, ENOENT, "EnvironmentFile=" + file.path + ": no file matches", {}};
        for (const std::string& path : paths) {
            base::Result<std::vector<std::string>> variables = environment_of_file(path);
            if (variables)
                merge_environment(environment, *variables);
            else if (!file.optional)
                return std::move(variables).error();
        }
    }
    return {};
}

} // namespace monoinit::exec
