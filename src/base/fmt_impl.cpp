// The only instantiation of fmt: its header-only mode costs 4.9 s a file, Debian ships no libfmt.a.
#include <fmt/format-inl.h>
