"""How M EMS answers, measured with a check that is a small program."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[4] / "roles/resize/files/response.py"


def _check(folder: Path, script: str) -> Path:
    path = folder / "check"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def _measured(check: Path, *words: str) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, PROGRAM, f"--command={check}", "--calls=3", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_every_call_is_timed(tmp_path: Path) -> None:
    code, found = _measured(_check(tmp_path, "sleep 0.05"))
    assert (code, found["ok"], found["calls"], found["reason"]) == (0, True, 3, "")
    assert 50 <= float(str(found["p50_ms"])) <= float(str(found["p95_ms"]))


def test_it_waits_for_the_first_answer_only(tmp_path: Path) -> None:
    """What comes back within its time is well; what fails afterwards is not."""
    comes_back = f"test -e {tmp_path}/there || {{ touch {tmp_path}/there; echo not yet >&2; exit 1; }}"
    code, found = _measured(_check(tmp_path, comes_back), "--within=20")
    assert (code, found["ok"]) == (0, True)
    fails_later = f"echo x >>{tmp_path}/n; [ $(wc -l <{tmp_path}/n) -lt 3 ] || {{ echo gone >&2; exit 1; }}"
    code, found = _measured(_check(tmp_path, fails_later), "--within=20", "--watch=1")
    assert (code, found["ok"], found["words"]) == (1, False, "gone")


def test_a_slow_answer_is_told_from_a_wrong_one(tmp_path: Path) -> None:
    """Slow is what a server is that has to grow; the check's own reason stays."""
    code, found = _measured(_check(tmp_path, "sleep 5"), "--limit=0.2")
    assert (code, found["reason"], found["words"]) == (1, "timeout", "no answer within 0.2 s")
    says = """echo '{"ok": false, "reason": "database_down"}'; exit 1"""
    assert _measured(_check(tmp_path, says))[1]["reason"] == "database_down"


def test_what_is_no_program_is_said(tmp_path: Path) -> None:
    code, found = _measured(tmp_path / "nothing")
    assert (code, found["calls"], found["p95_ms"]) == (1, 0, None)
    assert "No such file" in str(found["words"])


@pytest.mark.parametrize(("share", "found"), [(1, 1.0), (50, 2.0), (95, 4.0), (100, 4.0)])
def test_percentiles_are_nearest_ranks(share: int, found: float) -> None:
    spec = importlib.util.spec_from_file_location("response", PROGRAM)
    assert spec
    assert spec.loader
    response = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(response)
    assert response.percentile([1.0, 2.0, 3.0, 4.0], share) == found
