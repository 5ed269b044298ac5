#!/bin/bash
# Limits that only cgroup v2 with its controllers can keep, on a kernel of our own in qemu: MemoryMax=, TasksMax=, CPUQuota=, limits of
# IO and of slices, what daemon-reload, set-property and the end of the boot change, and frozen units.
# usage: cgroup_limits.sh MONOINIT   (77: no qemu or kernel; Debian: qemu-system-x86 busybox-static cpio, and KERNEL=/boot/vmlinuz-…)
set -eu -o pipefail
# shellcheck source=tests/qemu.sh
. "$(dirname "$0")/qemu.sh"
# $$ is a dollar sign of the shell's in a unit file.
unit hog.service <<'EOF'
[Service]
MemoryMax=24M
ExecStart=/bin/sh -c 'x=0123456789abcdef; while :; do x=$$x$$x; done'
EOF
unit many.service <<'EOF'
[Service]
TasksMax=5
CPUQuota=50%
ExecStart=/bin/sh -c 'sh -c "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done"; exec sleep 1000'
EOF
cat >"$root/etc/systemd/system/batch.slice" <<'EOF'
[Slice]
MemoryMax=24M
CPUWeight=50
StartupCPUWeight=500
EOF
unit inside.service <<'EOF'
[Service]
Slice=batch.slice
ExecStart=/bin/sh -c 'x=0123456789abcdef; while :; do x=$$x$$x; done'
EOF
unit stays.service <<'EOF'
[Service]
Slice=batch.slice
ExecStart=/bin/sleep 1000
EOF
cat >"$root/etc/systemd/system/disk.service" <<'EOF'
[Unit]
BindsTo=dev-nvme0n1.device
After=dev-nvme0n1.device
[Service]
IOReadBandwidthMax=/dev/nvme0n1 1M
IOWriteIOPSMax=/dev/nvme0n1 100
ExecStart=/bin/sleep 1000
EOF
cat >"$root/check.sh" <<'EOF'
until initctl show -p ActiveState --value inside.service | grep -q failed; do sleep 0.2; done
batch=/sys/fs/cgroup/batch.slice
echo "slice: $(cat $batch/memory.max) $(cat $batch/cpu.weight)"
until [ -e /dev/nvme0n1 ]; do sleep 0.2; done
initctl start disk
echo "disk: $(cat /sys/fs/cgroup/system.slice/disk.service/io.max)"
echo '[Slice]' >/etc/systemd/system/batch.slice
echo 'MemoryHigh=20M' >>/etc/systemd/system/batch.slice
initctl daemon-reload
until grep -q 20971520 $batch/memory.high; do sleep 0.1; done
echo "reloaded: $(cat $batch/memory.max) $(cat $batch/cpu.weight)"
until initctl show -p ActiveState --value hog.service | grep -q failed; do sleep 0.2; done
echo "hog: $(initctl show -p Result --value hog.service)"
group=/sys/fs/cgroup/system.slice/many.service
until grep -qv "max 0" $group/pids.events; do sleep 1; done
echo "many: $(cat $group/pids.max) $(cat $group/cpu.max)"
echo "memory: $(initctl show -p MemoryCurrent --value many.service)"
initctl set-property many TasksMax=77 MemoryHigh=50M
until grep -q 77 $group/pids.max; do sleep 0.1; done
echo "set: $(cat $group/pids.max) $(cat $group/memory.high)"
initctl freeze many
echo "frozen: $(initctl show -p FreezerState --value many) $(grep frozen $group/cgroup.events)"
initctl thaw many
echo "thawed: $(initctl show -p FreezerState --value many) $(grep frozen $group/cgroup.events)"
initctl freeze many
initctl stop many
echo "stopped: $(initctl show -p ActiveState --value many) $(initctl show -p FreezerState --value many)"
initctl status hog.service
EOF
truncate -s 8M "$work/disk"
boots 120 stdout -drive "file=$work/disk,if=none,id=disk,format=raw" -device nvme,drive=disk,serial=1
has_lines 'hog: oom-kill' 'many: 5 50000 100000' 'memory: [0-9]' 'slice: 25165824 50' \
    'set: 77 52428800' 'frozen: frozen frozen 1' 'thawed: running frozen 0' 'stopped: inactive running' \
    'disk: [0-9]*:0 rbps=1000000 wbps=max riops=max wiops=100' 'reloaded: max 100'
echo "ok: limits act"
