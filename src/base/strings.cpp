// Text helpers: trimming, UTF-8, terminal-safe printing, "did you mean", globs. All of them are linear or bounded,
// because hostile files reach them. Tested by tests/unit/base/strings_test.cpp.
#include "base/strings.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace monoinit::base {

namespace {

constexpr std::string_view blanks = " \t\r\n";

struct Decoded {
    char32_t code = 0;
    std::size_t length = 0; ///< 0: not valid here
};

/// The code point at the start of `text`: no overlong forms, no surrogates, at most U+10FFFF.
Decoded decode(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80)
        return {first, 1};
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return {};
    char32_t code = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; i++) {
        if ((byte(i) & 0xc0U) != 0x80)
            return {};
        code = code << 6 | (byte(i) & 0x3fU);
    }
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return {};
    return {code, length};
}

/// Length of the leading part that is printable ASCII.
std::size_t plain_ascii(std::string_view text) {
    std::size_t size = 0;
    while (size < text.size() && text[size] >= 0x20 && text[size] < 0x7f)
        size++;
    return size;
}

struct Range {
    char32_t first, last;
};

// clang-format off
/// Combining marks and other characters of no width (Unicode 15, the blocks that occur in practice).
constexpr auto zero_width = std::to_array<Range>({
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05bf}, {0x05c1, 0x05c2}, {0x05c4, 0x05c5}, {0x0610, 0x061a},
    {0x064b, 0x065f}, {0x0670, 0x0670}, {0x06d6, 0x06dc}, {0x06df, 0x06e4}, {0x06e7, 0x06e8}, {0x06ea, 0x06ed}, {0x0711, 0x0711},
    {0x0730, 0x074a}, {0x07a6, 0x07b0}, {0x0816, 0x0819}, {0x0900, 0x0902}, {0x093a, 0x093a}, {0x093c, 0x093c}, {0x0941, 0x0948},
    {0x094d, 0x094d}, {0x0981, 0x0981}, {0x09bc, 0x09bc}, {0x0a01, 0x0a02}, {0x0a3c, 0x0a3c}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a},
    {0x0e47, 0x0e4e}, {0x0eb1, 0x0eb1}, {0x0eb4, 0x0ebc}, {0x0ec8, 0x0ece}, {0x1160, 0x11ff}, {0x1ab0, 0x1ace}, {0x1dc0, 0x1dff},
    {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064}, {0x20d0, 0x20f0}, {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}, {0xe0100, 0xe01ef},
});
/// East Asian Width W and F.
constexpr auto double_width = std::to_array<Range>({
    {0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23ec}, {0x23f0, 0x23f0}, {0x23f3, 0x23f3}, {0x25fd, 0x25fe},
    {0x2614, 0x2615}, {0x2648, 0x2653}, {0x267f, 0x267f}, {0x2693, 0x2693}, {0x26a1, 0x26a1}, {0x26aa, 0x26ab}, {0x26bd, 0x26be},
    {0x26c4, 0x26c5}, {0x26ce, 0x26ce}, {0x26d4, 0x26d4}, {0x26ea, 0x26ea}, {0x26f2, 0x26f3}, {0x26f5, 0x26f5}, {0x26fa, 0x26fa},
    {0x26fd, 0x26fd}, {0x2705, 0x2705}, {0x270a, 0x270b}, {0x2728, 0x2728}, {0x274c, 0x274c}, {0x274e, 0x274e}, {0x2753, 0x2755},
    {0x2757, 0x2757}, {0x2795, 0x2797}, {0x27b0, 0x27b0}, {0x27bf, 0x27bf}, {0x2b1b, 0x2b1c}, {0x2b50, 0x2b50}, {0x2b55, 0x2b55},
    {0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xa000, 0xa4cf}, {0xa960, 0xa97f}, {0xac00, 0xd7a3},
    {0xf900, 0xfaff}, {0xfe10, 0xfe19}, {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x16fe0, 0x18cff}, {0x1b000, 0x1b2ff},
    {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f335},
    {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4},
    {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567},
    {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc},
    {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7f0}, {0x1f90c, 0x1f93a},
    {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
});
// clang-format on

template <std::size_t N> bool in_ranges(const std::array<Range, N>& ranges, char32_t code) {
    const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                        [](char32_t c, const Range& range) { return c < range.first; });
    return after != ranges.begin() && code <= std::prev(after)->last;
}

void append_escaped(std::string& out, unsigned char byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += "\\x";
    out += digits[byte >> 4];
    out += digits[byte & 15U];
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr std::size_t longest_compared = 48; ///< no directive, section or value of ours is longer

/// Edit distance with transpositions, letters of either case equal; `cutoff` + 1 when it is larger than that.
std::size_t distance(std::string_view a, std::string_view b, std::size_t cutoff) {
    const std::size_t gap = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
    if (gap > cutoff)
        return cutoff + 1;
    std::array<std::array<std::uint8_t, longest_compared + 1>, 3> rows{};
    for (std::size_t j = 0; j <= b.size(); j++)
        rows[0][j] = static_cast<std::uint8_t>(j);
    for (std::size_t i = 1; i <= a.size(); i++) {
        auto& row = rows[i % 3];
        const auto& above = rows[(i + 2) % 3];
        const auto& above2 = rows[(i + 1) % 3];
        row[0] = static_cast<std::uint8_t>(i);
        std::size_t best = i;
        for (std::size_t j = 1; j <= b.size(); j++) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            int cost = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                cost = std::min(cost, above2[j - 2] + 1);
            row[j] = static_cast<std::uint8_t>(cost);
            best = std::min<std::size_t>(best, row[j]);
        }
        if (best > cutoff)
            return cutoff + 1;
    }
    return rows[a.size() % 3][b.size()];
}

/// A "[a-z]" set at pattern[0] == '[': whether `c` is in it, and how long the set is (0: no closing bracket).
struct SetMatch {
    bool matches = false;
    std::size_t length = 0;
};

SetMatch match_set(std::string_view pattern, char c) {
    std::size_t i = 1;
    const bool negate = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
    if (negate)
        i++;
    bool found = false;
    for (const std::size_t first = i; i < pattern.size(); i++) {
        if (pattern[i] == ']' && i != first)
            return {found != negate, i + 1};
        if (pattern[i] == '\\' && i + 1 < pattern.size())
            i++;
        const auto low = static_cast<unsigned char>(pattern[i]);
        auto high = low;
        if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
            high = static_cast<unsigned char>(pattern[i + 2]);
            i += 2;
        }
        const auto byte = static_cast<unsigned char>(c);
        found = found || (byte >= low && byte <= high);
    }
    return {};
}

/// How many pattern bytes match one character `c` here; 0 when it does not match.
std::size_t match_one(std::string_view pattern, char c) {
    switch (pattern.front()) {
    case '?':
        return 1;
    case '[':
        if (const SetMatch set = match_set(pattern, c); set.length != 0)
            return set.matches ? set.length : 0;
        return c == '[' ? 1 : 0;
    case '\\':
        if (pattern.size() > 1)
            return pattern[1] == c ? 2 : 0;
        return c == '\\' ? 1 : 0;
    default:
        return pattern.front() == c ? 1 : 0;
    }
}

} // namespace

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> fields;
    for (;;) {
        const auto end = text.find(separator);
        fields.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return fields;
        text.remove_prefix(end + 1);
    }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string text;
    for (const auto& part : parts) {
        if (&part != &parts.front())
            text += separator;
        text += part;
    }
    return text;
}

bool is_valid_utf8(std::string_view text) {
    while (!text.empty()) {
        // Unit files are nearly all ASCII: eight bytes at once.
        if (std::uint64_t eight = 0; text.size() >= sizeof eight) {
            std::memcpy(&eight, text.data(), sizeof eight);
            if ((eight & 0x8080808080808080U) == 0) {
                text.remove_prefix(sizeof eight);
                continue;
            }
        }
        const Decoded decoded = decode(text);
        if (decoded.length == 0)
            return false;
        text.remove_prefix(decoded.length);
    }
    return true;
}

std::string printable(std::string_view text, std::size_t limit) {
    if (text.size() <= limit && plain_ascii(text) == text.size())
        return std::string(text);
    std::string out;
    out.reserve(std::min(text.size(), limit));
    while (!text.empty()) {
        const std::size_t before = out.size();
        const Decoded decoded = decode(text);
        const std::size_t used = std::max<std::size_t>(decoded.length, 1);
        const bool c1 = decoded.code >= 0x80 && decoded.code < 0xa0;
        if (decoded.length == 0)
            out += "\ufffd";
        else if (c1 || (decoded.code < 0x20 && decoded.code != '\t') || decoded.code == 0x7f)
            append_escaped(out, static_cast<unsigned char>(decoded.code));
        else
            out += text.substr(0, used);
        if (out.size() > limit) {
            out.resize(before);
            return out + "…";
        }
        text.remove_prefix(used);
    }
    return out;
}

std::string_view closest(std::string_view word, const std::vector<std::string_view>& candidates) {
    if (word.size() > longest_compared)
        return {};
    // A slip in three letters is one, in ten letters three; more than that is another word.
    std::size_t best = (word.size() + 2) / 4 + 1;
    std::string_view found;
    for (const auto candidate : candidates) {
        if (candidate.size() > longest_compared)
            continue;
        if (const std::size_t d = distance(word, candidate, best - 1); d < best) {
            best = d;
            found = candidate;
            if (best == 0)
                break;
        }
    }
    return found;
}

std::size_t display_width(std::string_view utf8) {
    std::size_t columns = plain_ascii(utf8); // names and states are seldom more
    utf8.remove_prefix(columns);
    while (!utf8.empty()) {
        const Decoded decoded = decode(utf8);
        if (decoded.code >= 0x300 && in_ranges(double_width, decoded.code))
            columns += 2;
        else if (decoded.code < 0x300 || !in_ranges(zero_width, decoded.code))
            columns += decoded.length != 0 && decoded.code < 0x20 ? 0 : 1;
        utf8.remove_prefix(std::max<std::size_t>(decoded.length, 1));
    }
    return columns;
}

bool glob_match(std::string_view pattern, std::string_view text) {
    // On a mismatch only the last "*" needs to take one character more: linear in the usual case, never exponential.
    std::string_view star_pattern, star_text;
    bool star = false;
    for (;;) {
        if (!pattern.empty() && pattern.front() == '*') {
            pattern.remove_prefix(1);
            star = true;
            star_pattern = pattern;
            star_text = text;
            continue;
        }
        if (text.empty() && pattern.empty())
            return true;
        if (!text.empty() && !pattern.empty())
            if (const std::size_t used = match_one(pattern, text.front()); used != 0) {
                pattern.remove_prefix(used);
                text.remove_prefix(1);
                continue;
            }
        if (!star || star_text.empty())
            return false;
        star_text.remove_prefix(1);
        pattern = star_pattern;
        text = star_text;
    }
}

} // namespace monoinit::base
