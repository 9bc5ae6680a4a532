"""What differs between two commits, and what of it is shown."""

from datetime import date
from typing import Any

from orchestrator.changes.differences import Difference, Intent, Kind, of_contract, of_servers
from orchestrator.contracts.model import Contract


def contract(**changes: Any) -> Contract:
    facts = {
        "customer": "acme",
        "customer_name": "Acme Trading LLC",
        "number": "T-1",
        "version": 1,
        "mode": "retainer",
        "time_zone": "Asia/Dubai",
        "term": {"start": date(2026, 1, 1)},
        "hours": {"per_calendar_year": 60},
        "maintenance_windows": [{"days": ["friday"], "start": "22:00", "end": "04:00"}],
        **changes,
    }
    return Contract.model_validate(facts, strict=False)


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[Difference]:
    return list(of_servers(Intent("acme", {"erp1": before}), Intent("acme", {"erp1": after})))


def test_variables_that_are_changed_new_and_gone() -> None:
    found = differences({"a": 1, "b": None, "same": [1]}, {"a": 2, "same": [1], "c": {"d": "x"}})
    assert [str(each) for each in found] == [
        "a: 1 -> 2",
        "b: null -> not said",
        'c: not said -> {"d": "x"}',
    ]


def test_nothing_differs() -> None:
    assert differences({"a": 1}, {"a": 1}) == []


def test_the_contract_and_what_ansible_adds_are_no_variables() -> None:
    """Every server carries the contract; its differences are told once, by `of_contract`."""
    before = {"amc_contract": 1, "group_names": ["a"], "inventory_file": "/one"}
    after = {"amc_contract": 2, "group_names": ["b"], "inventory_file": "/two"}
    assert differences(before, after) == []


def test_servers_that_are_new_and_gone() -> None:
    found = of_servers(Intent("acme", {"erp1": {}}), Intent("acme", {"erp2": {"a": 1}}))
    assert found == (Difference("erp1", Kind.GONE), Difference("erp2", Kind.NEW))


def test_what_may_be_a_secret_is_not_shown() -> None:
    """That it differs is told; so is a whole value one part of which sounds like a secret."""
    before = {"mems_admin_password": "one", "api": {"url": "u", "token": "t1"}, "tls_key": "k1"}
    after = {"mems_admin_password": "two", "api": {"url": "u", "token": "t2"}, "tls_key": "k2"}
    found = [str(each) for each in differences(before, after)]
    assert found == [
        "api: (not shown) -> (not shown)",
        "mems_admin_password: (not shown) -> (not shown)",
        "tls_key: (not shown) -> (not shown)",
    ]


def test_a_long_value_is_cut() -> None:
    (found,) = differences({"a": "x"}, {"a": "y" * 500})
    assert found.after and len(found.after) == 81 and found.after.endswith("…")


def test_of_the_contract_each_clause_is_a_line() -> None:
    before = contract()
    after = contract(
        version=2, hours={"per_calendar_year": 80}, term={"start": "2026-01-01", "end": "2026-12-31"}
    )
    assert of_contract(before, after) == (
        "version: 1 -> 2",
        "hours.per_calendar_year: 60 -> 80",
        'term.end: not said -> "2026-12-31"',
    )
    assert of_contract(None, after) == of_contract(before, before) == ()
