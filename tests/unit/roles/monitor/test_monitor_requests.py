"""Requests are counted once each, whatever happens to the log."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]


def sums(requests) -> tuple[dict[str, float], dict[str, float]]:
    counted, took = requests.families()
    by_status = {labels["status"]: value for _, labels, value in counted.samples if value}
    return by_status, {labels.get("le", suffix): value for suffix, labels, value in took.samples}


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_what_was_there_before_is_not_counted_again(monitor_program: Load, tmp_path: Path) -> None:
    """A restart of the exporter is a reset of its counters, which Prometheus knows."""
    log = tmp_path / "log"
    log.write_text("200 0.100\n")
    requests = monitor_program("access_log").Requests(log)
    append(log, "200 0.100\n502 0.001\n")
    assert sums(requests)[0] == {"200": 1, "502": 1}
    assert sums(requests)[0] == {"200": 1, "502": 1}


def test_the_histogram_is_cumulative_and_has_the_objective_as_a_bound(
    monitor_program: Load, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.touch()
    requests = monitor_program("access_log").Requests(log)
    append(log, "200 0.300\n200 0.301\n200 99.000\n")
    _, took = sums(requests)
    assert (took["0.2"], took["0.3"], took["0.5"], took["10"], took["+Inf"]) == (0, 1, 2, 2, 3)
    assert (took["_count"], took["_sum"]) == (3, pytest.approx(99.601))


def test_a_rotated_log_loses_no_line(monitor_program: Load, tmp_path: Path) -> None:
    """nginx goes on in the old file until it is told: its last lines are read before the new one's."""
    log = tmp_path / "log"
    log.touch()
    requests = monitor_program("access_log").Requests(log)
    append(log, "200 0.1\n")
    assert sums(requests)[0] == {"200": 1}
    log.rename(tmp_path / "log.1")
    append(tmp_path / "log.1", "500 0.1\n")
    assert sums(requests)[0] == {"200": 1, "500": 1}
    append(tmp_path / "log.1", "503 0.1\n")
    append(log, "200 0.1\n")
    assert sums(requests)[0] == {"200": 2, "500": 1, "503": 1}


def test_a_log_that_is_not_there_yet_or_is_cut_short(monitor_program: Load, tmp_path: Path) -> None:
    log = tmp_path / "log"
    requests = monitor_program("access_log").Requests(log)
    assert sums(requests)[0] == {}
    append(log, "200 0.1\n200 0.1\n")
    assert sums(requests)[0] == {"200": 2}
    log.write_text("404 0.1\n")
    assert sums(requests)[0] == {"200": 2, "404": 1}


def test_half_a_line_waits_for_its_other_half_and_nonsense_counts_as_nothing(
    monitor_program: Load, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.touch()
    requests = monitor_program("access_log").Requests(log)
    append(log, "200 0.1\nno line\n\xff\n200\n20 0.1\n200 0.")
    assert sums(requests)[0] == {"200": 1}
    append(log, "250\n")
    by_status, took = sums(requests)
    assert (by_status, took["0.2"], took["0.3"]) == ({"200": 2}, 1, 2)


def test_errors_that_never_happened_are_told_as_0(monitor_program: Load, tmp_path: Path) -> None:
    """Prometheus sees no increase in a counter that begins with its first error."""
    text = monitor_program("exposition").render(monitor_program("access_log").Requests(tmp_path).families())
    assert 'mems_requests_total{status="502"} 0\n' in text
