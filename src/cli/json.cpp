// Objects and arrays on one line each. Tested by tests/unit/cli/json_test.cpp.
#include "cli/json.hpp"

#include "base/strings.hpp"

namespace monoinit::cli {

std::string json_object(const JsonFields& fields) {
    std::vector<std::string> members;
    members.reserve(fields.size());
    for (const auto& [name, value] : fields)
        members.push_back(json_string(name) + ": " + value);
    return "{" + base::join(members, ", ") + "}";
}

std::string json_array(const std::vector<std::string>& items) { return "[" + base::join(items, ", ") + "]"; }

std::string json_strings(const std::vector<std::string>& texts) {
    std::vector<std::string> items;
    items.reserve(texts.size());
    for (const std::string& text : texts)
        items.push_back(json_string(text));
    return json_array(items);
}

} // namespace monoinit::cli
