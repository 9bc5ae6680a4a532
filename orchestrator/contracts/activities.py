"""What each activity costs when the contract says nothing else.

Unattended work that protects data or only looks (backup, drill, monitor, check) is logged, never charged, and
goes on when hours are used up: a customer without hours left still has tonight's backup. Recovery is work by
the clock, but nobody whose data is gone is sent away to buy hours first: it continues, and what exceeds the
hours is reported. All else is refused when the hours don't suffice.
"""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

CoveredClause = Literal["C1", "C2", "C3", "C4", "C5"]
ActivityName = Literal[
    "deploy",
    "check",
    "backup",
    "drill",
    "recover",
    "patch",
    "harden",
    "update",
    "release",
    "monitor",
    "optimise",
    "troubleshoot",
    "resize",
]


class Charge(StrEnum):
    """How effort is charged: logged only, a fixed number of minutes, or by the clock."""

    NONE = "none"
    FIXED = "fixed"
    CLOCK = "clock"


class WhenUsedUp(StrEnum):
    """What happens when the hours do not suffice: refuse the order, or continue and report the overage."""

    REFUSE = "refuse"
    CONTINUE = "continue"


class ActivityTerms(BaseModel):
    """The terms of one activity. `minutes`: fixed = charged, clock = the estimate held, none = None."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    charge: Charge
    minutes: int | None
    when_used_up: WhenUsedUp
    clause: CoveredClause


def _unattended(clause: CoveredClause) -> ActivityTerms:
    return ActivityTerms(charge=Charge.NONE, minutes=None, when_used_up=WhenUsedUp.CONTINUE, clause=clause)


def _fixed(minutes: int, clause: CoveredClause) -> ActivityTerms:
    return ActivityTerms(charge=Charge.FIXED, minutes=minutes, when_used_up=WhenUsedUp.REFUSE, clause=clause)


def _clock(minutes: int, when_used_up: WhenUsedUp, clause: CoveredClause) -> ActivityTerms:
    return ActivityTerms(charge=Charge.CLOCK, minutes=minutes, when_used_up=when_used_up, clause=clause)


# A first installation is the upgrade from nothing to the agreed series, hence C1; a resize answers the load,
# hence C3.
DEFAULTS: dict[ActivityName, ActivityTerms] = {
    "deploy": _fixed(120, "C1"),
    "check": _unattended("C3"),
    "backup": _unattended("C5"),
    "drill": _unattended("C5"),
    "recover": _clock(120, WhenUsedUp.CONTINUE, "C5"),
    "patch": _fixed(30, "C4"),
    "harden": _fixed(60, "C4"),
    "update": _fixed(60, "C1"),
    "release": _fixed(240, "C1"),
    "monitor": _unattended("C3"),
    "optimise": _fixed(60, "C3"),
    "troubleshoot": _clock(60, WhenUsedUp.REFUSE, "C2"),
    "resize": _fixed(60, "C3"),
}

# Work that can be asked for by name and that no contract of this kind covers.
EXCLUDED = {
    "customisation": "E1",
    "integration": "E2",
    "migration": "E3",
    "training": "E4",
    "hosting": "E5",
}
