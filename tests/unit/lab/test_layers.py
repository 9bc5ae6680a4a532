"""Keys of layers, and the cache's pruning."""

import os
from pathlib import Path

import pytest

from lab import layers, pruning
from lab.errors import LabError


@pytest.mark.parametrize("key", ["", "../x", "a/b", ".hidden", "saving-1", "lock", "a" * 81])
def test_keys_that_are_no_plain_names_are_refused(key: str, tmp_path: Path) -> None:
    """No key can leave the cache or collide with what lies beside the layers."""
    with pytest.raises(LabError, match="no name for a layer"):
        layers.folder(tmp_path, "image", key)


def test_a_layer_counts_only_when_complete(tmp_path: Path) -> None:
    """The folder alone is not the layer."""
    layers.folder(tmp_path, "image", "erp-1.0_x").mkdir(parents=True)
    assert not layers.exists(tmp_path, "image", "erp-1.0_x")


def test_only_what_is_unused_for_days_is_pruned(tmp_path: Path) -> None:
    """The old image and layer go; the used ones stay, and so does a build under way."""
    for name in ("images/old", "images/new", "images/building-x", "layers/new/old", "layers/new/new"):
        (tmp_path / name).mkdir(parents=True)
        if "building" not in name:
            pruning.mark_used(tmp_path / name)
    now = (tmp_path / "images/new.used").stat().st_mtime
    for name in ("images/old.used", "layers/new/old.used"):
        os.utime(tmp_path / name, (0, now - pruning.KEPT_SECONDS - 1))
    said: list[str] = []
    pruning.prune(tmp_path, now, said.append)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*/")}
    left |= {str(path.relative_to(tmp_path)) for path in tmp_path.glob("layers/*/*/")}
    assert left == {"images/new", "images/building-x", "layers/new", "layers/new/new"}
    assert len(said) == 2
