"""What is noted of Ansible's events."""

import json
from pathlib import Path
from typing import Any

from orchestrator.runs.events import Events

BASE = {"created": "2026-11-24T08:00:00+00:00", "counter": 1}


def event(kind: str, **data: Any) -> dict[str, Any]:
    return BASE | {
        "event": kind,
        "event_data": {"host": "erp1", "task": "Install", "duration": 1.23456} | data,
    }


def noted(tmp_path: Path, *taken: dict[str, Any]) -> tuple[Events, list[dict[str, Any]]]:
    events = Events(tmp_path / "events.jsonl", tmp_path / "log.txt")
    for each in taken:
        assert events.take(each) is False, "ansible-runner must keep no copy"
    events.close()
    return events, [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]


def test_a_line_holds_names_states_and_times_but_no_results(tmp_path: Path) -> None:
    """Results and arguments may hold secrets."""
    res = {"changed": True, "stdout": "geheim", "invocation": {"module_args": {"password": "geheim"}}}
    _, lines = noted(tmp_path, event("runner_on_ok", role="patch", res=res))
    assert lines == [
        {
            "at": BASE["created"],
            "server": "erp1",
            "task": "Install",
            "status": "changed",
            "seconds": 1.235,
            "role": "patch",
        }
    ]


def test_a_failure_has_its_message_unless_it_is_censored(tmp_path: Path) -> None:
    """no_log leaves ansible's own words in the place of the result."""
    events, lines = noted(
        tmp_path,
        event("runner_on_failed", res={"msg": "no space left"}),
        event("runner_on_failed", res={"censored": "the output has been hidden"}),
        event("runner_on_failed", res={"msg": "never mind"}, ignore_errors=True),
    )
    assert [line["message"] for line in lines] == [
        "no space left",
        "the output has been hidden",
        "never mind",
    ]
    assert [line["status"] for line in lines] == ["failed", "failed", "ignored"]
    assert events.complaints == ["erp1: Install: no space left", "erp1: Install: the output has been hidden"]


def test_a_failed_command_is_quoted(tmp_path: Path) -> None:
    """ "non-zero return code" helps nobody: its stderr's end does, or its stdout's where there is none."""
    command = {"msg": "non-zero return code", "stdout": "{}", "stderr": "M EMS does not work: nginx_down"}
    said = event("runner_on_failed", res=command)
    silent = event("runner_on_failed", res=command | {"stderr": ""})
    _, lines = noted(tmp_path, said, silent)
    assert [line["message"] for line in lines] == [
        "non-zero return code: M EMS does not work: nginx_down",
        "non-zero return code: {}",
    ]


def test_the_recap_counts_by_server(tmp_path: Path) -> None:
    """Who was processed, and how it went."""
    events, _ = noted(
        tmp_path,
        event(
            "playbook_on_stats",
            processed={"erp1": 1, "erp2": 1},
            ok={"erp1": 3},
            dark={"erp2": 1},
            changed={},
        ),
    )
    assert events.servers == {
        "erp1": {"ok": 3, "changed": 0, "failures": 0, "unreachable": 0},
        "erp2": {"ok": 0, "changed": 0, "failures": 0, "unreachable": 1},
    }


def test_an_event_that_makes_no_sense_does_not_abort_the_run(tmp_path: Path) -> None:
    """ansible-runner would end the run at an exception of its handler."""
    events, lines = noted(tmp_path, {"event": "runner_on_ok", "event_data": {}}, {"event": "EOF"})
    assert lines == []
    assert len(events.complaints) == 1
