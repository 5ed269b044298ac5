#!/bin/bash
# The wall clock is set forwards and backwards under monoinit, as PID 1 of a kernel of our own in qemu, where nobody else minds: timers,
# watchdogs, timeouts and restarts go on, the log store keeps its order, --since and --until find what they should.
# usage: clock_jumps.sh MONOINIT   (77: no qemu or kernel; Debian: qemu-system-x86 busybox-static cpio, and KERNEL=/boot/vmlinuz-…)
set -eu -o pipefail
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
for name in initctl journalctl systemd-notify; do ln -s monoinit "$root/bin/$name"; done
cp /bin/busybox "$root/bin/busybox"
for tool in sh mount sleep cat echo grep date wc tail seq; do ln -s busybox "$root/bin/$tool"; done
unit() { # NAME: the file, wanted at boot
    cat >"$root/etc/systemd/system/$1"
    ln -s "../$1" "$root/etc/systemd/system/multi-user.target.wants/"
}
oneshot() { # NAME
    printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/echo %s\n' "$1" >"$root/etc/systemd/system/$1.service"
}
for name in tick second yearly noon; do oneshot "$name"; done
unit tick.timer <<'EOF'
[Timer]
OnActiveSec=1s
OnUnitActiveSec=1s
AccuracySec=1ms
EOF
unit second.timer <<'EOF'
[Timer]
OnCalendar=*:*:*
AccuracySec=1ms
EOF
unit yearly.timer <<'EOF'
[Timer]
OnCalendar=2031-01-01 00:00:00 UTC
EOF
unit noon.timer <<'EOF'
[Timer]
OnCalendar=2040-01-01 12:00:00 UTC
EOF
unit dog.service <<'EOF'
[Service]
Type=notify
NotifyAccess=all
WatchdogSec=5
ExecStart=/bin/sh -c 'systemd-notify --ready; while :; do systemd-notify WATCHDOG=1; sleep 0.5; done'
EOF
unit again.service <<'EOF'
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c 'sleep 0.5; exit 1'
Restart=always
RestartSec=500ms
EOF
cat >"$root/check.sh" <<'EOF'
count() { journalctl -q -u "$1" -o cat | grep -c "^$1\$"; }
restarts() { initctl show -p NRestarts --value again; }
goes_on() { # WHAT: two more of everything come
    t=$(count tick) s=$(count second) r=$(restarts)
    for i in $(seq 60); do
        if [ "$(count tick)" -ge $((t + 2)) ] && [ "$(count second)" -ge $((s + 2)) ] && [ "$(restarts)" -ge $((r + 2)) ]; then
            echo "goes on after $1"
            return
        fi
        sleep 0.5
    done
    echo "STANDS after $1: tick $t $(count tick), second $s $(count second), restarts $r $(restarts)"
}
date -s '2030-06-01 12:00:00' >/dev/null
goes_on begin
initctl run --name one --wait echo word-one
date -s '2031-06-01 12:00:00' >/dev/null
goes_on forwards
echo "yearly: $(count yearly), noon: $(count noon)"
initctl run --name two --wait echo word-two
date -s '2025-03-01 12:00:00' >/dev/null
goes_on backwards
initctl run --name three --wait echo word-three
date -s '2031-06-01 12:30:00' >/dev/null
goes_on 'forwards again'
echo "yearly again: $(count yearly), dog: $(initctl show -p NRestarts --value dog) $(initctl is-active dog)"
echo "order: $(journalctl -q -o cat | grep -o '^word-.*' | tr '\n' ' ')"
echo "since: $(journalctl -q --since '2031-01-01' -o cat | grep -o '^word-.*' | tr '\n' ' ')"
echo "until: $(journalctl -q --until '2026-01-01' -o cat | grep -o '^word-.*' | tr '\n' ' ')"
for i in 1 2 3 4 5 6 7 8 9 10; do date -s "20$((30 + i % 5))-06-01 12:00:0$((i % 10))" >/dev/null; date -s "2025-06-01 12:00:0$((i % 10))" >/dev/null; done
goes_on 'twenty jumps'
initctl daemon-reexec
goes_on 're-exec'
EOF
for tool in tr expr; do ln -s busybox "$root/bin/$tool"; done
cat >"$root/init" <<'EOF'
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
export PATH=/bin
exec /bin/monoinit --logs=store -- /bin/sh /check.sh
EOF
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) >"$work/initramfs"
timeout 240 qemu-system-x86_64 -accel tcg -m 512 -nographic -no-reboot -kernel "$kernel" -initrd "$work/initramfs" \
    -append "console=ttyS0 quiet panic=-1" </dev/null | tr -d '\r' | tee "$work/out" || true
for line in 'goes on after begin' 'goes on after forwards' 'yearly: 1, noon: 0' 'goes on after backwards' 'goes on after forwards again' 'yearly again: [12], dog: 0 active' \
    'order: word-one word-two word-three' 'since: word-two' 'until: word-three' 'goes on after twenty jumps' 'goes on after re-exec'; do
    if ! grep -q "$line" "$work/out"; then
        echo "FAIL: no line \"$line\""
        exit 1
    fi
done
echo "ok: clocks may jump"
