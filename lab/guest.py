"""One server: its folder, its overlay, its processes.

<folder>/upper work root    the overlay's own layer, its scratch, and where it is mounted while it runs
<folder>/disk *.img         with a disk of its own: upper and work lie on that, see disks.py
<folder>/host_key           the server's SSH key, so that its identity survives every restart
<folder>/run.sh console.log the supervising loop and what the console said
<folder>/made               exists once the server is complete: a folder without it is thrown away
<folder>/boot               while it runs: the host's boot id, to know a power cut of the host
"""

import contextlib
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from lab import disks, host, limits, subnets, views
from lab.cgroups import Group
from lab.disks import Disk
from lab.errors import LabError
from lab.image import USER
from lab.mounts import is_mounted, remove_machine_folders, unmount_everywhere
from lab.names import Names
from lab.network import remove_link
from lab.sizes import NO_LIMITS, Size
from lab.waiting import run, wait_until

START_SECONDS = 90
STOP_SECONDS = 30
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

LOOP = """\
#!/bin/sh
# The server's power supply: `reboot` inside ends systemd-nspawn with 133 and it is started again.
while :; do
    sh -c 'for group in $GUEST_GROUPS; do echo $$ > "$group/cgroup.procs" || exit 70; done
           exec "$@"' start "$@"
    ended=$?
    echo "systemd-nspawn ended with $ended"
    [ "$ended" = 133 ] || exit "$ended"
done
"""

LAUNCH = """\
for group in $LOOP_GROUPS; do echo $$ > "$group/cgroup.procs" || exit 70; done
exec setsid --fork sh "$@" </dev/null >"$CONSOLE" 2>&1
"""
"""Joins the cgroups before it leaves our session: there never is a process that names can't find."""


@dataclass(frozen=True)
class Guest:
    """A server's parts. `group` holds its processes, `network` is the lab's, `size` what it is to have."""

    names: Names
    name: str
    number: int
    folder: Path
    group: Group
    network: IPv4Network
    size: Size = NO_LIMITS

    @property
    def disk(self) -> Disk:
        """The disk that it has or can be given."""
        return Disk(self.names, self.number, self.folder)

    @property
    def address(self) -> IPv4Address:
        """The server's address."""
        return self.network[self.number]

    @property
    def root(self) -> Path:
        """Where its files are while it runs."""
        return self.folder / "root"

    def exists(self) -> bool:
        """Whether the server was made completely."""
        return (self.folder / "made").exists()

    def loop_pids(self) -> set[int]:
        """The supervising loop."""
        return self.group.child("loop").pids()

    def container_pids(self) -> set[int]:
        """systemd-nspawn, the process that holds the server."""
        return {pid for pid in self.group.child("guest").pids() if _command(pid) == "systemd-nspawn"}

    def state(self) -> str:
        """`running`, `starting` (or rebooting), `broken` (parts live on alone), `stopped`, `absent`."""
        if self.loop_pids():
            return "running" if self.container_pids() else "starting"
        if self.group.pids() or Path("/sys/class/net", self.names.link(self.number)).exists():
            return "broken"
        return "stopped" if self.exists() else "absent"

    def answers(self) -> bool:
        """Whether an SSH server greets at its address."""
        try:
            with socket.create_connection((str(self.address), 22), timeout=1) as connection:
                connection.settimeout(2)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def make(self) -> None:
        """The folder of a new server; what an interrupted attempt left is removed first."""
        self.remove()
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.parent.chmod(
            0o700
        )  # old programs that run as root lie in it: nothing for the host's users
        self.folder.mkdir()
        for part in ("upper", "work"):
            (self.folder / part).mkdir(mode=0o755)
        run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", self.folder / "host_key"],
            "the server's SSH key",
        )
        (self.folder / "made").touch()

    def real_size(self) -> Size:
        """The size that it has now, whatever is noted: the limits that hold while it runs, its disk."""
        has = limits.read(self.group.child("guest")) if self.loop_pids() else self.size
        return replace(has, disk_gib=self.disk.gib())

    def apply_size(self) -> None:
        """Give the running server its size: limits at once, the disk grown. Nothing is done twice."""
        limits.apply(self.group.child("guest"), self.size, self.number)
        if self.size.disk_gib is not None:
            self.disk.grow(self.size.disk_gib)

    @contextlib.contextmanager
    def own_files(self) -> Iterator[Path]:
        """The halted server's own layer, mounted for as long as that is needed."""
        if not self.disk.exists():
            yield self.folder / "upper"
            return
        try:
            yield self.disk.mount(self.size.disk_gib or 0) / "upper"
        finally:
            self.disk.unmount()

    def mount(self, lowers: tuple[Path, ...], synced: bool) -> None:
        """Mount the overlay: `lowers` are the folders below its own, uppermost first, the base image last.

        With a disk of its own that is mounted first, made or grown. Unless `synced`, the overlay is volatile:
        fsync costs nothing (dpkg and databases do it all the time), but a power cut of the host may tear its
        files.
        """
        if is_mounted(self.root):
            return
        own = self.folder
        if self.size.disk_gib is not None or self.disk.exists():
            own = self.disk.mount(self.size.disk_gib or 0)
        shutil.rmtree(own / "work", ignore_errors=True)  # else a volatile one refuses to be mounted again
        (own / "work").mkdir()
        self.root.mkdir(exist_ok=True)
        lower = ":".join(str(path) for path in lowers)
        options = f"lowerdir={lower},upperdir={own / 'upper'},workdir={own / 'work'}"
        options += ",redirect_dir=nofollow,index=off,metacopy=off" + ("" if synced else ",volatile")
        run(
            ["mount", "-t", "overlay", self.names.mount(self.number), "-o", options, self.root],
            f"mounting the files of {self.name}",
        )

    def write_identity(self, key: str) -> None:
        """What makes the image this server: name, address, resolver, its SSH key, the lab's key for `ops`.

        Written at every start, so that a lab can move to another network.
        """
        network = (
            f"[Match]\nName=host0\n[Network]\nAddress={self.address}/{self.network.prefixlen}\n"
            f"Gateway={subnets.gateway(self.network)}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
        )
        self._write("etc/hostname", f"{self.name}\n")
        self._write("etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {self.name}\n")
        self._write("etc/resolv.conf", host.resolver())
        self._write("etc/systemd/network/10-host0.network", network)
        for part, mode in (("", 0o600), (".pub", 0o644)):
            text = (self.folder / f"host_key{part}").read_text()
            self._write(f"etc/ssh/ssh_host_ed25519_key{part}", text, mode)
        keys = self.root / f"home/{USER}/.ssh/authorized_keys"
        if not keys.exists() or key not in keys.read_text():
            with keys.open("a") as file:
                file.write(f"{key}\n")
            keys.chmod(0o600)
            home = keys.parent.stat()
            os.chown(keys, home.st_uid, home.st_gid)

    def start(self, key: str, wheels: Path, view: Path | None) -> None:
        """Boot the mounted server; returns at once, `wait` waits for it. `view`: where lxcfs answers."""
        self.write_identity(key)
        loop, guest = self.group.child("loop"), self.group.child("guest")
        loop.create()
        guest.create()
        self.apply_size()
        script = self.folder / "run.sh"
        script.write_text(LOOP)
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--console=pipe"]
        command += ["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--kill-signal=SIGRTMIN+3"]
        # As on a real server programs may give up rights of their own; nspawn's list lacks it.
        command += ["--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"]
        command += [f"--machine={self.names.machine(self.number)}", f"--directory={self.root}"]
        command += [f"--network-bridge={self.names.bridge}", f"--bind-ro={wheels}:/opt/wheels"]
        command += views.options(view) if view else []
        environment = {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "LOOP_GROUPS": " ".join(str(folder) for folder in loop.folders()),
            "GUEST_GROUPS": " ".join(str(folder) for folder in guest.folders()),
            "CONSOLE": str(self.folder / "console.log"),
            "SYSTEMD_NSPAWN_LOCK": "0",
        }
        (self.folder / "boot").write_text(BOOT_ID.read_text())
        run(
            ["sh", "-c", LAUNCH, "launch", script, *command], f"starting {self.name}", environment=environment
        )

    def wait(self, ssh: list[str], stop: threading.Event, seconds: float = START_SECONDS) -> None:
        """Until `ops` can log in and the server says that its boot is over."""

        def greets() -> bool:
            if self.state() not in ("running", "starting"):
                raise LabError(f"{self.name} ended while it started")
            return self.answers()

        try:
            wait_until(greets, f"SSH of {self.name} at {self.address}", seconds, stop)
            wait_until(lambda: _has_booted(ssh), f"{self.name} at {self.address} to boot", seconds, stop)
        except LabError as error:
            raise type(error)(f"{error}\n{self.console()}", error.mend) from error

    def torn(self) -> bool:
        """Whether the host stopped without stopping the server: files it did not sync may be torn."""
        boot = self.folder / "boot"
        return boot.exists() and boot.read_text() != BOOT_ID.read_text()

    def console(self) -> str:
        """The last lines of its console."""
        path = self.folder / "console.log"
        lines = path.read_text(errors="replace").splitlines()[-12:] if path.exists() else []
        return "console:\n  " + "\n  ".join(lines)

    def halt(self) -> None:
        """Shut the server down in order, then by force; nothing of it runs or is mounted afterwards."""
        containers = self.container_pids()
        for pid in containers:
            os.kill(pid, signal.SIGTERM)
        if containers:
            with contextlib.suppress(LabError):  # it had its time
                wait_until(lambda: not self.group.pids(), f"{self.name} to shut down", STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the server at once and take away its link, cgroups and mount."""
        self.group.kill()
        remove_link(self.names.link(self.number))
        self.group.remove()
        remove_machine_folders(self.names.machine(self.number))
        self._unmount()
        (self.folder / "boot").unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete a halted server's files."""
        self._unmount()
        if self.folder.exists():
            (self.folder / "made").unlink(missing_ok=True)
            run(["rm", "-rf", "--one-file-system", self.folder], f"deleting the files of {self.name}", 120)

    def _unmount(self) -> None:
        unmount_everywhere(self.root)
        self.disk.unmount()
        for device, number in disks.attached(self.names).items():
            if number == self.number:
                disks.detach(device)

    def _write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.root / name
        if path.is_symlink():
            path.unlink()
        path.write_text(text)
        path.chmod(mode)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _has_booted(ssh: list[str]) -> bool:
    """Whether a login works and no boot job is left; a failed unit is for the server's owner to judge."""
    try:
        said = run([*ssh, "systemctl is-system-running --wait || true"], "a login", 30)
    except LabError:
        return False
    return said.strip() in ("running", "degraded")
