#pragma once
// What a fuzz entry holds to be true; a fuzzer keeps the input that makes it false.

#include <cstdlib>

inline void require(bool condition) {
    if (!condition)
        std::abort();
}
