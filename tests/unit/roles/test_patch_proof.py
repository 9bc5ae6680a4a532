"""roles/patch/files/proof.py: which proof lets a patch go, and what is said without one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def proof(patch_program: Callable[[str], ModuleType]) -> ModuleType:
    return patch_program("proof")


def proven(age: timedelta) -> dict[str, Any]:
    """A drill of this minute that proved a backup of that age."""
    return {"at": NOW.isoformat(), "backup_id": "b1", "backup_ended": (NOW - age).isoformat()}


@pytest.mark.parametrize(
    ("age", "refused"),
    [
        (timedelta(minutes=1), False),
        (timedelta(days=8), False),
        (timedelta(days=8, seconds=1), True),
        (timedelta(days=400), True),
    ],
)
def test_the_age_of_the_backup_counts(proof: ModuleType, age: timedelta, refused: bool) -> None:
    """Exactly as old as the contract allows is allowed; the drill itself was a minute ago in each case."""
    assert bool(proof.refusal("x", proven(age), NOW, 8)) is refused


def test_the_refusal_names_the_backup_its_age_and_the_mend(proof: ModuleType) -> None:
    """An engineer reads what to do."""
    assert proof.refusal("x", proven(timedelta(days=9)), NOW, 8) == (
        "the newest proven backup of x, b1, is 9 days old, the contract allows 8:"
        " amc run start drill proves one"
    )


def test_without_a_proof_it_is_refused(proof: ModuleType) -> None:
    """No drill yet, or none that was good."""
    assert "no drill has proven" in proof.refusal("x", None, NOW, 8)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("print('Traceback')", "status said 'Traceback'"),
        ('print(\'{"problems": ["x is not paired"]}\'); exit(1)', "no proof for x: x is not paired"),
        ("exit(3)", "status said 'nothing'"),
    ],
)
def test_a_backup_server_that_cant_tell_is_no_proof(
    proof: ModuleType, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, status: str, words: str
) -> None:
    """What it said instead is repeated."""
    program = tmp_path / "status.py"
    program.write_text(status)
    monkeypatch.setattr(proof, "STATUS", str(program))
    with pytest.raises(LookupError, match=words):
        proof.ask("x")


def test_an_unprotected_server_may_have_a_proof(
    proof: ModuleType, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status` ends with 1 then, and still says what was proven."""
    program = tmp_path / "status.py"
    program.write_text('print(\'{"problems": ["no slot"], "proven": {"backup_id": "b1"}}\'); exit(1)')
    monkeypatch.setattr(proof, "STATUS", str(program))
    assert proof.ask("x") == {"backup_id": "b1"}
