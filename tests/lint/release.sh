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
named() { [ "$(readlink -f "$(dirname "$binary")/$1")" = "$(readlink -f "$binary")" ]; }

check "$(wc -c <"$binary") bytes, at most $limit" small
check "not position-independent" position_independent
check "needs other files to run" static
check "holds symbols" stripped
for tool in initctl monoctl systemctl journalctl; do check "no link $tool beside it" named "$tool"; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
