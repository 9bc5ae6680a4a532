"""What servers' reports say, in the words of `amc run show` and as rows of the statement. Pure.

Read of `<evidence>/<server>/<activity>.json`, each key optional; a value of another kind is passed over:

all      ok (false: the run failed), rolled_back, problem (words), unit (counts as effort, see evidence.py)
patch    packages [..], cves [..], overrides [{what, reason}]
backup   backup {id, seconds, bytes, wal_lag_bytes, problems} or null, protection {state, since, why}
drill    at, kind, backup_id, moment, rpo_seconds, rto_seconds, figures_equal, differences [..], problems [..]
recover  target, only, put_back, from_backup {id}, fell_back_from [..], lost_seconds, lost_commits,
         missing_attachments [..], problems [..], rto_seconds, protection {state, since, why}, drill (true: it
         is a drill's own and makes no row)
resize   from {spec}, to {spec}, downtime_seconds, predicted_downtime_seconds, usd_per_month {difference},
         response_before {p95_ms}, response_after {p95_ms}, overrides, why (it was undone)
harden   changed [..], confirmed, exceptions [..], not_applicable [..], why (it was undone)
"""

from collections.abc import Iterator, Mapping
from typing import Any

BRIEF = 120  # characters; the report has the rest
MOST = 1e18  # beyond it a number says nothing, and a float can't hold every one

Report = Mapping[str, Any]
Reports = Mapping[str, Mapping[str, Report]]  # server -> activity -> report


def line(activity: str, report: Report) -> str:
    """One line: `drill, figures equal, RPO 3 s, RTO 64 s`."""
    said = [*_SAYS.get(activity, _nothing)(report)]
    if report.get("rolled_back") is True:
        said.append("rolled back")
    said += [words for key in ("problem", "why") if (words := _text(report, key))]
    return ", ".join([activity, *(each if len(each) <= BRIEF else f"{each[:BRIEF]}…" for each in said)])


def rows(reports: Reports) -> dict[str, list[dict[str, Any]]]:
    """For the statement, each with its `server`: overrides, drills, recoveries, resizes, hardened."""
    kinds = ("overrides", "drills", "recoveries", "resizes", "hardened")
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for server, by_activity in reports.items():
        for activity, report in by_activity.items():
            of = {"server": server}
            found["overrides"] += [of | each for each in _overrides(report)]
            if activity == "drill":
                found["drills"].append(of | _drill(report))
            elif activity == "recover" and report.get("drill") is not True:
                found["recoveries"].append(of | _recovery(report))
            elif activity == "resize":
                found["resizes"].append(of | _resize(report))
            elif activity == "harden":
                not_applicable = _count(report, "not_applicable")
                found["hardened"].append(of | {"not_applicable": not_applicable})
    return found


def counts(reports: Reports) -> dict[str, int | None]:
    """Packages changed and distinct CVEs closed, over all servers; None where no server reports any."""
    every = [report for by_activity in reports.values() for report in by_activity.values()]
    packages = [count for report in every if (count := _count(report, "packages")) is not None]
    cves = [set(_words(report, "cves")) for report in every if _count(report, "cves") is not None]
    return {
        "packages": sum(packages) if packages else None,
        "cves": len(set().union(*cves)) if cves else None,
    }


def _drill(report: Report) -> dict[str, Any]:
    equal = report.get("figures_equal") is True
    return {
        "at": _text(report, "at"),
        "kind": _text(report, "kind"),
        "backup": _text(report, "backup_id"),
        "moment": _text(report, "moment"),
        "rpo_seconds": _number(report, "rpo_seconds"),
        "rto_seconds": _number(report, "rto_seconds"),
        "figures": "equal" if equal else "differ" if _count(report, "differences") else "not compared",
        "problems": _words(report, "problems"),
    }


def _recovery(report: Report) -> dict[str, Any]:
    return {
        "target": _text(report, "target"),
        "put_back": _text(report, "put_back"),
        "only": _text(report, "only"),
        "backup": _text(_part(report, "from_backup"), "id"),
        "fell_back": bool(_count(report, "fell_back_from")),
        "lost_seconds": _number(report, "lost_seconds"),
        "lost_commits": _number(report, "lost_commits"),
        "rto_seconds": _number(report, "rto_seconds"),
        "missing_attachments": _count(report, "missing_attachments"),
        "problems": [words for words in (_text(report, "problem"), *_words(report, "problems")) if words],
        "protection": _text(_part(report, "protection"), "state"),
    }


def _resize(report: Report) -> dict[str, Any]:
    return {
        "from": _text(_part(report, "from"), "spec"),
        "to": _text(_part(report, "to"), "spec"),
        "undone": report.get("ok") is not True,
        "downtime_seconds": _number(report, "downtime_seconds"),
        "predicted_downtime_seconds": _number(report, "predicted_downtime_seconds"),
        "usd_per_month": _number(_part(report, "usd_per_month"), "difference"),
        "p95_ms_before": _number(_part(report, "response_before"), "p95_ms"),
        "p95_ms_after": _number(_part(report, "response_after"), "p95_ms"),
    }


def _overrides(report: Report) -> Iterator[dict[str, Any]]:
    overrides = report.get("overrides")
    for each in overrides if isinstance(overrides, list) else []:
        if isinstance(each, dict):
            yield {"what": _text(each, "what"), "reason": _text(each, "reason")}


def _say_patch(report: Report) -> Iterator[str]:
    yield from _counted(report, "packages", "cves")
    if overrides := [each["what"] for each in _overrides(report)]:
        yield f"overridden: {'; '.join(overrides)}"


def _say_backup(report: Report) -> Iterator[str]:
    backup, state = _part(report, "backup"), _text(_part(report, "protection"), "state")
    if (size := _number(backup, "bytes")) is not None:
        yield f"{size / 1e6:.1f} MB"
    if (seconds := _number(backup, "seconds")) is not None:
        yield _short(seconds)
    if (behind := _number(backup, "wal_lag_bytes")) is not None:
        yield f"WAL {behind:.0f} bytes behind"
    if problems := _words(backup, "problems"):
        yield f"not whole: {'; '.join(problems)}"
    yield from [state] if state else []


def _say_drill(report: Report) -> Iterator[str]:
    row = _drill(report)
    yield f"figures {row['figures']}"
    for name in ("rpo", "rto"):
        if (seconds := row[f"{name}_seconds"]) is not None:
            yield f"{name.upper()} {_short(seconds)}"
    yield from [f"backup {row['backup']}"] if row["backup"] else []
    yield from row["problems"]


def _say_recovery(report: Report) -> Iterator[str]:
    row = _recovery(report)
    if row["put_back"]:
        yield f"put back what {row['put_back']} had set aside"
    elif row["target"]:
        yield f"to {row['target']}"
    if row["only"]:
        yield f"{row['only']} only"
    if row["lost_seconds"] is not None:
        yield f"{_short(row['lost_seconds'])} lost"
    if row["lost_commits"]:
        yield f"{row['lost_commits']:g} later commits left out"
    if row["missing_attachments"]:
        yield f"{row['missing_attachments']} attachments missing"
    if row["fell_back"]:
        yield "from an older backup"
    if row["rto_seconds"] is not None:
        yield f"RTO {_short(row['rto_seconds'])}"
    yield from [row["protection"]] if row["protection"] else []


def _say_resize(report: Report) -> Iterator[str]:
    row = _resize(report)
    yield f"{row['from'] or 'unlimited'} -> {row['to']}"
    if row["downtime_seconds"] is not None:
        yield f"down for {_short(row['downtime_seconds'])}"
    if row["p95_ms_before"] is not None and row["p95_ms_after"] is not None:
        yield f"p95 {row['p95_ms_before']:g} -> {row['p95_ms_after']:g} ms"


def _say_hardening(report: Report) -> Iterator[str]:
    if report.get("confirmed") is True:
        yield "confirmed"
    yield from _counted(report, "changed", "exceptions", "not_applicable")


_SAYS = {
    "patch": _say_patch,
    "backup": _say_backup,
    "drill": _say_drill,
    "recover": _say_recovery,
    "harden": _say_hardening,
    "resize": _say_resize,
}


def _nothing(_report: Report) -> Iterator[str]:
    return iter(())


def _counted(report: Report, *keys: str) -> Iterator[str]:
    for key in keys:
        if (count := _count(report, key)) is not None:
            yield f"{count} {key.replace('_', ' ')}"


def _count(report: Report, key: str) -> int | None:
    value = report.get(key)
    return len(value) if isinstance(value, list) else None


def _text(report: Report, key: str) -> str:
    value = report.get(key)
    return _printable(value) if isinstance(value, str) else ""


def _words(report: Report, key: str) -> list[str]:
    value = report.get(key)
    return [_printable(str(each)) for each in value] if isinstance(value, list) else []


def _printable(words: str) -> str:
    """On one line, and fit for any terminal: JSON may hold halves of characters."""
    return " ".join(words.split()).encode("utf-8", "replace").decode()


def _number(report: Report, key: str) -> float | None:
    value = report.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -MOST < value < MOST:
        return None
    return float(value)


def _short(seconds: float) -> str:
    return f"{round(seconds, 1):g} s"


def _part(report: Report, key: str) -> Report:
    value = report.get(key)
    return value if isinstance(value, dict) else {}
