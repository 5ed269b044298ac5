#!/bin/sh
# Each header compiles alone. usage: headers.sh SOURCE_DIR
set -eu
cd "$1/src"
find . -name '*.hpp' | sort | xargs -P 2 -I{} sh -c '
    g++ -std=c++20 -fsyntax-only -Wall -Wextra -D_GNU_SOURCE -I. -x c++ -include "{}" /dev/null ||
        { echo "{}: does not compile alone"; exit 255; }'
echo "headers: each compiles alone"
