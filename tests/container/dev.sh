#!/bin/bash
# Sourced: what a person goes through with the dev image. The stories of it differ in how the container is run.
# shellcheck source=tests/container/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# boot [OPTION…]: the dev image with both ports published.
boot() {
    image dev
    start -p 127.0.0.1::4035 -p 127.0.0.1::8035 -e PASSWORD=dev "$@" "$image"
    watch_zombies
}

both_pages_answer() {
    expect "code-server answers from outside" 60 answers 4035 /healthz
    expect "its login page comes" 5 has_text 4035 /login code-server
    expect "difit answers from outside" 60 answers 8035 /api/diff
    expect "its page comes" 5 has_text 8035 / "[Dd]ifit"
}

has_text() { says "$3" get "$1" "$2"; }

init_job_ran_first() {
    expect "the init job ended before the services started" 5 in_order \
        '^\[monoinit\] docker-entrypoint: done' '^\[monoinit\] code-server: started'
    expect "as its own words show" 5 in_order '^\[docker-entrypoint\] ' '^\[code-server\] '
    expect "before difit too" 5 in_order '^\[monoinit\] docker-entrypoint: done' '^\[monoinit\] difit: started'
    expect "one line says that all is up" 5 logged '^\[monoinit\] ready in [0-9.]+ s: 2 running, 1 done, 0 failed'
    expect "output carries the unit's name" 5 logged '^\[code-server\] .*HTTP server listening'
}

# comes_back UNIT PORT PATH: another main process than $main, and it answers on the same port.
comes_back() {
    expect "$1 is back with another pid" 40 prop_moves "$1" "$main"
    expect "$1 answers on the same port" 40 answers "$2" "$3"
}

inner_pid() { in_c pgrep -o -f out/node/entry; }

inner_process_is_killed() {
    main=$(prop code-server MainPID)
    expect "code-server has its inner process" 20 inner_pid
    in_c pkill -KILL -f out/node/entry
    comes_back code-server 4035 /healthz
}

wrapper_is_killed() {
    main=$(prop code-server MainPID)
    expect "code-server has its inner process" 20 inner_pid
    local inner
    inner=$(inner_pid)
    signal KILL "$main"
    comes_back code-server 4035 /healthz
    expect "the old inner process is gone" 0 not in_c test -d "/proc/$inner"
    expect "nobody found the port taken" 0 not logged EADDRINUSE
}

# The browser holds /api/heartbeat open; difit ends when the last one goes.
last_page_is_closed() {
    main=$(prop difit MainPID)
    local page beats=$scratch/$story.heartbeat
    : >"$beats"
    curl -sN "http://$(addr 8035)/api/heartbeat" >"$beats" &
    page=$!
    expect "a page is open at difit" 10 test -s "$beats"
    kill "$page"
    wait "$page" || true
    comes_back difit 8035 /api/diff
}

restart_by_uid_1000() {
    main=$(prop code-server MainPID)
    expect "initctl restart code-server as uid 1000" 0 as 1000 initctl restart code-server
    comes_back code-server 4035 /healthz
}

restart_of_a_strangers_unit_is_refused() {
    expect "uid 1000 may not restart root's init job" 0 not as 1000 initctl restart docker-entrypoint
}

overview_shows_all() {
    expect "the overview names the three" 5 overview_has code-server difit docker-entrypoint
}

overview_has() {
    local text unit
    text=$(in_c initctl)
    for unit; do grep -q -- "$unit" <<<"$text" || return 1; done
}

# all_of_it [OPTION…]: the whole story.
all_of_it() {
    # The unit's own RestartSec=10 is waited for in the story `dev`.
    mkdir -p "$units"
    printf '[Service]\nRestartSec=1\n' >"$units/fast.conf"
    boot -v "$units/fast.conf:/etc/systemd/system/code-server.service.d/fast.conf:ro" "$@"
    both_pages_answer
    init_job_ran_first
    overview_shows_all
    restart_by_uid_1000
    inner_process_is_killed
    wrapper_is_killed
    last_page_is_closed
    stops "code-server difit" docker-entrypoint
}
