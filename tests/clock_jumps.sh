#!/bin/bash
# The wall clock is set forwards and backwards under monoinit, as PID 1 of a kernel of our own in qemu, where nobody else minds: timers,
# watchdogs, timeouts and restarts go on, the log store keeps its order, --since and --until find what they should.
# usage: clock_jumps.sh MONOINIT   (77: no qemu or kernel; Debian: qemu-system-x86 busybox-static cpio, and KERNEL=/boot/vmlinuz-…)
set -eu -o pipefail
# shellcheck source=tests/qemu.sh
. "$(dirname "$0")/qemu.sh"
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
boots 240 store
has_lines 'goes on after begin' 'goes on after forwards' 'yearly: 1, noon: 0' 'goes on after backwards' 'goes on after forwards again' 'yearly again: [12], dog: 0 active' \
    'order: word-one word-two word-three' 'since: word-two' 'until: word-three' 'goes on after twenty jumps' 'goes on after re-exec'
echo "ok: clocks may jump"
