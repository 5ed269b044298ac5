#pragma once
// Result<T>: a value or an Error. Functions that can fail return it; TRY passes the error on.
// Exceptions are not control flow in this project. The names mirror std::expected.
// Tested by tests/unit/base.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace monoinit::base {

enum class Errc : std::uint8_t { Invalid, NotFound, Exists, TooLarge, Denied, Unsupported, System, Protocol, Busy };

/// Where in a unit or configuration file something stands. Lines count from 1; 0 = the whole file.
struct SourcePos {
    std::string file;
    std::uint32_t line = 0;

    bool operator==(const SourcePos&) const = default;
};

struct Error {
    Errc code = Errc::Invalid;
    int errnum = 0;   ///< errno where a system call failed, else 0
    std::string what; ///< one sentence without trailing full stop
    std::optional<SourcePos> at;
};

inline Error fail(Errc code, std::string what) { return Error{code, 0, std::move(what), std::nullopt}; }

/// "what: strerror" for a failed system call.
Error fail_errno(int errnum, std::string what);

/// Whether an errno tells of something that there is again later: descriptors, memory, processes.
bool is_shortage(int errnum);

/// "file:line: what" (without the position where there is none).
std::string to_string(const Error& error);

template <class T> class [[nodiscard]] Result {
  public:
    Result(T value) : data_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : data_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const { return data_.index() == 0; }
    explicit operator bool() const { return has_value(); }
    T& value() & { return std::get<0>(data_); }
    const T& value() const& { return std::get<0>(data_); }
    T&& value() && { return std::get<0>(std::move(data_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    Error& error() & { return std::get<1>(data_); }
    const Error& error() const& { return std::get<1>(data_); }
    Error&& error() && { return std::get<1>(std::move(data_)); }
    template <class U> T value_or(U&& fallback) && {
        return has_value() ? std::move(*this).value() : static_cast<T>(std::forward<U>(fallback));
    }

  private:
    std::variant<T, Error> data_;
};

template <> class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    bool has_value() const { return !error_; }
    explicit operator bool() const { return has_value(); }
    void value() const {}
    Error& error() & { return *error_; }
    const Error& error() const& { return *error_; }
    Error&& error() && { return std::move(*error_); }

  private:
    std::optional<Error> error_;
};

} // namespace monoinit::base

/// Evaluates to the value of a Result, or returns its error from the enclosing function.
#define TRY(expression)                                                                            \
    __extension__({                                                                                \
        auto try_result_ = (expression);                                                           \
        if (!try_result_.has_value())                                                              \
            return std::move(try_result_).error();                                                 \
        std::move(try_result_).value();                                                            \
    })
