"""Several labs on one machine, and several commands on one lab."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import Lab, leftovers

UP = """
import sys
from pathlib import Path
from lab import Lab
Lab(Path(sys.argv[1]), Path(sys.argv[2]), say=print).up(["twin"])
"""


def test_two_labs_made_at_once_do_not_clash(lab: Lab, own_lab: Lab, shell) -> None:
    """The same server name in two labs: different networks, each with its ssh_config; one stays alone."""
    own_lab.synced = True
    with ThreadPoolExecutor(2) as pool:
        here, there = pool.map(lambda each: each.up(["twin"])[0], (lab, own_lab))
    assert here.address.rsplit(".", 1)[0] != there.address.rsplit(".", 1)[0]
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    volatile = {line.split(" ")[1]: "volatile" in line for line in mounts if "/twin/root " in line}
    assert volatile[str(lab.home / "servers/twin/root")]
    assert not volatile[str(own_lab.home / "servers/twin/root")]
    shell(lab, "twin", "echo session > ~/whose")
    shell(own_lab, "twin", "echo own > ~/whose")
    assert shell(lab, "twin", "cat ~/whose") == "session"
    own_lab.down()
    assert leftovers(own_lab.names.lab) == {}
    assert shell(lab, "twin", "cat ~/whose; sudo apt-get update -qq").splitlines() == ["session"]
    lab.destroy("twin")
    assert "twin" not in {each.name for each in lab.status()}


def test_two_commands_on_one_lab_take_turns(own_lab: Lab, tmp_path: Path) -> None:
    """Both `up`s of the same server succeed; one says that it waits, and for which process."""
    command = [sys.executable, "-u", "-c", UP, own_lab.home, own_lab.cache]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [each.communicate(timeout=120)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    pids = {str(each.pid) for each in both}
    waited = [line for text in said for line in text.splitlines() if "waiting for another command" in line]
    assert len(waited) == 1
    assert waited[0].rsplit("process ", 1)[1].rstrip(")") in pids
