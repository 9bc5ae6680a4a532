"""Write harden.json, the evidence of a hardening run, from its attempts and what the controller knows.

    report.py --run RUN < {"server", "exceptions", "not_applicable", "warnings", "proofs"}

`proofs` are those of this attempt, [] when nothing was to be proven: then the last attempt's stand. A report
that says what the one already there says is not written again. Prints {"written", "report"}.
"""

import argparse
import json
import sys
from typing import Any

import react
import state


def compose(known: dict[str, Any], record: dict[str, Any], run: str, waits: bool) -> dict[str, Any]:
    """The report; its keys are what the orchestrator reads. `waits`: a set is not confirmed yet."""
    attempts = record["attempts"]
    last = attempts[-1] if attempts else {"outcome": "confirmed", "changed": [], "why": ""}
    confirmed = last["outcome"] == "confirmed" and not waits
    return {
        "server": known["server"],
        "activity": "harden",
        "exceptions": known["exceptions"],
        "not_applicable": known["not_applicable"],
        "warnings": known["warnings"],
        "changed": last["changed"] if confirmed else [],
        "confirmed": confirmed,
        "rolled_back": last["outcome"] == "reverted",
        "why": last["why"],
        "proofs": known["proofs"] or last.get("proofs", []),
        "failed_units": react.failed(),
        "unit": _unit(run, attempts),
    }


def _unit(run: str, attempts: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not attempts:
        return None
    times = [{key: attempt[key] for key in ("started", "ended", "outcome")} for attempt in attempts]
    return {"name": f"amc-{run}-harden", **times[-1], "attempts": times}


def main() -> None:
    """See the module."""
    words = argparse.ArgumentParser()
    words.add_argument("--run", required=True)
    run = words.parse_args().run
    record = state.read(state.run_state(run)) or {"attempts": []}
    report = compose(json.load(sys.stdin), record, run, state.ARMED.exists())
    path = state.RUNS / run / "harden.json"
    written = state.read(path) != report
    if written:
        state.write(path, report)
    print(json.dumps({"written": written, "report": report}))


if __name__ == "__main__":
    main()
