"""Whether what a drill brought back is what was recorded, and its report. No I/O.

`note` is what `drill.py begin` chose: {"kind", "seed", "mark", "backup", "rpo_seconds", "words"} or why not,
{"refused"}. `seen` is what the playbook saw; what it never came to is null:
{"run", "began": {step: epoch seconds}, "answered", "ended" (epoch seconds), "figures", "check",
"recovery" (recover.json), "reached_outside", "problem", "gone" (names of destroyed servers)}
"""

from typing import Any

Record = dict[str, Any]
STEPS = ("make", "deploy", "cut_off", "recover", "ask", "destroy")
NOT_SAFE = "NOT SAFE"  # words of the note that begin so are a problem


def differences(recorded: Any, recovered: Any, what: str = "") -> list[Record]:
    """Every figure that is not the same: {"what": "counts.parties", "recorded", "recovered"}."""
    if isinstance(recorded, dict) and isinstance(recovered, dict):
        found: list[Record] = []
        for name in sorted(recorded.keys() | recovered.keys()):
            below = f"{what}.{name}" if what else name
            found += differences(recorded.get(name), recovered.get(name), below)
        return found
    return [] if recorded == recovered else [{"what": what, "recorded": recorded, "recovered": recovered}]


def compared(recorded: Record, recovered: Record) -> list[Record]:
    """The differences in what was recorded; a figure of a kind newer than the mark can't be compared."""
    return differences(recorded, {name: figure for name, figure in recovered.items() if name in recorded})


def seconds_by_step(began: dict[str, float], ended: float) -> dict[str, float]:
    """How long each step took, until the next one that began; a step that never began is missing."""
    steps = [step for step in STEPS if step in began]
    ends = [began[step] for step in steps[1:]] + [ended]
    return {step: round(end - began[step], 1) for step, end in zip(steps, ends, strict=False)}


def problems(note: Record, seen: Record, differ: list[Record]) -> list[str]:
    """What is not as it has to be, in words; empty when all is well."""
    check = seen["check"]
    found = [note["refused"]] if "refused" in note else []
    found += [seen["problem"]] if seen["problem"] else []
    found += [words for words in note.get("words", []) if words.startswith(NOT_SAFE)]
    if seen["reached_outside"]:
        found.append("the throw-away server was not cut off: it reached the backup server")
    if check and not check.get("ok"):
        found.append(f"M EMS did not work: {check.get('words')}")
    if differ:
        found.append("the business figures differ: " + ", ".join(each["what"] for each in differ))
    if not found and not (check and seen["figures"]):
        found.append("it did not come to its end")
    return found


def report(server: str, note: Record, seen: Record, at: str) -> Record:
    """drill.json; `ok` when there are no problems."""
    mark, recovery = note.get("mark") or {}, seen["recovery"] or {}
    differ = compared(mark.get("figures") or {}, seen["figures"]) if seen["figures"] else []
    backup = recovery.get("from_backup") or note.get("backup") or {}
    began = {step: float(moment) for step, moment in seen["began"].items()}
    found = problems(note, seen, differ)

    def until_answered(step: str) -> float | None:
        return round(float(seen["answered"]) - began[step], 1) if seen["answered"] else None

    return {
        "server": server,
        "activity": "drill",
        "run": seen["run"],
        "at": at,
        "kind": note.get("kind"),
        "seed": note.get("seed"),
        "moment": mark.get("at"),
        "restore_point": mark.get("restore_point"),
        "backup_id": backup.get("id"),
        "backup_ended": backup.get("ended"),
        "fell_back_from": recovery.get("fell_back_from") or [],
        "figures_equal": bool(seen["figures"]) and not differ,
        "differences": differ,
        "check": seen["check"],
        "rpo_seconds": note.get("rpo_seconds"),
        "rto_seconds": until_answered("make"),
        "restore_seconds": until_answered("recover"),
        "seconds_by_step": seconds_by_step(began, float(seen["ended"])),
        "words": note.get("words", []),
        "problems": found,
        "ok": not found,
    }
