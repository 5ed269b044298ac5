#pragma once
// fmt without its header-only mode; base/fmt_impl.cpp holds the code.
#undef FMT_HEADER_ONLY
#include <fmt/format.h>
