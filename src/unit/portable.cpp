// What a unit would do differently under systemd itself: the other direction of compatibility. Reads the files again, as
// X- keys leave no trace in UnitConfig. Tested by tests/unit/unit/verify_test.cpp.
#include "base/fmt.hpp"
#include "unit/directives.hpp"
#include "unit/lexer.hpp"
#include "unit/name.hpp"
#include "unit/parse.hpp"
#include "unit/verify.hpp"

#include <map>

namespace monoinit::unit {

namespace {

constexpr std::uint16_t debian_12 = 252;

class PortableReport {
  public:
    explicit PortableReport(const UnitConfig& unit) : unit_(unit) {}

    Report run(const FileSource& files) {
        if (unit_.type == UnitType::Service)
            look_at_service();
        for (const auto& path : unit_.files)
            if (!path.empty())
                if (const auto text = files.read(path, file_size_limit))
                    look_at_file(path, *text);
        for (const auto& used : unit_.degraded)
            note(used.file < unit_.files.size() ? unit_.files[used.file] : unit_.name, used.line,
                 fmt::format("{}= takes effect there", directives()[used.row].name));
        return std::move(report_);
    }

  private:
    void note(const std::string& file, std::uint32_t line, const std::string& text) {
        report_.text += line == 0 ? fmt::format("{}: {}\n", file, text) : fmt::format("{}:{}: {}\n", file, line, text);
        report_.notes++;
    }

    void look_at_service() {
        const auto& service = *unit_.service;
        const std::string name(short_name(unit_.name));
        note(name, 0, "under systemd it does not inherit the container's environment; name what it needs (Environment=, PassEnvironment=)");
        for (const auto& list : service.commands)
            for (const auto& command : list)
                if (!command.path.starts_with('/'))
                    note(command.file < unit_.files.size() ? unit_.files[command.file] : unit_.name, command.line,
                         fmt::format("{} is looked up in systemd's own PATH there, not in the container's or the unit's", command.path));
        if (service.restart != RestartPolicy::No && !service.restart_timing_set && !unit_.unit.start_limit.set)
            note(name, 0, "under systemd it restarts 100 ms after each end and stays failed after 5 starts in 10 s, instead of waiting longer and longer");
        if (service.type == ServiceType::NotifyReload)
            note(name, 0, "Type=notify-reload needs systemd 253");
    }

    void look_at_file(const std::string& path, std::string_view text) {
        Lexer lexer(text);
        Token token;
        std::string section;
        while (lexer.next(token)) {
            if (token.kind == Token::Kind::Section)
                section = token.name;
            if (token.kind == Token::Kind::Bad || (section.starts_with("X-") && token.kind == Token::Kind::Assignment))
                continue;
            if (token.name.starts_with("X-")) {
                note(path, token.line, fmt::format("{} is monoinit's; systemd ignores it",
                                                   token.kind == Token::Kind::Section ? "[" + section + "]" : std::string(token.name)));
            } else if (token.kind == Token::Kind::Assignment) {
                const Directive* row = find_directive(unit_.type, section, token.name);
                if (row != nullptr && row->since > debian_12)
                    note(path, token.line, fmt::format("{}= needs systemd {}; Debian 12 has {}", row->name.view(), row->since, debian_12));
            }
        }
    }

    const UnitConfig& unit_;
    Report report_;
};

} // namespace

Report portable_report(const UnitConfig& unit, const FileSource& files) { return PortableReport(unit).run(files); }

} // namespace monoinit::unit
