#pragma once
// How stored lines look: journalctl(1)'s output forms, and initctl's own. Tested by tests/unit/cli/journal_output_test.cpp.

#include "base/time_zone.hpp"
#include "log/selection.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::cli {

enum class JournalForm : unsigned char {
    Own, ///< initctl's: "10:02:12 [web] text"
    Short, ShortFull, ShortIso, ShortIsoPrecise, ShortPrecise, ShortMonotonic, ShortDelta, ShortUnix, WithUnit, Cat, Verbose, Export,
    Json, JsonPretty, JsonSse, JsonSeq,
};
std::optional<JournalForm> journal_form(std::string_view name);
/// "short, short-full, …", for a complaint.
std::string journal_form_names();

struct JournalStyle {
    JournalForm form = JournalForm::Own;
    std::vector<std::string> fields; ///< --output-fields=; empty: all
    bool color = false, host = true;
    const base::TimeZone* zone = nullptr; ///< of the times
    std::string host_name, machine_id;
    std::uint64_t now_us = 0; ///< Own: what is of another day has its date
};

class JournalPrinter {
  public:
    explicit JournalPrinter(JournalStyle style) : style_(std::move(style)) {}

    /// Appends the line, and before it what separates the starts of the container.
    void print(std::string& out, const log::Record& record, const log::BootId& boot);

  private:
    void print_short(std::string& out, const log::Record& record);
    void print_json(std::string& out, const log::Record& record, const log::BootId& boot);
    void print_verbose(std::string& out, const log::Record& record, const log::BootId& boot);
    bool shows(std::string_view field) const;
    std::string time(const log::Record& record);
    std::string local(std::uint64_t wall_us, std::string_view form) const;

    JournalStyle style_;
    std::optional<log::BootId> boot_;
    std::uint64_t last_mono_us_ = 0;
};

/// Every field, in the order in which JSON and verbose have them: cursor, times, the line's own, the machine's.
void for_each_journal_field(const log::Record& record, const log::BootId& boot, const JournalStyle& style,
                            const std::function<void(std::string_view name, std::string_view value)>& take);

} // namespace monoinit::cli
