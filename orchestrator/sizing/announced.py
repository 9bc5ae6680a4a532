"""A planned change in the words and numbers of change.json. Pure, but for what was measured before."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.sizing import catalogue, downtime
from orchestrator.sizing.catalogue import Spec
from orchestrator.sizing.planned import ServerChange, Size
from orchestrator.sizing.wanted import Wanted

HOSTING = "hosting charges are not covered by the contract (E5)"


def servers(
    changes: list[ServerChange],
    wanted: Mapping[str, Wanted],
    written: Mapping[str, Wanted],
    history: Path,
) -> list[dict[str, Any]]:
    """Each server as change.json has it. `written` is what the inventories want without the order."""
    known = catalogue.read()
    return [_server(each, wanted.get(each.name), written.get(each.name), history, known) for each in changes]


def _server(
    change: ServerChange,
    server: Wanted | None,
    written: Wanted | None,
    history: Path,
    known: Mapping[str, Spec],
) -> dict[str, Any]:
    before = change.before or _adopted(change, written)
    costs = [
        known[size.spec].usd_per_month if size and size.spec else None for size in (before, change.after)
    ]
    is_there = change.action == "update" or before is not None  # one that is taken over is changed, not made
    stops = bool(server and server.stops and is_there and _is_resized(server, before, change.after))
    provider = server.provider if server else "lab"
    return {
        "name": change.name,
        "provider": provider,
        "action": change.action,
        "from": asdict(before) if before else None,
        "to": asdict(change.after) if change.after else None,
        "stops": stops,
        "downtime_s": downtime.predict(history, provider, stops),
        "usd_per_month": {
            "from": costs[0],
            "to": costs[1],
            "difference": round((costs[1] or 0) - (costs[0] or 0), 2),
        },
    }


def _is_resized(server: Wanted, before: Size | None, after: Size | None) -> bool:
    """EC2 grows a disk while the instance runs; the lab's stop is for whatever grows."""
    if server.provider == "lab":
        return before != after
    return before is None or before.spec != server.spec.name


def _adopted(change: ServerChange, written: Wanted | None) -> Size | None:
    """The lab adopts a server that `amc lab up` made with what the inventory says, not what was ordered."""
    if change.action != "create" or not written or written.provider != "lab" or not change.after:
        return None
    spec = written.spec
    return (
        Size(spec.name, spec.cpus, spec.memory_mib, written.disk_gib)
        if spec.name != change.after.spec
        else None
    )


def sentences(told: list[dict[str, Any]]) -> list[str]:
    """The change for a person who decides on it."""
    found = []
    for each in told:
        name, action = each["name"], each["action"]
        if action == "same":
            found.append(f"{name} stays as it is: {_size(each['to'])}.")
            continue
        if action == "delete":
            found.append(f"{name} would be deleted.")
            continue
        before = f"{_size(each['from'])} -> " if each["from"] else ""
        verb = {"create": "is taken into the stack", "update": "changes", "replace": "is replaced"}[action]
        stop = f"stopped for about {each['downtime_s']:.0f} s" if each["stops"] else "without a stop"
        found.append(f"{name} {verb}, {stop}: {before}{_size(each['to'])}.")
        if difference := each["usd_per_month"]["difference"]:
            more = "more" if difference > 0 else "less"
            found.append(f"{name} costs {abs(difference):.2f} USD a month {more}; {HOSTING}.")
    return found


def _size(size: Mapping[str, Any] | None) -> str:
    if size is None:
        return "nothing"
    parts = [
        f"{size['cpus']:g} CPU" if size["cpus"] else "",
        f"{size['memory_mib']} MiB" if size["memory_mib"] else "",
    ]
    parts.append(f"disk {size['disk_gib']} GiB" if size["disk_gib"] else "")
    return (
        f"{size['spec'] or 'no specification of the catalogue'} ({', '.join(part for part in parts if part)})"
    )
