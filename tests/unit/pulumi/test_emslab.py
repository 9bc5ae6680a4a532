"""What the provider of lab servers refuses, and what it takes for a change, without an engine."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.runtime.rpc import UNKNOWN

FOLDER = Path(__file__).parents[3] / "pulumi/providers/emslab"
URN = "urn:pulumi:acme::mems::emslab:index:Server::erp1"
GOOD: dict[str, Any] = {"name": "erp1", "cpus": 0.5, "memoryMib": 1024.0}
STATE = {**GOOD, "diskGib": 8.0, "stopToResize": False, "address": "10.80.1.10", "state": "running"}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[sdk.Provider]:
    """The provider of an installation without a lab."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("AMC_HOME", str(tmp_path))
    import lab_server

    yield lab_server.LabServers()
    for name in ("lab_server", "inputs"):
        sys.modules.pop(name)


def values(plain: dict[str, Any]) -> dict[str, PropertyValue]:
    return {key: PropertyValue(value) for key, value in plain.items()}


@pytest.mark.parametrize(
    ("change", "property_", "said"),
    [
        ({}, None, ""),
        ({"cpus": Computed(), "name": Computed()}, None, ""),
        ({"memory": 1.0}, "memory", "there is no property `memory`; known are name, cpus"),
        ({"name": None}, "name", "`name` is missing"),
        ({"cpus": 0.0}, "cpus", "`cpus` is 0: a number of CPUs above 0"),
        ({"cpus": True}, "cpus", "`cpus` is True"),
        ({"memoryMib": 512.5}, "memoryMib", "a whole number of MiB"),
        ({"diskGib": -1.0}, "diskGib", "a whole number of GiB above 0"),
        ({"diskGib": "8"}, "diskGib", "`diskGib` is '8'"),
        ({"stopToResize": "no"}, "stopToResize", "true or false"),
        ({"cpus": 5000.0}, "cpus", "5000 CPUs: this machine gives"),
        ({"memoryMib": 1e12}, "memoryMib", "MiB of memory: this machine gives"),
        ({"diskGib": 1e9}, "diskGib", "are free on this machine"),
    ],
)
def test_what_cannot_be_is_refused(
    provider: sdk.Provider, change: dict[str, Any], property_: str | None, said: str
) -> None:
    """Each by its property and in words; what is not known yet is not refused."""
    checked = asyncio.run(provider.check(sdk.CheckRequest(URN, {}, values({**GOOD, **change}), b"")))
    found = [(failure.property, failure.reason) for failure in checked.failures or []]
    assert [name for name, _ in found] == ([property_] if property_ else [])
    assert all(said in reason for _, reason in found)


@pytest.mark.parametrize(
    ("state", "change", "changed", "replaced"),
    [
        ({}, {}, [], []),
        ({}, {"diskGib": 8.0}, [], []),
        ({}, {"cpus": 1.0, "memoryMib": 2048.0, "diskGib": 9.0}, ["cpus", "memoryMib", "diskGib"], []),
        ({}, {"stopToResize": True}, ["stopToResize"], []),
        ({}, {"name": "erp2"}, ["name"], ["name"]),
        ({}, {"image": "mems-1a2b"}, ["image"], ["image"]),
        ({"state": "stopped"}, {}, ["state"], []),
        ({"cpus": 2.0}, {}, ["cpus"], []),
    ],
)
def test_what_a_change_is(
    provider: sdk.Provider,
    state: dict[str, Any],
    change: dict[str, Any],
    changed: list[str],
    replaced: list[str],
) -> None:
    """A size is changed in place, another name or image is another server; without a word about it the disk
    stays; a server that does not run is started."""
    request = sdk.DiffRequest(URN, "erp1", values({**STATE, **state}), values({**GOOD, **change}), [])
    found = asyncio.run(provider.diff(request))
    assert (found.changes, found.diffs, found.replaces) == (bool(changed), changed, replaced)
    assert set(found.detailed_diff) == set(changed)


def test_what_is_gone_is_gone(provider: sdk.Provider) -> None:
    """Read by the engine, its id is empty; deleting it is no error and needs no lab."""
    found = asyncio.run(provider.read(sdk.ReadRequest(URN, "erp1", values(STATE), values(GOOD))))
    assert found.resource_id == ""


def test_a_preview_changes_nothing(provider: sdk.Provider, tmp_path: Path) -> None:
    """Address and state are not known before; no lab is made."""
    made = asyncio.run(provider.create(sdk.CreateRequest(URN, values(GOOD), 0, preview=True)))
    assert made.resource_id is None
    assert made.properties["address"].value == UNKNOWN  # the SDK can't write its own Computed
    assert PropertyValue.marshal_map(made.properties)["address"] == UNKNOWN
    assert {key: made.properties[key].value for key in GOOD} == GOOD
    assert list(tmp_path.iterdir()) == []
