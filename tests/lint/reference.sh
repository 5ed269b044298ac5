#!/bin/sh
# The committed reference pages are what the table prints. usage: reference.sh SOURCE_DIR MONOINIT
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ln -s "$2" "$dir/initctl"
status=0
for page in directives coverage; do
    file=$(echo "$page" | tr '[:lower:]' '[:upper:]').md
    "$dir/initctl" help "$page" --format=md > "$dir/$file"
    cmp "$dir/$file" "$1/units/$file" || { echo "units/$file is stale: initctl help $page --format=md > units/$file"; status=1; }
done
exit $status
