#pragma once
// One table per enum serves printing and parsing: `constexpr auto names = enum_names<State>({{State::Dead, "dead"}, ...})`.

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace monoinit::base {

template <class E, std::size_t N> using EnumNames = std::array<std::pair<E, std::string_view>, N>;

template <class E, std::size_t N>
constexpr EnumNames<E, N> enum_names(const std::pair<E, std::string_view> (&rows)[N]) {
    EnumNames<E, N> table{};
    for (std::size_t i = 0; i < N; i++)
        table[i] = rows[i];
    return table;
}

template <class E, std::size_t N> constexpr std::string_view name_of(const EnumNames<E, N>& table, E value) {
    for (const auto& [key, name] : table)
        if (key == value)
            return name;
    return "?";
}

template <class E, std::size_t N>
constexpr std::optional<E> value_of(const EnumNames<E, N>& table, std::string_view name) {
    for (const auto& [key, known] : table)
        if (known == name)
            return key;
    return std::nullopt;
}

} // namespace monoinit::base
