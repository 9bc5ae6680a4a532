"""What the contract says of protection and growth: how well backups must work, what hardening leaves out, and
how much the servers may come to cost.
"""

from datetime import date
from typing import Literal, get_args

from pydantic import Field, field_validator

from orchestrator.contracts.part import Fault, Part, Words, broken

Rule = Literal[
    "ssh",
    "users",
    "sysctl",
    "modules",
    "services",
    "firewall",
    "logging",
    "apt",
    "cron",
    "nginx",
    "postgresql",
    "mems",
]
RULES: tuple[Rule, ...] = get_args(Rule)


class Backup(Part):
    """The aims of backups, and when a backup counts as proven."""

    retention_days: int = Field(
        14, ge=1, le=3650, description="any moment of these days can be recovered", examples=[14]
    )
    proven_within_days: int = Field(
        8,
        ge=1,
        le=366,
        description="a patch needs a backup that a drill has proven within these days",
        examples=[8],
    )
    rpo_seconds: int = Field(
        60, ge=1, le=86400, description="the aim for what a disaster may lose, in seconds", examples=[60]
    )
    rto_minutes: int = Field(
        60, ge=1, le=10080, description="the aim for how long a recovery may take, in minutes", examples=[60]
    )


class HardeningException(Part):
    """One rule of hardening that the customer's servers do without, up to and with the day `until`."""

    rule: Rule = Field(description=f"the rule that is left out: {', '.join(RULES)}", examples=["services"])
    who: Words = Field(description="who wants it", examples=["R. Weber, head of IT"])
    why: Words = Field(description="why, in words for the statement", examples=["the old scanner needs FTP"])
    until: date = Field(
        description="the last day, YYYY-MM-DD; harden applies the rule again after it",
        examples=["2026-12-31"],
    )

    def holds_on(self, day: date) -> bool:
        """Whether the rule is still left out on this day of the contract's clock."""
        return day <= self.until


class Hardening(Part):
    """What of hardening is left out."""

    exceptions: tuple[HardeningException, ...] = Field(
        (),
        description="rules that are left out, each once",
        examples=["[{rule: services, who: R. Weber, why: the old scanner, until: 2026-12-31}]"],
    )

    @field_validator("exceptions")
    @classmethod
    def _each_rule_once(cls, exceptions: tuple[HardeningException, ...]) -> tuple[HardeningException, ...]:
        rules = [each.rule for each in exceptions]
        faults = [
            Fault(f"{rule} has an exception already", "keep one of them", (index, "rule"))
            for index, rule in enumerate(rules)
            if rule in rules[:index]
        ]
        if faults:
            raise broken(*faults)
        return exceptions


class Growth(Part):
    """How far servers may grow without another agreement."""

    usd_per_month_cap: float | None = Field(
        None,
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="what all servers together may cost at most, in US dollars a month",
        examples=[250],
    )
