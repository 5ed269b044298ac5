// systemd-id128: 128-bit ids, new ones and those of this machine, boot and service. Judged by the real one in tests/system/tools.py.
#include "base/sha256.hpp"
#include "base/strings.hpp"
#include "cli/partition_types.hpp"
#include "cli/programs.hpp"
#include "cli/terminal.hpp"
#include "cli/tool.hpp"
#include "sys/place.hpp"
#include "sys/real_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/random.h>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr ToolOption options[] = {
    {"pretty", 'p', Argument::None, "", "in several forms, for programs"},
    {"app-specific", 'a', Argument::Required, "ID", "derived from it and this id, so that it does not tell the original"},
    {"uuid", 'u', Argument::None, "", "in the form of a UUID"},
    {"value", 'P', Argument::None, "", "show: ids only, no names"},
    {"no-legend", 0, Argument::None, "", "show: no heading"},
};
constexpr Tool tool{"systemd-id128", "[OPTIONS…] COMMAND", "Makes and prints 128-bit ids.", options, false,
                    "Commands:\n  new            a new one\n  machine-id     of this machine or container\n  boot-id        of this boot of the kernel\n"
                    "  invocation-id  of this start of the service that calls\n  var-partition-uuid  of the /var partition that belongs to this machine\n"
                    "  show [NAME…]   types of GPT partitions\n  help           this text"};

using Id = std::string; ///< 32 lower-case hexadecimal digits

std::string hex(const std::uint8_t* bytes) {
    std::string out;
    for (int i = 0; i < 16; i++) {
        out += "0123456789abcdef"[bytes[i] >> 4];
        out += "0123456789abcdef"[bytes[i] & 15];
    }
    return out;
}

/// Plain or as a UUID.
std::optional<Id> parse_id(std::string_view text) {
    Id id;
    const bool dashed = text.size() == 36;
    for (std::size_t i = 0; i < text.size(); i++) {
        const bool dash = dashed && (i == 8 || i == 13 || i == 18 || i == 23);
        const char c = text[i] >= 'A' && text[i] <= 'F' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return std::nullopt;
        if (!dash)
            id += c;
    }
    return id.size() == 32 ? std::optional(id) : std::nullopt;
}

std::string bytes_of(const Id& id) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    std::string bytes;
    for (std::size_t i = 0; i < id.size(); i += 2)
        bytes += static_cast<char>(digit(id[i]) * 16 + digit(id[i + 1]));
    return bytes;
}

/// Marked as a UUID of version 4, of the variant of RFC 4122.
Id as_random_uuid(std::uint8_t* bytes) {
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
    return hex(bytes);
}

Id derived(const Id& key, const Id& application) {
    base::Digest digest = base::hmac_sha256(bytes_of(key), bytes_of(application));
    return as_random_uuid(digest.data());
}

std::string uuid_form(const Id& id) {
    return fmt::format("{}-{}-{}-{}-{}", id.substr(0, 8), id.substr(8, 4), id.substr(12, 4), id.substr(16, 4), id.substr(20));
}

/// `name`: of the constant.
std::string pretty(const Id& id, std::string_view name) {
    std::string upper;
    for (const char c : name)
        upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '-' ? '_' : c;
    std::string bytes;
    for (std::size_t i = 0; i < id.size(); i += 2)
        bytes += (i == 0 ? "" : ",") + id.substr(i, 2);
    return fmt::format("As string:\n{}\n\nAs UUID:\n{}\n\nAs systemd-id128(1) macro:\n#define {} SD_ID128_MAKE({})\n\nAs Python constant:\n>>> import uuid\n>>> {} = uuid.UUID('{}')\n",
                       id, uuid_form(id), upper, bytes, upper, id);
}

struct Wish {
    bool pretty = false, uuid = false, value = false, legend = true;
    std::optional<Id> application;
};

int print(const Wish& wish, const Id& id) { return put_out(wish.pretty ? pretty(id, "XYZ") : (wish.uuid ? uuid_form(id) : id) + "\n") ? 0 : 1; }

std::vector<std::pair<std::string, Id>> all_types() {
    constexpr std::string_view kinds[] = {"root", "root{}-verity", "root{}-verity-sig", "usr", "usr{}-verity", "usr{}-verity-sig"};
    std::vector<std::pair<std::string, Id>> all;
    const auto add = [&](const ArchitecturePartitions& row, const std::string& infix) {
        for (std::size_t i = 0; i < std::size(kinds); i++) {
            std::string name(kinds[i]);
            const std::size_t hole = name.find("{}");
            all.emplace_back(hole == std::string::npos ? name + infix : name.replace(hole, 2, infix), row.ids[i]);
        }
    };
    for (const ArchitecturePartitions& row : architecture_partitions)
        add(row, "-" + std::string(row.architecture));
    const auto native = [&](std::string_view architecture, const std::string& infix) {
        for (const ArchitecturePartitions& row : architecture_partitions)
            if (row.architecture == architecture)
                add(row, infix);
    };
    const std::string own = sys::look_around().architecture;
    native(own, "");
    native(own == "x86-64" ? "x86" : own == "arm64" ? "arm" : "", "-secondary");
    for (const PartitionType& type : partition_types)
        all.emplace_back(type.name, type.id);
    return all;
}

int show(const Wish& wish, const std::vector<std::string>& words) {
    const auto all = all_types();
    std::vector<std::pair<std::string, Id>> chosen = words.size() < 2 ? all : decltype(all)();
    for (std::size_t i = 1; i < words.size(); i++) {
        const auto id = parse_id(words[i]);
        const auto found = std::find_if(all.begin(), all.end(), [&](const auto& type) { return id ? type.second == *id : type.first == words[i]; });
        if (found == all.end() && !id)
            return complain("Unknown identifier \"{}\".", words[i]);
        chosen.emplace_back(found == all.end() ? "XYZ" : found->first, found == all.end() ? *id : found->second);
    }
    std::string out;
    Table table;
    if (wish.legend && !wish.value && !wish.pretty)
        table.add({"NAME", "ID"});
    for (auto& [name, original] : chosen) {
        const Id id = wish.application ? derived(original, *wish.application) : original;
        if (wish.pretty)
            out += (out.empty() ? "" : "\n") + pretty(id, name);
        else if (wish.value)
            out += (wish.uuid ? uuid_form(id) : id) + "\n";
        else
            table.add({Cell(name), Cell(wish.uuid ? uuid_form(id) : id)});
    }
    return put_out(out + table.render(false)) ? 0 : 1;
}

std::optional<Id> id_in(const std::string& path) {
    const auto text = sys::RealFiles().read(path, 4096);
    return text ? parse_id(base::trim(*text)) : std::nullopt;
}

int make_new(const Wish& wish) {
    std::uint8_t bytes[16];
    if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return complain("Failed to generate ID: {}", std::strerror(errno));
    return print(wish, as_random_uuid(bytes));
}

int of_machine(const Wish& wish, const std::string& path, std::string_view what) {
    const auto id = id_in(path);
    if (!id)
        return complain("Failed to get {}: {}", what, ::access(path.c_str(), R_OK) == 0 ? "No medium found" : std::strerror(errno));
    return print(wish, wish.application ? derived(*id, *wish.application) : *id);
}

int of_invocation(const Wish& wish) {
    const char* const said = ::getenv("INVOCATION_ID");
    const auto id = said == nullptr ? std::nullopt : parse_id(said);
    return id ? print(wish, *id) : complain("Failed to get invocation-ID: {}", said == nullptr ? "No such device or address" : "Invalid argument");
}

} // namespace

int id128_main(int argc, char** argv, const Hooks&) {
    const ToolLine line = read_tool_line(tool, argc, argv);
    if (line.status)
        return *line.status;
    Wish wish{line.has("pretty"), line.has("uuid"), line.has("value"), !line.has("no-legend"), std::nullopt};
    if (const auto application = line.last("app-specific")) {
        wish.application = parse_id(*application);
        if (!wish.application)
            return complain("Failed to parse \"{}\" as application-ID: Invalid argument", *application);
    }
    if (line.words.empty())
        return complain("Command verb required.");
    const std::string& verb = line.words.front();
    if (verb == "show")
        return show(wish, line.words);
    if (verb == "help")
        return put_out(tool_help(tool)) ? 0 : 1;
    const bool known = verb == "new" || verb == "machine-id" || verb == "boot-id" || verb == "invocation-id" || verb == "var-partition-uuid";
    if (!known)
        return complain("Unknown command verb {}.", verb);
    if (line.words.size() > 1)
        return complain("Too many arguments.");
    if (verb == "new")
        return make_new(wish);
    if (verb == "boot-id")
        return of_machine(wish, "/proc/sys/kernel/random/boot_id", "boot-ID");
    if (verb == "machine-id")
        return of_machine(wish, "/etc/machine-id", "machine-ID");
    if (wish.application)
        return complain("Verb \"{}\" cannot be combined with --app-specific=.", verb);
    if (verb == "invocation-id")
        return of_invocation(wish);
    wish.application = Id(std::find_if(partition_types.begin(), partition_types.end(), [](const PartitionType& type) { return type.name == "var"; })->id);
    return of_machine(wish, "/etc/machine-id", "machine-ID");
}

} // namespace monoinit::cli
