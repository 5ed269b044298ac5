#pragma once
// The checkpoint's format: a version byte, then fields of tag, length and bytes. Tags are never used for another
// meaning and unknown ones are skipped, so older and newer binaries read each other. A field at its default is left out.
// One function lists the fields of a thing, for saving and restoring alike: they cannot disagree. Reading trusts
// nothing: every length and enum is checked. Private to engine/. Tested by tests/unit/engine and tests/sim.

#include "base/ids.hpp"
#include "base/signals.hpp"
#include "base/time.hpp"

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace monoinit::engine {

using Tag = std::uint8_t;

class Writer {
  public:
    static constexpr bool saving = true;

    explicit Writer(std::uint8_t version) { bytes_ += static_cast<char>(version); }
    std::string take() { return std::move(bytes_); }
    bool ok() const { return true; }

    template <class T> void operator()(Tag tag, const T& value) {
        std::string field;
        put(field, value);
        add(tag, field);
    }
    template <class E> void enumeration(Tag tag, const E& value, E /*last*/) { (*this)(tag, static_cast<std::uint64_t>(value)); }
    /// A nested thing with fields of its own.
    template <class List> void nested(Tag tag, List&& list) {
        Writer inner(1);
        list(inner);
        add(tag, inner.bytes_);
    }

  private:
    void add(Tag tag, const std::string& field) {
        if (field.empty())
            return;
        bytes_ += static_cast<char>(tag);
        put_number(bytes_, field.size());
        bytes_ += field;
    }
    static void put_number(std::string& out, std::uint64_t value) {
        for (; value >= 0x80; value >>= 7)
            out += static_cast<char>(value | 0x80);
        out += static_cast<char>(value);
    }
    /// Defaults give no bytes; so does zero, but inside lists, where each element has its place.
    template <class T>
        requires std::is_integral_v<T>
    static void put(std::string& out, T value) {
        if (value != 0)
            put_number(out, static_cast<std::uint64_t>(value));
    }
    static void put(std::string& out, base::Duration value) { put(out, value.count()); }
    static void put(std::string& out, base::Instant value) { put(out, value == base::never ? 0 : value.since_boot.count() + 1); }
    static void put(std::string& out, const base::Moment& value) {
        if (value == base::Moment{})
            return;
        put_number(out, static_cast<std::uint64_t>(value.mono.since_boot.count()));
        put_number(out, static_cast<std::uint64_t>(value.wall.count()));
    }
    static void put(std::string& out, const std::string& value) { out += value; }
    template <class T, class R> static void put(std::string& out, base::Id<T, R> value) { put(out, value.value); }
    static void put(std::string& out, const std::optional<base::ExitInfo>& value) {
        if (!value)
            return;
        put_number(out, static_cast<std::uint64_t>(value->code));
        put_number(out, static_cast<std::uint64_t>(value->status));
    }
    static void put_element(std::string& out, base::Instant value) { put_number(out, static_cast<std::uint64_t>(value.since_boot.count())); }
    static void put_element(std::string& out, std::uint64_t value) { put_number(out, value); }
    template <class T, class R> static void put_element(std::string& out, base::Id<T, R> value) { put_number(out, value.value); }
    template <class T> static void put(std::string& out, const std::vector<T>& values) {
        for (const T& value : values)
            put_element(out, value);
    }

    std::string bytes_;
};

class Reader {
  public:
    static constexpr bool saving = false;

    explicit Reader(std::string_view bytes) { ok_ = parse(bytes); }
    bool ok() const { return ok_; }

    template <class T> void operator()(Tag tag, T& value) {
        reset(value);
        std::string_view field = fields_[tag];
        if (field.empty())
            return;
        get(field, value);
        ok_ = ok_ && field.empty();
    }
    template <class E> void enumeration(Tag tag, E& value, E last) {
        std::uint64_t number = 0;
        (*this)(tag, number);
        if (number > static_cast<std::uint64_t>(last))
            ok_ = false;
        else
            value = static_cast<E>(number);
    }
    template <class List> void nested(Tag tag, List&& list) {
        if (fields_[tag].empty())
            return;
        Reader inner(fields_[tag]);
        list(inner);
        ok_ = ok_ && inner.ok_;
    }

  private:
    template <class T> static void reset(T& value) { value = T{}; }
    static void reset(base::Instant& value) { value = base::never; }
    bool parse(std::string_view bytes) {
        if (bytes.empty() || bytes.front() != 1)
            return false;
        bytes.remove_prefix(1);
        while (!bytes.empty()) {
            const auto tag = static_cast<Tag>(bytes.front());
            bytes.remove_prefix(1);
            std::uint64_t size = 0;
            if (!get_number(bytes, size) || size > bytes.size())
                return false;
            fields_[tag] = bytes.substr(0, size);
            bytes.remove_prefix(size);
        }
        return true;
    }
    static bool get_number(std::string_view& from, std::uint64_t& value) {
        value = 0;
        for (unsigned shift = 0; !from.empty() && shift < 64; shift += 7) {
            const auto byte = static_cast<std::uint8_t>(from.front());
            from.remove_prefix(1);
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0)
                return true;
        }
        return false;
    }
    /// Times of a checkpoint are before the year 10000; anything else is damage, and would overflow sums.
    static constexpr std::int64_t latest = 253'402'300'800LL * 1'000'000;
    std::int64_t get_time(std::string_view& from) {
        std::uint64_t number = 0;
        ok_ = ok_ && get_number(from, number) && number <= static_cast<std::uint64_t>(latest);
        return ok_ ? static_cast<std::int64_t>(number) : 0;
    }
    template <class T>
        requires std::is_integral_v<T>
    void get(std::string_view& from, T& value) {
        std::uint64_t number = 0;
        ok_ = ok_ && get_number(from, number);
        value = static_cast<T>(number);
        ok_ = ok_ && static_cast<std::uint64_t>(value) == number;
    }
    void get(std::string_view& from, base::Duration& value) {
        std::int64_t count = 0;
        get(from, count);
        const bool sane = count == base::infinity.count() || (count <= latest && count >= -latest);
        ok_ = ok_ && sane;
        value = base::Duration(sane ? count : 0);
    }
    void get(std::string_view& from, base::Instant& value) {
        const std::int64_t count = get_time(from);
        value = count == 0 ? base::never : base::Instant{base::Duration(count - 1)};
    }
    void get(std::string_view& from, base::Moment& value) {
        value.mono = base::Instant{base::Duration(get_time(from))};
        value.wall = base::Duration(get_time(from));
    }
    void get(std::string_view& from, std::string& value) {
        value = from;
        from = {};
    }
    template <class T, class R> void get(std::string_view& from, base::Id<T, R>& value) { get(from, value.value); }
    void get(std::string_view& from, std::optional<base::ExitInfo>& value) {
        std::uint64_t code = 0, status = 0;
        ok_ = ok_ && get_number(from, code) && get_number(from, status) && code <= 2 && status <= 255;
        if (ok_)
            value = base::ExitInfo{static_cast<base::ExitInfo::Code>(code), static_cast<int>(status)};
    }
    void get_element(std::string_view& from, base::Instant& value) { value = base::Instant{base::Duration(get_time(from))}; }
    void get_element(std::string_view& from, std::uint64_t& value) { ok_ = ok_ && get_number(from, value); }
    template <class T, class R> void get_element(std::string_view& from, base::Id<T, R>& value) { get(from, value.value); }
    template <class T> void get(std::string_view& from, std::vector<T>& values) {
        values.clear();
        while (ok_ && !from.empty()) {
            T value{};
            get_element(from, value);
            values.push_back(value);
        }
    }

    std::array<std::string_view, 256> fields_{};
    bool ok_ = true;
};

} // namespace monoinit::engine
