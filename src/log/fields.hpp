#pragma once
// A line as journal fields (systemd.journal-fields(7)): the one list that JSON, export, verbose and matches go by.
// Tested by tests/unit/log/fields_test.cpp.

#include "log/store_file.hpp"

#include <functional>

namespace monoinit::log {

using FieldSink = std::function<void(std::string_view name, std::string_view value)>;

/// All but the address fields (__CURSOR= …). `boot` of zeros: not known, left out.
void for_each_field(const Record& record, const BootId& boot, const FieldSink& take);
} // namespace monoinit::log
