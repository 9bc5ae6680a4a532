"""When a run may begin: at once, or at the first place in the maintenance windows. Pure.

At once goes what never stops M EMS, Ansible's check mode, a recovery (M EMS is out of reach already, or its
data is wrong), the first deployment of a server, and work with a reason where the contract has an emergency
rule. All else keeps to the windows, and out of freezes and holidays.
"""

from datetime import datetime
from typing import NamedTuple, cast

from orchestrator.contracts.activities import ActivityName
from orchestrator.contracts.model import Contract
from orchestrator.contracts.recurrence import ANY_TIME
from orchestrator.errors import NotCovered, UsageError
from orchestrator.schedule.closures import Reason
from orchestrator.schedule.occurrences import expected
from orchestrator.schedule.placement import first_place

FREE = ANY_TIME | {"recover"}
"""What never waits for a window."""


class Timing(NamedTuple):
    """`at`: not before (UTC), None: at once. `urgent`: why it may run outside the windows, where it does.

    `reasons`: why not when it was wished.
    """

    at: datetime | None
    urgent: str | None = None
    reasons: tuple[Reason, ...] = ()


def keeps_to_windows(activity: str, *, check: bool, is_first: bool, urgent: str | None) -> bool:
    """Whether such a run waits for a window. `is_first`: none of its servers has had a deployment yet."""
    return not (check or urgent or activity in FREE or (activity == "deploy" and is_first))


def timing(
    contract: Contract,
    activity: str,
    *,
    now: datetime,
    wished: datetime | None = None,
    urgent: str | None = None,
    check: bool = False,
    is_first: bool = False,
) -> Timing:
    """When a run ordered at `now` for `wished` (None: as soon as it may) begins.

    `urgent` counts only where the run would have to wait otherwise. UsageError: its reason is empty.
    NotCovered: the contract has no emergency rule, or no window has room for the run.
    """
    if urgent is not None and not urgent.strip():
        raise UsageError("work outside the windows needs its reason", "add --why REASON")
    begin = max(wished or now, now)
    if not keeps_to_windows(activity, check=check, is_first=is_first, urgent=None):
        return Timing(begin if begin > now else None)
    at, reasons = first_place(contract, begin, expected(contract, cast(ActivityName, activity)))
    if at == now:
        return Timing(None)
    if urgent is not None:
        return _at_once(contract, activity, urgent.strip())
    if at is None:
        words = "; ".join(reason.words for reason in reasons)
        raise NotCovered(
            f"{activity} has no place in the maintenance windows of {contract.number}: {words}",
            "the windows are amc_contract.maintenance_windows; an emergency: add --now --why REASON",
        )
    return Timing(at, None, reasons)


def _at_once(contract: Contract, activity: str, urgent: str) -> Timing:
    if not contract.emergency.allowed:
        raise NotCovered(
            f"{activity} outside the maintenance windows: {contract.number} has no emergency rule",
            "order it without --now, or agree upon amc_contract.emergency",
        )
    return Timing(None, urgent)
