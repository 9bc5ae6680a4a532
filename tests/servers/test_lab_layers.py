"""What was done in one server can be what others start from."""

import uuid

import pytest

from lab import Lab, LabError, layers, mounts
from lab.waiting import run

PREPARE = (
    "echo first | sudo tee /srv/marker && sudo rm -r /etc/nginx && sudo mkdir /etc/nginx"
    " && sudo touch /etc/nginx/only && sudo rm /etc/motd"
)
IDENTITY = "hostname; cat /etc/machine-id; cat /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2; hostname -I"


def test_a_saved_layer_makes_further_servers(own_lab: Lab, shell) -> None:
    """The new server has the files, the deletions and the replaced folder, and an identity of its own.

    A second layer stands on the first. Saving again under a key changes nothing.
    """
    key, second = f"test-{uuid.uuid4().hex[:8]}", f"test-{uuid.uuid4().hex[:8]}"
    assert not own_lab.has_layer(key)
    with pytest.raises(LabError, match="there is no layer"):
        own_lab.up(["copy"], layer=key)
    own_lab.up(["first"])
    shell(own_lab, "first", PREPARE)
    try:
        own_lab.save_layer("first", key)
        assert own_lab.has_layer(key)
        shell(own_lab, "first", "echo later | sudo tee /srv/marker")
        own_lab.save_layer("first", key)
        assert own_lab.up(["copy"], layer=key)[0].layer == key
        assert shell(
            own_lab, "copy", "cat /srv/marker; ls /etc/nginx; ls /etc/motd 2>&1 || true"
        ).splitlines() == [
            "first",
            "only",
            "ls: cannot access '/etc/motd': No such file or directory",
        ]
        identities = [shell(own_lab, name, IDENTITY).splitlines() for name in ("first", "copy")]
        assert all(a != b for a, b in zip(*identities, strict=True)), identities
        shell(own_lab, "copy", "echo second | sudo tee /srv/second")
        own_lab.stop("copy")
        own_lab.save_layer("copy", second)
        assert [each.state for each in own_lab.status()] == ["stopped", "running"]
        own_lab.up(["top"], layer=second)
        assert shell(own_lab, "top", "cat /srv/marker /srv/second; ls /etc/nginx").split() == [
            "first",
            "second",
            "only",
        ]
    finally:
        own_lab.down()
        for folder in own_lab.cache.glob(f"layers/*/{key}*"), own_lab.cache.glob(f"layers/*/{second}*"):
            run(["rm", "-rf", *folder], "removing the test's layers")
    assert layers.exists(own_lab.cache, "none", key) is False
    assert not any(key in source for source in mounts.sources().values())
