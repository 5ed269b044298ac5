#pragma once
// Lines of all sources come together here: into the store, and rendered into the ring for stdout. A line goes to both or,
// when stdout has no room and the source can wait, to neither: the source keeps it and offers it again.
// Collectors (pipes; later /dev/log and the journal sockets) know only this class.
// Tested by tests/unit/log/multiplexer_test.cpp.

#include "log/format.hpp"
#include "log/forward.hpp"
#include "log/out_ring.hpp"
#include "log/store.hpp"
#include "log/store_writer.hpp"

#include <set>
#include <string>

namespace monoinit::log {

/// Pipes can wait (back-pressure); datagrams and monoinit's own lines cannot.
enum class Urgency : std::uint8_t { MayWait, MustNotWait };

/// Where a source's lines go; `prefix` as Multiplexer::prefix_for() made it.
struct Destination {
    std::string_view prefix;
    bool console = true;
    bool store = true;
    bool error = false; ///< to stderr, where its lines go there
};

class Multiplexer {
  public:
    /// `files`, `forwarder`: the store on disk and those who get lines too; may be none.
    Multiplexer(Store& store, OutRing& ring, bool terminal, StoreWriter* files = nullptr, Forwarder* forwarder = nullptr);

    /// Prefixes made before are out of date afterwards.
    void configure(const Config& config);
    std::string prefix_for(std::string_view unit, bool own = false) const;
    /// "[ssh] sshd[12]: ": who spoke is named where it is not the unit itself.
    std::string prefix_for(std::string_view unit, std::string_view identifier, std::uint32_t pid) const;
    std::size_t line_max() const { return line_max_; }
    /// Where lines of Destination::error go from now on; nullptr: to the other ring. Not owned.
    void set_errors(OutRing* ring) { errors_ = ring; }

    void mute(std::string_view unit, bool muted); ///< unit empty = all
    bool is_muted(std::string_view unit) const;

    /// False: no room on stdout now; nothing was done.
    bool offer(const Record& record, const Destination& destination, Urgency urgency);
    /// "[monoinit] text", one line for each in `text`.
    void own_line(std::uint8_t priority, std::string_view unit, std::string_view text, std::uint64_t wall_us,
                  std::uint64_t mono_us);

    /// The same, with the time it is.
    void own_line_now(std::uint8_t priority, std::string_view unit, std::string_view text);

    /// While stdout is stalled during shutdown: nothing waits for it.
    void never_wait(bool on) { never_wait_ = on; }
    /// Lines that are in the store but had no room on stdout.
    std::uint64_t skipped() const { return skipped_; }

  private:
    void render(const Record& record, std::string_view prefix);
    void render_lines(const Record& record, std::string_view prefix);
    void render_parts(const Record& record, std::string_view prefix);
    void put_rendered(OutRing& ring);

    void keep(const Record& record);

    Store& store_;
    StoreWriter* files_;
    Forwarder* forwarder_;
    OutRing& ring_;
    OutRing* errors_ = nullptr;
    std::size_t line_max_ = default_line_max;
    FormatOptions options_;
    bool console_ = true;
    std::string own_prefix_;
    std::set<std::string, std::less<>> muted_;
    bool never_wait_ = false;
    std::uint64_t skipped_ = 0;
    std::string rendered_; ///< one or more whole lines
};

} // namespace monoinit::log
