"""Which servers `amc lab up` means, and of which size."""

from pathlib import Path

import pytest

from lab import Size
from orchestrator.cli.lab import asked_for
from orchestrator.errors import InvalidInput, UsageError


@pytest.fixture(autouse=True)
def inventories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A customer with a lab server and one by SSH, and what customers share."""
    written = {
        "acme": "mems: {hosts: {acme-erp1: {server_provider: lab}, acme-erp2: }}",
        "provider": "backup_server: {hosts: {backup1: {server_provider: lab}}}",
    }
    for folder, text in written.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "hosts.yml").write_text(text)
    monkeypatch.setenv("AMC_INVENTORIES", str(tmp_path))
    return tmp_path


def names(customers: list[str] | None, servers: list[str] | None) -> list[str]:
    return sorted(asked_for(customers, servers, None, None))


def test_without_options_everything_that_a_lab_makes() -> None:
    """The customers' servers and what they share."""
    assert names(None, None) == ["acme-erp1", "backup1"]


def test_what_customers_share_is_asked_for_by_its_folder() -> None:
    """As a customer's servers are."""
    assert names(["provider"], None) == ["backup1"]
    assert names(["acme", "provider"], ["backup1"]) == ["backup1"]
    assert names(["acme"], None) == ["acme-erp1"]


def test_what_is_not_there_is_said_in_words(inventories: Path) -> None:
    """A server of another folder, a server that no lab makes, a provider that is not there."""
    with pytest.raises(UsageError, match="no such lab server: acme-erp1"):
        names(["provider"], ["acme-erp1"])
    with pytest.raises(UsageError, match=r"acme-erp2.*\n.*lab: acme-erp1"):
        names(["acme"], ["acme-erp2"])
    (inventories / "provider" / "hosts.yml").unlink()
    with pytest.raises(InvalidInput, match=r"provider/hosts\.yml: there is no such file\n.*servers: acme"):
        names(["provider"], None)


def declare(inventories: Path, *lines: str) -> None:
    (inventories / "acme/host_vars").mkdir()
    (inventories / "acme/host_vars/acme-erp1.yml").write_text("".join(f"{line}\n" for line in lines))


def test_a_specification_is_one_line(inventories: Path) -> None:
    """With a disk if that is declared, too; without a specification there are no limits."""
    declare(inventories, "server_spec: lab.medium", "server_disk_gib: 12")
    assert asked_for(None, None, None, None) == {"acme-erp1": Size(1, 2048, 12), "backup1": Size()}
    assert asked_for(["acme"], ["acme-erp1"], None, None) == {"acme-erp1": Size(1, 2048, 12)}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("server_spec: lab.huge", "no specification `lab.huge`"),
        ("server_spec: t3.small", "which aws has; its provider is lab"),
        ("server_disk_gib: much", "server_disk_gib of acme-erp1 is 'much'"),
        ("server_disk_gib: 0", "server_disk_gib of acme-erp1 is 0"),
    ],
)
def test_a_size_that_cannot_be_is_said_with_the_file(inventories: Path, line: str, said: str) -> None:
    """Before any server is made."""
    declare(inventories, line)
    with pytest.raises(InvalidInput) as caught:
        asked_for(["acme"], None, None, None)
    assert said in str(caught.value)
    assert "host_vars/acme-erp1.yml" in str(caught.value)


def test_a_throw_away_server_has_the_size_that_is_asked_for() -> None:
    """None without; of a declared server the inventory says it."""
    assert asked_for(None, ["b", "a"], None, None) == {"a": Size(), "b": Size()}
    assert asked_for(None, ["a"], "lab.small", 3) == {"a": Size(0.5, 1024, 3)}
    with pytest.raises(UsageError, match="throw-away"):
        asked_for(["acme"], ["acme-erp1"], "lab.small", None)
