"""This machine: folders, disk, secrets, programs, the way to the servers, the engine, the clock."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchestrator.doctor.finding import Finding, fault, note, ok
from orchestrator.fleet import read as fleet
from orchestrator.settings import PULUMI_VERSION, Settings

FREE_BYTES = 1_000_000_000
FREE_SHARE = 0.05
PROGRAMS = {"git": "git", "ssh": "openssh-client", "ssh-keygen": "openssh-client"}
"""Programs that are called, with the Debian packages that bring them."""
SSH_SECONDS = 10
SHOWN = 5


def home(settings: Settings) -> Iterator[Finding]:
    """The folder of this installation is its user's alone, and can be written."""
    folder = settings.home
    if not folder.is_dir():
        yield fault("home", f"{folder} is missing", "amc init; or set AMC_HOME to where it is")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield fault("home", f"{folder} can't be written by this user", "run amc as the user it belongs to")
    elif open_to_others(folder):
        yield fault("home", f"{folder} is open to others", f"chmod 700 {folder}")
    else:
        yield ok("home", str(folder))


def disk(settings: Settings) -> Iterator[Finding]:
    """There is room for evidence, the database and backups of it."""
    folders = {each.stat().st_dev: each for each in (settings.runs_dir, settings.home) if each.is_dir()}
    for folder in folders.values():
        usage = shutil.disk_usage(folder)
        words = f"{usage.free // 10**6} MB of {usage.total // 10**6} MB are free in {folder}"
        if usage.free < FREE_BYTES or usage.free < FREE_SHARE * usage.total:
            yield fault("disk", words, "make room: docs/orchestrator.md says what may go")
        else:
            yield ok("disk", words)


def secrets(settings: Settings) -> Iterator[Finding]:
    """Only this user reads them. What systemd hands over as a credential has its own protection."""
    named = [settings.notify_file, settings.token_file, settings.prometheus_password_file]
    files = [each for each in named if each and not is_credential(each)]
    folder = settings.secrets_dir
    if folder.is_dir():
        files += [folder, *folder.rglob("*")]
    missing = [each for each in files if not each.exists()]
    bad = [each for each in files if each.exists() and open_to_others(each)]
    for each in missing[:SHOWN]:
        yield fault("secrets", f"{each} is missing", "the settings name it")
    for each in bad[:SHOWN]:
        yield fault("secrets", f"{each} is open to others", f"chmod go= {each}")
    if len(bad) > SHOWN:
        yield fault("secrets", f"and {len(bad) - SHOWN} more", f"chmod -R go= {folder}")
    if not missing and not bad:
        yield ok("secrets", f"{len(files)} files and folders, this user's alone")


def programs(_settings: Settings) -> Iterator[Finding]:
    """What amc calls is there."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        packages = " ".join(sorted({PROGRAMS[name] for name in missing}))
        yield fault("programs", f"not found: {', '.join(missing)}", f"apt-get install {packages}")
    else:
        yield ok("programs", ", ".join(PROGRAMS))


def engine(settings: Settings) -> Iterator[Finding]:
    """The Pulumi engine, which resizes need."""
    mend = "scripts/pulumi brings it; or set AMC_PULUMI"
    if not settings.pulumi.is_file():
        yield note("engine", f"{settings.pulumi} is missing: nothing can be resized", mend)
        return
    said = _output([str(settings.pulumi), "version"]).lstrip("v")
    if said == PULUMI_VERSION:
        yield ok("engine", f"Pulumi {said}")
    else:
        yield fault("engine", f"{settings.pulumi} says {said or 'nothing'}, not {PULUMI_VERSION}", mend)


def clock(_settings: Settings) -> Iterator[Finding]:
    """The clock is kept right: windows, holds and certificates depend on it."""
    said = _output(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    if said == "yes":
        yield ok("clock", "synchronised")
    elif said == "no":
        yield note("clock", "is not synchronised", "timedatectl set-ntp true, unless the host sees to it")
    else:
        yield note("clock", "who keeps it right can't be told here", "see that something does")


def way(settings: Settings) -> Iterator[Finding]:
    """ssh understands its settings."""
    if not settings.ssh_config.is_file():
        words = f"there is no {settings.ssh_config}: servers are reached by their names"
        yield note("ssh", words, "AMC_SSH_CONFIG names another")
        return
    done = _run(["ssh", "-F", str(settings.ssh_config), "-G", "any-server"])
    if done.returncode:
        yield fault("ssh", done.stderr.strip().splitlines()[-1], "mend the file that AMC_SSH_CONFIG names")
    else:
        yield ok("ssh", str(settings.ssh_config))


def reach(settings: Settings) -> Iterator[Finding]:
    """Every server lets us in."""
    names = [
        server.name
        for owner in fleet.owners(settings.inventories)
        for server in fleet.read(settings.inventories, owner).servers
    ]
    config = ["-F", str(settings.ssh_config)] if settings.ssh_config.is_file() else []
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={SSH_SECONDS // 2}"]

    def answer(name: str) -> str:
        done = _run(["ssh", *config, *options, name, "true"])
        return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no answer"])[-1]

    with ThreadPoolExecutor(16) as pool:
        for name, failure in zip(names, pool.map(answer, names), strict=True):
            if failure:
                mend = f"ssh -F {settings.ssh_config} {name}"
                yield fault("reach", f"{name}: {failure}", mend)
            else:
                yield ok("reach", name)


def is_credential(path: Path) -> bool:
    """Whether systemd hands this file over."""
    return path.is_relative_to("/run/credentials")


def open_to_others(path: Path) -> bool:
    """Whether group or others may do anything with it."""
    return not path.is_symlink() and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _output(words: list[str]) -> str:
    return _run(words).stdout.strip()


def _run(words: list[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=SSH_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 127, "", f"{words[0]}: {type(error).__name__}")
