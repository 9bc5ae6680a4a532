"""The comment under a pull request, and that nobody else can write its structure."""

from datetime import UTC, datetime

from orchestrator.changes.differences import Difference, Kind
from orchestrator.changes.looking import Seen
from orchestrator.changes.proposal import Proposal, Proposed
from orchestrator.changes.text import MARK, markdown

from .test_differences import contract

AT = datetime(2026, 11, 27, 18, tzinfo=UTC)
DEPLOY = Proposed("deploy", ("erp1",), ("erp1: a: 1 -> 2",), "C1", True, AT, 7200, 3600)


def proposal(*orders: Proposed, notes: tuple[str, ...] = (), after: str = "2") -> Proposal:
    difference = Difference("erp1", Kind.CHANGED, "a", "1", after)
    return Proposal("acme", contract(), (difference,), (), orders, notes, (), 10800, {"customer": "acme"})


def test_the_whole_comment() -> None:
    text = markdown("a" * 40, "b" * 40, [proposal(DEPLOY)], ["roles/harden differ"])
    lines = text.splitlines()
    assert lines[0] == MARK
    assert "### Maintenance: aaaaaaaaaaaa → bbbbbbbbbbbb" in lines
    assert "Covered: merging it orders what stands below. Plan `" in text
    assert "| deploy | erp1 | C1 | 2:00 | 1:00 | may stop | Friday 2026-11-27 22:00 +04 |" in lines
    assert "- `erp1: a: 1 -> 2`" in lines
    assert lines[-1] == "- roles/harden differ"


def test_a_refusal_comes_first_and_says_why() -> None:
    refused = Proposed("migration", ("erp1",), (), "E3", True, None, 0, None, "excluded by E3", 4)
    text = markdown("a" * 40, "b" * 40, [proposal(refused, DEPLOY)], [])
    assert "**Not covered** by the contract: nothing would be ordered. Plan" in text
    assert "| migration | erp1 | E3 | 0:00 | - | may stop | - |" in text
    assert "- **migration is refused** (4): excluded by E3" in text


def test_nothing_to_order() -> None:
    assert "Nothing is ordered. Plan `" in markdown("a" * 40, "b" * 40, [proposal()], [])
    assert "No customer's folder differs" in markdown("a" * 40, "b" * 40, [], [])


def test_a_value_can_not_write_the_comment() -> None:
    """Neither a heading nor a cell, a tag, a link or a colleague's name."""
    evil = "x`\n\n# Approved\n</details><img src=x> @ops [here](http://x)"
    text = markdown("a" * 40, "b" * 40, [proposal(DEPLOY, notes=(evil,), after=evil)], [])
    assert not [line for line in text.splitlines() if line.startswith(("# ", "</details><"))]
    assert "- `erp1: a: 1 -> x' # Approved </details><img src=x> @ops [here](http://x)`" in text
    (note,) = [line for line in text.splitlines() if line.startswith("- x")]
    assert "\\<img" in note and "@ops" not in note and "\\[here\\](" in note


def test_what_check_mode_saw() -> None:
    seen = Seen("acme-deploy-1", "deploy", {"erp1": ["mems: The settings"]}, "")
    text = markdown("a" * 40, "b" * 40, [], [], [seen])
    assert "check mode: deploy would change 1 tasks (acme-deploy-1)" in text
    assert "- `erp1: mems: The settings`" in text
