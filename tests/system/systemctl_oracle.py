#!/usr/bin/env python3
"""Replays what the real systemctl 252 answered under a real systemd (tests/data/systemctl-oracle.txt): the same units, the same
calls in the same order, the same exit status, stdout and stderr. What may differ is named here, each with its reason."""
import os
import re
import stat

from harness import Box, Failure, check, equal, run, until

ORACLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/systemctl-oracle.txt")

# ---- the world the answers were recorded in ---------------------------------------------------------------------------

NGINX = """[Unit]
Description=A high performance web server and a reverse proxy server
Documentation=man:nginx(8)
After=network-online.target remote-fs.target nss-lookup.target
Wants=network-online.target

[Service]
Type=forking
PIDFile=/run/nginx.pid
ExecStartPre=/usr/sbin/nginx -t -q -g 'daemon on; master_process on;'
ExecStart=/usr/sbin/nginx -g 'daemon on; master_process on;'
ExecReload=/usr/sbin/nginx -g 'daemon on; master_process on;' -s reload
ExecStop=-/sbin/start-stop-daemon --quiet --stop --retry QUIT/5 --pidfile /run/nginx.pid
TimeoutStopSec=5
KillMode=mixed

[Install]
WantedBy=multi-user.target
"""

# Forks a master with two workers, as nginx does: titles, PID file before the parent leaves, HUP for new workers, QUIT to end.
NGINX_PROGRAM = r"""#!/usr/bin/perl
use strict;
my $arguments = join " ", @ARGV;
exit 0 if grep { $_ eq "-t" } @ARGV;
sub pid_of_master { open my $file, "<", "/run/nginx.pid" or die; my $pid = <$file>; chomp $pid; $pid }
my $worker_title = "nginx: worker process";
if ($arguments =~ /-s reload/) { kill "HUP", pid_of_master(); exit 0 }
pipe my $ready, my $tell;
if (fork) { close $tell; readline $ready; exit 0 }
close $ready;
my @workers;
my ($again, $over) = (1, 0);
$SIG{HUP} = sub { $again = 1 };
$SIG{QUIT} = $SIG{TERM} = sub { $over = 1 };
$0 = "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;";
until ($over) {
    if ($again) {
        $again = 0;
        kill "KILL", @workers;
        waitpid $_, 0 for @workers;
        @workers = map {
            my $pid = fork;
            if (!$pid) { close $tell if $tell; $SIG{QUIT} = $SIG{TERM} = $SIG{HUP} = "DEFAULT"; $0 = $worker_title; sleep 1000 while 1 }
            $pid
        } 1 .. 2;
        if ($tell) { open my $file, ">", "/run/nginx.pid"; print $file "$$\n"; close $file; close $tell; undef $tell }
    }
    sleep 1000 unless $over or $again;
}
kill "KILL", @workers;
waitpid $_, 0 for @workers;
unlink "/run/nginx.pid";
"""

TIMER = "[Unit]\nDescription=%s\n[Timer]\n%s\n[Install]\nWantedBy=timers.target\n"
SOCKET = "[Unit]\nDescription=%s\n[Socket]\nListenStream=%s\n%s"
INSTALL_SOCKETS = "[Install]\nWantedBy=sockets.target\n"
SLEEPS = "[Service]\nExecStart=/bin/sleep 1000\n"

ETC = {
    "plain.service": "[Unit]\nDescription=Plain\n[Service]\nExecStart=/bin/sleep 1000\n",
    "failing.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
    "noexec.service": "[Service]\nExecStart=/nonexistent/x\n",
    "odd.service": "[Service]\nExecStart=/bin/sleep 1000 # x\n",
    "bad.service": "[Service]\nType=oneshot\n",
    "needs.service": "[Unit]\nRequires=nope.service\n[Service]\nExecStart=/bin/sleep 1000\n",
    "cond.service": "[Unit]\nConditionPathExists=/nonexistent\n[Service]\nExecStart=/bin/sleep 1000\n",
    "once.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
}
LIB = {
    "nginx.service": NGINX,
    "cron.service": "[Unit]\nDescription=Regular background program processing daemon\n" + SLEEPS + "[Install]\nWantedBy=multi-user.target\n",
    "apache2.service": "[Unit]\nDescription=The Apache HTTP Server\n" + SLEEPS + "[Install]\nWantedBy=multi-user.target\n",
    "redis-server.service": "[Unit]\nDescription=Advanced key-value store\n[Service]\nExecStart=/bin/sleep 1000\nUser=redis-of-nobody\n"
                            "[Install]\nWantedBy=multi-user.target\nAlias=redis.service\n",
    "docker.service": "[Unit]\nDescription=Docker Application Container Engine\nRequires=docker.socket\n" + SLEEPS,
    "docker.socket": SOCKET % ("Docker Socket for the API", "/run/docker.sock", INSTALL_SOCKETS),
    "avahi-daemon.service": "[Unit]\nDescription=Avahi mDNS/DNS-SD Stack\n" + SLEEPS,
    "avahi-daemon.socket": SOCKET % ("Avahi mDNS/DNS-SD Stack Activation Socket", "/run/avahi-daemon/socket", INSTALL_SOCKETS),
    "mariadb.service": "[Unit]\nDescription=MariaDB 10.11.19 database server\n" + SLEEPS + "[Install]\nWantedBy=multi-user.target\nAlias=mysql.service\n",
    "mariadb@.service": "[Unit]\nDescription=MariaDB of %i\n" + SLEEPS,
    "mariadb.socket": SOCKET % ("MariaDB", "/run/mysqld/mysqld.sock", INSTALL_SOCKETS),
    "mariadb@.socket": SOCKET % ("MariaDB of %i", "/run/mysqld/%i.sock", INSTALL_SOCKETS),
    "syslog.socket": "[Unit]\nDescription=Syslog Socket\nDefaultDependencies=no\n[Socket]\nListenDatagram=/run/systemd/journal/syslog\n",
    "phpsessionclean.service": "[Unit]\nDescription=Clean php session files\n[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "phpsessionclean.timer": TIMER % ("Clean PHP session files every 30 mins", "OnCalendar=*-*-* *:09,39:00"),
    "dpkg-db-backup.service": "[Unit]\nDescription=Daily dpkg database backup service\n[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "dpkg-db-backup.timer": TIMER % ("Daily dpkg database backup timer", "OnCalendar=daily"),
}
LINKS = {
    "/etc/systemd/system/gone.service": "/dev/null",
    "/etc/systemd/system/redis.service": "/lib/systemd/system/redis-server.service",
    "/etc/systemd/system/mysql.service": "/lib/systemd/system/mariadb.service",
    **{f"/etc/systemd/system/multi-user.target.wants/{name}.service": f"/lib/systemd/system/{name}.service" for name in ("nginx", "cron", "redis-server")},
    **{f"/etc/systemd/system/sockets.target.wants/{name}.socket": f"/lib/systemd/system/{name}.socket" for name in ("docker", "avahi-daemon")},
    **{f"/etc/systemd/system/timers.target.wants/{name}.timer": f"/lib/systemd/system/{name}.timer" for name in ("phpsessionclean", "dpkg-db-backup")},
    "/usr/lib/systemd/system/default.target": "graphical.target",
}
PROGRAMS = {"/usr/sbin/nginx": NGINX_PROGRAM, "/usr/lib/systemd/systemd-sysv-install": "#!/bin/sh\nexit 0\n", "/etc/init.d/cron": "#!/bin/sh\nexit 0\n"}
COVERED = ("/etc/systemd", "/usr/lib/systemd", "/etc/init.d")  # places that hold only this world's files
ENVIRONMENT = ["LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]


def world(box):
    """Puts the files where the recording had them, in the box's own mount namespace."""
    root = box.path("world")
    files = {**{f"/etc/systemd/system/{name}": text for name, text in ETC.items()},
             **{f"/usr/lib/systemd/system/{name}": text for name, text in LIB.items()}, **PROGRAMS}
    for path, text in files.items():
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        with open(root + path, "w", encoding="utf-8") as out:
            out.write(text)
        if path in PROGRAMS:
            os.chmod(root + path, stat.S_IRWXU)
    for path, target in LINKS.items():
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        os.symlink(target, root + path)
    lines = ["mount --make-rprivate /", f"mount -t overlay overlay -o lowerdir={root}/usr/sbin:/usr/sbin /usr/sbin"]
    for place in COVERED:
        lines += [f"mount -t tmpfs tmpfs {place}", f"cp -a {root}{place}/. {place}/"]
    box.setup = "\n".join(lines)


# ---- what may differ ----------------------------------------------------------------------------------------------------

# Facts of the machine, of the moment, of pids. Applied to both sides.
SAME = [
    (r"\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME"),
    (r"; [^;]* ago$", "; AGO"),
    (r"(Main PID|Process): \d+", r"\1: PID"),
    (r"Main PID: PID \(nginx[^)]*\)", "Main PID: PID (nginx)"),  # the stand-in is a Perl script: its title is its name
    (r"([├└])─\d+ ", r"\1─PID "),
    (r"\b((?:Main|ExecMain|Control)?(?:PID|pid))=[1-9]\d*", r"\1=PID"),
    (r"\b(\w+Monotonic)=[1-9]\d*$", r"\1=MONOTONIC"),
    (r"^(InvocationID|ControlGroupId|MemoryCurrent)=\w+", r"\1=ID"),
    (r"Memory: .*", "Memory: SIZE"),
    (r"Tasks: (\d+).*", r"Tasks: \1"),  # the limit is the pids controller's, which a container has not
    (r"Duration: \S+", "Duration: SPAN"),
]
# Lines that only one side has.
NOT_RECORDED = re.compile(r"^ *CPU: ")  # CPU accounting was off where it was recorded; here /proc knows it

# Tables of everything there is: only this world's own rows are compared, without the width of columns.
TABLES = {
    "list-units --no-pager --type service --all", "list-units --failed --no-pager", "--failed --no-legend --plain", "list-unit-files --full --type=socket",
    "list-timers --no-pager", "list-sockets --no-pager", "list-dependencies nginx --no-pager", "", "--no-legend --quiet list-units nginx*",
    "list-unit-files --no-pager nginx.service",
}
COUNT = re.compile(r"^\d+ (loaded units|unit files|timers|sockets) listed")

# Calls whose answer differs on purpose. Each gets (ours, theirs) and gives what is still compared.


def unloaded(ours, theirs):
    """systemd forgets a unit that is down and that nobody names, and its last run with it; monoinit keeps what it has seen."""
    kept = ("Duration", "Process", "Main PID", "Condition", "└─")

    def bare(answer):
        lines = [re.sub(r" since TIME.*", "", line) for line in answer[0] if not line.strip().startswith(kept)]
        return ([re.sub(r"(_time=\[|Timestamp=|Monotonic=|pid=|code=|status=)[^\]; ]*", r"\1", line) for line in lines], *answer[1:])

    return bare(ours), bare(theirs)


def loaded_differently(ours, theirs):
    """The same: which units are in memory differs, so only those are compared that both sides show."""
    both = set(ours[0]) & set(theirs[0])
    check(len(both) > 10, f"rows in common: {both}")
    check(not any("nginx" in line for line in set(theirs[0]) - both), f"nginx is listed as it was: {ours[0]}")
    return (sorted(both), *ours[1:]), (sorted(both), *theirs[1:])


def own_version(ours, theirs):
    """Scripts read the number; the second line names libraries that this binary has not."""
    return ([ours[0][0].split(" (")[0]], *ours[1:]), ([theirs[0][0].split(" (")[0]], *theirs[1:])


def own_scope(ours, theirs):
    """What init.scope stands for is monoinit, not systemd: another description, manual and command line; nobody made it by a call."""
    def bare(answer):
        lines = [line for line in answer[0] if not line.strip().startswith(("Transient", "Docs", "└─", "Tasks"))]
        return ([lines[0].split(" - ")[0], *lines[1:]], *answer[1:])

    return bare(ours), bare(theirs)


def no_slices(ours, theirs):
    """Dependencies on slices order nothing here and are left out; what else sysinit.target wants are units of the machine."""
    both = set(ours[0]) & set(theirs[0])
    check({"nginx.service", "● ├─network-online.target", "● └─sysinit.target"} <= both, f"of the tree: {ours[0]}")
    return (sorted(both), *ours[1:]), (sorted(both), *theirs[1:])


# Properties that are not shown here, by the reason.
NOT_SHOWN = {
    "these settings are not honoured in a container (initctl help directives), so no value is kept":
        "CPUAccounting StartupCPUWeight CPUShares StartupCPUShares IOAccounting StartupIOWeight BlockIOAccounting BlockIOWeight StartupBlockIOWeight "
        "MemoryAccounting DefaultMemoryLow DefaultMemoryMin MemoryLimit DevicePolicy TasksAccounting IPAccounting ManagedOOMSwap ManagedOOMMemoryPressure "
        "ManagedOOMMemoryPressureLimit ManagedOOMPreference CoredumpFilter CPUAffinityFromNUMA NUMAPolicy TTYVTDisallocate DynamicUser RemoveIPC PrivateTmp "
        "PrivateDevices ProtectClock ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups PrivateNetwork PrivateUsers "
        "PrivateMounts PrivateIPC ProtectHome ProtectSystem UtmpMode SystemCallErrorNumber LockPersonality TimeoutCleanUSec MemoryDenyWriteExecute "
        "RestrictRealtime RestrictSUIDSGID RestrictNamespaces MountAPIVFS KeyringMode ProtectProc ProcSubset ProtectHostname SameProcessGroup",
    "only a cgroup knows them":
        "ControlGroup ControlGroupId MemoryAvailable IPIngressBytes IPIngressPackets IPEgressBytes IPEgressPackets IOReadBytes IOReadOperations "
        "IOWriteBytes IOWriteOperations",
    "a container has no firmware, boot loader, initrd, hardware watchdog or devices":
        "FirmwareTimestampMonotonic LoaderTimestampMonotonic KernelTimestampMonotonic InitRDTimestampMonotonic InitRDSecurityStartTimestampMonotonic "
        "InitRDSecurityFinishTimestampMonotonic InitRDGeneratorsStartTimestampMonotonic InitRDGeneratorsFinishTimestampMonotonic "
        "InitRDUnitsLoadStartTimestampMonotonic InitRDUnitsLoadFinishTimestampMonotonic SecurityStartTimestampMonotonic SecurityFinishTimestampMonotonic "
        "WatchdogLastPingTimestampMonotonic RuntimeWatchdogUSec RuntimeWatchdogPreUSec RebootWatchdogUSec KExecWatchdogUSec DefaultDeviceTimeoutUSec "
        "DefaultCPUAccounting DefaultBlockIOAccounting DefaultMemoryAccounting DefaultTasksAccounting DefaultTasksMax CtrlAltDelBurstAction Features Tainted",
    "nobody measures them":
        "WatchdogTimestampMonotonic GeneratorsStartTimestamp GeneratorsStartTimestampMonotonic GeneratorsFinishTimestamp GeneratorsFinishTimestampMonotonic "
        "UnitsLoadStartTimestamp UnitsLoadStartTimestampMonotonic UnitsLoadFinishTimestamp UnitsLoadFinishTimestampMonotonic UnitsLoadTimestamp "
        "UnitsLoadTimestampMonotonic NInstalledJobs NFailedJobs",
}
# Shown, but another value: the machine's, or a container's.
OTHER_VALUE = {
    "Version", "NNames", "UnitPath", "Environment",
    "MemoryCurrent", "TasksCurrent",  # only a cgroup knows them
    "CanFreeze",  # needs a cgroup that is ours
    "TasksMax",  # there it was 15 % of the machine's
    *(f"{start}Limit{name}{end}" for start in ("", "Default") for name in ("NOFILE", "NPROC", "MEMLOCK", "SIGPENDING", "CORE", "STACK", "MSGQUEUE", "DATA")
      for end in ("", "Soft")),  # the container's own
    "OOMScoreAdjust", "DefaultOOMScoreAdjust",  # the container's own
    "Requires", "After", "Before",  # without slices and systemd's sockets; compared below
    "Virtualization", "Architecture",
}


def properties(ours, theirs):
    """Every property the real one shows is shown, with its value and in its order, but for those above. Newer ones may come on top."""
    def named(lines):
        return [line.split("=", 1) for line in lines]

    not_shown = {name for names in NOT_SHOWN.values() for name in names.split()}
    own_names = [name for name, _ in named(ours[0])]
    wanted = [[name, value] for name, value in named(theirs[0]) if name not in not_shown]
    known = {name for name, _ in wanted}
    got = [[name, value] for name, value in named(ours[0]) if name in known]
    for name, value in got:
        theirs_of_it = dict(wanted)[name]
        if name in ("Requires", "After", "Before"):
            machine = {"system.slice", "systemd-journald.socket"}
            equal(set(value.split()) - machine, set(theirs_of_it.split()) - machine, name)
    check(not not_shown & set(own_names), f"shown after all: {not_shown & set(own_names)}")

    def settled(pairs):
        return [f"{name}={'…' if name in OTHER_VALUE else value}" for name, value in pairs]

    return (settled(got), *ours[1:]), (settled(wanted), *theirs[1:])


def own_manual(ours, theirs):
    """There man(1) was not installed, here it may be."""
    return ours[2], theirs[2]


def kept_only(ours, theirs):
    """Without a cgroup it is said that the setting is kept and does not act."""
    check(all("kept, but CPUWeight= is degraded" in line for line in ours[1]), ours[1])
    return (ours[0], [], ours[2]), theirs


DIFFERENT = {
    "set-property plain CPUWeight=50": kept_only,
    "help nginx": own_manual,
    "--version": own_version,
    "status plain --no-pager -n0": unloaded,
    "status cond --no-pager -n0": unloaded,
    "show plain -p Environment,ExecStart,ActiveEnterTimestamp,StateChangeTimestampMonotonic": unloaded,
    "list-units --no-pager --type service --all": loaded_differently,
    "list-dependencies nginx --no-pager": no_slices,
    "status 1 --no-pager -n 0": own_scope,
    "show nginx": properties,
    "show": properties,
}


def read_oracle():
    """[(arguments, stdout lines, stderr lines, exit status)]"""
    calls = []
    with open(ORACLE, encoding="utf-8") as text:
        for line in text.read().splitlines():
            if line.startswith("$ systemctl"):
                calls.append((line[len("$ systemctl"):].strip(), [], [], None))
            elif line.startswith("  [exit ") and calls:
                calls[-1] = (*calls[-1][:3], int(line.strip()[len("[exit "):-1]))
            elif line.startswith("  stderr: ") and calls:
                calls[-1][2].append(line[len("  stderr: "):])
            elif line.startswith("  ") and calls:
                calls[-1][1].append(line[2:])
    check(len(calls) > 120, "the oracle is there")
    return calls


def alike(lines):
    out = []
    for line in lines:
        if NOT_RECORDED.match(line):
            continue
        for pattern, word in SAME:
            line = re.sub(pattern, word, line)
        out.append(line.rstrip())
    return out


def own_rows(lines):
    known = {*ETC, *LIB}
    rows = []
    for line in lines:
        line = COUNT.sub(r"N \1 listed", " ".join(line.split()))
        line = re.sub(r"(TIME|-) \d[^-]*? (left|ago)\b", r"\1 \2", line)
        names = [word for word in line.split() if re.fullmatch(r"[-\w.@\\:]+\.(service|socket|timer|mount|path|target|scope|slice|automount)", word)]
        if not names or any(name in known for name in names):
            rows.append(line)
    return rows


def story_replay():
    problems = []
    with Box(keep_unit_path=False, wrap=["env", "-i", "MONOINIT_SYSLOG_SOCKETS=no", *ENVIRONMENT]) as box:
        world(box)
        box.boot()
        box.wait_state("redis-server", "failed")
        for arguments, out, err, status in read_oracle():
            words = [str(box.main_pid("nginx")) if word == "1023" else word for word in arguments.split()]  # nginx's pid, there
            done = box.initctl(*words, name="systemctl", env={**dict(pair.split("=", 1) for pair in ENVIRONMENT), "TZ": "UTC"})
            if arguments == "kill plain":  # it dies when it dies
                box.wait_state("plain", "inactive")
            got = (alike(done.stdout.splitlines()), alike(done.stderr.splitlines()), done.returncode)
            wanted = (alike(out), alike(err), status)
            if arguments in TABLES:
                got, wanted = (own_rows(got[0]), *got[1:]), (own_rows(wanted[0]), *wanted[1:])
            if arguments in DIFFERENT:
                got, wanted = DIFFERENT[arguments](got, wanted)
            if got != wanted:
                lines = [f"$ systemctl {arguments}"]
                for name, ours, theirs in zip(("stdout", "stderr"), got, wanted):
                    if ours != theirs:
                        lines += [f"  {name} of ours: {line}" for line in ours] + [f"  {name} wanted:  {line}" for line in theirs]
                if got[2] != wanted[2]:
                    lines.append(f"  exit {got[2]}, wanted {wanted[2]}")
                problems.append("\n".join(lines))
    if problems:
        raise Failure(f"{len(problems)} calls differ\n" + "\n".join(problems))


if __name__ == "__main__":
    run(globals())
