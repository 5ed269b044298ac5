// Store and stdout, in this order: a line that readers can see may be missing on stdout, not the other way round.
// Tested by tests/unit/log/multiplexer_test.cpp.

#include "log/multiplexer.hpp"

#include "log/stored_record.hpp"

#include <algorithm>
#include <cstring>

namespace monoinit::log {
namespace {

// A rendered line must fit the spool (16 pages); escapes can make six bytes of one.
constexpr std::size_t max_rendered = 56 * 1024;
constexpr std::size_t reserve_for_own = 32 * 1024; ///< of the ring: pipes leave it to lines that cannot wait

} // namespace

Multiplexer::Multiplexer(Store& store, OutRing& ring, bool terminal, StoreWriter* files, Forwarder* forwarder)
    : store_(store), files_(files), forwarder_(forwarder), ring_(ring) {
    options_.terminal = terminal;
    configure(Config{});
}

void Multiplexer::configure(const Config& config) {
    options_.format = config.format;
    options_.color = want_color(config.color, options_.terminal);
    console_ = config.console == Console::Output && !config.command_has_terminal;
    own_prefix_ = prefix_for({}, true);
}

std::string Multiplexer::prefix_for(std::string_view unit, bool own) const {
    return make_prefix(unit, own, options_.color);
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

bool Multiplexer::has_room(std::size_t size, Urgency urgency) const {
    const std::size_t free = ring_.free_space();
    const std::size_t kept = urgency == Urgency::MayWait ? reserve_for_own : 0;
    // What is larger than the ring goes when it is empty; what then does not fit is skipped and counted.
    return free >= size + kept || free == ring_size;
}

bool Multiplexer::offer(const Record& record, const Destination& destination, Urgency urgency) {
    if (destination.store && files_ != nullptr && urgency == Urgency::MayWait && !never_wait_ && !files_->may_append(stored_size(record)))
        return false;
    const bool console = destination.console && console_;
    bool fits = console;
    if (console) {
        // The common case needs no copy in between.
        const std::size_t size = destination.prefix.size() + record.text.size() + 1;
        const bool simple = options_.format == Format::Short && !options_.terminal && !record.continues &&
                            !record.continued && std::memchr(record.text.data(), 0, record.text.size()) == nullptr;
        if (!simple)
            render(record, destination.prefix);
        fits = has_room(simple ? size : rendered_.size(), urgency);
        if (!fits && urgency == Urgency::MayWait && !never_wait_)
            return false;
        if (destination.store)
            keep(record);
        if (!fits) {
            skipped_++;
        } else if (simple) {
            char* to = ring_.reserve();
            std::memcpy(to, destination.prefix.data(), destination.prefix.size());
            std::memcpy(to + destination.prefix.size(), record.text.data(), record.text.size());
            to[size - 1] = '\n';
            ring_.commit(size);
        } else {
            put_rendered();
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

void Multiplexer::put_rendered() {
    for (std::string_view lines = rendered_; !lines.empty();) {
        const std::string_view line = whole_lines(lines, 1);
        if (line.size() <= ring_.free_space())
            ring_.put(line);
        else
            skipped_++;
        lines.remove_prefix(line.size());
    }
}

void Multiplexer::render(const Record& record, std::string_view prefix) {
    rendered_.clear();
    if (rendered_.capacity() > 4 * max_rendered)
        rendered_.shrink_to_fit();
    render_parts(record, prefix);
}

void Multiplexer::render_parts(const Record& record, std::string_view prefix) {
    const std::size_t before = rendered_.size();
    append_line(rendered_, record, prefix, options_);
    if (rendered_.size() - before <= max_rendered || record.text.size() < 2)
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

} // namespace monoinit::log
