// Tested by tests/unit/log/selection_test.cpp.

#include "log/pattern.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#if MONOINIT_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#if MONOINIT_PCRE2_WITHOUT_JIT
#include "log/pcre2_without_jit.hpp"
#endif
#include <pcre2.h>
#else
#include <regex.h>
#endif

namespace monoinit::log {
namespace {

constexpr std::size_t longest_pattern = 4096;

base::Error bad_pattern(std::string_view text, std::string_view reason) {
    return base::fail(base::Errc::Invalid, fmt::format("bad pattern {}: {}", base::printable(text, 80), reason));
}

constexpr std::string_view special = "\\^$.[]|()*+?{}";

/// Behind a backslash: what stands for a class or a place, and not for a character that is written out further on.
constexpr std::string_view plain_escapes = "dDsSwWbBAzZGRhHvVnrtfea";

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

void drop_last_character(std::string& text) {
    while (text.size() > 1 && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80)
        text.pop_back();
    text.pop_back();
}

/// The "]" of the set that begins at `i`.
std::size_t end_of_set(std::string_view text, std::size_t i) {
    i += text.substr(i + 1).starts_with('^') ? 2 : 1;
    i += text.substr(std::min(i, text.size())).starts_with(']') ? 1 : 0; // the first one belongs to it
    while (i < text.size() && text[i] != ']') {
        const std::string_view rest = text.substr(i);
        const std::size_t named = rest.starts_with("[:") ? rest.find(":]") : std::string_view::npos;
        i += named != std::string_view::npos ? named + 2 : rest.front() == '\\' ? 2 : 1;
    }
    return i;
}

/// The longest run of plain characters that no alternative or count can make optional.
std::string longest_literal(std::string_view text) {
    if (text.find('|') != std::string_view::npos || text.find('(') != std::string_view::npos)
        return {};
    std::string best, run;
    for (std::size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (special.find(c) == std::string_view::npos) {
            run += c;
            continue;
        }
        if ((c == '*' || c == '?' || c == '{') && !run.empty())
            drop_last_character(run); // there may be none of it
        if (run.size() > best.size())
            best = run;
        run.clear();
        if (c == '\\') {
            i++;
            if (i < text.size() && is_alphanumeric(text[i]) && plain_escapes.find(text[i]) == std::string_view::npos)
                return {}; // \x41, \Q…\E, \1 …
        }
        if (c == '[')
            i = end_of_set(text, i);
        if (c == '{')
            i = std::min(text.find('}', i), text.size() - 1);
    }
    return run.size() > best.size() ? run : best;
}

} // namespace

#if MONOINIT_PCRE2

bool has_perl_patterns() { return true; }

struct Pattern::Compiled {
    static constexpr std::uint32_t most_steps = 100'000;

    pcre2_code* code = nullptr;
    pcre2_match_data* data = nullptr;
    pcre2_match_context* context = nullptr;

    Compiled() = default;
    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;
    ~Compiled() {
        pcre2_match_context_free(context);
        pcre2_match_data_free(data);
        pcre2_code_free(code);
    }

    base::Result<void> compile(const std::string& text, bool ignore_case) {
        int error = 0;
        PCRE2_SIZE at = 0;
        const std::uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | (ignore_case ? PCRE2_CASELESS : 0);
        code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), options, &error, &at, nullptr);
        if (code == nullptr) {
            PCRE2_UCHAR reason[128] = {};
            (void)pcre2_get_error_message(error, reason, sizeof reason);
            return bad_pattern(text, fmt::format("{} at character {}", reinterpret_cast<const char*>(reason), at + 1));
        }
        data = pcre2_match_data_create(1, nullptr);
        context = pcre2_match_context_create(nullptr);
        if (data == nullptr || context == nullptr)
            return base::fail_errno(ENOMEM, "a pattern");
        pcre2_set_match_limit(context, most_steps);
        return {};
    }
    bool matches(std::string_view text) const {
        return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, data, context) >= 0;
    }
};

#else

bool has_perl_patterns() { return false; }

namespace {

/// What people write in PCRE and POSIX does not know.
base::Result<std::string> in_posix(std::string_view text) {
    std::string posix;
    bool in_set = false;
    for (std::size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (c == '\\' && i + 1 < text.size()) {
            const char next = text[++i];
            if (next == 'd')
                posix += in_set ? "0-9" : "[0-9]";
            else if (next == 'D')
                posix += "[^0-9]";
            else
                (posix += '\\') += next;
            continue;
        }
        if (c == '(' && i + 1 < text.size() && text[i + 1] == '?' && !in_set) {
            if (i + 2 >= text.size() || text[i + 2] != ':')
                return base::fail(base::Errc::Unsupported, "this build has no PCRE2: a pattern may not hold (?…) but (?:…)");
            i += 2;
        }
        if (c == '[')
            in_set = true;
        else if (c == ']')
            in_set = false;
        posix += c;
    }
    return posix;
}

} // namespace

struct Pattern::Compiled {
    regex_t regex{};
    bool made = false;

    Compiled() = default;
    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;
    ~Compiled() {
        if (made)
            ::regfree(&regex);
    }

    base::Result<void> compile(const std::string& text, bool ignore_case) {
        const std::string posix = TRY(in_posix(text));
        if (const int error = ::regcomp(&regex, posix.c_str(), REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0)); error != 0) {
            char reason[128];
            ::regerror(error, &regex, reason, sizeof reason);
            return bad_pattern(text, reason);
        }
        made = true;
        return {};
    }
    bool matches(std::string_view text) const {
        regmatch_t range{0, static_cast<regoff_t>(text.size())};
        return ::regexec(&regex, text.data(), 1, &range, REG_STARTEND) == 0;
    }
};

#endif

bool has_capitals(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

base::Result<Pattern> Pattern::compile(const std::string& text, bool ignore_case) {
    if (text.size() > longest_pattern)
        return base::fail(base::Errc::TooLarge, "the pattern is too long");
    Pattern pattern;
    if (!ignore_case && text.find_first_of(special) == std::string::npos) {
        pattern.literal_ = text;
        return pattern;
    }
    auto compiled = std::make_shared<Compiled>();
    TRY(compiled->compile(text, ignore_case));
    pattern.compiled_ = std::move(compiled);
    if (!ignore_case)
        pattern.literal_ = longest_literal(text);
    return pattern;
}

bool Pattern::matches(std::string_view text) const {
    if (!literal_.empty() && ::memmem(text.data(), text.size(), literal_.data(), literal_.size()) == nullptr)
        return false;
    return !compiled_ || compiled_->matches(text);
}

} // namespace monoinit::log
