#!/usr/bin/env python3
"""Purity of the functional core: its objects may name no function that asks the kernel or a clock for anything.
usage: purity.py BUILD_DIR"""
import pathlib
import re
import subprocess
import sys

PURE = ("base", "unit", "graph", "supervise", "engine")
# C functions the core may use: memory, text, arithmetic. C++ symbols of the standard library are judged by FORBIDDEN.
ALLOWED = set("""
memcpy memmove memset memcmp memchr memrchr memmem strlen strnlen strcmp strncmp strchr strrchr strstr strspn strcspn
strtol strtoul strtoll strtoull strtod strtof strerror strerrordesc_np strerror_r __xpg_strerror_r snprintf vsnprintf
bcmp abort __errno_location __stack_chk_fail __cxa_atexit __cxa_guard_acquire __cxa_guard_release __dso_handle
_GLOBAL_OFFSET_TABLE_ __assert_fail __gxx_personality_v0 _Unwind_Resume malloc free realloc calloc strcasecmp strncasecmp
isalnum isalpha isdigit isspace toupper tolower __ctype_b_loc __tls_get_addr ceil floor pow log log2 round lround llround
ceill floorl fmodf fmod ldexp frexp fnmatch localeconv __isoc23_strtol __isoc23_strtoull __cpu_model
__libc_single_threaded __popcountdi2 __divti3 __udivti3 __umodti3 __modti3 __muloti4
""".split())
FORBIDDEN = re.compile(r"chrono.*(steady|system)_clock|std::(__cxx11::)?(basic_)?(i|o)?f?stream|filesystem|thread|random_device"
                       r"|getenv|std::cout|std::cerr")
# fmt can print to a FILE; the core formats into strings only, but the one instantiation holds both.
SKIP = {"fmt_impl.cpp.o"}

build = pathlib.Path(sys.argv[1])
bad = []
for module in PURE:
    archive = build / f"libmi_{module}.a"
    if not archive.exists():
        continue
    out = subprocess.run(["nm", "-u", "-C", "-A", archive], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        found = re.match(r"[^:]+:([^:]+\.o):\s+[Uwv]\s+(.*)", line)
        if not found or found.group(1) in SKIP:
            continue
        symbol = found.group(2)
        plain_c = re.fullmatch(r"[A-Za-z_]\w*(@.*)?", symbol) is not None
        name = symbol.split("@")[0]
        sanitizer = name.startswith(("__asan", "__ubsan", "__gcov", "__sanitizer"))
        if plain_c and name not in ALLOWED and not sanitizer and not name.startswith(("__cxa_", "_Unwind", "__gnu_cxx")):
            bad.append(f"{module}: {found.group(1)} uses {symbol}")
        elif not plain_c and FORBIDDEN.search(symbol):
            bad.append(f"{module}: {found.group(1)} uses {symbol}")
print("\n".join(sorted(set(bad))) or "purity: fine")
sys.exit(1 if bad else 0)
