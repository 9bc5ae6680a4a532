"""Which servers `amc lab up` means."""

from pathlib import Path

import pytest

from orchestrator.cli.lab import _names
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


def test_without_options_everything_that_a_lab_makes() -> None:
    """The customers' servers and what they share."""
    assert _names(None, None) == ["acme-erp1", "backup1"]


def test_what_customers_share_is_asked_for_by_its_folder() -> None:
    """As a customer's servers are."""
    assert _names(["provider"], None) == ["backup1"]
    assert _names(["acme", "provider"], ["backup1"]) == ["backup1"]
    assert _names(["acme"], None) == ["acme-erp1"]


def test_what_is_not_there_is_said_in_words(inventories: Path) -> None:
    """A server of another folder, a server that no lab makes, a provider that is not there."""
    with pytest.raises(UsageError, match="no such lab server: acme-erp1"):
        _names(["provider"], ["acme-erp1"])
    with pytest.raises(UsageError, match=r"acme-erp2.*\n.*lab: acme-erp1"):
        _names(["acme"], ["acme-erp2"])
    (inventories / "provider" / "hosts.yml").unlink()
    with pytest.raises(InvalidInput, match=r"provider/hosts\.yml: there is no such file\n.*servers: acme"):
        _names(["provider"], None)
