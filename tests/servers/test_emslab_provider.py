"""Pulumi's engine and a lab server: made, taken over, changed, found changed, killed half-way, removed."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import Lab, Size, cgroups
from lab.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
BOOT = "cat /proc/sys/kernel/random/boot_id"
INSIDE = "nproc; awk '/MemTotal/ {print $2 / 1024}' /proc/meminfo; df -m --output=size / | tail -1"
PROJECT = """\
name: trial
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: PREFIX
plugins: {providers: [{name: emslab, path: REPOSITORY/pulumi/providers/emslab}]}
"""
PROGRAM = """\
import json, pathlib, sys
sys.path.append("REPOSITORY/pulumi")
import emslab
emslab.Server("erp1", **json.loads(pathlib.Path("wanted.json").read_text()))
"""


@dataclass
class Engine:
    """A project of its own with one server, `wanted.json` says which."""

    program: Path
    folder: Path

    def want(self, **properties: Any) -> None:
        (self.folder / "wanted.json").write_text(json.dumps({"name": "erp1", **properties}))

    def command(self, *words: str) -> tuple[list[str], dict[str, Any]]:
        home = self.folder.parent
        variables = {
            **os.environ,
            "AMC_HOME": str(home),
            "PATH": f"{self.program.parent}:{os.environ['PATH']}",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder}",
            "PULUMI_CONFIG_PASSPHRASE": "trial",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        return [str(self.program), "--non-interactive", *words], {"cwd": self.folder, "env": variables}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command, where = self.command(*words)
        return subprocess.run(
            command,
            **where,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def up(self, *words: str) -> dict[str, int]:
        """What was done, `{"update": 1, "same": 1}`; it must succeed."""
        done = self.run("up", "--yes", "--skip-preview", "--json", *words)
        assert done.returncode == 0, done.stdout
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        summary = next(each["summaryEvent"] for each in events if "summaryEvent" in each)
        return summary["resourceChanges"]


@pytest.fixture
def engine(own_lab: Lab) -> Engine:
    """The pinned engine; brought when it is missing, which takes minutes, once on a machine."""
    brought = subprocess.run(
        [REPOSITORY / "scripts/pulumi", "--wait"], capture_output=True, text=True, check=False, timeout=1200
    )
    assert brought.returncode == 0, brought.stderr
    folder = own_lab.home.parent / "project"
    folder.mkdir()
    for name, text in (("Pulumi.yaml", PROJECT), ("__main__.py", PROGRAM)):
        (folder / name).write_text(text.replace("REPOSITORY", str(REPOSITORY)).replace("PREFIX", sys.prefix))
    made = Engine(Path(brought.stdout.strip()), folder)
    assert made.run("stack", "init", "one").returncode == 0
    return made


def seen(shell, lab: Lab) -> tuple[int, int, int]:
    """Processors, MiB of memory and GiB of disk, as the server tells."""
    words = shell(lab, "erp1", INSIDE).split()
    return int(words[0]), int(float(words[1])), round(int(words[2]) / 1024)


def test_a_server_grows_by_the_engine(engine: Engine, own_lab: Lab, shell) -> None:
    """Made of half a processor, grown to two while it runs; what cannot be is refused before anything
    is changed; what was changed by hand is found and healed; stopped for a change where that is wanted."""
    engine.want(cpus=0.5, memory_mib=1024, disk_gib=1)
    previewed = engine.run("preview")
    assert previewed.returncode == 0, previewed.stdout
    assert own_lab.status() == []
    assert engine.up() == {"create": 2}
    boot = shell(own_lab, "erp1", BOOT)
    assert seen(shell, own_lab) == (1, 1024, 1)
    engine.want(cpus=2, memory_mib=2048, disk_gib=3)
    assert engine.up() == {"same": 1, "update": 1}
    assert (seen(shell, own_lab), shell(own_lab, "erp1", BOOT)) == ((2, 2048, 3), boot)

    engine.want(cpus=64, memory_mib=10**9, disk_gib=2)
    done = engine.run("preview")
    assert done.returncode != 0, done.stdout
    for words in (
        "64 CPUs: this machine gives",
        "MiB of memory: this machine gives",
        "never shrinks",
        "mend:",
    ):
        assert words in done.stdout
    assert own_lab.status()[0].size == Size(2, 2048, 3)

    group = cgroups.Group(cgroups.here(), f"{own_lab.names.cgroup}/10/guest")
    root = group.layout.v1.get("memory")
    by_hand = root / group.path / "memory.limit_in_bytes" if root else group.folders()[0] / "memory.max"
    by_hand.write_text(str(2**30))
    engine.want(cpus=2, memory_mib=2048, disk_gib=3)
    assert engine.up("--refresh") == {"same": 1, "update": 1}
    assert seen(shell, own_lab)[1] == 2048

    engine.want(cpus=1, memory_mib=1024, disk_gib=3, stop_to_resize=True)
    assert engine.up() == {"same": 1, "update": 1}
    assert seen(shell, own_lab) == (1, 1024, 3)
    assert shell(own_lab, "erp1", BOOT) != boot
    assert engine.run("destroy", "--yes", "--skip-preview").returncode == 0
    assert own_lab.status() == []


def test_killed_half_way(engine: Engine, own_lab: Lab, shell) -> None:
    """A server that `amc lab up` made is taken over, with its files. The engine is killed while the server is
    stopped for a change: the provider finishes and ends; the next `up` finds all done, or does it."""
    own_lab.up(["erp1"], sizes={"erp1": Size(disk_gib=1)})
    boot = shell(own_lab, "erp1", f"echo kept > ~/kept; sync; {BOOT}")
    engine.want(cpus=0.5, memory_mib=1024, disk_gib=1)
    assert engine.up() == {"create": 2}
    assert (seen(shell, own_lab), shell(own_lab, "erp1", BOOT)) == ((1, 1024, 1), boot)

    engine.want(cpus=1, memory_mib=2048, disk_gib=2, stop_to_resize=True)
    command, where = engine.command("up", "--yes", "--skip-preview")
    killed = subprocess.Popen(command, **where, stdout=subprocess.DEVNULL)
    wait_until(lambda: own_lab.status()[0].state != "running", "the change to stop the server", 30)
    assert providers_of(engine)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_until(lambda: not providers_of(engine), "the provider to end with its engine", 60)
    assert own_lab.status()[0].state == "running"
    assert engine.run("cancel", "--yes").returncode == 0
    engine.up("--refresh")
    assert seen(shell, own_lab) == (1, 2048, 2)
    assert shell(own_lab, "erp1", "cat ~/kept") == "kept"


def providers_of(engine: Engine) -> list[int]:
    """Processes of the provider whose home is the engine's."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        of_this_test = f"AMC_HOME={engine.folder.parent}".encode() in variables
        if of_this_test and any(word.endswith(b"emslab/serve.py") for word in words):
            found.append(int(process.name))
    return found
