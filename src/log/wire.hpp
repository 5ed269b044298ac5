#pragma once
// Packing of the log protocols: host byte order (both ends run on one machine), strings with a 32-bit length in front.
// The reader never reads past its bytes: a short message makes it fail, and every later field reads as zero.
// Tested by tests/unit/log/protocol_test.cpp.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace monoinit::log {

class Packer {
  public:
    explicit Packer(std::string& out) : out_(out) {}

    template <class T>
        requires std::is_arithmetic_v<T>
    Packer& number(T value) {
        char bytes[sizeof value];
        std::memcpy(bytes, &value, sizeof value);
        out_.append(bytes, sizeof value);
        return *this;
    }
    Packer& flag(bool value) { return number<std::uint8_t>(value ? 1 : 0); }
    Packer& text(std::string_view value) {
        number(static_cast<std::uint32_t>(value.size()));
        out_.append(value);
        return *this;
    }

  private:
    std::string& out_;
};

class Unpacker {
  public:
    explicit Unpacker(std::string_view bytes) : rest_(bytes) {}

    template <class T>
        requires std::is_arithmetic_v<T>
    T number() {
        return number_like<T>();
    }
    bool flag() { return number<std::uint8_t>() != 0; }
    /// A structure of numbers, as it lies in memory.
    template <class T>
        requires std::is_trivially_copyable_v<T>
    T number_like() {
        T value{};
        if (rest_.size() < sizeof value) {
            fail();
            return value;
        }
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_.remove_prefix(sizeof value);
        return value;
    }
    std::string_view text() {
        const auto size = number<std::uint32_t>();
        if (size > rest_.size()) {
            fail();
            return {};
        }
        const std::string_view value = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return value;
    }
    /// For fields that later versions append: what an older sender left out keeps its default.
    bool more() const { return !failed_ && !rest_.empty(); }
    bool failed() const { return failed_; }

  private:
    void fail() {
        failed_ = true;
        rest_ = {};
    }
    std::string_view rest_;
    bool failed_ = false;
};

} // namespace monoinit::log
