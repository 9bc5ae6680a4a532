"""From a server's load to a recommendation with its reasons. Pure: the time is an argument.

1. coverage   which data is missing; below 7 days, or without CPU or memory, nothing is guessed
2. need       CPUs and memory with headroom, from the history, and from a saturation of now
3. choice     the cheapest specification of the same provider that carries the need; up quickly, down slowly
4. words      every number it comes from, the cost, and who pays
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.contracts.clauses import EXCLUDED
from orchestrator.sizing import words
from orchestrator.sizing.acute import acute, acute_reason
from orchestrator.sizing.catalogue import Spec, of_provider
from orchestrator.sizing.choice import Direction, Evidence, Need, choose, fits, need_of, size
from orchestrator.sizing.coverage import coverage
from orchestrator.sizing.disk import Disk, disk_need
from orchestrator.sizing.load import Load
from orchestrator.sizing.margins import Moment
from orchestrator.sizing.memory import memory_need, memory_reasons
from orchestrator.sizing.processor import batch_reasons, cpu_need, cpu_reasons, demand

_NO_SPEC = "the inventory names no server_spec: there is no size to compare with"
HOSTING = next(clause for clause in EXCLUDED if clause.id == "E5")


@dataclass(frozen=True)
class Present:
    """What the inventory says of a server; `spec` and `disk_gib` are None where it says nothing."""

    provider: str
    spec: Spec | None
    disk_gib: int | None = None


@dataclass(frozen=True)
class Recommendation:
    """What a server should be, at `at` (UTC).

    `recommended` is None when the direction is unknown; `usd_per_month` is the difference, None when nothing
    changes. `confidence` is high, medium, low or none: `missing` says why; `reasons` say why this size.
    """

    server: str
    customer: str
    at: datetime
    current: Spec | None
    recommended: Spec | None
    direction: Direction
    reasons: tuple[str, ...]
    missing: tuple[str, ...]
    confidence: str
    need: Need | None
    disk: Disk | None
    leak: bool
    saturated_now: bool
    usd_per_month: float | None


def recommend(load: Load, present: Present, catalogue: Mapping[str, Spec], moment: Moment) -> Recommendation:
    """What this server should be, with reasons; `unknown` and what is missing, where it would be a guess."""
    current = present.spec
    known = coverage(load.hourly, current, moment)
    saturation = acute(load, current, moment) if current else None
    disk = disk_need(load.hourly, present.disk_gib, moment)
    memory = memory_need(load.hourly, current, moment)
    now_words = [acute_reason(saturation, current, moment)] if saturation and current else []
    disk_words = [disk.reason] if disk else []
    unknown = Recommendation(
        server=load.server,
        customer=load.customer,
        at=moment.now,
        current=current,
        recommended=None,
        direction=Direction.UNKNOWN,
        reasons=(*now_words, *disk_words),
        missing=(*known.blocking, *known.weakening),
        confidence="none",
        need=None,
        disk=disk,
        leak=memory is not None and memory.leak is not None,
        saturated_now=saturation is not None,
        usd_per_month=None,
    )
    if known.blocking or memory is None:
        return unknown
    cpu = cpu_need(demand(load.hourly, current, moment.margins), moment)
    found = Evidence(load.hourly, known, cpu, memory, saturation)
    ladder = of_provider(present.provider, catalogue)
    need = need_of(found, current, ladder, moment)
    load_words = [
        *now_words,
        *cpu_reasons(cpu, moment.margins),
        *batch_reasons(load.hourly, moment),
        *memory_reasons(memory, moment),
    ]
    if current is None:
        reasons = (*load_words, *_cheapest_words(ladder, need), *disk_words)
        return replace(unknown, reasons=reasons, need=need, missing=(_NO_SPEC, *known.weakening))
    choice = choose(found, current, ladder, need, moment)
    return replace(
        unknown,
        recommended=choice.spec,
        direction=choice.direction,
        reasons=(*load_words, *choice.why, *disk_words, *_cost_words(current, choice.spec, disk)),
        confidence=_confidence(found, moment),
        need=need,
        usd_per_month=_difference(current, choice.spec),
    )


def _confidence(found: Evidence, moment: Moment) -> str:
    known = found.coverage
    if known.share < 0.7:
        return "low"
    whole = known.days >= moment.margins.down_after.days and known.share >= 0.9
    return "high" if whole and found.hourly.cpu_waiting and found.hourly.response else "medium"


def _cheapest_words(ladder: Sequence[Spec], need: Need) -> list[str]:
    fit = next((spec for spec in ladder if fits(spec, need)), None)
    return [f"{fit.name} would be the cheapest that fits: {size(fit)}"] if fit else []


def _difference(current: Spec, chosen: Spec) -> float | None:
    return None if chosen == current else round(chosen.usd_per_month - current.usd_per_month, 2)


def _cost_words(current: Spec, chosen: Spec, disk: Disk | None) -> list[str]:
    """What a change costs a month; a larger disk has no price in the catalogue, but is hosting as well."""
    difference = _difference(current, chosen)
    told = []
    if difference is not None:
        change = "more" if difference > 0 else "less"
        cost = f"{words.money(abs(difference))} a month {change}" if difference else "the same price"
        told.append(
            f"cost: {chosen.name} instead of {current.name} is {cost} "
            f"(prices of {chosen.priced_at}, check before use)"
        )
    if told or (disk and disk.recommended_gib):
        told.append(f"hosting charges are not covered by the contract (clause {HOSTING.id})")
    return told
