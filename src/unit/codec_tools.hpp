#pragma once
// What codecs and the command line parser share: specifiers, complaints that do not end the setting.

#include "base/result.hpp"
#include "unit/directives.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

/// Specifiers of the unit being parsed; text without "%" passes through.
base::Result<std::string> expand(const ParseContext& context, std::string text);

/// A complaint about a part of the value; the rest of it counts. parse_unit_text() adds directive and excerpt.
void note(ParseContext& context, std::string text);

/// "not one of a, b, c", with the closest as the context's suggestion.
base::Error not_one_of(ParseContext& context, std::string_view value, const std::vector<std::string_view>& words);

/// Appends words (split with these WordFlags, specifiers expanded); an empty value resets. Those that `fits` refuses are
/// left out with `complaint` as a note.
base::Result<void> add_words(ParseContext& context, std::string_view value, unsigned flags, std::vector<std::string>& field,
                             bool (*fits)(std::string_view), std::string_view complaint);

/// An absolute path without "..", specifiers expanded, simplified.
base::Result<std::string> absolute_path(const ParseContext& context, std::string_view value);

} // namespace monoinit::unit
