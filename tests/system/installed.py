"""A binary that can be replaced under a running PID 1, by a sound one or by one that is unfit."""
import os
import shutil
import struct
import subprocess
import tempfile

import harness

BUILT = harness.MONOINIT


class Installed:
    """A directory of its own with the binary in it, so that it can be replaced under a running PID 1."""

    def __init__(self, binary=BUILT):
        self.binary = binary

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="monoinit-bin-")
        os.chmod(self.dir, 0o755)
        self.path = os.path.join(self.dir, "monoinit")
        shutil.copy(self.binary, self.path)
        for name in ("initctl", "systemctl", "systemd-run"):
            os.symlink("monoinit", os.path.join(self.dir, name))
        harness.MONOINIT = self.path
        return self

    def __exit__(self, *_):
        harness.MONOINIT = BUILT
        shutil.rmtree(self.dir, ignore_errors=True)

    def replace(self, change=None, source=BUILT, mode=0o755):
        """As a package does it: a new file takes the name. `change`: bytes -> bytes."""
        with open(source, "rb") as file:
            bytes_ = file.read()
        with open(self.path + ".new", "wb") as file:
            file.write(change(bytes_) if change else bytes_)
        os.chmod(self.path + ".new", mode)
        os.rename(self.path + ".new", self.path)


def running(box):
    return os.stat(f"/proc/{box.init}/exe").st_ino


def file_offset(binary, address):
    """Where in an ELF file of 64 bits what is mapped at this address lies."""
    with open(binary, "rb") as file:
        header = file.read(64)
        table, size, count = *struct.unpack_from("<Q", header, 32), *struct.unpack_from("<HH", header, 54)
        for i in range(count):
            file.seek(table + i * size)
            kind, _, offset, start, _, length = struct.unpack("<IIQQQQ", file.read(40))
            if kind == 1 and start <= address < start + length:  # PT_LOAD
                return address - start + offset
    raise harness.Failure(f"{address:#x} is not in {binary}")


def broken(symbol):
    """A change that puts an instruction that is none at the beginning of a function."""
    for line in subprocess.run(["nm", BUILT], capture_output=True, text=True, check=True).stdout.splitlines():
        if line.split()[-1] == symbol:
            at = file_offset(BUILT, int(line.split()[0], 16))
            trap = b"\x0f\x0b" if os.uname().machine == "x86_64" else b"\0\0\0\0"
            return lambda bytes_: bytes_[:at] + trap + bytes_[at + len(trap):]
    raise harness.Failure(f"no symbol {symbol}")
