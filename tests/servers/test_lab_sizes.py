"""A lab server has a size: it sees it, keeps it, gets another one while it runs, and never loses a file."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from lab import Lab, LabError, Size, cgroups, disks
from lab.names import Names
from lab.waiting import run

GIB_SHOWN = 1024 - 64
"""MiB that a disk of 1 GiB shows: XFS's journal is not counted."""
INSIDE = (
    "nproc; grep -c ^processor /proc/cpuinfo; awk '/MemTotal/ {print $2 / 1024}' /proc/meminfo;"
    " df -m --output=size / | tail -1; cat /proc/sys/kernel/random/boot_id"
)

RESIZE = """
import sys
from pathlib import Path
from lab import Lab, Size
Lab(Path(sys.argv[1]), Path(sys.argv[2])).resize("sized", Size(2, 2048, 3), stop=sys.argv[3] == "stop")
"""


def seen(shell, lab: Lab, name: str = "sized") -> tuple[int, int, int, int, str]:
    """Processors (twice), MiB of memory, MiB of disk and the boot, as the server itself tells."""
    words = shell(lab, name, INSIDE).split()
    return int(words[0]), int(words[1]), int(float(words[2])), int(words[3]), words[4]


def shown(size: Size, boot: str) -> tuple[int, int, int, int, str]:
    """What `seen` is to be."""
    assert size.processors and size.memory_mib and size.disk_gib
    return size.processors, size.processors, size.memory_mib, (size.disk_gib - 1) * 1024 + GIB_SHOWN, boot


def facts(lab: Lab, name: str) -> dict[str, int]:
    """What roles read: Ansible's own facts."""
    environment = {**os.environ, "ANSIBLE_SSH_COMMON_ARGS": f"-F {lab.ssh_config}"}
    words = [Path(sys.executable).with_name("ansible"), name, "-i", f"{name},", "-m", "setup"]
    words += ["-a", "gather_subset=!all,!min,hardware", "-o"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout.split(" => ", 1)[1])["ansible_facts"]


def test_it_sees_its_size_and_grows_while_it_runs(own_lab: Lab, shell) -> None:
    """Half a processor, one, two, with memory and disk: seen inside by tools and by Ansible, no restart.

    After a reboot from inside, and when lxcfs was killed, it is the same. Less disk, or more than there is,
    is refused and nothing is changed.
    """
    made = own_lab.up(["sized"], sizes={"sized": Size(0.5, 1024, 1)})[0]
    assert made.size == Size(0.5, 1024, 1)
    boot = seen(shell, own_lab)[4]
    assert seen(shell, own_lab) == shown(made.size, boot)
    for size in (Size(1, 2048, 2), Size(2, 3072, 3)):
        assert own_lab.resize("sized", size).size == size
        assert seen(shell, own_lab) == shown(size, boot)
    told = facts(own_lab, "sized")
    assert (told["ansible_processor_vcpus"], told["ansible_memtotal_mb"]) == (2, 3072)
    for refused in (Size(2, 3072, 2), Size(1000, 3072), Size(1, 10**9), Size(1, 1024, 10**6)):
        with pytest.raises(LabError) as caught:
            own_lab.resize("sized", refused)
        assert caught.value.mend
    small = Size(0.5, 1024, 3)
    own_lab.resize("sized", Size(0.5, 1024))
    assert seen(shell, own_lab) == shown(small, boot)
    subprocess.run(["ssh", "-F", own_lab.ssh_config, "sized", "sudo reboot"], timeout=30, check=False)
    time.sleep(0.5)
    assert own_lab.up(["sized"])[0].size == small
    after = seen(shell, own_lab)
    assert after == shown(small, after[4])
    assert after[4] != boot
    view = cgroups.Group(cgroups.here(), f"{own_lab.names.cgroup}/view")
    view.kill()  # lxcfs: the server is cut off from the view of its size, `up` brings both back
    own_lab.up(["sized"])
    assert seen(shell, own_lab)[:4] == shown(small, "")[:4]


def test_a_share_of_a_processor_is_a_share(own_lab: Lab, shell) -> None:
    """Quarter of a processor: what computes for a second is given a quarter of one. Memory that is held can't
    be taken away while it runs; with a stop it can, and a server without a disk gets one, with its files."""
    own_lab.up(["sized"])
    assert own_lab.status()[0].size == Size()
    own_lab.resize("sized", Size(0.25, 1024))
    count = "import time; e = time.time() + 2; s = time.process_time()\nwhile time.time() < e: pass\n"
    used = float(shell(own_lab, "sized", f"python3 -c '{count}print(time.process_time() - s)'"))
    assert 0.3 < used < 0.7
    hold = "python3 -c 'import time; b = bytearray(700 * 2**20); print(1, flush=True); time.sleep(60)'"
    shell(
        own_lab,
        "sized",
        f"echo kept > ~/kept; ({hold} > ~/holds 2>&1 &) ; until [ -s ~/holds ]; do sleep .1; done",
    )
    with pytest.raises(LabError, match=r"holds \d+ MiB of memory, 512 MiB are less"):
        own_lab.resize("sized", Size(1, 512))
    with pytest.raises(LabError, match="has no disk of its own"):
        own_lab.resize("sized", Size(1, 1024, 2))
    assert own_lab.status()[0].size == Size(0.25, 1024)
    assert own_lab.resize("sized", Size(1, 512, 2), stop=True).size == Size(1, 512, 2)
    assert seen(shell, own_lab)[2:4] == (512, 1024 + GIB_SHOWN)
    assert shell(own_lab, "sized", "cat ~/kept") == "kept"


@pytest.mark.parametrize("how", ["live", "stop"])
def test_killed_while_it_resizes(own_lab: Lab, shell, how: str) -> None:
    """kill -9 of the controller at any point: the server has the old or the new size, never another; the next
    call completes it. The same for whatever changed the limits by hand."""
    old, new = Size(0.5, 1024, 2), Size(2, 2048, 3)
    own_lab.up(["sized"], sizes={"sized": old})
    shell(own_lab, "sized", "echo kept > ~/kept")
    moments = random.Random(7)
    for _ in range(2):
        words = [sys.executable, "-c", RESIZE, own_lab.home, own_lab.cache, how]
        controller = subprocess.Popen(words)
        time.sleep(moments.uniform(0.1, 0.4 if how == "live" else 2.5))
        controller.kill()
        controller.wait()
        size = own_lab.status()[0].size
        assert (size.cpus, size.memory_mib, size.disk_gib) in [
            (a.cpus, b.memory_mib, c.disk_gib) for a in (old, new) for b in (old, new) for c in (old, new)
        ]
    assert own_lab.resize("sized", new, stop=how == "stop").size == new
    assert own_lab.status()[0].state == "running"
    group = cgroups.Group(cgroups.here(), f"{own_lab.names.cgroup}/10/guest")
    if "memory" in group.layout.v1:
        (group.layout.v1["memory"] / group.path / "memory.limit_in_bytes").write_text(str(2**30))
    else:
        (group.folders()[0] / "memory.max").write_text(str(2**30))
    assert own_lab.status()[0].size.memory_mib == 1024
    assert own_lab.up(["sized"])[0].size == new
    assert shell(own_lab, "sized", "cat ~/kept") == "kept"


def test_layers_and_disks(own_lab: Lab, shell) -> None:
    """What was done on a disk can be a layer; a server from it has its own disk, and the layer's files."""
    key = f"test-{uuid.uuid4().hex[:8]}"
    own_lab.up(["sized"], sizes={"sized": Size(disk_gib=1)})
    try:
        shell(own_lab, "sized", "echo layered | sudo tee /srv/marker")
        own_lab.stop("sized")
        own_lab.save_layer("sized", key)
        assert disks.attached(own_lab.names) == {}
        own_lab.destroy("sized")
        own_lab.up(["copy"], layer=key, sizes={"copy": Size(1, 1024, 2)})
        assert shell(own_lab, "copy", "cat /srv/marker") == "layered"
        assert seen(shell, own_lab, "copy")[3] == 1024 + GIB_SHOWN
    finally:
        own_lab.down()
        run(["rm", "-rf", *own_lab.cache.glob(f"layers/*/{key}*")], "removing the test's layer")


def test_without_xfs_a_disk_grows_while_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a kernel without XFS it is ext4: refused in use with a mend, grown when not mounted, files kept.
    Files that would not fit are told before anything is changed."""
    monkeypatch.setattr(disks, "kernel_has", lambda _: False)
    disk = disks.Disk(Names("l00000"), 10, tmp_path)
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper/file").write_text("kept")
    try:
        assert (disk.mount(1) / "upper/file").read_text() == "kept"
        assert not (tmp_path / "upper").exists()
        with pytest.raises(LabError, match="ext4 does not grow in use") as caught:
            disk.grow(2)
        assert "stop the server" in caught.value.mend
        disk.unmount()
        assert disks.attached(Names("l00000")) == {}
        assert shutil.disk_usage(disk.mount(2)).total > 1.8 * 2**30
        assert (disk.gib(), (disk.place / "upper/file").read_text()) == (2, "kept")
    finally:
        disk.unmount()


def test_files_that_do_not_fit_are_not_moved(tmp_path: Path) -> None:
    """The disk is refused with the size that suffices; nothing was made."""
    (tmp_path / "upper").mkdir()
    with (tmp_path / "upper/file").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2**30)
    disk = disks.Disk(Names("l00000"), 11, tmp_path)
    with pytest.raises(LabError, match=r"too small for the 1\.0 GiB") as caught:
        disk.mount(1)
    assert caught.value.mend == "choose 2 GiB or more"
    assert [path.name for path in tmp_path.iterdir()] == ["upper"]
