# To be sourced, with the binary as $1: monoinit as PID 1 of a kernel of our own in qemu. Ends the script with 77 where there is no qemu
# or kernel (Debian: qemu-system-x86 busybox-static cpio, and KERNEL=/boot/vmlinuz-…). $root becomes the file system, with its tools.
# shellcheck shell=bash
monoinit=$(realpath "$1")
kernel=${KERNEL:-$(find /boot -name 'vmlinuz-*' 2>/dev/null | tail -n1)}
if [ ! -r "$kernel" ] || ! command -v qemu-system-x86_64 cpio >/dev/null || [ ! -x /bin/busybox ]; then
    echo "SKIP: needs qemu-system-x86_64, cpio, busybox and a kernel"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,proc,sys,dev,run,tmp,etc/systemd/system/multi-user.target.wants}
cp "$monoinit" "$root/bin/monoinit"
cp /bin/busybox "$root/bin/busybox"
for name in initctl journalctl systemd-notify; do ln -s monoinit "$root/bin/$name"; done
for name in sh mount sleep cat echo grep date wc tail seq tr expr [; do ln -s busybox "$root/bin/$name"; done

unit() { # NAME: the file, wanted at boot
    cat >"$root/etc/systemd/system/$1"
    ln -s "../$1" "$root/etc/systemd/system/multi-user.target.wants/"
}

# boots SECONDS LOGS [OPTION OF QEMU…]: /check.sh is CMD; what comes out of it is shown, and kept in $work/out.
boots() {
    local seconds=$1 logs=$2
    shift 2
    cat >"$root/init" <<-EOF
	#!/bin/sh
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mount -t devtmpfs dev /dev
	export PATH=/bin
	exec /bin/monoinit --logs=$logs -- /bin/sh /check.sh
	EOF
    chmod +x "$root/init"
    (cd "$root" && find . | cpio -o -H newc --quiet) >"$work/initramfs"
    timeout "$seconds" qemu-system-x86_64 -accel tcg -m 512 -nographic -no-reboot "$@" -kernel "$kernel" -initrd "$work/initramfs" \
        -append "console=ttyS0 quiet panic=-1" </dev/null | tr -d '\r' | tee "$work/out" || true
}

has_lines() { # PATTERN…: each stands in what came out
    local line
    for line; do
        grep -q "$line" "$work/out" || { echo "FAIL: no line \"$line\"" && exit 1; }
    done
}
