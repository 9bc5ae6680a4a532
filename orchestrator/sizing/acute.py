"""The load of now: is the server saturated, for how long, and what would the load need?"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

from orchestrator.sizing import words
from orchestrator.sizing.catalogue import Spec
from orchestrator.sizing.load import Load
from orchestrator.sizing.margins import Moment
from orchestrator.sizing.processor import busy_at_this_hour, wanted

_NEWEST_WITHIN = timedelta(minutes=3)
_SHARE = 0.9  # of the points: a single quiet scrape does not end a saturation


@dataclass(frozen=True)
class Acute:
    """A saturation that lasts until now: since when, CPUs used and wanted, share waiting, response in s."""

    since: datetime
    lasts: timedelta
    use: float
    demand: float
    waiting: float | None
    response: float | None


def acute(load: Load, spec: Spec, moment: Moment) -> Acute | None:
    """The saturation of now, or None: the CPUs are used up, and tasks wait or responses exceed the objective.

    A batch that fills this hour of most days, and slows nobody, is none.
    """
    now, margins = moment.now, moment.margins
    recent = load.recent
    points = [point for point in recent.cpu if point.at <= now]
    if len(points) < 2 or now - points[-1].at > _NEWEST_WITHIN:
        return None
    waiting, response = dict(recent.cpu_waiting), dict(recent.response)
    full = margins.saturated_use * spec.sustained_cpus

    def saturated(at: datetime, use: float) -> bool:
        slow = response.get(at, 0.0) > margins.response_s
        return use >= full and (slow or waiting.get(at, 0.0) >= margins.saturated_waiting)

    step = points[-1].at - points[-2].at
    window = [point for point in points if point.at > points[-1].at - margins.acute_for]
    covered = window[-1].at - window[0].at + step
    hit = [point for point in window if saturated(*point)]
    if covered < margins.acute_for or len(hit) < _SHARE * len(window):
        return None
    slow = [response[point.at] for point in window if point.at in response]
    if busy_at_this_hour(load.hourly, now, full) and not (slow and fmean(slow) > margins.response_s):
        return None
    first = window[0].at
    for point in reversed(points):
        if point.at < first and not saturated(*point):
            break
        first = min(first, point.at)
    waits = [waiting[point.at] for point in window if point.at in waiting]
    return Acute(
        since=first - step,
        lasts=points[-1].at - first + step,
        use=fmean(point.value for point in window),
        demand=fmean(
            wanted(point.value, waiting.get(point.at, 0.0), spec.cpus, spec, margins) for point in window
        ),
        waiting=fmean(waits) if waits else None,
        response=fmean(slow) if slow else None,
    )


def acute_reason(found: Acute, spec: Spec, moment: Moment) -> str:
    """The saturation in a sentence."""
    margins = moment.margins
    minutes = found.lasts.total_seconds() / 60
    parts = [
        f"CPU: saturated since {words.clock(found.since, moment.zone)} ({minutes:.3g} min): "
        f"{words.cpus(found.use)} of {words.cpus(spec.cpus)} in use"
    ]
    if found.waiting is not None:
        parts.append(f"tasks wait for a CPU {words.percent(found.waiting)} of the time")
    if found.response is not None:
        parts.append(
            f"95 % of requests take up to {words.seconds(found.response)} "
            f"(objective {words.seconds(margins.response_s)})"
        )
    needs = words.cpus(found.demand / margins.now_use)
    return f"{', '.join(parts)}; with {words.percent(1 - margins.now_use)} headroom this load needs {needs}"
