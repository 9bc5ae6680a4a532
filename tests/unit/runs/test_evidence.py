"""The evidence folder."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.runs.evidence import Evidence, read_json, tree_hash, write_json


def sealed(tmp_path: Path) -> Evidence:
    evidence = Evidence(tmp_path / "run")
    write_json(evidence.order, {"run": "r"})
    write_json(evidence.reports / "erp1" / "patch.json", {"packages": []})
    evidence.seal()
    return evidence


def test_sealed_evidence_is_whole(tmp_path: Path) -> None:
    """The manifest names every file, and sealing twice says the same."""
    evidence = sealed(tmp_path)
    assert set(read_json(evidence.manifest)["sha256"]) == {"order.json", "reports/erp1/patch.json"}
    assert evidence.altered() == []
    assert evidence.seal() == evidence.seal()


def test_changed_added_and_missing_files_are_found(tmp_path: Path) -> None:
    """Whatever is done to the folder after its end shows."""
    evidence = sealed(tmp_path)
    evidence.order.write_text("{}")
    (evidence.folder / "new.json").write_text("{}")
    (evidence.reports / "erp1" / "patch.json").unlink()
    assert evidence.altered() == ["new.json", "order.json", "reports/erp1/patch.json"]


def test_a_claim_can_be_made_once(tmp_path: Path) -> None:
    """The second one fails and the first one stays, without leftovers."""
    write_json(tmp_path / "claim.json", 1, once=True)
    with pytest.raises(FileExistsError):
        write_json(tmp_path / "claim.json", 2, once=True)
    assert read_json(tmp_path / "claim.json") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["claim.json"]


def test_the_servers_unit_times_are_found(tmp_path: Path) -> None:
    """Every attempt of a unit counts; a report without a unit, or whose unit has not ended, says nothing."""
    evidence = Evidence(tmp_path)
    times = {"started": "2026-11-24T12:00:00+04:00", "ended": "2026-11-24T08:05:00+00:00"}
    write_json(evidence.reports / "erp1" / "patch.json", {"unit": times})
    write_json(evidence.reports / "erp1" / "check.json", {"check": {}})
    write_json(evidence.reports / "erp2" / "patch.json", {"unit": times | {"ended": None}})
    first = {"started": "2026-11-24T07:00:00+00:00", "ended": "2026-11-24T07:01:00+00:00"}
    write_json(evidence.reports / "erp3" / "patch.json", {"unit": times | {"attempts": [first, times]}})
    early = datetime(2026, 11, 24, 7, tzinfo=UTC), datetime(2026, 11, 24, 7, 1, tzinfo=UTC)
    late = datetime(2026, 11, 24, 8, tzinfo=UTC), datetime(2026, 11, 24, 8, 5, tzinfo=UTC)
    assert evidence.unit_intervals() == [late, late, early, late]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"unit": {"started": "x", "ended": "y"}}',
        '{"unit": {"started": 1, "ended": 2}}',
        '{"unit": {"attempts": 3}}',
        '{"unit": {"attempts": ["x"]}}',
        '{"unit": {"started": "2026-11-24T12:00:00", "ended": "2026-11-24T12:00:00"}}',
    ],
)
def test_a_report_that_makes_no_sense_is_a_value_error(tmp_path: Path, text: str) -> None:
    """Broken JSON, no object, no time, a time without an offset."""
    report = Evidence(tmp_path).reports / "erp1" / "patch.json"
    report.parent.mkdir(parents=True)
    report.write_text(text)
    with pytest.raises(ValueError):
        Evidence(tmp_path).unit_intervals()


def test_a_folders_hash_knows_names_and_contents(tmp_path: Path) -> None:
    """A customer's folder with a file renamed or changed is another folder."""
    (tmp_path / "a").write_text("1")
    first = tree_hash(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = tree_hash(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, tree_hash(tmp_path)}) == 3
