"""Check mode on request and drift, with the real Ansible and a worker; an installation that follows."""

import json
from collections.abc import Iterator

import pytest

from tests.integration.changes.server import Server

HOST_VARS = "inventories/acme/host_vars/acme-erp1.yml"


@pytest.fixture
def installed(repository: Server) -> Iterator[Server]:
    repository.amc("init")
    repository.work()
    yield repository
    repository.close()


def test_before_the_merge_and_after_it(installed: Server) -> None:
    """What check mode would change; then the server is made so; then somebody changes it by hand."""
    base = installed.head()
    installed.write(HOST_VARS, "mems_greeting: good day\nharden_banner: low\n")
    head = installed.commit("A friendlier greeting")
    installed.git("push", "--quiet", "origin", "main")
    (seen,) = installed.change("plan", base, head, "--check")["checked"]
    assert (seen["activity"], seen["tasks"], seen["words"]) == ("deploy", {"acme-erp1": ["The greeting"]}, "")
    assert installed.made() == ""  # looked at, not touched

    (ordered,) = installed.change("apply", base, head)
    assert [run["activity"] for run in ordered["runs"]] == ["deploy"]
    installed.until_ended(2)
    assert installed.made() == "good day"

    words = ("change", "drift", "--customer", "acme", "--exit-code", "--json")
    found = json.loads(installed.amc(*words, exit_code=1).stdout)
    assert found["commit"] == head
    tasks = {each["activity"]: each["tasks"]["acme-erp1"] for each in found["inside"]}
    assert tasks == {"deploy": [], "harden": ["The greeting"]}  # nobody has hardened it yet

    # An installation that follows the merges sees what was merged, not its old checkout.
    merged = installed.home / "changes" / "merged" / "inventories"
    assert "good day" in (merged / "acme" / "host_vars" / "acme-erp1.yml").read_text()
    assert (
        "acme" in installed.amc("contract", "check", str(merged / "acme/group_vars/all/contract.yml")).stdout
    )
