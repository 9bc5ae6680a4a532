"""Coverage: by which clause work is covered or excluded, and on which terms."""

from datetime import UTC, date, datetime
from typing import get_args

import pytest

from orchestrator.contracts import activities, clauses
from orchestrator.contracts.coverage import Covered, Excluded, decide
from orchestrator.contracts.model import Contract
from orchestrator.errors import UsageError

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def contract(**changes: object) -> Contract:
    facts = {
        "customer": "acme",
        "customer_name": "Acme Trading LLC",
        "number": "AMC-2026-0001",
        "version": 1,
        "mode": "retainer",
        "time_zone": "Asia/Dubai",
        "term": {"start": date(2026, 1, 1)},
        "hours": {"per_calendar_year": 60},
        "maintenance_windows": [{"days": ["friday"], "start": "22:00", "end": "04:00"}],
        **changes,
    }
    return Contract.model_validate(facts, strict=False)


def test_the_names_of_activities_are_the_defaults() -> None:
    """The names a contract may write are those that have default terms, in the same order."""
    assert list(activities.DEFAULTS) == list(get_args(activities.ActivityName))


@pytest.mark.parametrize("activity", activities.DEFAULTS)
def test_every_activity_is_covered_by_a_clause_of_the_contract(activity: str) -> None:
    """Each activity is covered, by one of the five clauses, with its default terms."""
    decision = decide(contract(), activity, AT)
    assert isinstance(decision, Covered)
    assert decision.clause_id in {clause.id for clause in clauses.COVERED}
    assert decision.clause_text == clauses.CLAUSES[decision.clause_id].text
    assert decision.terms == activities.DEFAULTS[activity]  # type: ignore[index]  # a str of the table itself


@pytest.mark.parametrize("activity", ["backup", "drill", "monitor", "check"])
def test_what_protects_data_is_free_and_never_refused(activity: str) -> None:
    """A customer without hours left still has tonight's backup, drill, monitoring and check."""
    terms = contract().terms(activity)
    assert (terms.charge, terms.minutes, terms.when_used_up) == ("none", None, "continue")


def test_recovery_goes_on_without_hours() -> None:
    """Recovery is charged by the clock, but a customer whose data is gone is not sent away to buy hours."""
    terms = contract().terms("recover")
    assert (terms.charge, terms.when_used_up) == ("clock", "continue")


@pytest.mark.parametrize(
    "activity", ["deploy", "patch", "harden", "update", "release", "optimise", "troubleshoot", "resize"]
)
def test_other_work_is_refused_without_hours(activity: str) -> None:
    """Automation is charged in fixed minutes, human work by the clock with an estimate; both need hours."""
    terms = contract().terms(activity)
    assert terms.charge == ("clock" if activity == "troubleshoot" else "fixed")
    assert terms.minutes
    assert terms.when_used_up == "refuse"


def test_a_contract_changes_single_keys() -> None:
    """What the contract says replaces that key alone; the rest keeps its default."""
    terms = contract(activities={"patch": {"minutes": 45}}).terms("patch")
    assert terms == activities.DEFAULTS["patch"].model_copy(update={"minutes": 45})


@pytest.mark.parametrize(
    ("work", "clause", "words"),
    [
        ("customisation", "E1", "new modules"),
        ("integration", "E2", "Third-party integration"),
        ("migration", "E3", "data migration"),
        ("training", "E4", "training beyond basic guidance"),
        ("hosting", "E5", "hosting charges"),
    ],
)
def test_excluded_work_names_its_clause(work: str, clause: str, words: str) -> None:
    """Work that the contract excludes is refused with the clause and its text."""
    decision = decide(contract(), work, AT)
    assert isinstance(decision, Excluded)
    assert decision.clause_id == clause
    assert words in decision.clause_text
    assert work in decision.reason and clause in decision.reason and "AMC-2026-0001" in decision.reason


def test_unknown_work_is_a_usage_error_with_the_list() -> None:
    """An unknown name is no exclusion: the words name the nearest activity and all of them."""
    with pytest.raises(UsageError) as caught:
        decide(contract(), "ptach", AT)
    assert "did you mean `patch`?" in caught.value.mend
    assert all(name in caught.value.mend for name in activities.DEFAULTS)


@pytest.mark.parametrize(
    ("at", "covered"),
    [
        (datetime(2025, 12, 31, 19, 59, tzinfo=UTC), False),  # 23:59 in Dubai, the day before
        (datetime(2025, 12, 31, 20, 0, tzinfo=UTC), True),  # midnight in Dubai
        (datetime(2026, 12, 31, 19, 59, tzinfo=UTC), True),
        (datetime(2026, 12, 31, 20, 0, tzinfo=UTC), False),
    ],
)
def test_the_term_is_days_on_the_contracts_clock(at: datetime, covered: bool) -> None:
    """First and last day are inclusive and begin at midnight in the contract's zone, not in UTC."""
    agreed = contract(term={"start": date(2026, 1, 1), "end": date(2026, 12, 31)})
    decision = decide(agreed, "patch", at)
    assert isinstance(decision, Covered) is covered
    if isinstance(decision, Excluded):
        assert decision.clause_id == "T1"
        assert "from 2026-01-01 to 2026-12-31" in decision.reason


def test_a_term_without_end_goes_on() -> None:
    """A contract without an end renews itself at each year's end."""
    assert contract().covers(datetime(2036, 6, 1, tzinfo=UTC))


def test_the_calendar_year_is_the_contracts() -> None:
    """At 21:00 UTC on New Year's Eve it is already next year in Dubai."""
    assert contract().year_of(datetime(2026, 12, 31, 21, tzinfo=UTC)) == 2027


def test_a_time_without_zone_is_refused() -> None:
    """A naive time could mean any day; using one is a fault of ours."""
    with pytest.raises(ValueError, match="without a zone"):
        contract().covers(datetime(2026, 6, 1))  # noqa: DTZ001  the very thing that is refused


def test_the_notes_say_what_the_contract_says() -> None:
    """Statements print all notes: best effort, the specification, a year's hours, prepaid hours, no cap."""
    text = " ".join(note.text for note in clauses.NOTES)
    for words in (
        "best-effort",
        "no liability",
        "specification",
        "calendar year",
        "prepaid",
        "no cap",
        "logged",
    ):
        assert words in text
