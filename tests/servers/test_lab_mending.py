"""Whatever is killed, the next call finds what is there and mends or removes it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from lab import Lab, LabError, cgroups, leftovers

UP = """
import sys
from pathlib import Path
from lab import Lab
Lab(Path(sys.argv[1]), Path(sys.argv[2])).up(["victim"])
"""


def part(lab: Lab, name: str, command: str) -> int:
    """The process `command` in a part (`loop` or `guest`) of the lab's only server."""
    group = cgroups.Group(cgroups.here(), f"{lab.names.cgroup}/10/{name}")
    shown = subprocess.run(["ps", "-o", "pid=", "-C", command], capture_output=True, text=True, check=True)
    pids = group.pids() & {int(pid) for pid in shown.stdout.split()}
    assert len(pids) == 1
    return pids.pop()


@pytest.mark.parametrize(("name", "command"), [("guest", "systemd-nspawn"), ("loop", "sh")])
def test_kill_9_of_a_servers_process_is_mended(own_lab: Lab, shell, name: str, command: str) -> None:
    """Its container process, or the loop that restarts it: status shows it, `up` brings the server back."""
    own_lab.up(["victim"])
    shell(own_lab, "victim", "echo kept > ~/kept && sync")
    os.kill(part(own_lab, name, command), signal.SIGKILL)
    time.sleep(0.3)
    assert own_lab.status()[0].state == "broken"
    assert own_lab.up(["victim"])[0].state == "running"
    assert shell(own_lab, "victim", "cat ~/kept") == "kept"


@pytest.mark.parametrize("seconds", [0.25, 0.7, 1.5])
def test_kill_9_of_the_controller_during_up(own_lab: Lab, shell, seconds: float) -> None:
    """Killed before or while the server starts: the next `up` makes it whole, `down` leaves nothing."""
    controller = subprocess.Popen([sys.executable, "-c", UP, own_lab.home, own_lab.cache])
    time.sleep(seconds)
    controller.kill()
    assert controller.wait() == -signal.SIGKILL
    assert own_lab.up(["victim"])[0].state == "running"
    assert shell(own_lab, "victim", "hostname") == "victim"


def test_ctrl_c_during_up_ends_it_at_once(own_lab: Lab) -> None:
    """SIGINT is not waited out: the command ends within seconds, and the fixture's `down` leaves nothing."""
    controller = subprocess.Popen(
        [sys.executable, "-c", UP, own_lab.home, own_lab.cache], stderr=subprocess.PIPE
    )
    time.sleep(1)
    controller.send_signal(signal.SIGINT)
    said = controller.communicate(timeout=12)[1]
    assert b"KeyboardInterrupt" in said
    assert controller.returncode != 0


def test_down_needs_no_records(own_lab: Lab) -> None:
    """With the lab's records torn, everything is found by name; `down` brings every count to nothing."""
    own_lab.up(["victim", "other"])
    assert set(leftovers(own_lab.names.lab)) == {
        "processes",
        "mounts",
        "links",
        "cgroups",
        "tables",
        "folders",
    }
    (own_lab.home / "lab.json").write_text("{ torn")
    with pytest.raises(LabError, match="cannot be understood"):
        own_lab.status()
    own_lab.down()
    assert leftovers(own_lab.names.lab) == {}
    assert not own_lab.home.exists()


def test_lost_records_do_not_mix_up_servers(own_lab: Lab, shell) -> None:
    """After the loss of the records another server gets the number that a living one has: the orphan goes."""
    own_lab.up(["victim"])
    (own_lab.home / "lab.json").unlink()
    own_lab.up(["other"])
    assert [each.name for each in own_lab.status()] == ["other"]
    assert shell(own_lab, "other", "hostname") == "other"


def test_a_server_that_cannot_start_says_why(own_lab: Lab) -> None:
    """With its init destroyed the server ends at once; the error holds its console, no deadline passes."""
    own_lab.up(["victim"])
    own_lab.stop("victim")
    upper = own_lab.home / "servers/victim/upper/usr/lib/systemd"
    upper.mkdir(parents=True)
    (upper / "systemd").write_text("not a program\n")
    started = time.monotonic()
    with pytest.raises(LabError, match=r"(?s)victim ended while it started.*console:"):
        own_lab.up(["victim"])
    assert time.monotonic() - started < 20
