// The only instantiation of fmt: its header-only mode costs 4.9 s a file, Debian ships no libfmt.a.
// fmt declares these templates `extern`; the ones for char are instantiated here (we print no wide characters).
// We never use its "L" formats, and std::locale is 600 kB: it brings all of iostreams.
#define FMT_STATIC_THOUSANDS_SEPARATOR ','
#include "base/fmt.hpp"
#include <fmt/format-inl.h>

namespace fmt {
inline namespace v9 {
namespace detail {

template thousands_sep_result<char> thousands_sep_impl(locale_ref);
template char decimal_point_impl(locale_ref);
template void buffer<char>::append(const char*, const char*);
template void vformat_to(buffer<char>&, basic_string_view<char>,
                         basic_format_args<FMT_BUFFER_CONTEXT(type_identity_t<char>)>, locale_ref);

} // namespace detail
} // namespace v9
} // namespace fmt
