#!/bin/bash
# Sourced: what the hello image does however it is run.
# shellcheck source=tests/container/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# hello_story [OPTION…]: boots it, kills web, restarts worker, stops.
hello_story() {
    local main
    image hello
    start -p 127.0.0.1::8080 "$@" "$image"
    watch_zombies
    expect "web serves what setup wrote" 20 answers 8080 /
    expect "one line says that all is up" 5 logged '^\[monoinit\] ready in [0-9.]+ s: 2 running, 1 done, 0 failed'
    expect "setup ran first" 0 in_order '^\[monoinit\] setup: done' '^\[monoinit\] web: started'
    expect "as its own words show" 5 in_order '^\[setup\] wrote' '^\[web\] listening'
    main=$(prop web MainPID)
    signal KILL "$main"
    expect "the death is told, and what comes next" 5 logged \
        '^\[monoinit\] web: killed \(SIGKILL\) after .*; restarting in 100 ms \(attempt 1\)'
    expect "web serves again" 10 answers 8080 /
    expect "initctl restart tells what it did" 0 says '^worker: restarted in [0-9.]+ m?s \(pid [0-9]+\)' in_c initctl restart worker
    stops worker web setup
    expect "worker, which comes after web, ended before it" 0 in_order '^\[worker\] last job done' '^\[web\] closing'
}
