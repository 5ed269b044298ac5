"""A FUSE file system that answers nothing but its own root: whoever looks up a name in it waits for ever.

The daemon is a thread of the test that speaks the kernel's protocol over /dev/fuse, so nothing needs installing. The mount is
made by the box's own shell, in its private mount namespace: pass `setup` and `pass_fds` to the Box.
"""
import contextlib
import errno
import os
import select
import struct
import threading

from harness import Box

INIT, GETATTR = 26, 3
IN_HEADER = struct.Struct("<IIQQIIII")  # length, opcode, unique, node, uid, gid, pid, padding
OUT_HEADER = struct.Struct("<IiQ")      # length, error, unique

# Version 7.31, few limits, no features.
INIT_REPLY = struct.pack("<IIIIHHIIHHI", 7, 31, 0, 0, 16, 12, 4096, 1, 1, 0, 0) + bytes(28)


def usable():
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError:
        return False
    return True


class HungFuse:
    """Use as a context; waiting() says whether somebody waits for an answer.

    A request that the daemon has not read can be killed with its process; one that it has read cannot be (takes=True): the
    process stays until the daemon ends. Both happen to people.
    """

    def __init__(self, where, takes=False):
        self.where = where
        self.takes = takes
        self.taken = []
        self.fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        self.stop_read, self.stop_write = os.pipe()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    @property
    def setup(self):
        """Closes the descriptor afterwards: PID 1 must not hold the daemon's end."""
        return (f"mount -i -t fuse -o fd={self.fd},rootmode=40000,user_id=0,group_id=0,allow_other hung '{self.where}'\n"
                f"exec {self.fd}>&-")

    @property
    def pass_fds(self):
        return (self.fd,)

    def serve(self):
        pause = None
        while True:
            ready, _, _ = select.select([self.stop_read] if pause else [self.fd, self.stop_read], [], [], pause)
            if self.stop_read in ready:
                return
            pause = None
            try:
                request = os.read(self.fd, 1 << 18)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                if error.errno != errno.EPERM:
                    return  # unmounted
                pause = 0.005  # not mounted yet, which nothing tells
                continue
            _, opcode, unique, node = IN_HEADER.unpack_from(request)[:4]
            if opcode == INIT:
                if not self.takes:
                    self.answer(unique, INIT_REPLY)
                    return
                self.answer(unique, INIT_REPLY)
            elif opcode == GETATTR and node == 1:
                # valid for an hour; inode 1, a directory
                attributes = struct.pack("<QQQQQQIIIIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)
                self.answer(unique, struct.pack("<QII", 3600, 0, 0) + attributes)
            else:
                self.taken.append(unique)

    def waiting(self):
        return bool(self.taken) or bool(select.select([self.fd], [], [], 0)[0])

    def answer(self, unique, body):
        os.write(self.fd, OUT_HEADER.pack(OUT_HEADER.size + len(body), 0, unique) + body)

    def close(self):
        if self.fd < 0:
            return
        os.write(self.stop_write, b"x")
        self.thread.join()
        for unique in self.taken:
            with contextlib.suppress(OSError):  # an interrupt, which has no answer
                os.write(self.fd, OUT_HEADER.pack(OUT_HEADER.size, -errno.ENOTCONN, unique))
        for fd in (self.fd, self.stop_read, self.stop_write):
            os.close(fd)
        self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class HungBox(Box):
    """A box with a file system at self.hung that never answers."""

    def __init__(self, units, enable, takes=False, **options):
        super().__init__(units, enable, **options)
        self.hung = self.path("hung")
        os.mkdir(self.hung)
        self.fuse = HungFuse(self.hung, takes)
        self.setup += "\n" + self.fuse.setup
        self.pass_fds = self.fuse.pass_fds

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        self.fuse.close()
        super().close()
