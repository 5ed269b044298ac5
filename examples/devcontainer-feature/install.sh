#!/bin/sh
# Adds monoinit to an image, as root while it is built. Any Debian, Ubuntu or Alpine: nothing is needed but a POSIX shell
# (and curl or wget where the binary comes from a URL). The options arrive as variables: see devcontainer-feature.json.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=/usr/local/sbin/monoinit
share=/usr/local/share/monoinit

die() {
    echo "monoinit: $*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || die "install.sh runs as root"
mkdir -p /usr/local/sbin "$share"

fetch() { # URL FILE
    if command -v curl >/dev/null; then
        curl -fsSL -o "$2" "$1"
    elif command -v wget >/dev/null; then
        wget -q -O "$2" "$1"
    else
        die "$1: neither curl nor wget is in the image"
    fi
}

# ---- the binary --------------------------------------------------------------------------------------------------
new=$place.new
case ${BINARY:-} in
http://* | https://*) fetch "$BINARY" "$new" || die "could not fetch $BINARY" ;;
file://*) cp "${BINARY#file://}" "$new" ;;
/*) cp "$BINARY" "$new" ;;
?*) cp "$here/$BINARY" "$new" ;;
*)
    if [ -f "$here/monoinit-$(uname -m)" ]; then
        cp "$here/monoinit-$(uname -m)" "$new"
    elif [ -f "$here/monoinit" ]; then
        cp "$here/monoinit" "$new"
    elif [ -x "$place" ]; then
        cp "$place" "$new"
    else
        die "no binary: put monoinit-$(uname -m) beside install.sh, or set the option \"binary\""
    fi
    ;;
esac
if [ -n "${SHA256:-}" ]; then
    sum=$(sha256sum "$new")
    [ "${sum%% *}" = "$SHA256" ] || die "the binary's SHA-256 is ${sum%% *}, not $SHA256"
fi
chmod 755 "$new"
"$new" --version || die "the binary does not run here ($(uname -m))"
mv "$new" "$place"
if [ "${SYSTEMCTL:-false}" = true ]; then "$place" install --systemctl; else "$place" install; fi

# ---- the services ------------------------------------------------------------------------------------------------
services=${SERVICES:-}
case $services in
"") services=$here/services ;;
/*) [ -d "$services" ] || die "services: $services is no directory of the image" ;;
*)
    services=$here/$services
    [ -d "$services" ] || die "services: $services is no directory beside install.sh"
    ;;
esac
names=""
for file in "$services"/*.*; do
    [ -f "$file" ] || continue
    name=${file##*/}
    mkdir -p /etc/systemd/system
    cp "$file" /etc/systemd/system/
    # What has no [Install] is started by others.
    if grep -q '^\[Install\]' "$file"; then names="$names $name"; fi
done
names="$names $(echo "${ENABLE:-}" | tr ',' ' ')"
# shellcheck disable=SC2086  # a list
set -- $names
if [ $# -gt 0 ]; then /usr/local/sbin/initctl enable "$@"; fi

# ---- what starts it ----------------------------------------------------------------------------------------------
cp "$here/entrypoint" "$share/entrypoint"
chmod 755 "$share/entrypoint"
echo "monoinit_pid1=${PID1:-true}" >"$share/feature.conf"
echo "monoinit is installed; enabled:${names:- nothing}"
