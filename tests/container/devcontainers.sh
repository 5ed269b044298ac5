#!/bin/bash
# Sourced: the real devcontainers CLI from the npm registry, on podman, with a project folder of the story's own.
# shellcheck source=tests/container/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v npm >/dev/null || need_packages nodejs npm
cli=$scratch/devcontainers/node_modules/.bin/devcontainer
[ -x "$cli" ] || npm install --silent --no-audit --no-fund --prefix "$scratch/devcontainers" @devcontainers/cli

# Not below this repository: the CLI mounts the whole of the repository that a folder belongs to.
folder=$(mktemp -d /var/tmp/monoinit-devcontainer.XXXXXX)
chmod 755 "$folder" # the remote user works in it
garbage+=("$folder")
# Containers first, then the images that the CLI made for this folder.
before_leaving() {
    if [ "$1" != 0 ] && [ "$1" != 77 ] && [ -f "$scratch/$story.log" ]; then tail -30 "$scratch/$story.log"; fi
    local name=${folder##*/}
    podman images --format '{{.Repository}}' | grep "/vsc-${name,,}-" | sort -u | xargs -r podman rmi -f >/dev/null 2>&1 || true
}

devcontainer() {
    local verb=$1
    shift
    "$cli" "$verb" --docker-path "${docker_path:-$support/bin/docker}" --workspace-folder "$folder" "$@"
}

# up: sets $c and $pid.
up() {
    devcontainer up --id-label "monoinit-story=$story" >"$scratch/$story.log" 2>&1 || die "devcontainer up"
    c=$(podman ps -q --filter "label=monoinit-story=$story")
    pid=$(podman inspect -f '{{.State.Pid}}' "$c")
}

down() { podman rm -f -v -t 0 "$c" >/dev/null; }

run_in() { devcontainer exec --id-label "monoinit-story=$story" "$@"; }

# said REGEX: by the last `devcontainer up`.
said() { grep -Eq -- "$1" "$scratch/$story.log"; }
