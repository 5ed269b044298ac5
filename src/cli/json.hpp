#pragma once
// JSON of the verbs whose answer is not a reply of the init (those print control::to_json). Values given are JSON already.
// Tested by tests/unit/cli/json_test.cpp and tests/system/control.py.

#include "control/codec.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace monoinit::cli {

using control::json_string;

using JsonFields = std::vector<std::pair<std::string_view, std::string>>;
std::string json_object(const JsonFields& fields);
std::string json_array(const std::vector<std::string>& items);
std::string json_strings(const std::vector<std::string>& texts); ///< an array of strings

} // namespace monoinit::cli
