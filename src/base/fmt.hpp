#pragma once
// fmt without its header-only mode (base/fmt_impl.cpp holds the code), and without floating point numbers, whose printer is
// 40 kB: base::decimal() prints the few that we have.
#define FMT_USE_FLOAT 0
#define FMT_USE_DOUBLE 0
#define FMT_USE_LONG_DOUBLE 0
#undef FMT_HEADER_ONLY
#include <fmt/format.h>
