#pragma once
// Threads of the logger, each for something that may block. Tested by tests/unit/log/store_writer_test.cpp, stdout_writer_test.cpp, tests/system/promise_06_more.py.

#include <cstddef>

namespace monoinit::sys {

/// Runs `work` in a thread that ends with the process. False: none could be made.
bool start_thread(void* (*entry)(void*), void* argument, std::size_t stack_size);

/// object.run() in such a thread; the object must live as long as the process.
template <auto Run, class T> bool start_thread(T& object, std::size_t stack_size) {
    const auto entry = [](void* self) -> void* {
        (static_cast<T*>(self)->*Run)();
        return nullptr;
    };
    return start_thread(entry, &object, stack_size);
}

} // namespace monoinit::sys
