#pragma once
// Put before every file of a release build (CMakeLists.txt): libstdc++'s checks of indices, iterators and optionals
// (_GLIBCXX_ASSERTIONS) end in a trap, which PID 1 survives as any fault, and whose address is in the log. Their own way names the
// function in words instead: 150 kB of them.

#include <bits/c++config.h>

#ifdef __glibcxx_assert_impl
#undef __glibcxx_assert_impl
#define __glibcxx_assert_impl(condition)                                                                                             \
    if (__builtin_expect(!bool(condition), false)) {                                                                                 \
        __glibcxx_constexpr_assert(false);                                                                                           \
        __builtin_trap();                                                                                                            \
    }
#endif
