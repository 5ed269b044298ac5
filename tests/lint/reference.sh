#!/bin/sh
# The committed reference page is what the binary prints. (units/COVERAGE.md: tests/unit/unit/reference_test.cpp.)
# usage: reference.sh SOURCE_DIR MONOINIT
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ln -s "$2" "$dir/initctl"
"$dir/initctl" help directives --format=md > "$dir/page"
cmp "$dir/page" "$1/units/DIRECTIVES.md" || { echo "stale: initctl help directives --format=md > units/DIRECTIVES.md"; exit 1; }
