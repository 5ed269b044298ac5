#pragma once
// Text in the rows of a big table: the address of a string literal. A string_view is twice as long, and what a table of
// addresses takes, each process that is executed takes anew, since the loader writes it (a kilobyte for every 128 of them).

#include <concepts>
#include <string_view>

namespace monoinit::base {

class Literal {
  public:
    constexpr Literal() = default;
    constexpr Literal(const char* text) : text_(text) {}
    constexpr std::string_view view() const { return text_; }
    constexpr operator std::string_view() const { return view(); }
    template <std::convertible_to<std::string_view> Text> friend constexpr bool operator==(const Literal& one, const Text& other) {
        return one.view() == std::string_view(other);
    }
    constexpr bool empty() const { return *text_ == 0; }

  private:
    const char* text_ = "";
};

} // namespace monoinit::base
