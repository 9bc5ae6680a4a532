"""Independent audits of one server, fresh and hardened, in one run: Lynis, ssh-audit and OpenSCAP.

    .venv/bin/python bench/hardening_audit.py [--results FOLDER]

A lab server with M EMS gets a kernel package (without one hundreds of rules are "not applicable", which
flatters), Lynis and OpenSCAP's scanner from its own apt. The content of ANSSI BP28 for Debian 12 is in
Debian 13's package ssg-debian, fetched here by apt into a folder of its own; without it OpenSCAP is left out.
ssh-audit comes from PyPI, pinned in bench/requirements-audit.txt, and looks from this machine. Prints what
they find fresh, hardened, and hardened and patched, beside what was measured of devsec.hardening 10.6 (on a
server that was not patched either), and what still fails.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lab import Lab
from orchestrator import settings

REPOSITORY = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
NAME = "mems1"
POLICY = "Hardened Debian 12 (version 3)"
PROFILE = "xccdf_org.ssgproject.content_profile_anssi_bp28_intermediary"
CONTENT = "usr/share/xml/scap/ssg/content/ssg-debian12-ds.xml"
DEVSEC = {"lynis": "59 -> 75", "openscap": "45.2 -> 62.0", "ssh-audit": "fails -> fails"}
UPGRADE = "apt-get -qy -o Dpkg::Options::=--force-confold upgrade --with-new-pkgs"
"""As role patch does it. A server under contract is patched; pending updates cost a fresh one points."""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
NAMESPACE = {"x": "http://checklists.nist.gov/xccdf/1.2"}


def run(*command: object, seconds: float = 900, good: tuple[int, ...] = (0,)) -> str:
    """What it prints; SystemExit with its words when it ends otherwise than `good`."""
    done = subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode not in good:
        raise SystemExit(f"{command}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def content(folder: Path) -> Path | None:
    """The data stream for Debian 12 out of Debian 13's package; None when it can't be had."""
    mirror = run("apt-get", "indextargets", "--format", "$(SITE)").split()[0]
    for each in ("lists/partial", "cache/archives/partial"):
        (folder / each).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} trixie main\n")
    apt = [
        "apt-get",
        "-q",
        f"-oDir::Etc::SourceList={folder}/sources.list",
        "-oDir::Etc::SourceParts=/dev/null",
    ]
    apt += [
        f"-oDir::State::Lists={folder}/lists",
        f"-oDir::Cache={folder}/cache",
        "-oAPT::Sandbox::User=root",
    ]
    try:
        subprocess.run([*apt, "update", "--error-on=any"], check=True, capture_output=True, timeout=300)
        subprocess.run(
            [*apt, "download", "ssg-debian"], cwd=folder, check=True, capture_output=True, timeout=300
        )
        package = next(folder.glob("ssg-debian*.deb"))
        run("dpkg-deb", "-x", package, folder / "ssg")
    except (subprocess.SubprocessError, StopIteration, OSError) as problem:
        print(f"OpenSCAP left out: Debian 13's ssg-debian can't be had here ({problem})")
        return None
    return folder / "ssg" / CONTENT


class Server:
    """The lab server that is looked at."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        layer = run(sys.executable, REPOSITORY / "molecule/lab/mems_layer.py").strip()
        self.address = lab.up([NAME], layer=layer)[0].address

    def root(self, command: str, seconds: float = 900, good: tuple[int, ...] = (0,)) -> str:
        """What root's command prints there."""
        return run("ssh", "-F", self.lab.ssh_config, NAME, f"sudo {command}", seconds=seconds, good=good)

    def prepare(self, stream: Path | None) -> None:
        """The scanners, and a kernel package."""
        self.root("apt-get -q update")
        names = "linux-image-amd64 lynis openscap-scanner openssh-client"
        self.root(f"env DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install {names}")
        if stream:
            run("scp", "-q", "-F", self.lab.ssh_config, stream, f"{NAME}:/tmp/content.xml")

    def harden(self) -> str:
        """playbooks/harden.yml twice; its recaps with their seconds."""
        inventory = self.folder / "hosts.yml"
        inventory.write_text(f"mems: {{hosts: {{{NAME}: {{amc_throwaway: true}}}}}}\n")
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {self.lab.ssh_config}",
            "ANSIBLE_NOCOLOR": "1",
        }
        said = []
        for _ in range(2):
            started = time.monotonic()
            done = subprocess.run(
                [BIN / "ansible-playbook", "-i", inventory, "playbooks/harden.yml"],
                cwd=REPOSITORY,
                env=environment,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            if done.returncode != 0:
                raise SystemExit(done.stdout[-3000:])
            changed = re.search(r"changed=(\d+)", done.stdout)
            said.append(f"{time.monotonic() - started:.0f} s, {changed[0] if changed else '?'}")
        return "; again: ".join(said)


def lynis(server: Server) -> dict[str, Any]:
    """The hardening index, and what it suggests."""
    server.root("rm -f /var/log/lynis-report.dat", good=(0, 1))
    server.root("lynis audit system --quick --no-colors", good=(0, 1, 78))
    report = server.root("cat /var/log/lynis-report.dat")
    index = re.search(r"^hardening_index=(\d+)$", report, re.M)
    suggestions = re.findall(r"^(?:suggestion|warning)\[\]=([A-Z]+-\d+)\|([^|]*)", report, re.M)
    return {"score": index[1] if index else "?", "left": [f"{name} {words}" for name, words in suggestions]}


def openscap(server: Server, stream: Path | None, keep: Path) -> dict[str, Any]:
    """Score, and how many rules passed, failed and were not applicable."""
    if not stream:
        return {"score": "left out", "left": []}
    server.root(
        f"oscap xccdf eval --profile {PROFILE} --results /tmp/results.xml /tmp/content.xml", good=(0, 2)
    )
    keep.write_text(server.root("cat /tmp/results.xml"))
    tree = ElementTree.parse(keep)
    score = next(each for each in tree.iter(f"{{{NAMESPACE['x']}}}score"))
    results = {
        str(each.get("idref")).rpartition("content_rule_")[2]: str(each.findtext("x:result", "", NAMESPACE))
        for each in tree.iter(f"{{{NAMESPACE['x']}}}rule-result")
    }
    counts = Counter(results.values())
    return {
        "score": f"{float(score.text or 0):.1f}",
        "counts": {name: counts[name] for name in ("pass", "fail", "notapplicable", "notchecked", "error")},
        "left": sorted(name for name, result in results.items() if result in ("fail", "error")),
    }


def ssh_audit(server: Server, folder: Path) -> dict[str, Any]:
    """Whether the policy passes, by ssh-audit in an environment of its own."""
    program = folder / "audit/bin/ssh-audit"
    if not program.exists():
        run(sys.executable, "-m", "venv", folder / "audit")
        pip = [folder / "audit/bin/python", "-m", "pip", "install", "-q", "--require-hashes", "-r"]
        run(*pip, REPOSITORY / "bench/requirements-audit.txt")
    said = run(program, "-P", POLICY, server.address, good=(0, 1, 2, 3))
    left = [line.strip() for line in said.splitlines() if re.match(r"\s+\* ", line)]
    return {"score": "passes" if re.search(r"Result:.*Passed", said) else "fails", "left": left}


def main() -> None:
    """A table, then what still fails."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--results", type=Path, help="keep what the tools found in this folder")
    keep = words.parse_args().results or Path(tempfile.mkdtemp(prefix="amc-audit-results-"))
    keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="amc-audit-") as home:
        folder = Path(home)
        lab = Lab(folder / "lab", settings.read().cache)
        try:
            stream = content(folder)
            server = Server(lab, folder)
            server.prepare(stream)
            found = []
            for name in ("fresh", "hardened", "patched"):
                if name == "hardened":
                    print(f"playbooks/harden.yml: {server.harden()}", flush=True)
                if name == "patched":
                    server.root(f"env DEBIAN_FRONTEND=noninteractive {UPGRADE}")
                found.append(
                    {
                        "lynis": lynis(server),
                        "openscap": openscap(server, stream, keep / f"openscap-{name}.xml"),
                        "ssh-audit": ssh_audit(server, folder),
                    }
                )
                (keep / f"{name}.json").write_text(json.dumps(found[-1], indent=1))
            failed = server.root("systemctl --failed --plain --no-legend")
        finally:
            lab.down()
    fresh, hardened, patched = found
    print(f"{'':10} {'fresh -> ours -> and patched':36} fresh -> devsec")
    for tool, devsec in DEVSEC.items():
        print(f"{tool:10} {' -> '.join(str(each[tool]['score']) for each in found):36} {devsec}")
    for name, column in (("fresh", fresh), ("hardened", hardened), ("patched", patched)):
        print(f"openscap, {name}: {column['openscap'].get('counts', {})}")
    print(f"failed units: {failed.strip() or 'none'}")
    for tool in DEVSEC:
        print(f"{tool} still says:", *hardened[tool]["left"], sep="\n  ")


if __name__ == "__main__":
    main()
