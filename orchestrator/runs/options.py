"""What an order says beyond its activity: which options an activity takes, and what they may be. Pure.

An option `to` of `recover` is `--to` on the command line and the variable `recover_to` in the playbook.

patch    without_proven_backup   why it goes on without a backup that a drill has proven; on the statement
recover  to                      the moment to go back to, ISO 8601 in UTC; without it the latest
         only                    database, files or attachment; without it database and files
         attachment              the path of the one attachment, in the file store
         put_back                the run whose recovery set aside what is put back now
drill    moment                  newest or random: what is restored
resize   spec                    a specification of the catalogue, instead of the inventory's
         without_proven_backup   as for patch
"""

import re
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from orchestrator.errors import UsageError

TEMPLATE = ("{{", "{%", "{#")  # Ansible would run what stands in them


def checked(activity: str, given: Mapping[str, str], now: datetime) -> dict[str, str]:
    """The options as they are kept and handed on, times in UTC; UsageError with the mend for any other."""
    known = TAKES.get(activity, {})
    if strange := [name for name in given if name not in known]:
        takes = ", ".join(flag(name) for name in known) or "no options"
        raise UsageError(f"{activity} takes no {', '.join(map(flag, strange))}", f"{activity} takes {takes}")
    found = {name: known[name](flag(name), value, now) for name, value in given.items()}
    _together(found)
    return found


def variables(activity: str, options: Mapping[str, str]) -> dict[str, str]:
    """As the playbook gets them."""
    return {f"{activity}_{name}": value for name, value in options.items()}


def words(options: Mapping[str, str]) -> list[str]:
    """As they would be typed, one each."""
    return [f"{flag(name)} {shlex.quote(value)}" for name, value in options.items()]


def flag(name: str) -> str:
    """`--put-back` of put_back."""
    return f"--{name.replace('_', '-')}"


def _together(options: Mapping[str, str]) -> None:
    if "put_back" in options and len(options) > 1:
        raise UsageError("--put-back takes no other option", "what the run set aside is put back as a whole")
    wants = options.get("only") == "attachment"
    if wants and "attachment" not in options:
        raise UsageError("--only attachment needs to know which", "add --attachment PATH")
    if "attachment" in options and not wants:
        raise UsageError("--attachment goes with --only attachment", "add it, or leave --attachment out")


def _moment(name: str, value: str, now: datetime) -> str:
    example = f"for example {name} '2026-03-01 14:32:10+04:00'"
    try:
        at = datetime.fromisoformat(value)
        moment = at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        raise UsageError(f"{name}: {value!r} is no time", example) from None
    if moment is None:
        raise UsageError(f"{name}: {value} has no offset, so it is many moments", example)
    if moment > now:
        raise UsageError(f"{name}: {value} is yet to come", f"leave {name} out for the latest state")
    return moment.isoformat()


def _one_of(*choices: str) -> "Check":
    def check(name: str, value: str, _now: datetime) -> str:
        if value not in choices:
            raise UsageError(f"{name}: there is no {value!r}", f"{name} is one of {', '.join(choices)}")
        return value

    return check


def _text(what: str) -> "Check":
    """One line of words that Ansible doesn't take for a template."""

    def check(name: str, value: str, _now: datetime) -> str:
        text = value.strip()
        if not text:
            raise UsageError(f"{name} is empty", f"say {what}")
        if not text.isprintable() or any(mark in text for mark in TEMPLATE):
            raise UsageError(
                f"{name}: {value!r} can't be used", f"say {what} in one line, without {{{{ or {{%"
            )
        return text

    return check


def _path(name: str, value: str, now: datetime) -> str:
    path = _text("the attachment's path in the file store")(name, value, now)
    if path.startswith(("/", "-")) or ".." in path.split("/"):
        raise UsageError(f"{name}: {value!r} leads out of the file store", "name it from the file store on")
    return path


def _run(name: str, value: str, _now: datetime) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,199}", value):
        raise UsageError(f"{name}: {value!r} is no run", "amc run list --customer C shows them")
    return value


def _name(name: str, value: str, _now: datetime) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", value):
        raise UsageError(f"{name}: {value!r} is no name of a specification", "amc size catalogue shows them")
    return value


Check = Callable[[str, str, datetime], str]
TAKES: dict[str, dict[str, Check]] = {
    "patch": {"without_proven_backup": _text("why")},
    "recover": {
        "to": _moment,
        "only": _one_of("database", "files", "attachment"),
        "attachment": _path,
        "put_back": _run,
    },
    "drill": {"moment": _one_of("newest", "random")},
    "resize": {"spec": _name, "without_proven_backup": _text("why")},
}
