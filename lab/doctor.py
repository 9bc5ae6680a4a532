"""What this machine lacks to carry a lab, in words, and what to do. Tries things for real where it can."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import cgroups, disks, host, limits, network, subnets, views
from lab.errors import LabError, MachineLacks
from lab.names import Names
from lab.sizes import Size
from lab.waiting import run

PROGRAMS = {
    "apt-get": "apt",
    "apt-config": "apt",
    "dpkg": "dpkg",
    "ip": "iproute2",
    "losetup": "mount",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "nft": "nftables",
    "setpriv": "util-linux",
    "setsid": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}
"""Programs that the lab calls, with the Debian packages that bring them."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CACHE_BYTES = 3_000_000_000
HOME_BYTES = 2_000_000_000
LOOPBACKS = ("127.", "localhost", "[::1]")

OVERLAY_TRIAL = """\
mkdir lower upper work root && touch lower/file
mount -t overlay trial -o lowerdir=lower,upperdir=upper,workdir=work,volatile,index=off root && rm root/file
"""

DISK_TRIAL = """\
truncate -s 512M disk && mkfs.xfs -q disk && mkdir place && mount -o loop disk place && truncate -s 600M disk
losetup -c "$(findmnt -n -o SOURCE place)" && xfs_growfs place && umount place
"""

NETWORK_TRIAL = """\
ip link add br-trial type bridge && ip link add ve-trial type veth peer name vb-trial && nft -f -
"""


@dataclass(frozen=True)
class Finding:
    """One thing a lab needs: `words` say what was found, `mend` what to do when it is not `ok`."""

    what: str
    ok: bool
    words: str
    mend: str = ""


def examine(home: Path, cache: Path) -> list[Finding]:
    """Everything a lab in `home` with its `cache` needs. What only root can try is left out without root."""
    findings = [root(), programs(), disk("disk for the cache", cache, CACHE_BYTES)]
    findings.append(disk("disk for the servers", home, HOME_BYTES))
    if not all(finding.ok for finding in findings[:2]):
        return findings
    trials: list[Callable[[], Finding]] = [namespaces, lambda: overlay(home), control_groups, links]
    sizes: list[Callable[[], Finding]] = [size_limits, view, lambda: own_disk(home)]
    return findings + [trial() for trial in (*trials, *sizes, forwarding, resolver, archive)]


def require(home: Path, cache: Path) -> None:
    """MachineLacks with all that is missing, of what costs no time to see."""
    findings = [root(), programs(), disk("disk for the cache", cache, CACHE_BYTES)]
    findings.append(disk("disk for the servers", home, HOME_BYTES))
    lacks = [finding for finding in findings if not finding.ok]
    if lacks:
        raise MachineLacks(
            "; ".join(f"{finding.what}: {finding.words}" for finding in lacks),
            "; ".join(finding.mend for finding in lacks) + " (amc lab doctor examines everything)",
        )


def root() -> Finding:
    """Machines, mounts and links are root's to make."""
    if os.geteuid() == 0:
        return Finding("root", True, "this is root")
    return Finding("root", False, "this is not root", "run it as root, for instance with sudo -E")


def programs() -> Finding:
    """The programs that the lab calls, and the key that Debian's archive is signed with."""
    # Another user's PATH may lack root's programs; root's own must have them.
    where = None if os.geteuid() == 0 else f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    lacking = {package for program, package in PROGRAMS.items() if shutil.which(program, path=where) is None}
    if not KEYRING.exists():
        lacking.add("debian-archive-keyring")
    if not lacking:
        return Finding("programs", True, f"all {len(PROGRAMS)} are installed")
    packages = " ".join(sorted(lacking))
    mend = f"apt-get install {packages}"
    if shutil.which("apt-get") is None:
        mend = "use a Debian-like machine: the lab is made with apt and mmdebstrap"
    return Finding("programs", False, f"packages are missing: {packages}", mend)


def disk(what: str, folder: Path, wanted: int) -> Finding:
    """Room where `folder` is or will be; `wanted` in bytes."""
    free = shutil.disk_usage(_existing(folder)).free
    words = f"{free / 1e9:.1f} GB free at {folder}, {wanted / 1e9:.1f} GB wanted"
    mend = "free some, or set AMC_HOME and AMC_CACHE to a larger disk"
    return Finding(what, free >= wanted, words, "" if free >= wanted else mend)


def namespaces() -> Finding:
    """The kernel's namespaces, by making all of them."""
    command = ["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "true"]
    return _tried("namespaces", lambda: run(command, "making namespaces"), _ASK_FOR_PRIVILEGES)


def overlay(home: Path) -> Finding:
    """The overlay filesystem with its upper layer where the servers will be."""

    def trial() -> None:
        with tempfile.TemporaryDirectory(prefix=".amc-trial-", dir=_existing(home)) as folder:
            script = f"cd '{folder}' && {OVERLAY_TRIAL}"
            run(["unshare", "--mount", "sh", "-ec", script], "mounting an overlay")

    mend = (
        "use a Linux of 5.10 or newer, and a home on a plain disk (not on an overlay or a network filesystem)"
    )
    return _tried("overlay", trial, mend)


def control_groups() -> Finding:
    """A group of its own with a process in it, in every hierarchy."""

    def trial() -> None:
        group = cgroups.Group(cgroups.here(), f"amc-trial-{os.getpid()}")
        try:
            group.create()
            targets = " ".join(str(folder) for folder in group.folders())
            script = f'for group in {targets}; do echo $$ > "$group/cgroup.procs"; done'
            run(["sh", "-ec", script], "entering a cgroup")
        finally:
            group.remove()

    return _tried("cgroups", trial, _ASK_FOR_PRIVILEGES)


def size_limits() -> Finding:
    """Limits on processors and memory, for servers with a specification; others work without."""
    group = cgroups.Group(cgroups.here(), f"amc-trial-{os.getpid()}")
    wanted = Size(0.5, 512)

    def trial() -> None:
        try:
            group.create()
            limits.apply(group, wanted, 0)
            if (holds := limits.read(group)) != wanted:
                raise LabError(f"asked for {wanted}, {holds} holds")
        finally:
            group.remove()

    return _tried("limits of servers", trial, _ASK_FOR_PRIVILEGES)


def view() -> Finding:
    """lxcfs, so that a server sees its own size; without it limits hold, and `free` tells the machine's."""
    if shutil.which(views.PROGRAM) is None:
        words = "lxcfs is missing: limits hold, but a server sees this machine's memory as its own"
        return Finding("servers see their size", False, words, "apt-get install lxcfs")
    if not Path("/dev/fuse").exists():
        return Finding("servers see their size", False, "there is no /dev/fuse", _ASK_FOR_PRIVILEGES)
    return Finding("servers see their size", True, "lxcfs is installed")


def own_disk(home: Path) -> Finding:
    """A disk of a server's own: a loop device, and XFS, which grows in use."""
    what = "disks of servers"
    if not disks.kernel_has("xfs"):
        words = "the kernel has no XFS: disks are ext4 and grow only while the server is stopped"
        return Finding(what, True, words)
    if shutil.which("mkfs.xfs") is None:
        words = "xfsprogs is missing: no server can have a disk of its own"
        return Finding(what, False, words, "apt-get install xfsprogs")

    def trial() -> None:
        disks.make_nodes()
        with tempfile.TemporaryDirectory(prefix=".amc-trial-", dir=_existing(home)) as folder:
            script = f"cd '{folder}' && {DISK_TRIAL}"
            run(["unshare", "--mount", "sh", "-ec", script], "mounting a disk")

    return _tried(what, trial, "give this machine loop devices (modprobe loop), a container all privileges")


def links() -> Finding:
    """Bridge, cable and address translation, tried in a network namespace that vanishes."""
    rules = network.ruleset(Names("l00000"), subnets.POOLS[0])
    command = ["unshare", "--net", "sh", "-ec", NETWORK_TRIAL]
    mend = "give the kernel bridge, veth and nf_tables with NAT (modprobe bridge veth nft_chain_nat)"
    return _tried("network", lambda: run(command, "making links and rules", text_in=rules), mend)


def forwarding() -> Finding:
    """Firewalls that drop what is forwarded: they cut servers off from apt's archives."""
    chains = dropping_chains(run(["nft", "-j", "list", "ruleset"], "listing the firewall"))
    if not chains:
        return Finding("firewall", True, "nothing drops forwarded packets by policy")
    mend = "; ".join(
        f'nft insert rule {chain} iifname "br-l*" accept; nft insert rule {chain} oifname "br-l*" accept'
        for chain in chains
    )
    return Finding("firewall", False, f"forwarded packets are dropped by {', '.join(chains)}", mend)


def dropping_chains(ruleset: str) -> list[str]:
    """Chains, as `family table chain`, that drop forwarded packets by policy and don't know labs' bridges.

    `ruleset`: what `nft -j list ruleset` prints.
    """
    entries = json.loads(ruleset or "{}").get("nftables", [])
    allowed = {
        (rule["family"], rule["table"], rule["chain"])
        for entry in entries
        if (rule := entry.get("rule")) and '"br-l' in json.dumps(rule.get("expr", []))
    }
    return [
        f"{chain['family']} {chain['table']} {chain['name']}"
        for entry in entries
        if (chain := entry.get("chain"))
        and chain.get("hook") == "forward"
        and chain.get("policy") == "drop"
        and (chain["family"], chain["table"], chain["name"]) not in allowed
    ]


def resolver() -> Finding:
    """A nameserver and proxies that a server can reach: not on the host's own loopback."""
    text = host.resolver()
    local = [each for each in host.nameservers(text) if each.startswith("127.") or each == "::1"]
    proxies = [
        value for name, value in host.proxies_from(os.environ) if name != "no_proxy" and _is_local(value)
    ]
    if local or proxies:
        return Finding(
            "resolver and proxies",
            False,
            f"on this machine's loopback, out of a server's reach: {', '.join(local + proxies)}",
            "name addresses that other machines reach in /etc/resolv.conf and in the proxy variables",
        )
    return Finding("resolver and proxies", True, ", ".join(host.nameservers(text)) or "no nameserver")


def archive() -> Finding:
    """Debian's archive, fetched as apt does."""

    def trial() -> None:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "InRelease"
            uri = f"{host.read().mirror}/dists/{host.SUITE}/InRelease"
            run(["/usr/lib/apt/apt-helper", "download-file", uri, target], f"fetching {uri}", 30)

    return _tried("Debian's archive", trial, "make `apt-get update` work on this machine first")


_ASK_FOR_PRIVILEGES = "run it on a whole machine, or give this container all privileges (--privileged)"


def _tried(what: str, trial: Callable[[], object], mend: str) -> Finding:
    try:
        trial()
    except (LabError, OSError) as error:
        return Finding(what, False, str(error), mend)
    return Finding(what, True, "tried, works")


def _existing(path: Path) -> Path:
    """The nearest folder that exists, upwards."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())


def _is_local(url: str) -> bool:
    return (
        url.rsplit("@", maxsplit=1)[-1].removeprefix("http://").removeprefix("https://").startswith(LOOPBACKS)
    )
