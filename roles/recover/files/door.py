"""The backup server's way in: a second sshd that exists only during a recovery.

It runs as a user of its own that owns nothing but this run's incoming folders, shows a host key made for
this opening, lets in one key from one address until it expires, and gives it rsync into these folders: no
shell, no reading, nothing else. systemd ends it after its time, whatever happened to who opened it.
"""

import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import here

USER = "amc-recover"
FOLDER = Path("/run/amc-recover")
INCOMING = FOLDER / "incoming"
SSHD_SETTINGS = """\
Port {port}
PidFile none
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/keys
AllowUsers {user}
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitTTY no
PermitUserRC no
DisableForwarding yes
MaxSessions 2
LoginGraceTime 20
"""


def unit_name(run_id: str) -> str:
    """The unit of the second sshd."""
    return f"amc-{run_id}-door"


@dataclass(frozen=True)
class Guest:
    """Who is let in: the public key, from which address, on which port, and for how many seconds."""

    key: str
    address: str
    port: int
    seconds: int


def key_line(key: str, address: str, until: datetime) -> str:
    """The one line of authorized_keys; `until` in local time, as sshd reads it."""
    options = [
        "restrict",
        f'from="{address}"',
        f'expiry-time="{until:%Y%m%d%H%M%S}"',
        f'command="/usr/bin/rrsync -wo -no-lock {INCOMING}"',
    ]
    return f"{','.join(options)} {key}\n"


def sandbox(run_id: str, kinds: list[str], seconds: int) -> list[str]:
    """Properties of the unit."""
    binds = [f"BindPaths={here.incoming(kind, run_id)}:{INCOMING / kind}" for kind in kinds]
    return [
        f"User={USER}",
        f"RuntimeMaxSec={seconds}",
        "ProtectSystem=strict",
        *binds,
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "ProtectProc=invisible",
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectControlGroups=yes",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "RestrictSUIDSGID=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        "InaccessiblePaths=-/etc/mems -/var/lib/amc -/etc/ssh",
        "KillMode=control-group",
    ]


def open_door(run_id: str, kinds: list[str], guest: Guest) -> here.Record:
    """Open it; the host key by which it is known. One that is open stays: a copy may be under way."""
    if here.state_of(f"{unit_name(run_id)}.service") == "active":
        return {"changed": False, "host_key": host_key()}
    close(run_id)
    here.run(
        "useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/sh", USER
    )
    here.run("usermod", "--password", "*", USER)  # no password; "!" would be locked, which sshd refuses
    for beside in (here.DATA, here.FILES):
        for left in beside.parent.glob("amc-incoming-*"):  # of a recovery that was given up
            if left.name != f"amc-incoming-{run_id}":
                shutil.rmtree(left)
    for kind in kinds:
        place = here.incoming(kind, run_id)
        place.parent.mkdir(mode=0o711, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        here.run("chown", "-R", "-h", f"{USER}:{USER}", str(place))
        (INCOMING / kind).mkdir(parents=True, exist_ok=True)
    here.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(FOLDER / "host_key"))
    here.run("chown", USER, str(FOLDER / "host_key"))
    until = datetime.now() + timedelta(seconds=guest.seconds)  # noqa: DTZ005
    (FOLDER / "keys").write_text(key_line(guest.key, guest.address, until))
    settings = FOLDER / "sshd.conf"
    settings.write_text(SSHD_SETTINGS.format(port=guest.port, folder=FOLDER, user=USER))
    properties = [f"--property={each}" for each in sandbox(run_id, kinds, guest.seconds)]
    unit = f"--unit={unit_name(run_id)}"
    sshd = ["/usr/sbin/sshd", "-D", "-e", "-f", str(settings)]
    here.run("systemd-run", "--quiet", "--collect", unit, "--service-type=exec", *properties, *sshd)
    return {"changed": True, "host_key": host_key()}


def host_key() -> str:
    """Its public part, as known_hosts has it."""
    return " ".join((FOLDER / "host_key.pub").read_text().split()[:2])


def close(run_id: str) -> here.Record:
    """Close it and take its user away."""
    subprocess.run(["systemctl", "stop", unit_name(run_id)], capture_output=True, check=False, timeout=60)
    there = FOLDER.exists()
    shutil.rmtree(FOLDER, ignore_errors=True)
    known = subprocess.run(["getent", "passwd", USER], capture_output=True, check=False, timeout=20)
    if known.returncode == 0:
        here.run("userdel", USER)
    return {"changed": there or known.returncode == 0}
