#pragma once
// How a row of the directive table is written. The type of the field decides nothing by itself: a row names its codec and
// the way from UnitConfig to the field, and gets parse and show from both, so that they cannot disagree.

#include "unit/codecs.hpp"

#include <array>

namespace monoinit::unit::rows {

using base::Result;
using Text = base::Literal;

template <class T> T& opened(T& object) { return object; }
template <class T> T& opened(Shared<T>& shared) { return shared.edit(); }
template <class T> const T& opened(const Shared<T>& shared) { return *shared; }

/// Follows member pointers, opening Shared<> ones on the way.
template <auto First, auto... Rest, class Object> auto& reach(Object& object) {
    auto& member = opened(opened(object).*First);
    if constexpr (sizeof...(Rest) == 0)
        return member;
    else
        return reach<Rest...>(member);
}

template <class Codec, auto... Way> Result<void> parse_field(ParseContext& context, std::string_view value) {
    return Codec::parse(context, value, reach<Way...>(context.unit));
}

template <class Codec, auto... Way> std::string show_field(const UnitConfig& unit) { return Codec::show(reach<Way...>(unit)); }

/// A directive that does what systemd's manual says.
template <class Codec, auto... Way>
constexpr Directive field(Group group, Text name, Text dflt, Text example, Text doc, std::uint16_t since = 0) {
    return {group, Support::Full, since, name, Codec::type, dflt, example, doc, {}, &parse_field<Codec, Way...>, &show_field<Codec, Way...>, {}, {}};
}

/// Kept, but not all of it acts; `note` says what is missing.
template <class Codec, auto... Way>
constexpr Directive degraded(Group group, Text name, Text dflt, Text example, Text doc, Text note, std::uint16_t since = 0) {
    return {group, Support::Degraded, since, name, Codec::type, dflt, example, doc, note, &parse_field<Codec, Way...>, &show_field<Codec, Way...>, {}, {}};
}

/// Known, and without effect; `note` says why and what follows.
constexpr Directive ignored(Group group, Text name, Text doc, Text note, std::uint16_t since = 0) {
    return {group, Support::Ignored, since, name, {}, {}, {}, doc, note, nullptr, nullptr, {}, {}};
}

/// An old name or place that works as today's does.
template <class Codec, auto... Way> constexpr Directive old_name(Group group, Text name, Text example, Text replaced_by) {
    return {group, Support::Full, 0, name, Codec::type, {}, example, "Old form.", {}, &parse_field<Codec, Way...>, nullptr, replaced_by, {}};
}

constexpr Directive old_ignored(Group group, Text name, Text replaced_by, Text note) {
    return {group, Support::Ignored, 0, name, {}, {}, {}, "Old form.", note, nullptr, nullptr, replaced_by, {}};
}

/// The row, and what it means for a unit when this setting was meant and is not in force: "… will NOT come back".
constexpr Directive with_loss(Directive row, Text loss) {
    row.loss = loss;
    return row;
}

} // namespace monoinit::unit::rows
