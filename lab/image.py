"""The base image: Debian 12 as a hoster hands it over, months behind its security updates.

Built once per recipe (packages, suite, what is taken from the host, the steps below) and kept in the cache.
"""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from lab import host as host_settings
from lab.host import SUITE, Host
from lab.locks import file_lock
from lab.pruning import mark_used, prune
from lab.waiting import run

PACKAGES = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "openssh-server",
    "sudo",
    "ca-certificates",
    "cron",
    "rsync",
    "needrestart",
    "python3",
    "python3-venv",
    "python3-apt",
    "python3-psycopg2",
    "python3-lxml",
    "python3-dateutil",
    "python3-passlib",
    "postgresql-15",
    "nginx-light",
    "jq",
    "iproute2",
    "iputils-ping",
    "nftables",
    "curl",
    "less",
    "procps",
    "logrotate",
    "acl",
    "file",
    "openssl",
    "tzdata",
    "apt-utils",
]

USER = "ops"

BUILD_SECONDS = 900
MEMORY_FOR_BUILD = 2_500_000_000
"""Bytes that must be available to build in memory, which takes half the time of a disk."""

BUILD = """\
set -eu
work=$1 result=$2 stage=$3 mirror=$4 in_memory=$5; shift 5
[ "$in_memory" = no ] || mount -t tmpfs -o mode=755 amc-lab-build "$work"
mmdebstrap --mode=root --variant=apt --format=directory "$@" \
  --customize-hook="cp -r --no-preserve=ownership $stage/. \\"\\$1\\"/" \
  --customize-hook='chroot "$1" sh -eu /lab-prepare.sh' --customize-hook='rm "$1"/lab-prepare.sh' \
  bookworm "$work/root" "deb $mirror bookworm main" >&2
cp -a "$work/root" "$result"
"""

PREPARE = """\
update-ca-certificates >/dev/null
useradd --create-home --shell /bin/bash --uid 1000 ops
install -d -o ops -g ops -m 700 /home/ops/.ssh
chmod 440 /etc/sudoers.d/ops
systemctl enable systemd-networkd >/dev/null 2>&1
rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id
rm -f /etc/apt/apt.conf.d/99mmdebstrap /etc/apt/sources.list.d/0000*
: > /etc/machine-id
"""


def stage(host: Host) -> dict[str, str]:
    """Files put into the image, by path; `lab-prepare.sh` runs in it once."""
    proxy_lines = [f"{name}={value}\n{name.upper()}={value}" for name, value in host.proxies]
    apt = [*host.acquire]
    for name, value in host.proxies:
        scheme = name.removesuffix("_proxy")
        if scheme != "no" and not any(line.startswith(f"Acquire::{scheme}::Proxy") for line in apt):
            apt.append(f'Acquire::{scheme}::Proxy "{value}";')
    files = {
        "lab-prepare.sh": PREPARE,
        "etc/apt/sources.list": "\n".join(host.sources) + "\n",
        "etc/apt/apt.conf.d/90host": "\n".join(apt) + "\n",
        "etc/environment": "\n".join(proxy_lines) + "\n",
        "etc/pip.conf": "[global]\nno-index = true\nfind-links = /opt/wheels\n",
        f"etc/sudoers.d/{USER}": f"{USER} ALL=(ALL) NOPASSWD:ALL\n",
    }
    for name, text in host.certificates:
        files[f"usr/local/share/ca-certificates/{name}"] = text
    return files


def recipe_key(host: Host) -> str:
    """12 hex digits that change whenever the image would."""
    recipe = json.dumps([asdict(host), PACKAGES, SUITE, BUILD, stage(host)], sort_keys=True)
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def current_key() -> str:
    """The key that this machine's settings and today's recipe give."""
    return recipe_key(host_settings.read())


def ensure(cache: Path, say: Callable[[str], None]) -> str:
    """Key of the base image, which lies at `cache/images/<key>` afterwards; built if it does not."""
    host = host_settings.read()
    key = recipe_key(host)
    images = cache / "images"
    if (images / key).is_dir():
        mark_used(images / key)
        return key
    with file_lock(images / "lock", "another command to build a base image", BUILD_SECONDS, say):
        if not (images / key).is_dir():
            prune(cache, time.time(), say)
            started = time.monotonic()
            say(f"base image {key}: building it from {host.mirror} (once, about a minute)")
            _build(images, key, host)
            say(f"base image {key}: built in {time.monotonic() - started:.0f} s")
        mark_used(images / key)
    return key


def _build(images: Path, key: str, host: Host) -> None:
    """Build beside the result and rename: half an image never carries the key.

    The build has its own mount and process namespace and dies with us: no mount, no process can be left.
    """
    images.chmod(0o700)
    for stale in images.glob("building-*"):
        run(["rm", "-rf", "--one-file-system", stale], "removing a build that was interrupted", 120)
    work = Path(tempfile.mkdtemp(prefix="building-", dir=images))
    try:
        for name, text in stage(host).items():
            path = work / "stage" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (work / "work").mkdir()
        options = [f"--include={','.join(PACKAGES)}", f"--architectures={host.architecture}"]
        options += ["--dpkgopt=force-unsafe-io", '--aptopt=Acquire::Languages "none"']
        options += [f"--aptopt={line.rstrip(';')}" for line in host.acquire]
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        command += ["sh", "-c", BUILD, "build", str(work / "work"), str(work / "root"), str(work / "stage")]
        command += [host.mirror, "yes" if _available_memory() > MEMORY_FOR_BUILD else "no", *options]
        environment = {**os.environ, "TMPDIR": "/tmp", "LANG": "C.UTF-8"}
        run(command, f"building the base image {key}", BUILD_SECONDS, environment=environment)
        (work / "root").rename(images / key)
    finally:
        run(["rm", "-rf", "--one-file-system", work], "removing the build's folder", 120)


def _available_memory() -> int:
    """Bytes that programs can still take, by /proc/meminfo."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
