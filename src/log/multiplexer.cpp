// Store and stdout, in this order: a line that readers can see may be missing on stdout, not the other way round.
// Tested by tests/unit/log/multiplexer_test.cpp.

#include "log/multiplexer.hpp"

#include "base/fmt.hpp"
#include "log/escape.hpp"
#include "log/stored_record.hpp"
#include "sys/clock.hpp"

#include <algorithm>
#include <cstring>

namespace monoinit::log {
namespace {

// A rendered line must fit the spool (16 pages); escapes can make six bytes of one.
constexpr std::size_t max_rendered = 56 * 1024, more_than_line = 8 * 1024;
constexpr std::size_t reserve_for_own = 32 * 1024; ///< of the ring: pipes leave it to lines that cannot wait

bool has_room(const OutRing& ring, std::size_t size, Urgency urgency) {
    const std::size_t free = ring.free_space();
    const std::size_t kept = urgency == Urgency::MayWait ? reserve_for_own : 0;
    // What is larger than the ring goes when it is empty; what then does not fit is skipped and counted.
    return free >= size + kept || free == ring_size;
}

bool is_break(char c) { return c == '\n' || c == '\r'; }

} // namespace

Multiplexer::Multiplexer(Store& store, OutRing& ring, bool terminal, StoreWriter* files, Forwarder* forwarder)
    : store_(store), files_(files), forwarder_(forwarder), ring_(ring) {
    options_.terminal = terminal;
    configure(Config{});
}

void Multiplexer::configure(const Config& config) {
    options_.format = config.format;
    options_.time = config.time;
    line_max_ = config.line_max;
    options_.color = want_color(config.color, options_.terminal);
    console_ = config.console == Console::Output && !config.command_has_terminal;
    own_prefix_ = prefix_for({}, true);
}

std::string Multiplexer::prefix_for(std::string_view unit, bool own) const {
    return make_prefix(unit, own, options_.color);
}

std::string Multiplexer::prefix_for(std::string_view unit, std::string_view identifier, std::uint32_t pid) const {
    std::string prefix = prefix_for(unit);
    if (identifier != short_unit_name(unit)) {
        append_for_terminal(prefix, identifier);
        prefix += pid != 0 ? fmt::format("[{}]: ", pid) : std::string(": ");
    }
    return prefix;
}

void Multiplexer::mute(std::string_view unit, bool muted) {
    if (muted)
        muted_.emplace(unit);
    else if (unit.empty())
        muted_.clear();
    else if (const auto found = muted_.find(unit); found != muted_.end())
        muted_.erase(found);
}

bool Multiplexer::is_muted(std::string_view unit) const {
    return !muted_.empty() && (muted_.contains(std::string_view()) || muted_.contains(unit));
}

bool Multiplexer::offer(const Record& record, const Destination& destination, Urgency urgency) {
    if (destination.store && files_ != nullptr && urgency == Urgency::MayWait && !never_wait_ && !files_->may_append(stored_size(record)))
        return false;
    const bool console = destination.console && console_;
    OutRing& ring = destination.error && errors_ != nullptr ? *errors_ : ring_;
    if (destination.store && files_ != nullptr && record.transport != Transport::Stdout) // a datagram: there is nobody to wait with it
        files_->make_room(stored_size(record));
    if (console) {
        // The common case needs no copy in between.
        const std::size_t size = destination.prefix.size() + record.text.size() + 1;
        const bool simple = options_.format == Format::Short && options_.time == TimeForm::None && !options_.terminal && !record.continues &&
                            !record.continued && record.transport == Transport::Stdout && std::memchr(record.text.data(), 0, record.text.size()) == nullptr;
        if (!simple)
            render(record, destination.prefix);
        const bool fits = has_room(ring, simple ? size : rendered_.size(), urgency);
        if (!fits && urgency == Urgency::MayWait && !never_wait_)
            return false;
        if (destination.store)
            keep(record);
        if (!fits) {
            skipped_++;
        } else if (simple) {
            char* to = ring.reserve();
            std::memcpy(to, destination.prefix.data(), destination.prefix.size());
            std::memcpy(to + destination.prefix.size(), record.text.data(), record.text.size());
            to[size - 1] = '\n';
            ring.commit(size);
        } else {
            put_rendered(ring);
        }
    } else if (destination.store) {
        keep(record);
    }
    return true;
}

void Multiplexer::keep(const Record& record) {
    const std::uint64_t cursor = store_.append(record);
    if (forwarder_ != nullptr && forwarder_->on())
        forwarder_->take(record);
    if (files_ == nullptr || !files_->on())
        return;
    Record stored = record;
    stored.cursor = cursor;
    files_->append(stored);
}

void Multiplexer::put_rendered(OutRing& ring) {
    for (std::string_view lines = rendered_; !lines.empty();) {
        const std::string_view line = whole_lines(lines, 1);
        if (line.size() <= ring.free_space())
            ring.put(line);
        else
            skipped_++;
        lines.remove_prefix(line.size());
    }
}

void Multiplexer::render(const Record& record, std::string_view prefix) {
    rendered_.clear();
    if (rendered_.capacity() > 4 * max_rendered)
        rendered_.shrink_to_fit();
    const bool by_lines = options_.format == Format::Short || options_.format == Format::Plain;
    if (by_lines && record.transport != Transport::Stdout && std::ranges::any_of(record.text, is_break))
        render_lines(record, prefix);
    else
        render_parts(record, prefix);
}

/// A message of several lines: each has the prefix, so that none can be taken for another's.
void Multiplexer::render_lines(const Record& record, std::string_view prefix) {
    std::string_view rest = record.text;
    for (bool first = true; !rest.empty(); first = false) {
        const auto end = static_cast<std::size_t>(std::ranges::find_if(rest, is_break) - rest.begin());
        Record line = record;
        line.text = rest.substr(0, end);
        rest.remove_prefix(std::min(rest.substr(end).starts_with("\r\n") ? end + 2 : end + 1, rest.size()));
        line.continued = record.continued && first;
        line.continues = record.continues && rest.empty();
        render_parts(line, prefix);
    }
}

void Multiplexer::render_parts(const Record& record, std::string_view prefix) {
    const std::size_t before = rendered_.size();
    append_line(rendered_, record, prefix, options_);
    if (rendered_.size() - before <= std::max(max_rendered, line_max_ + more_than_line) || record.text.size() < 2)
        return;
    rendered_.resize(before);
    std::size_t middle = record.text.size() / 2;
    while (middle > 1 && (static_cast<unsigned char>(record.text[middle]) & 0xC0) == 0x80)
        middle--;
    Record half = record;
    half.text = record.text.substr(0, middle);
    half.continues = true;
    render_parts(half, prefix);
    half = record;
    half.text = record.text.substr(middle);
    half.continued = true;
    render_parts(half, prefix);
}

void Multiplexer::own_line(std::uint8_t priority, std::string_view unit, std::string_view text, std::uint64_t wall_us,
                           std::uint64_t mono_us) {
    Record record;
    record.wall_us = wall_us;
    record.mono_us = mono_us;
    record.priority = priority;
    record.own = true;
    record.unit = unit.empty() ? own_unit : unit;
    record.identifier = own_unit;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
        record.text = text.substr(0, end);
        if (!record.text.empty())
            (void)offer(record, {own_prefix_, true, true}, Urgency::MustNotWait); // goes on, whatever stdout does
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

void Multiplexer::own_line_now(std::uint8_t priority, std::string_view unit, std::string_view text) {
    own_line(priority, unit, text, static_cast<std::uint64_t>(sys::wall_now().count()), static_cast<std::uint64_t>(sys::monotonic_now().count()));
}

} // namespace monoinit::log
