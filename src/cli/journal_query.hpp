#pragma once
// journalctl's options as a question to the log store. Tested by tests/unit/cli/journal_query_test.cpp.

#include "base/time_zone.hpp"
#include "cli/options.hpp"
#include "log/store_reader.hpp"

#include <string>
#include <vector>

namespace monoinit::cli {

struct JournalQuery {
    log::Selection selection;
    /// The last (or first) so many; nothing: all.
    std::optional<std::uint32_t> count;
    bool from_start = false; ///< "+N": the first ones
};

/// All of it but the boot, which needs the store. `words`: FIELD=value and "+". `now_us`: CLOCK_REALTIME.
base::Result<JournalQuery> journal_query(const Options& options, Face face, const std::vector<std::string>& words, std::uint64_t now_us,
                                         base::TimeZones& zones);

/// "", "0", "-1", "2", an id, an id with an offset; "all" is nothing.
base::Result<std::optional<log::BootId>> chosen_boot(const std::vector<log::StoreReader::Boot>& boots, std::string_view text);

} // namespace monoinit::cli
