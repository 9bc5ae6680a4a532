"""What size a server can have on a machine, and what is said when it can't."""

import pytest

from lab.errors import LabError
from lab.sizes import Machine, Size, check, faults

MACHINE = Machine(cpus=2, memory_mib=8000, free_gib=50)


@pytest.mark.parametrize(
    ("size", "now", "fields"),
    [
        (Size(), None, []),
        (Size(2, 8000, 50), None, []),
        (Size(0.1, 256, 1), None, []),
        (Size(disk_gib=60), Size(disk_gib=20), []),
        (Size(disk_gib=20), Size(disk_gib=20), []),
        (Size(4, 1024), None, ["cpus"]),
        (Size(0, 1024), None, ["cpus"]),
        (Size(-1, 8001), None, ["cpus", "memory_mib"]),
        (Size(1, 0, 0), None, ["memory_mib", "disk_gib"]),
        (Size(disk_gib=51), None, ["disk_gib"]),
        (Size(disk_gib=19), Size(disk_gib=20), ["disk_gib"]),
    ],
)
def test_what_a_machine_cannot_give_is_refused(size: Size, now: Size | None, fields: list[str]) -> None:
    """More than there is, nothing, a disk that would shrink: each by its field."""
    assert [fault.field for fault in faults(size, MACHINE, now)] == fields


def test_the_refusal_names_the_server_the_numbers_and_a_mend() -> None:
    """All that is wrong at once."""
    with pytest.raises(LabError, match=r"erp1: 4 CPUs: .* 0.1 to 2; the disk has 9 GiB and never") as caught:
        check("erp1", Size(4, 1024, 8), MACHINE, Size(1, 1024, 9))
    assert "keep 9 GiB" in caught.value.mend


def test_a_size_is_said_in_words() -> None:
    """Only what is limited; whole processors are what the server sees."""
    assert str(Size(0.5, 1024, 8)) == "0.5 CPU, 1024 MiB, disk 8 GiB"
    assert str(Size(memory_mib=512)) == "512 MiB"
    assert str(Size()) == "no limits"
    assert [Size(cpus).processors for cpus in (None, 0.5, 1, 1.5, 2)] == [None, 1, 1, 2, 2]
