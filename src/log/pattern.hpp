#pragma once
// Regular expressions over lines: journalctl's --grep= and LogFilterPatterns=. Perl's, by PCRE2, as systemd has them; a build without
// that library has POSIX extended ones with \d \D and (?:…) besides, and says so where a pattern needs more.
// Tested by tests/unit/log/selection_test.cpp.

#include "base/result.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace monoinit::log {

/// Where it demands some fixed text, whole blocks without it are passed over.
class Pattern {
  public:
    static base::Result<Pattern> compile(const std::string& text, bool ignore_case);
    /// A match that takes too long is none: lines come from strangers, and so may patterns.
    bool matches(std::string_view text) const;
    /// Text that every match holds; empty: none is known.
    std::string_view literal() const { return literal_; }

  private:
    struct Compiled;
    std::shared_ptr<const Compiled> compiled_; ///< nothing: literal_ is all of it
    std::string literal_;
};
/// Whether this build has PCRE2.
bool has_perl_patterns();
/// journalctl's rule: a pattern without capitals ignores case.
bool has_capitals(std::string_view text);

} // namespace monoinit::log
