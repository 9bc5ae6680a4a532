"""How much memory a server's load needs, from its history."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.sizing import words
from orchestrator.sizing.catalogue import Spec
from orchestrator.sizing.leak import Leak, find_leak, leak_reason
from orchestrator.sizing.load import Hourly, between, by_day
from orchestrator.sizing.margins import Moment
from orchestrator.sizing.processor import month_ends


@dataclass(frozen=True)
class MemoryNeed:
    """In MiB. `highest` is the highest working set, `second` that of the second highest day."""

    highest: float
    highest_at: datetime
    second: float
    oom_kills: int
    waiting_days: int
    leak: Leak | None
    mib: float


def memory_need(hourly: Hourly, spec: Spec | None, moment: Moment) -> MemoryNeed | None:
    """The need of the last 28 days and the turns of months that count; None without data there.

    Memory can't be squeezed: the highest peak must fit as it is, what recurs on a second day with headroom.
    """
    now, margins = moment.now, moment.margins
    turns = month_ends(now)
    counted = [
        point
        for point in hourly.memory
        if now - margins.down_after < point.at <= now or any(abs(point.at - turn).days < 3 for turn in turns)
    ]
    if not counted:
        return None
    top = max(counted, key=lambda point: point.value)
    daily = sorted(max(values) for _, values in by_day(tuple(counted)))
    second = daily[-2] if len(daily) > 1 else daily[-1]
    since = now - margins.down_after
    kills = round(sum(point.value for point in between(hourly.oom_kills, since, now)))
    waiting = between(hourly.memory_waiting, since, now)
    waiting_days = sum(max(values) >= margins.memory_waiting for _, values in by_day(waiting))
    highest = top.value / words.MIB
    need = max(highest, second / words.MIB / margins.memory_use)
    if kills:
        need = max(need, highest * margins.oom_raise, highest + margins.oom_raise_mib)
    if spec and (kills or waiting_days >= 2):
        need = max(need, spec.memory_mib * margins.oom_raise)
    leak = find_leak(hourly.memory, now)
    return MemoryNeed(highest, top.at, second / words.MIB, kills, waiting_days, leak, need)


def memory_reasons(need: MemoryNeed, moment: Moment) -> list[str]:
    """The need in sentences."""
    margins, zone = moment.margins, moment.zone
    told = [
        f"memory: the working set was at most {words.mib(need.highest)} "
        f"({words.clock(need.highest_at, zone)}), {words.mib(need.second)} on the second highest day; "
        f"the second with {words.percent(1 - margins.memory_use)} headroom is "
        f"{words.mib(need.second / margins.memory_use)}"
    ]
    if need.oom_kills:
        told.append(
            f"memory: the kernel killed for lack of memory {words.many(need.oom_kills, 'time')} in "
            f"{margins.down_after.days} days: that needs {words.percent(margins.oom_raise - 1)} more, "
            f"{words.mib(need.mib)}"
        )
    if need.waiting_days >= 2:
        told.append(
            f"memory: tasks waited for memory more than {words.percent(margins.memory_waiting)} of an hour "
            f"on {words.many(need.waiting_days, 'day')} of {margins.down_after.days}"
        )
    if need.leak:
        told.append(leak_reason(need.leak, zone))
    return told
