#pragma once
// Leaves the compiler to machine code out of a static PCRE2: 240 kB, and memory that is both written and executed, in a program that
// matches what strangers write. The library calls these for patterns that were compiled so, and none is (no pcre2_jit_compile());
// since they are here, the linker does not take its own. CMakeLists.txt tries whether that holds for the library at hand.
// To be included by one file, before <pcre2.h>.

#include <cstdlib>

extern "C" {
void _pcre2_jit_check_exec_8() { std::abort(); }
void _pcre2_jit_free_8() { std::abort(); }
void pcre2_jit_match_8() { std::abort(); }
}
// The header declares this one with its parameters.
#define pcre2_jit_match_8 pcre2_jit_match_declared
