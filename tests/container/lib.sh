#!/bin/bash
# shellcheck disable=SC2034  # what is set here is used by the stories
# Sourced by the stories: an engine, the images, containers, and ways to wait for what is to be true.
#
# The engine is podman with runc, from Debian's packages, under a configuration of the tests' own; the base image
# is made by mmdebstrap, so that no image registry is needed. Both stay in place from one run to the next.
# Nothing here sleeps in the hope that something has happened by then: `expect` asks until it is so, or it fails.
set -eu -o pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
support=$root/tests/container/support
scratch=$root/build/container
story=$(basename "$0")
garbage=("$scratch/$story.units")
labels=(--label "monoinit-story=$story")
mkdir -p "$scratch"
# Health checks on a timer take a systemd on the host: here they are run by hand.
export DISABLE_HC_SYSTEMD=true

die() {
    echo "FAILED: $*" >&2
    exit 1
}

skip() {
    echo "SKIPPED: $*"
    exit 77
}

# need_packages PACKAGE…: installs those that are missing.
need_packages() {
    local package missing=()
    for package; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo -n"
    echo "installing ${missing[*]}"
    { $sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q \
        --no-install-recommends "${missing[@]}"; } >"$scratch/apt.log" 2>&1 ||
        { tail -5 "$scratch/apt.log" >&2; return 1; }
}

# The engine, and localhost/debian:12. Returns 1 where no container can run.
engine() {
    need_packages podman runc catatonit netavark aardvark-dns iptables mmdebstrap ca-certificates curl python3 || return 1
    # runc and low limits: what works also in a container and on a machine with both kinds of cgroups.
    cat >"$scratch/containers.conf" <<-'CONF'
	[containers]
	default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
	[engine]
	runtime = "runc"
	[network]
	network_backend = "netavark"
	CONF
    export CONTAINERS_CONF=$scratch/containers.conf
    if ! podman image exists localhost/debian:12; then
        echo "making the base image"
        {
            mmdebstrap --quiet --variant=minbase bookworm "$scratch/base.tar" &&
                podman import --quiet --change 'CMD ["bash"]' \
                    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
                    "$scratch/base.tar" localhost/debian:12
        } >"$scratch/base.log" 2>&1 || { tail -5 "$scratch/base.log" >&2; return 1; }
        rm -f "$scratch/base.tar"
    fi
    podman run --rm localhost/debian:12 true >"$scratch/trial.log" 2>&1 || { tail -5 "$scratch/trial.log" >&2; return 1; }
}

# The binary under test, MONOINIT_BINARY or built here; nothing happens when it is up to date.
binary() {
    if [ -n "${MONOINIT_BINARY:-}" ]; then
        mkdir -p "$root/build/release"
        cmp -s "$MONOINIT_BINARY" "$root/build/release/monoinit" || install "$MONOINIT_BINARY" "$root/build/release/monoinit"
        return 0
    fi
    need_packages g++ cmake ninja-build libfmt-dev liblz4-dev libpcre2-dev libtomlplusplus-dev nlohmann-json3-dev
    (cd "$root" && cmake --preset release && cmake --build --preset release) >"$scratch/build.log" 2>&1 ||
        { tail -20 "$scratch/build.log" >&2; die "the binary does not build"; }
}

# image TARGET: builds localhost/mono-TARGET, unless the runner has just done so; sets $image.
image() {
    image=localhost/mono-$1
    [ "${MONOINIT_IMAGES_BUILT:-}" != yes ] || return 0
    binary
    # The Dockerfile's npm must trust what this machine trusts.
    "$support/bin/docker" build -q --build-arg PREBUILT=build/release/monoinit \
        --target "$1" -t "$image" -f "$root/Dockerfile.example" "$root" >"$scratch/image-$1.log" 2>&1 ||
        { tail -20 "$scratch/image-$1.log" >&2; die "the image $1 does not build"; }
}

# start [OPTION…] IMAGE [ARG…]: a container in the background; sets $c, and $pid (its PID 1 seen from here).
start() {
    c=$(podman run -d "${labels[@]}" "$@")
    pid=$(podman inspect -f '{{.State.Pid}}' "$c")
}

# start_bare DIR [OPTION…] [-- ARG…]: the binary alone in Debian's smallest image, or the one in $base; DIR is its unit directory.
base=localhost/debian:12
start_bare() {
    local dir=$1 options=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    binary
    start -v "$root/build/release/monoinit:/usr/local/sbin/monoinit:ro" \
        -v "$root/build/release/monoinit:/usr/local/sbin/initctl:ro" \
        -v "$dir:/etc/systemd/system" --entrypoint monoinit "${options[@]}" "$base" "$@"
}

# image_with PACKAGE…: Debian's image with these installed, kept from one run to the next; sets $base.
image_with() {
    base=localhost/mono-with-$(sha1sum <<<"$*" | cut -c1-12)
    podman image exists "$base" && return
    start --network=host --entrypoint sh localhost/debian:12 -c "apt-get update -q &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $* && rm -rf /var/lib/apt/lists/*"
    expect "an image with $*" 300 exited
    expect "is installed" 0 exit_code_is 0
    podman commit -q "$c" "$base" >/dev/null
    podman rm -f "$c" >/dev/null
}

# unit NAME: a unit file from standard input, enabled, in $units.
units=$scratch/$story.units
unit() {
    mkdir -p "$units/multi-user.target.wants"
    cat >"$units/$1"
    ln -sf "../$1" "$units/multi-user.target.wants/$1"
}

in_c() { podman exec "$c" "$@"; }

# signal NAME PID: sent inside, by a shell (the smallest image has no kill).
signal() { in_c sh -c "kill -$1 $2"; }

# as USER COMMAND…: the same as another user.
as() {
    local user=$1
    shift
    podman exec --user "$user" "$c" "$@"
}

logs() { podman logs "$c" 2>&1; }

# says REGEX COMMAND…: it succeeds and a line of its output matches. All of the output is read before it is looked at:
# a grep that leaves at the first match would end the command by SIGPIPE.
says() {
    local text
    text=$("${@:2}") && grep -Eq -- "$1" <<<"$text"
}

# logged REGEX: a line of the container's output matches.
logged() { says "$1" logs; }

# in_order REGEX…: the first line that matches each comes after the first that matches the one before.
in_order() {
    local regex text at last=0
    text=$(logs)
    for regex; do
        at=$(grep -nEm1 -- "$regex" <<<"$text" | cut -d: -f1) || true
        if [ "${at:-0}" -le "$last" ]; then
            echo "not in order: $regex is line ${at:-none}, the one before it $last"
            return 1
        fi
        last=$at
    done
}

# addr PORT: where the container's port is reached from outside of it.
addr() { podman port "$c" "$1/tcp" | sed -n '1{s/^0\.0\.0\.0/127.0.0.1/;p}'; }

# get PORT PATH: an HTTP request from outside, the body on stdout; fails unless 2xx or 3xx.
get() { curl -fsS -m 5 "http://$(addr "$1")$2"; }
answers() { get "$1" "$2" >/dev/null 2>&1; }

# prop UNIT PROPERTY
prop() { in_c initctl show -p "$2" --value "$1"; }
prop_is() { [ "$(prop "$1" "$2" 2>/dev/null)" = "$3" ]; }
prop_is_not() { [ "$(prop "$1" "$2" 2>/dev/null)" != "$3" ]; }
# prop_moves UNIT PID: it has a main process, and another one than PID.
prop_moves() {
    local now
    now=$(prop "$1" MainPID 2>/dev/null) && [ "${now:-0}" != 0 ] && [ "$now" != "$2" ]
}
exited() { [ "$(podman inspect -f '{{.State.Status}}' "$c")" = exited ]; }
exit_code() { podman inspect -f '{{.State.ExitCode}}' "$c"; }
exit_code_is() { exited && [ "$(exit_code)" = "$1" ]; }

# expect WHAT SECONDS COMMAND…: asks until the command succeeds; SECONDS 0: asks once.
expect() {
    local what=$1 end=$((SECONDS + $2)) output
    shift 2
    until output=$("$@" 2>&1); do
        if ((SECONDS >= end)); then
            echo "  not ok: $what"
            echo "FAILED: $* said: ${output:0:2000}" >&2
            exit 1
        fi
        sleep 0.05
    done
    echo "  ok: $what"
}

not() { ! "$@"; }

# ends_with STATUS COMMAND…
ends_with() {
    local want=$1 status=0
    shift
    "$@" || status=$?
    echo "exit status $status"
    [ "$status" = "$want" ]
}

# Zombies are looked for all the time below $pid, from outside.
watch_zombies() {
    python3 "$support/zombie-watch" "$pid" >"$scratch/$story.zombies" &
    watcher=$!
}

no_zombies() {
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    [ ! -s "$scratch/$story.zombies" ] || cat "$scratch/$story.zombies"
    [ ! -s "$scratch/$story.zombies" ]
}

# stops ["UNIT…"…]: podman stop, and what is to be seen of an ordered end; the groups of units end in this order.
stops() {
    local lines group unit before last at start took
    before=$(logs | wc -l)
    start=$(date +%s%N)
    podman stop -t 10 "$c" >/dev/null 2>&1
    took=$((($(date +%s%N) - start) / 1000000))
    lines=$(logs | tail -n "+$((before + 1))")
    expect "the container stops within its budget: $took ms" 0 test "$took" -lt 9000
    expect "with exit status 0" 0 exit_code_is 0
    # podman sends /sbin/init what systemd would want.
    expect "says that it stops" 0 grep -Eq '^\[monoinit\] (SIGTERM|SIGRTMIN\+3): stopping [0-9]+ units?' <<<"$lines"
    expect "says that all stopped, as its last word" 0 grep -Eq '^\[monoinit\] all stopped in [0-9.]+ s' <<<"${lines##*$'\n'}"
    expect "nothing was killed" 0 not grep -E '^\[monoinit\].*(SIGKILL|killed)' <<<"$lines"
    before=0
    for group; do
        last=$before
        for unit in $group; do
            at=$(grep -nEm1 "^\[monoinit\] $unit: stopped" <<<"$lines" | cut -d: -f1) || true
            expect "$unit stopped in its turn" 0 test "${at:-0}" -gt "$before"
            [ "$at" -le "$last" ] || last=$at
        done
        before=$last
    done
    if [ -n "${watcher:-}" ]; then expect "no zombie was left at any time" 0 no_zombies; fi
}

# However a story ends, its containers, volumes and $garbage go; when it failed, what they said is shown first.
# A story may define before_leaving STATUS for what else there is to do.
leave() {
    local status=$? id
    trap - EXIT
    if [ -n "${watcher:-}" ]; then kill "$watcher" 2>/dev/null || true; fi
    for id in $(podman ps -aq --filter "label=monoinit-story=$story"); do
        if [ "$status" != 0 ] && [ "$status" != 77 ]; then
            echo "--- output of container ${id:0:12}"
            podman logs --tail 60 "$id" 2>&1 || true
        fi
        podman rm -f -v -t 0 "$id" >/dev/null 2>&1 || true
    done
    if declare -F before_leaving >/dev/null; then before_leaving "$status"; fi
    rm -rf "${garbage[@]}"
    podman volume ls -q --filter "label=monoinit-story=$story" | xargs -r podman volume rm -f >/dev/null 2>&1 || true
    exit "$status"
}

# volume: makes an empty volume that goes with the story; sets $volume.
volume() { volume=$(podman volume create "${labels[@]}"); }

if [ "${MONOINIT_STORY:-yes}" = yes ]; then
    if [ "${MONOINIT_ENGINE_READY:-}" = yes ]; then
        export CONTAINERS_CONF=$scratch/containers.conf
    else
        engine || skip "no container can run here"
    fi
    trap leave EXIT
fi
