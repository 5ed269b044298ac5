#!/bin/bash
# shellcheck disable=SC2034  # what is set here is used by the stories
# Sourced by the stories that Docker's own daemon plays. It is Debian's docker.io, started for the story in a mount namespace
# of its own, with its data below the scratch directory; what the other stories ask of podman is asked of it by the same words.
# shellcheck source=tests/container/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ "$(id -u)" = 0 ] || skip "a daemon takes root"
need_packages docker.io || skip "no docker.io to be had"
docker_home=$scratch/$story.docker
rm -rf "$docker_home"
mkdir -p "$docker_home"

docker() { command docker -H "unix://$docker_home/socket" "$@"; }

# The words of lib.sh that are not the same in both.
podman() {
    case $1 in
    ps | rm | run | inspect | logs | port | exec | stop | kill | restart | start | attach | volume) docker "$@" ;;
    *) command podman "$@" ;;
    esac
}

# Where /sys/fs/cgroup is a plain tmpfs, the daemon makes directories in it for controllers that nothing is mounted for; podman
# then takes them for hierarchies.
groups_before=$(ls /sys/fs/cgroup)
start_daemon() {
    unshare --mount --propagation private dockerd --host "unix://$docker_home/socket" --data-root "$docker_home/data" \
        --exec-root "$docker_home/exec" --pidfile "$docker_home/pid" >"$docker_home/log" 2>&1 &
    daemon=$!
    until docker version >/dev/null 2>&1; do
        kill -0 "$daemon" 2>/dev/null || return 1
        sleep 0.1
    done
}

before_leaving() { end_daemon "$1"; }
end_daemon() { # STATUS
    if [ "$1" != 0 ]; then grep -v level=info "$docker_home/log" | tail -20; fi
    if [ -n "${daemon:-}" ]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    ip link delete docker0 2>/dev/null || true
    local group
    for group in $(ls /sys/fs/cgroup); do
        if ! grep -qx "$group" <<<"$groups_before" && ! mountpoint -q "/sys/fs/cgroup/$group"; then
            find "/sys/fs/cgroup/$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
        fi
    done
    rm -rf "$docker_home"
    podman() { :; } # nobody is there to be asked any more
}

start_daemon || skip "dockerd does not start here: $(tail -1 "$docker_home/log")"

# docker_has IMAGE: gives Docker what podman has built.
docker_has() { command podman save --format docker-archive "$1" 2>/dev/null | docker load >/dev/null; }
