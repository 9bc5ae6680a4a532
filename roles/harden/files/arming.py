"""The net under a set that waits to be confirmed: units that undo it, enabled, so that a reboot keeps them.

    amc-harden-undo.timer     undoes it so many seconds after it was armed, and so many after a boot
    amc-harden-undo.service   the undo; tried again until it ends well
    amc-harden-boot.service   early in a boot, before sshd and the firewall: the old files are back at once;
                              then it asks for the undo of the rest

They exist only while a set waits. Without a set that waits they do nothing but go away.
"""

import os
import subprocess
from pathlib import Path

import react

UNITS = Path("/etc/systemd/system")
PROGRAM = "/usr/bin/python3 -B /usr/local/lib/amc/harden/commit.py"
TIMER, UNDO, BOOT = "amc-harden-undo.timer", "amc-harden-undo.service", "amc-harden-boot.service"

TEXTS = {
    TIMER: """\
[Unit]
Description=Undoes the hardening of this moment unless it is confirmed

[Timer]
OnActiveSec={left}
AccuracySec=1

[Install]
WantedBy=timers.target
""",
    UNDO: """\
[Unit]
Description=Undo hardening that was not confirmed
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart={program} undo --why "nobody confirmed it within {seconds} s"
Restart=on-failure
RestartSec=3
TimeoutStartSec=300
""",
    BOOT: """\
[Unit]
Description=Bring the files back that hardening had changed and nobody confirmed
DefaultDependencies=no
RequiresMountsFor=/var/lib/amc /etc /usr
After=local-fs.target
Before=sysinit.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart={program} undo --files-only --why "the server restarted before it was confirmed"
ExecStartPost=-/usr/bin/systemctl daemon-reload
ExecStartPost=-/usr/bin/systemctl start --no-block amc-harden-undo.service
TimeoutStartSec=60

[Install]
WantedBy=sysinit.target
""",
}


class NotArmed(Exception):
    """The net can't be put up: nothing may be changed."""


def arm(seconds: int, left: int) -> None:
    """Put the net up; when this returns it holds, through a reboot too. Raises NotArmed.

    `seconds`: what was promised since the set's beginning; `left`: how many of them from now.
    """
    for name, text in TEXTS.items():
        (UNITS / name).write_text(text.format(seconds=seconds, left=left, program=PROGRAM))
    problem = (
        react.run("systemctl", "daemon-reload")
        or react.run("systemctl", "enable", "--quiet", BOOT, TIMER)
        or react.run("systemctl", "restart", TIMER)
        or react.run("systemctl", "is-enabled", "--quiet", BOOT, TIMER)
        or react.run("systemctl", "is-active", "--quiet", TIMER)
    )
    if problem:
        raise NotArmed(f"the undo after {seconds} s can't be armed: {problem}")
    os.sync()


def disarm() -> None:
    """Take the net away; nothing of it stays."""
    there = [name for name in TEXTS if (UNITS / name).exists()]
    if not there:
        return
    subprocess.run(["systemctl", "stop", TIMER], capture_output=True, check=False)
    subprocess.run(["systemctl", "disable", "--quiet", BOOT, TIMER], capture_output=True, check=False)
    for name in TEXTS:
        (UNITS / name).unlink(missing_ok=True)
    react.run("systemctl", "daemon-reload")
    react.run("systemctl", "reset-failed", UNDO)
