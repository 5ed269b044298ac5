// See thread.hpp.
#include "sys/thread.hpp"

#include <pthread.h>

namespace monoinit::sys {

bool start_thread(void* (*entry)(void*), void* argument, std::size_t stack_size) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_size);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    const int error = pthread_create(&thread, &attributes, entry, argument);
    pthread_attr_destroy(&attributes);
    return error == 0;
}

} // namespace monoinit::sys
