"""What a difference means: which activities on which servers, what needs no run, and why. Pure.

A role's variables carry its name, so the name of a variable says which activity brings it to the server:

server_spec, server_disk_gib, aws_*   resize    by Pulumi's plan
mems_*, base_*, anything unknown      deploy
backup_*  monitor_*  harden_*         backup, monitor, harden
patch_* drill_* recover_* resize_*    no run: read by the next one
ansible_*                             no run: how Ansible reaches the server
server_provider, mems_profile         migration: excluded by E3
mems_*_modules                        customisation: excluded by E1
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from orchestrator.changes.differences import Difference, Kind

SEQUENCE = ("migration", "customisation", "resize", "deploy", "backup", "monitor", "harden")
"""In this order what a change means is ordered: first room, then what needs it."""

_RULES: tuple[tuple[str, str | None, str], ...] = (
    (r"server_spec|server_disk_gib|aws_.*", "resize", ""),
    (r"server_stop_to_resize", None, "the next resize is done so"),
    (r"server_provider|mems_profile", "migration", ""),
    (r"mems_.*_modules", "customisation", ""),
    (r"ansible_.*", None, "from now on Ansible reaches it so"),
    (r"(patch|drill|recover|resize)_.*", None, "read by the next run of that name"),
    (r"backup_.*", "backup", ""),
    (r"(monitor|monitoring_server)_.*", "monitor", ""),
    (r"harden_.*", "harden", ""),
    (r".*", "deploy", ""),
)

_FIRST = {"server_provider": "resize", "mems_profile": "deploy"}


@dataclass(frozen=True)
class Step:
    """One activity on servers, sorted; `because` holds the differences, `server: difference`."""

    activity: str
    servers: tuple[str, ...]
    because: tuple[str, ...]
    is_new: bool = False


@dataclass(frozen=True)
class Meaning:
    """The steps in the order in which they are taken, and what needs none, in words."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...]


def activity_of(key: str, *, is_said_first: bool = False) -> tuple[str | None, str]:
    """(The activity that a variable's change asks for, ""), or (None, why it asks for none).

    `is_said_first`: it had no value before, so nothing is moved away from one.
    """
    if is_said_first and key in _FIRST:
        return _FIRST[key], ""
    return next((activity, words) for rule, activity, words in _RULES if re.fullmatch(rule, key))


def meaning(found: Iterable[Difference], scheduled: Iterable[str] = ()) -> Meaning:
    """Of all differences of a customer. `scheduled`: what comes round by itself, for new servers."""
    because: dict[tuple[str, bool], dict[str, list[str]]] = {}
    notes = []
    for each in found:
        if each.kind is Kind.GONE:
            notes.append(
                f"{each.server}: no longer in the inventory, so it is no longer maintained; nothing on it is "
                "changed or deleted"
            )
            continue
        activity, words = ("deploy", "") if each.kind is Kind.NEW else _of(each)
        if activity is None:
            notes.append(f"{each.server}: {each}: {words}")
            continue
        of_servers = because.setdefault((activity, each.kind is Kind.NEW), {})
        of_servers.setdefault(each.server, []).append(f"{each.server}: {each}")
        if each.kind is Kind.NEW:
            notes.append(_of_new(each.server, scheduled))
    steps = [_step(activity, is_new, servers) for (activity, is_new), servers in because.items()]
    return Meaning(tuple(sorted(steps, key=_place)), tuple(notes))


def with_taken_over(
    steps: Iterable[Step], waiting: Iterable[tuple[str, str, tuple[str, ...]]], present: Collection[str]
) -> tuple[Step, ...]:
    """The steps, and in them what older changes still wait for: (run, activity, servers) each.

    They would run with an older inventory after this one: this change does their work with its own.
    """
    found = {(step.activity, step.is_new): step for step in steps}
    for run, activity, servers in waiting:
        own = [found[key].servers for key in found if key[0] == activity]
        missing = sorted(
            {name for name in servers if name in present} - {name for each in own for name in each}
        )
        if missing:
            before = found.get((activity, False), Step(activity, (), ()))
            because = (*before.because, *(f"{name}: {run} waited for it" for name in missing))
            found[activity, False] = Step(activity, tuple(sorted({*before.servers, *missing})), because)
    return tuple(sorted(found.values(), key=_place))


def _of(each: Difference) -> tuple[str | None, str]:
    return activity_of(each.key, is_said_first=each.before is None)


def _step(activity: str, is_new: bool, servers: dict[str, list[str]]) -> Step:
    return Step(
        activity, tuple(sorted(servers)), tuple(word for each in servers.values() for word in each), is_new
    )


def _place(step: Step) -> tuple[int, bool]:
    return (SEQUENCE.index(step.activity) if step.activity in SEQUENCE else len(SEQUENCE), not step.is_new)


def _of_new(server: str, scheduled: Iterable[str]) -> str:
    by_itself = ", ".join(scheduled)
    follows = f"; by itself follow, as the contract says: {by_itself}" if by_itself else ""
    return f"{server}: it has to be there and answer to SSH before it is deployed (docs/growing.md){follows}"
