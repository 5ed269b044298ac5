"""The units of the soak: of every kind that monoinit knows, and of every way to behave badly."""
import os

NOTIFY = "perl " + os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system/notify.pl")
ACTOR = "python3 -SEs " + os.path.join(os.path.dirname(os.path.abspath(__file__)), "actor.py")
WANTED = "[Install]\nWantedBy=multi-user.target\n"
NO_LIMIT = "[Unit]\nStartLimitIntervalSec=0\n"


def service(*lines, unit=""):
    return f"{NO_LIMIT}{unit}[Service]\n" + "\n".join(lines) + f"\n{WANTED}"


def shell(script):
    """A command line for a script without double quotes, dollars and percent signs."""
    return f'ExecStart=/bin/sh -c "{script}"'


SLEEP = "ExecStart=/bin/sleep infinity"

UNITS = {
    "simple-1.service": service(SLEEP, "Restart=always", "RestartSec=100ms"),
    "simple-2.service": service(SLEEP, "Restart=on-failure", "ExecReload=/bin/true"),
    "exec.service": service("Type=exec", SLEEP, "Restart=always", "RestartSec=0"),
    "notify.service": service("Type=notify", f"ExecStart={ACTOR} notify", "NotifyAccess=main", "Restart=always", "RestartSec=50ms"),
    "notify-reload.service": service("Type=notify-reload", f"ExecStart={ACTOR} notify", "Restart=on-failure", "RestartSec=50ms"),
    "watchdog.service": service("Type=notify", f"ExecStart={ACTOR} watchdog", "WatchdogSec=1", "Restart=always", "RestartSec=50ms", "TimeoutAbortSec=300ms"),
    "stored.service": service("Type=notify", f"ExecStart={ACTOR} stored", "FileDescriptorStoreMax=4", "Restart=always", "RestartSec=50ms"),
    "forking.service": service("Type=forking", shell("setsid sleep 1000 </dev/null >/dev/null 2>&1 & exit 0"), "Restart=always", "RestartSec=100ms"),
    "forking-pid.service": service("Type=forking", f"ExecStart={ACTOR} daemon /run/forking-pid", "PIDFile=/run/forking-pid", "Restart=always", "RestartSec=100ms"),
    "once.service": service("Type=oneshot", "ExecStartPre=-/bin/false", "ExecStart=/bin/true", "ExecStart=/bin/echo once", "ExecStartPost=/bin/true"),
    "stays.service": service("Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/true", "ExecStop=/bin/sleep 0.05"),
    "fails.service": service("Type=oneshot", "ExecStart=/bin/false"),
    "slow-start.service": service("ExecStartPre=/bin/sleep 0.3", SLEEP, "ExecStartPost=/bin/sleep 0.1"),
    "slow-stop.service": service(SLEEP, "ExecStop=/bin/sleep 0.2", "ExecStopPost=/bin/echo stopped"),
    "times-out.service": service("Type=notify", SLEEP, "TimeoutStartSec=300ms"),
    "stubborn.service": service(shell("trap '' TERM; while :; do sleep 1; done"), "TimeoutStopSec=300ms"),
    # Not with a cleared environment as well: below a guard that is killed, such a process is like one of a docker exec.
    "hidden.service": service(shell("setsid sleep 1001 & (setsid sleep 1002 &); exec sleep 1000"), "Restart=always", "RestartSec=0"),
    "leaves.service": service(shell("setsid sleep 3 & exec sleep 1000"), "KillMode=process"),
    "mixed.service": service(shell("sleep 1000 & exec sleep 1000"), "KillMode=mixed", "SendSIGHUP=yes"),
    "orphans.service": service(shell("while :; do (setsid sh -c 'sleep 0.2; exit 1' &); sleep 0.1; done")),
    "user.service": service(SLEEP, "User=nobody", "RuntimeDirectory=soak-user", "Restart=always"),
    "directories.service": service(SLEEP, "RuntimeDirectory=soak/a soak/b", "PrivateTmp=yes", "Environment=A=1", "EnvironmentFile=-/run/none", "UMask=0077", "LimitNOFILE=100"),
    "crash-1.service": service(shell("exit 1"), "Restart=always", "RestartSec=100ms"),
    "crash-2.service": service(shell("sleep 0.1; kill -SEGV 0"), "Restart=on-failure", "RestartSec=200ms", "RestartSteps=3", "RestartMaxDelaySec=1s"),
    "crash-3.service": "[Unit]\nStartLimitIntervalSec=2s\nStartLimitBurst=5\n[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=0\n" + WANTED,
    "flood.service": service("ExecStart=/bin/sh -c 'while :; do seq 2000; head -c 3000 /dev/urandom; sleep 0.3; done'", "LogRateLimitIntervalSec=1s", "LogRateLimitBurst=500", "X-LogStdout=no"),
    "counts.service": service(f"ExecStart={ACTOR} counts", "LogRateLimitIntervalSec=0", "Restart=always", "RestartSec=0"),
    "socket.socket": f"{NO_LIMIT}[Socket]\nListenStream=/run/soak.sock\nListenDatagram=/run/soak.dgram\n[Install]\nWantedBy=sockets.target\n",
    "socket.service": service(f"ExecStart={ACTOR} serve"),
    "each.socket": f"{NO_LIMIT}[Socket]\nListenStream=/run/each.sock\nAccept=yes\nMaxConnections=8\n[Install]\nWantedBy=sockets.target\n",
    "each@.service": "[Service]\nExecStart=-/bin/cat\nStandardInput=socket\n",
    "tick.timer": f"{NO_LIMIT}[Timer]\nOnBootSec=0\nOnUnitActiveSec=1s\nAccuracySec=1ms\n[Install]\nWantedBy=timers.target\n",
    "tick.service": service("Type=oneshot", "ExecStart=/bin/true"),
    "clock.timer": f"{NO_LIMIT}[Timer]\nOnCalendar=*:*:*\nRandomizedDelaySec=100ms\n[Install]\nWantedBy=timers.target\n",
    "clock.service": service("Type=oneshot", "ExecStart=/bin/echo tick"),
    "file.path": f"{NO_LIMIT}[Path]\nPathChanged=/run/watched\nPathExists=/run/request\n[Install]\nWantedBy=paths.target\n",
    "file.service": service("Type=oneshot", "ExecStart=/bin/rm -f /run/request"),
    "watched.service": service(SLEEP, "X-Watch=/run/source"),
    "healthy.service": service(SLEEP) + "[X-Health]\nExec=/usr/bin/test -e /run/healthy\nInterval=500ms\nTimeout=1s\nRetries=2\nOnUnhealthy=restart\n",
    "one.service": service(SLEEP, unit="Conflicts=other.service\n"),
    "other.service": service(SLEEP, unit="Conflicts=one.service\n"),
    "bound.service": service(SLEEP, unit="BindsTo=simple-2.service\nAfter=simple-2.service\n"),
    "part.service": service(SLEEP, unit="PartOf=group.target\n"),
    "group.target": "[Unit]\nWants=part.service chain-3.service\n" + WANTED,
    "chain-1.service": service(SLEEP),
    "chain-2.service": service("Type=notify", f"ExecStart=/bin/sh -c '{NOTIFY} READY=1; exec sleep infinity'", "NotifyAccess=all", unit="Requires=chain-1.service\nAfter=chain-1.service\n"),
    "chain-3.service": service(SLEEP, unit="Requires=chain-2.service\nAfter=chain-2.service\n"),
    "upheld.service": service(SLEEP),
    "upholds.service": service(SLEEP, unit="Upholds=upheld.service\n"),
    "many@.service": service(SLEEP, "Restart=on-failure"),
    "handler@.service": "[Service]\nType=oneshot\nExecStart=/bin/echo failed: %i\n",
    "handled.service": service(shell("sleep 0.5; exit 3"), unit="OnFailure=handler@%n.service\nOnSuccess=handler@never.service\n"),
    "condition.service": service(SLEEP, unit="ConditionPathExists=/run/request\n"),
    "soak.slice": "[Slice]\nMemoryMax=1G\n",
    "sliced.service": service(SLEEP, "Slice=soak.slice"),
}
ENABLED = [name for name, text in UNITS.items() if "[Install]" in text and "@" not in name]
OPERATED = [name for name in UNITS if "@" not in name] + ["many@1.service", "many@2.service", "many@x-y.service"]
EDITED = ["simple-1.service", "exec.service", "chain-2.service", "hidden.service", "tick.timer", "socket.socket"]
