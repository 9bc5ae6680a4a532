"""Contracts for the tests of the schedule: only what time means in them differs."""

import json
from typing import Any

from orchestrator.contracts.model import DAYS, Contract


def windows(text: str) -> list[dict[str, Any]]:
    """`fri,sat 22:00-04:00; sun 01:00-05:00` as a contract's windows."""
    names = {day[:3]: day for day in DAYS}
    found = []
    for window in text.split("; "):
        days, hours = window.split(" ")
        start, end = hours.split("-")
        chosen = list(DAYS) if days == "daily" else [names[day] for day in days.split(",")]
        found.append({"days": chosen, "start": start, "end": end})
    return found


def agreement(
    activity: str = "patch",
    rule: str = "FREQ=MONTHLY;BYDAY=2SA",
    at: str = "22:30",
    lasts: int = 45,
    *,
    zone: str = "Asia/Dubai",
    open_: str = "fri,sat 22:00-04:00",
    **more: Any,
) -> Contract:
    """`more`: `term`, `freezes` and `holidays` of the contract, `from` and `exceptions` of the recurrence."""
    recurrence = {"rule": rule, "at": at, "lasts_minutes": lasts}
    recurrence |= {key: more.pop(key) for key in ("from", "exceptions") if key in more}
    facts = {
        "customer": "acme",
        "customer_name": "Acme Trading LLC",
        "number": "AMC-1",
        "version": 1,
        "mode": "comprehensive",
        "time_zone": zone,
        "term": {"start": "2026-01-01"},
        "maintenance_windows": windows(open_),
        "activities": {activity: {"recurrence": recurrence}},
        **more,
    }
    return Contract.model_validate_json(json.dumps(facts))
