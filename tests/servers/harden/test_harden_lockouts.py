"""Hardening that locks everybody out is undone by the server itself. All cases: bench/soak/lockouts.py."""

import json
import random

import lockouts
import pytest
from lockouts import CASES, Case, Target

SEED = 4
CONFIRM_SECONDS = 30  # instead of 90, so that the test is shorter


def one(cases: list[Case]) -> Case:
    return random.Random(SEED).choice(cases)


LOCKOUT = one([case for case in CASES if case.killed and case.path and not case.restarted])
RESTARTED = one([case for case in CASES if case.restarted])


@pytest.mark.parametrize("case", [LOCKOUT, RESTARTED], ids=lambda case: case.name)
def test_a_lockout_is_undone_without_the_controller(target: Target, case: Case) -> None:
    """The controller is gone, no login works, in one case the server restarts: then a login works again, and
    files, firewall, kernel settings, services and database are exactly as before."""
    done = lockouts.try_case(target, case, CONFIRM_SECONDS)
    assert done["locked_out"]
    assert done["differences"] == []
    assert lockouts.good(case, done), done


def test_what_is_not_proven_ends_as_rolled_back_in_words(target: Target) -> None:
    """nginx that answers everybody with 503 passes its own check; M EMS's check finds it, the run fails and
    its report says rolled_back, which is exit code 7."""
    case = next(each for each in CASES if each.name.startswith("nginx"))
    done = lockouts.try_case(target, case, CONFIRM_SECONDS)
    assert (done["outcome"], done["differences"]) == ("reverted", [])
    report = json.loads(next(target.folder.glob("lockout-nginx*/mems1/harden.json")).read_text())
    assert (report["rolled_back"], report["confirmed"], report["changed"]) == (True, False, [])
    assert "M EMS answers business calls through nginx" in report["why"]
