// Parsing and printing of values, as systemd's own parsers do it; each pair round-trips. Tested by
// tests/unit/unit/values_test.cpp.
#include "unit/values.hpp"

#include "base/strings.hpp"
#include "unit/words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <sys/resource.h>

namespace monoinit::unit {

using base::Errc;
using base::fail;
using base::Result;

namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Result<std::uint64_t> parse_u64(std::string_view text, int base = 10) {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, base);
    if (error == std::errc::result_out_of_range)
        return fail(Errc::Invalid, "number too large");
    if (error != std::errc{} || stop != end)
        return fail(Errc::Invalid, "not a number");
    return value;
}

// ---- sizes --------------------------------------------------------------------------------------------------------

constexpr std::string_view size_suffixes = "BKMGTPE"; ///< each 1024 times the one before

/// One "1.5G" at the start of `text`; its factor must be below `*ceiling`, which becomes the factor.
Result<std::uint64_t> take_size(std::string_view& text, std::uint64_t& ceiling) {
    const auto take_digits = [&] {
        const auto n = std::min(text.find_first_not_of("0123456789"), text.size());
        const auto found = text.substr(0, n);
        text.remove_prefix(n);
        return found;
    };
    const auto whole = take_digits();
    std::string_view fraction;
    if (!text.empty() && text.front() == '.') {
        text.remove_prefix(1);
        fraction = take_digits();
        if (fraction.empty())
            return fail(Errc::Invalid, "digits expected after the point");
    }
    if (whole.empty())
        return fail(Errc::Invalid, "not a size");
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    std::uint64_t factor = 1;
    if (!text.empty() && !is_digit(text.front())) {
        const auto power = size_suffixes.find(text.front());
        if (power == std::string_view::npos)
            return fail(Errc::Invalid, "not a size: the suffixes are K, M, G, T, P, E");
        factor = std::uint64_t{1} << (10 * power);
        text.remove_prefix(1);
    }
    if (factor >= ceiling)
        return fail(Errc::Invalid, "not a size: larger units come first");
    ceiling = factor;
    std::uint64_t value = 0;
    if (__builtin_mul_overflow(TRY(parse_u64(whole)), factor, &value))
        return fail(Errc::Invalid, "size too large");
    double part = 0, place = 1; // as systemd: exact for every power of 1024 and a few digits
    for (const char c : fraction.substr(0, 15))
        part += (c - '0') * (place /= 10);
    return value + static_cast<std::uint64_t>(part * static_cast<double>(factor) + 0.001);
}

// ---- limits -------------------------------------------------------------------------------------------------------

enum class LimitUnit : std::uint8_t { Number, Size, Seconds, Microseconds, Nice };

LimitUnit unit_of(int resource) {
    switch (resource) {
    case RLIMIT_CPU:
        return LimitUnit::Seconds;
    case RLIMIT_RTTIME:
        return LimitUnit::Microseconds;
    case RLIMIT_NICE:
        return LimitUnit::Nice;
    case RLIMIT_FSIZE:
    case RLIMIT_DATA:
    case RLIMIT_STACK:
    case RLIMIT_CORE:
    case RLIMIT_RSS:
    case RLIMIT_AS:
    case RLIMIT_MEMLOCK:
    case RLIMIT_MSGQUEUE:
        return LimitUnit::Size;
    default: // numbers of things, and what a later kernel brings
        return LimitUnit::Number;
    }
}

Result<std::uint64_t> parse_limit_time(std::string_view text, Duration unit) {
    const Duration span = TRY(base::parse_time_span(text, unit));
    if (span == infinity)
        return unlimited;
    const Duration rounded_up = span + unit - Duration(1);
    return static_cast<std::uint64_t>(rounded_up.count() / unit.count());
}

/// "+5" and "-5" are nice levels, a bare number is the kernel's 20 - nice.
Result<std::uint64_t> parse_limit_nice(std::string_view text) {
    if (text.empty() || (text.front() != '+' && text.front() != '-'))
        return TRY(parse_integer(text, 0, 40));
    const std::string_view digits = text.substr(1);
    const std::int64_t level = TRY(parse_integer(digits, 0, 20));
    if (level == 20 && text.front() == '+')
        return fail(Errc::Invalid, "nice levels end at +19");
    return static_cast<std::uint64_t>(text.front() == '+' ? 20 - level : 20 + level);
}

Result<std::uint64_t> parse_one_limit(int resource, std::string_view text) {
    text = base::trim(text);
    if (text == "infinity")
        return unlimited;
    switch (unit_of(resource)) {
    case LimitUnit::Number:
        return parse_u64(text);
    case LimitUnit::Size:
        return parse_size(text);
    case LimitUnit::Seconds:
        return parse_limit_time(text, std::chrono::seconds(1));
    case LimitUnit::Microseconds:
        return parse_limit_time(text, Duration(1));
    case LimitUnit::Nice:
        return parse_limit_nice(text);
    }
    return fail(Errc::Invalid, "no such limit");
}

// ---- capabilities -------------------------------------------------------------------------------------------------

/// By number, capabilities(7).
constexpr auto capability_names = std::to_array<std::string_view>({
    "cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid", "cap_kill", "cap_setgid", "cap_setuid",
    "cap_setpcap", "cap_linux_immutable", "cap_net_bind_service", "cap_net_broadcast", "cap_net_admin", "cap_net_raw",
    "cap_ipc_lock", "cap_ipc_owner", "cap_sys_module", "cap_sys_rawio", "cap_sys_chroot", "cap_sys_ptrace", "cap_sys_pacct",
    "cap_sys_admin", "cap_sys_boot", "cap_sys_nice", "cap_sys_resource", "cap_sys_time", "cap_sys_tty_config", "cap_mknod",
    "cap_lease", "cap_audit_write", "cap_audit_control", "cap_setfcap", "cap_mac_override", "cap_mac_admin", "cap_syslog",
    "cap_wake_alarm", "cap_block_suspend", "cap_audit_read", "cap_perfmon", "cap_bpf", "cap_checkpoint_restore",
});

constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace

Result<bool> parse_bool(std::string_view text) {
    constexpr auto yes = std::to_array<std::string_view>({"yes", "true", "on", "1", "y", "t"});
    constexpr auto no = std::to_array<std::string_view>({"no", "false", "off", "0", "n", "f"});
    const auto is_it = [&](std::string_view word) { return equal_ignoring_case(word, text); };
    if (std::any_of(yes.begin(), yes.end(), is_it))
        return true;
    if (std::any_of(no.begin(), no.end(), is_it))
        return false;
    return fail(Errc::Invalid, "neither yes nor no");
}

Result<std::int64_t> parse_integer(std::string_view text, std::int64_t least, std::int64_t most) {
    std::string_view digits = text;
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+'))
        digits.remove_prefix(1);
    int base = 10;
    if (digits.size() > 2 && digits[0] == '0')
        base = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : digits[1] == 'b' ? 2 : 10;
    if (base != 10)
        digits.remove_prefix(2);
    const std::uint64_t size = TRY(parse_u64(digits, base));
    const auto in_range = [&](std::int64_t value) { return value >= least && value <= most; };
    if (size <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        if (const auto value = static_cast<std::int64_t>(size); in_range(negative ? -value : value))
            return negative ? -value : value;
    return fail(Errc::Invalid, "not in " + std::to_string(least) + " … " + std::to_string(most));
}

Result<std::uint64_t> parse_size(std::string_view text) {
    text = base::trim(text);
    std::uint64_t total = 0, ceiling = unlimited;
    do {
        if (__builtin_add_overflow(total, TRY(take_size(text, ceiling)), &total))
            return fail(Errc::Invalid, "size too large");
        text = base::trim(text);
    } while (!text.empty());
    return total;
}

Result<std::uint32_t> parse_mode(std::string_view text, std::uint32_t most) {
    const auto mode = parse_u64(text, 8);
    if (!mode || *mode > most)
        return fail(Errc::Invalid, "not an octal mode such as " + format_mode(most == 0777 ? 0022 : 0755));
    return static_cast<std::uint32_t>(*mode);
}

std::string format_mode(std::uint32_t mode) {
    std::string text = "0000";
    for (std::size_t i = 0; i < 4; i++)
        text[3 - i] = static_cast<char>('0' + (mode >> (3 * i) & 7U));
    return text;
}

Result<ResourceLimit> parse_limit(int resource, std::string_view text) {
    const auto colon = text.find(':');
    ResourceLimit limit{resource, 0, 0};
    limit.soft = TRY(parse_one_limit(resource, text.substr(0, colon)));
    limit.hard = colon == std::string_view::npos ? limit.soft : TRY(parse_one_limit(resource, text.substr(colon + 1)));
    if (limit.soft > limit.hard)
        return fail(Errc::Invalid, "the soft limit is above the hard one");
    return limit;
}

std::string format_limit(const ResourceLimit& limit) {
    const auto one = [](std::uint64_t value) { return value == unlimited ? std::string("infinity") : std::to_string(value); };
    return limit.soft == limit.hard ? one(limit.soft) : one(limit.soft) + ":" + one(limit.hard);
}

Result<void> add_exit_status(ExitStatusSet& set, std::string_view word) {
    const auto add = [](std::vector<std::uint8_t>& to, int value) {
        const auto byte = static_cast<std::uint8_t>(value);
        if (std::find(to.begin(), to.end(), byte) == to.end())
            to.push_back(byte);
    };
    if (!word.empty() && is_digit(word.front())) {
        add(set.statuses, static_cast<int>(TRY(parse_integer(word, 0, 255))));
        return {};
    }
    if (const auto status = base::exit_status_from_name(word))
        add(set.statuses, *status);
    else if (const auto signal = base::signal_from_name(word))
        add(set.signals, *signal);
    else
        return fail(Errc::Invalid, "neither an exit status (0-255, or a name such as TEMPFAIL) nor a signal");
    return {};
}

std::string format_exit_statuses(const ExitStatusSet& set) {
    std::vector<std::string> words;
    for (const auto status : set.statuses)
        words.push_back(std::to_string(status));
    for (const auto signal : set.signals)
        words.push_back(base::signal_name(signal));
    return base::join(words, " ");
}

std::optional<int> capability_from_name(std::string_view name) {
    if (const auto number = parse_integer(name, 0, 63))
        return static_cast<int>(*number);
    const auto found = std::find_if(capability_names.begin(), capability_names.end(),
                                    [&](std::string_view known) { return equal_ignoring_case(known, name); });
    if (found == capability_names.end())
        return std::nullopt;
    return static_cast<int>(found - capability_names.begin());
}

std::string format_capabilities(std::uint64_t mask) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < capability_names.size(); i++)
        if ((mask >> i & 1U) != 0)
            words.emplace_back(capability_names[i]);
    return base::join(words, " ");
}

Result<std::vector<std::uint16_t>> parse_cpu_list(std::string_view text) {
    constexpr std::int64_t most = 8191; // the kernel's NR_CPUS at most
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), ',', ' ');
    std::vector<std::uint16_t> cpus;
    for (const auto& word : TRY(split_words(spaced, Unquote))) {
        const std::string_view range = word;
        const auto dash = range.find('-');
        const auto first = TRY(parse_integer(range.substr(0, dash), 0, most));
        const auto last = dash == std::string_view::npos ? first : TRY(parse_integer(range.substr(dash + 1), 0, most));
        for (auto cpu = first; cpu <= last; cpu++)
            cpus.push_back(static_cast<std::uint16_t>(cpu));
    }
    std::sort(cpus.begin(), cpus.end());
    cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
    return cpus;
}

std::string format_cpu_list(const std::vector<std::uint16_t>& cpus) {
    std::string text;
    for (std::size_t i = 0; i < cpus.size(); i++) {
        const std::size_t first = i;
        while (i + 1 < cpus.size() && cpus[i + 1] == cpus[i] + 1)
            i++;
        text += (text.empty() ? "" : " ") + std::to_string(cpus[first]);
        if (i != first)
            text += "-" + std::to_string(cpus[i]);
    }
    return text;
}

Result<std::string> decode_base64(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    std::size_t used = 0, padding = 0;
    for (const char c : text) {
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            continue;
        used++;
        if (c == '=') {
            padding++;
            continue;
        }
        const auto digit = base64_digits.find(c);
        if (digit == std::string_view::npos || padding != 0)
            return fail(Errc::Invalid, "not Base64");
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += static_cast<char>(bits >> count & 0xffU);
        }
    }
    if (used % 4 != 0 || padding > 2)
        return fail(Errc::Invalid, "not Base64: its length is not a multiple of four");
    return out;
}

std::string encode_base64(std::string_view bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto byte = [&](std::size_t k) { return k < bytes.size() ? static_cast<unsigned char>(bytes[k]) : 0U; };
        const std::uint32_t bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        for (std::size_t k = 0; k < 4; k++)
            out += i + k > bytes.size() ? '=' : base64_digits[bits >> (18 - 6 * k) & 63U];
    }
    return out;
}

std::string simplify_path(std::string_view path) {
    std::string out;
    if (path.starts_with('/'))
        out = "/";
    for (const auto part : base::split(path, '/')) {
        if (part.empty() || part == ".")
            continue;
        if (!out.empty() && out.back() != '/')
            out += '/';
        out += part;
    }
    return out;
}

bool has_parent_part(std::string_view path) {
    const auto parts = base::split(path, '/');
    return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

bool is_safe_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) >= ' ' && c != 0x7f && c != '"' && c != '\'' && c != '\\';
    });
}

bool is_variable_name(std::string_view name) {
    const auto allowed = [](char c) { return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_' || is_digit(c); };
    return !name.empty() && !is_digit(name.front()) && std::all_of(name.begin(), name.end(), allowed);
}

bool is_assignment(std::string_view text) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || !is_variable_name(text.substr(0, equals)))
        return false;
    const auto value = text.substr(equals + 1);
    return base::is_valid_utf8(value) && std::all_of(value.begin(), value.end(), [](char c) {
               return static_cast<unsigned char>(c) >= ' ' ? c != 0x7f : c == '\t' || c == '\n';
           });
}

bool is_credential_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
           std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c < 0x7f && c != ':' && c != '/'; });
}

bool is_account_name(std::string_view name) {
    if (name.empty() || name == "." || name == ".." || name.size() > 255 || base::trim(name) != name || !base::is_valid_utf8(name))
        return false;
    const auto digits = name.substr(name.front() == '-' ? 1 : 0);
    if (std::all_of(digits.begin(), digits.end(), is_digit)) // two numbers mean "none" to the kernel
        return digits == name && name.size() <= 10 && *parse_u64(name) < 0xffffffffU && *parse_u64(name) != 0xffffU;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) >= ' ' && c != 0x7f && c != ':' && c != '/';
    });
}

} // namespace monoinit::unit
