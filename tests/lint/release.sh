#!/bin/sh
# What can be said of the release binary without running it: its size, one static file, no symbols, the tools' names beside it.
# usage: release.sh MONOINIT     Ends with "N passed, N failed".
set -eu
binary=$1
limit=4000000 # bytes: it is copied into every image
passed=0 failed=0

check() { # WHAT COMMAND…
    what=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED: $what"; fi
}

small() { [ "$(wc -c <"$binary")" -le "$limit" ]; }
position_independent() { readelf -h "$binary" | grep -q 'Type: *DYN'; }
static() { ! readelf -lW "$binary" | grep -q INTERP && ! readelf -dW "$binary" | grep -q NEEDED; }
stripped() { ! readelf -SW "$binary" | grep -qE ' \.(symtab|debug_)'; }
bound_at_start() { readelf -lW "$binary" | grep -q GNU_RELRO && readelf -dW "$binary" | grep -qE 'BIND_NOW|Flags:.*NOW'; }
nothing_writable_is_executable() { ! readelf -lW "$binary" | grep -E '^ +(LOAD|GNU_STACK)' | grep -q 'RWE'; }
# Nearly every function with an array has a canary, and every one that is called by its address a landing pad.
guarded() { [ "$(objdump -d "$binary" | grep -c '%fs:0x28')" -gt 1000 ] && [ "$(objdump -d "$binary" | grep -c endbr64)" -gt 1000 ]; }
named() { [ "$(readlink -f "$(dirname "$binary")/$1")" = "$(readlink -f "$binary")" ]; }

check "$(wc -c <"$binary") bytes, at most $limit" small
check "not position-independent" position_independent
check "needs other files to run" static
check "holds symbols" stripped
check "tables of addresses stay writable" bound_at_start
check "memory that is both writable and executable" nothing_writable_is_executable
if [ "$(uname -m)" = x86_64 ]; then check "no stack protector or landing pads" guarded; fi
for tool in initctl monoctl systemctl journalctl; do check "no link $tool beside it" named "$tool"; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
