"""Folders beside each other: what a run that reads two of them would mix up."""

from pathlib import Path

from orchestrator.fleet.faults import faults

REPOSITORY = Path(__file__).parents[3]
PROVIDER = "all:\n  children:\n    backup_server:\n      hosts:\n        backup1:\n"


def write(inventories: Path, name: str, text: str) -> None:
    file = inventories / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def words(inventories: Path) -> list[str]:
    found = faults(inventories)
    assert all(problem.mend for problem in found)
    return [f"{problem.file.relative_to(inventories)}: {problem.message}" for problem in found]


def test_the_repositorys_inventories_have_none() -> None:
    """The demo customers and what they share."""
    assert faults(REPOSITORY / "inventories") == []


def test_good_folders_have_none(tmp_path: Path) -> None:
    """Servers of their own names, and a provider whose variables belong to its group."""
    write(tmp_path, "acme/hosts.yml", "mems: {hosts: {acme-erp1: }}")
    write(tmp_path, "acme/group_vars/all/contract.yml", "amc_contract: {customer: acme}")
    write(tmp_path, "provider/hosts.yml", PROVIDER)
    write(tmp_path, "provider/group_vars/backup_server.yml", "a: 1")
    assert words(tmp_path) == []


def test_what_customers_share_is_billed_to_nobody_and_changes_no_customer(tmp_path: Path) -> None:
    """No contract, no maintained server, no variable that would reach the customers' servers."""
    write(tmp_path, "provider/hosts.yml", PROVIDER + "    mems: {hosts: {erp9: {amc_contract: {}}}}\n")
    write(tmp_path, "provider/group_vars/all/x.yml", "a: 1")
    told = words(tmp_path)
    assert len(told) == 3
    assert told[0].startswith("provider/group_vars/all: variables of `all` would win")
    assert told[1].startswith("provider/hosts.yml: erp9 has a contract")
    assert told[2].startswith("provider/hosts.yml: erp9 is in the group `mems`")


def test_a_name_is_one_servers(tmp_path: Path) -> None:
    """A second customer's server of the same name would find the first one's backups."""
    write(tmp_path, "acme/hosts.yml", "mems: {hosts: {erp1: , erp2: }}")
    write(tmp_path, "globex/hosts.yml", "mems: {hosts: {erp2: }}")
    write(tmp_path, "provider/hosts.yml", "backup_server: {hosts: {erp1: }}")
    assert words(tmp_path) == [
        "globex/hosts.yml: erp2 is the name of a server of acme too",
        "provider/hosts.yml: erp1 is the name of a server of acme too",
    ]


def test_a_folder_that_cannot_be_read_hides_no_other_fault(tmp_path: Path) -> None:
    """Its own fault is among them."""
    write(tmp_path, "acme/hosts.yml", "all:\n  hosts: {a: 1\nb: 2\n")
    write(tmp_path, "globex/hosts.yml", "mems: {hosts: {erp2: }}")
    write(tmp_path, "initech/hosts.yml", "mems: {hosts: {erp2: }}")
    told = words(tmp_path)
    assert told[0].startswith("acme/hosts.yml: ") and "YAML" in told[0]
    assert told[1:] == ["initech/hosts.yml: erp2 is the name of a server of globex too"]
