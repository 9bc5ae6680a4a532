"""The heartbeat of a run's process."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.runs.evidence import Attempt
from orchestrator.runs.heartbeat import Heart

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_beats_make_one_interval_and_sleep_makes_a_gap(tmp_path: Path) -> None:
    """While the machine slept nothing beat, so that time is in no interval."""
    attempt = Attempt(tmp_path, 1)
    heart = Heart(attempt.effort, every=5)
    for second in (0, 5, 10, 24, 300, 305):
        heart.beat(NOON + timedelta(seconds=second))
    moments = [NOON + timedelta(seconds=second) for second in (0, 24, 300, 305)]
    assert attempt.intervals() == [(moments[0], moments[1]), (moments[2], moments[3])]


def test_it_beats_by_itself_and_once_more_at_the_end(tmp_path: Path) -> None:
    """What a kill would leave grows while the process works."""
    attempt = Attempt(tmp_path, 1)
    with Heart(attempt.effort, every=0.05):
        time.sleep(0.4)
        grown = attempt.intervals()
        assert (grown[0][1] - grown[0][0]).total_seconds() > 0.1
    assert attempt.intervals()[0][1] > grown[0][1]
    assert len(json.loads(attempt.effort.read_text())) == 1
