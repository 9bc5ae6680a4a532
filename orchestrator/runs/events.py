"""What Ansible tells while it runs, as two files: one line of JSON per task and host, and its own words.

The lines hold names, states and times, never arguments or results; of a failure its message, of a failed
command what it said last, unless the task says `no_log`.
"""

import json
from pathlib import Path
from typing import Any

OUTCOMES = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_skipped": "skipped",
    "runner_on_unreachable": "unreachable",
}
COUNTS = {"ok": "ok", "changed": "changed", "failures": "failures", "dark": "unreachable"}
MESSAGE_LENGTH = 500


class Events:
    """Takes ansible-runner's events. `servers` and `complaints` are what a result needs of them."""

    def __init__(self, lines: Path, log: Path) -> None:
        self.servers: dict[str, dict[str, int]] = {}
        self.complaints: list[str] = []
        self._lines = lines.open("a")
        self._log = log.open("a")

    def close(self) -> None:
        """After the last event."""
        self._lines.close()
        self._log.close()

    def take(self, event: dict[str, Any]) -> bool:
        """Note one event; False, so that ansible-runner keeps no copy of it.

        An exception here would abort the run, so a fault of the notes becomes a complaint.
        """
        try:
            self._note(event)
        except Exception as error:
            self.complaints.append(f"an event could not be noted: {error}")
        return False

    def _note(self, event: dict[str, Any]) -> None:
        if words := event.get("stdout"):
            self._log.write(words.replace("\r", "") + "\n")
            self._log.flush()
        data = event.get("event_data", {})
        kind = event.get("event")
        if kind == "playbook_on_stats":
            self.servers = {
                host: {word: data.get(count, {}).get(host, 0) for count, word in COUNTS.items()}
                for host in data.get("processed", {})
            }
        if kind not in OUTCOMES:
            return
        result = data.get("res", {})
        line = {
            "at": event["created"],
            "server": data["host"],
            "task": data["task"],
            "status": "changed" if kind == "runner_on_ok" and result.get("changed") else OUTCOMES[kind],
            "seconds": round(data.get("duration") or 0.0, 3),
        }
        if role := data.get("role"):
            line["role"] = role
        if kind in ("runner_on_failed", "runner_on_unreachable"):
            line["message"] = _message(result)
            if data.get("ignore_errors"):
                line["status"] = "ignored"
            else:
                self.complaints.append(f"{line['server']}: {line['task']}: {line['message']}")
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()


def _message(result: dict[str, Any]) -> str:
    """A failure in words, of a command what it said last; a censored result has none."""
    words = str(result.get("msg") or result.get("censored") or "")
    if words.startswith("non-zero return code"):
        said = str(result.get("stderr") or result.get("stdout") or "").strip()
        words = f"{words}: {said[-MESSAGE_LENGTH:]}" if said else words
    return words[:MESSAGE_LENGTH]
