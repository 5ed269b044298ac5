/* A service that says when it is ready and shows that it lives:  cc -o notify notify.c -lsystemd */
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <systemd/sd-daemon.h>

static volatile sig_atomic_t stopping;
static void on_sigterm(int sig) { stopping = sig; }

int main(void) {
    struct sigaction action = {.sa_handler = on_sigterm}; /* no SA_RESTART: poll() is to end */
    sigaction(SIGTERM, &action, 0);
    uint64_t watchdog_usec = 2000000; /* stays when WatchdogSec= is not set */
    sd_watchdog_enabled(0, &watchdog_usec);
    sd_notify(0, "READY=1\nSTATUS=at your service");
    while (!stopping) {
        sd_notify(0, "WATCHDOG=1");
        poll(0, 0, (int)(watchdog_usec / 2000)); /* half of it, in milliseconds */
    }
    return sd_notify(0, "STOPPING=1") < 0;
}
