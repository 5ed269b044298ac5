"""refuse.py CALL[,CALL…] ERROR COMMAND…: executes COMMAND under a seccomp filter that answers these system calls with ERROR, as
container engines and old kernels do. Exits with 77 where it knows no numbers for the machine."""
import ctypes
import errno
import os
import platform
import struct
import sys

CALLS = {  # x86_64, aarch64
    "clone3": (435, 435), "close_range": (436, 436), "epoll_create1": (291, 20), "eventfd2": (290, 19), "faccessat2": (439, 439),
    "fallocate": (285, 47), "getrandom": (318, 278), "inotify_init1": (294, 26), "memfd_create": (319, 279), "openat2": (437, 437),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "renameat2": (316, 276), "signalfd4": (289, 74), "statx": (332, 291),
    "timerfd_create": (283, 85),
}
MACHINES = ("x86_64", "aarch64")
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF: a word of the call's data, a comparison, the end
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def refuse(numbers, error):
    """No new privileges are not asked for, since services would lose theirs; so this needs root."""
    def step(code, value, hit=0, miss=0):
        return struct.pack("HBBI", code, hit, miss, value)
    program = step(LOAD, 0) + b"".join(step(EQUAL, number, len(numbers) - i) for i, number in enumerate(numbers))
    program += step(RETURN, ALLOW) + step(RETURN, REFUSE | error)
    buffer = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(header), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    if platform.machine() not in MACHINES:
        sys.exit(77)
    refuse([CALLS[call][MACHINES.index(platform.machine())] for call in sys.argv[1].split(",")], getattr(errno, sys.argv[2]))
    os.execvp(sys.argv[3], sys.argv[3:])
