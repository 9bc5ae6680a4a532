"""From a need to a specification: up at once and as far as needed, down late and by one step."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from orchestrator.sizing import words
from orchestrator.sizing.acute import Acute
from orchestrator.sizing.catalogue import Spec
from orchestrator.sizing.coverage import Coverage
from orchestrator.sizing.load import DAY, Hourly, between
from orchestrator.sizing.margins import Moment
from orchestrator.sizing.memory import MemoryNeed
from orchestrator.sizing.processor import CpuNeed

_STEP = 2.0  # one step down takes at most half of the CPUs, and of the memory


class Direction(StrEnum):
    """What is recommended; `unknown` where data is missing."""

    UP = "up"
    DOWN = "down"
    KEEP = "keep"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Need:
    """What a specification must offer: CPUs at the peak, CPUs all the time, memory in MiB."""

    cpus: float
    sustained_cpus: float
    memory_mib: float

    def times(self, factor: float) -> "Need":
        """The need with more room."""
        return Need(self.cpus * factor, self.sustained_cpus * factor, self.memory_mib * factor)


@dataclass(frozen=True)
class Evidence:
    """What was found in a server's load."""

    hourly: Hourly
    coverage: Coverage
    cpu: CpuNeed
    memory: MemoryNeed
    acute: Acute | None


class Choice(NamedTuple):
    """A specification, and why this one."""

    direction: Direction
    spec: Spec
    why: list[str]


def fits(spec: Spec, need: Need) -> bool:
    """The specification carries the need, its baseline the part that lasts."""
    return (
        spec.cpus >= need.cpus
        and spec.sustained_cpus >= need.sustained_cpus
        and spec.memory_mib >= need.memory_mib
    )


def need_of(found: Evidence, current: Spec | None, ladder: Sequence[Spec], moment: Moment) -> Need:
    """History and the load of now together; a leak asks for one step of memory at most."""
    margins = moment.margins
    now = found.acute.demand if found.acute else 0.0
    # Tasks wait though CPUs are left: a burstable type has used up its credits.
    throttled = found.acute and current and found.acute.use < margins.saturated_use * current.cpus
    mib = found.memory.mib
    if found.memory.leak and current:
        larger = [spec.memory_mib for spec in ladder if spec.memory_mib > current.memory_mib]
        mib = min([mib, *larger])
    return Need(
        max(found.cpu.peak, now / margins.now_use),
        max(found.cpu.sustained, now / margins.sustained_use if throttled else 0.0),
        mib,
    )


def choose(found: Evidence, current: Spec, ladder: Sequence[Spec], need: Need, moment: Moment) -> Choice:
    """The specification for a need. `ladder`: the provider's, the cheapest first, with the current one."""
    if not fits(current, need):
        return _up(current, ladder, need)
    days = moment.margins.down_after.days
    room = moment.margins.down_room
    smaller = _smaller(current, ladder, need.times(room))
    if smaller is None:
        return Choice(
            Direction.KEEP, current, [f"{current.name} ({size(current)}) fits, nothing cheaper does"]
        )
    held = _held(found, moment)
    if held:
        return Choice(
            Direction.KEEP, current, [f"{smaller.name} would fit too, but {held}: {current.name} stays"]
        )
    why = (
        f"{smaller.name} ({size(smaller)}) carries {words.percent(room - 1)} more than the need of these "
        f"{days} days: one step down from {current.name} ({size(current)})"
    )
    return Choice(Direction.DOWN, smaller, [why])


def size(spec: Spec) -> str:
    """A specification in words."""
    baseline = "" if spec.baseline == 1 else f" ({words.cpus(spec.sustained_cpus)} all the time)"
    return f"{words.cpus(spec.cpus)}{baseline} and {words.mib(spec.memory_mib)}"


def last_growth(hourly: Hourly) -> datetime | None:
    """When the server last got more CPUs or more memory, as its own numbers show."""
    grown = [
        after.at
        for series in (hourly.cpus, hourly.memory_total)
        for before, after in pairwise(series)
        if after.value > 1.05 * before.value
    ]
    return max(grown, default=None)


def _up(current: Spec, ladder: Sequence[Spec], need: Need) -> Choice:
    """The cheapest that fits and takes no CPUs or memory away; without one, the largest there is."""
    larger = [spec for spec in ladder if spec.cpus >= current.cpus and spec.memory_mib >= current.memory_mib]
    why = _lacks(current, need)
    fit = next((spec for spec in larger if fits(spec, need)), None)
    if fit:
        return Choice(Direction.UP, fit, [*why, f"{fit.name} is the cheapest that fits: {size(fit)}"])
    largest = max(larger, key=lambda spec: (spec.sustained_cpus, spec.cpus, spec.memory_mib))
    why.append(f"no specification of {current.provider} carries this need, the largest is {largest.name}")
    if largest == current:
        return Choice(Direction.KEEP, current, [*why, "the load itself has to be looked at"])
    return Choice(Direction.UP, largest, why)


def _lacks(current: Spec, need: Need) -> list[str]:
    told = []
    if current.cpus < need.cpus:
        told.append(f"{words.cpus(need.cpus)} are needed, {current.name} has {words.cpus(current.cpus)}")
    if current.sustained_cpus < need.sustained_cpus:
        told.append(
            f"{words.cpus(need.sustained_cpus)} are needed all day, {current.name} gives "
            f"{words.cpus(current.sustained_cpus)} all the time"
        )
    if current.memory_mib < need.memory_mib:
        told.append(
            f"{words.mib(need.memory_mib)} are needed, {current.name} has {words.mib(current.memory_mib)}"
        )
    return told


def _smaller(current: Spec, ladder: Sequence[Spec], need: Need) -> Spec | None:
    """The cheapest below the current one that fits and is at most one step down."""
    for spec in ladder[: ladder.index(current)]:
        no_larger = spec.cpus <= current.cpus and spec.memory_mib <= current.memory_mib
        one_step = spec.cpus * _STEP >= current.cpus and spec.memory_mib * _STEP >= current.memory_mib
        if no_larger and one_step and fits(spec, need):
            return spec
    return None


def _held(found: Evidence, moment: Moment) -> str:
    """Why a size that would do is not recommended yet; empty when nothing holds it."""
    margins = moment.margins
    days = margins.down_after.days
    known = found.coverage.days
    if known < margins.down_after / DAY:
        return f"only {words.many(known, 'day')} are known, {days} are needed to go down"
    grown = last_growth(found.hourly)
    if grown and moment.now - grown < margins.down_after:
        return f"it grew on {words.day(grown, moment.zone)}, less than {days} days ago"
    if found.memory.leak or found.memory.oom_kills or found.memory.waiting_days >= 2:
        return "memory is short at times"
    response = between(found.hourly.response, moment.now - margins.down_after, moment.now)
    slow = sum(point.value > margins.response_s for point in response)
    if slow > 0.05 * len(response):
        return (
            f"5 % of requests take more than {words.seconds(margins.response_s)} "
            f"in {words.percent(slow / len(response))} of the hours"
        )
    return ""
