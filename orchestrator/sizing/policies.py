"""What no plan may do, checked on the engine's own plan before every `up`. Pure.

kept          nothing that is protected or holds data is replaced or deleted
catalogue     every server has a specification of the catalogue
encrypted     every disk is encrypted
closed        from everywhere only ports 80 and 443
growing       a disk only grows
affordable    all servers of the customer together cost at most the contract's growth.usd_per_month_cap
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.sizing.catalogue import Spec

INSTANCE: Final = "aws:ec2/instance:Instance"
VOLUME: Final = "aws:ebs/volume:Volume"
LAB_SERVER: Final = "emslab:index:Server"
FIREWALL: Final = "aws:ec2/securityGroup:SecurityGroup"
RULES_OF_THEIR_OWN: Final = (
    "aws:ec2/securityGroupRule:SecurityGroupRule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
)
# What a server's data, or its users' way to it, hangs on.
KEPT: Final = {
    INSTANCE: "an instance",
    VOLUME: "a data volume",
    "aws:ec2/volumeAttachment:VolumeAttachment": "the attachment of a data volume",
    "aws:ec2/eip:Eip": "a server's address",
    "aws:route53/record:Record": "a server's name",
    LAB_SERVER: "a lab server",
}
ENDING: Final = (
    "delete",
    "delete-replaced",
    "replace",
    "create-replacement",
    "discard-replaced",
    "remove-pending-replace",
)
EVERYWHERE: Final = ("0.0.0.0/0", "::/0")
OPEN_PORTS: Final = (80, 443)


@dataclass(frozen=True)
class Refusal:
    """A resource (its URN), the rule that it breaks, what is wrong, and what to do about it."""

    resource: str
    rule: str
    words: str
    mend: str

    def __str__(self) -> str:
        return f"{self.resource}: rule `{self.rule}`: {self.words}"


@dataclass(frozen=True)
class _Step:
    """A resource of the plan: what happens to it, how it is after, and how it was before."""

    urn: str
    type: str
    steps: tuple[str, ...]
    protected: bool
    after: Mapping[str, Any]
    before: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    @property
    def stays(self) -> bool:
        return "delete" not in self.steps or "create-replacement" in self.steps


def refusals(
    plan: Mapping[str, Any],
    state: Mapping[str, Any],
    catalogue: Mapping[str, Spec],
    usd_per_month_cap: float | None = None,
) -> list[Refusal]:
    """Every rule that the plan (the engine's JSON) would break; `state` (`resources`) is how things are."""
    steps = _steps(plan, state)
    found = [refusal for step in steps for refusal in _of_one(step, catalogue)]
    return found + _affordable(steps, catalogue, usd_per_month_cap)


def _steps(plan: Mapping[str, Any], state: Mapping[str, Any]) -> list[_Step]:
    before = {each["urn"]: each for each in state["resources"] if not each.get("delete")}
    found = []
    for urn, planned in sorted(plan.get("resourcePlans", {}).items()):
        goal, old = planned.get("goal") or {}, before.get(urn, {})
        found.append(
            _Step(
                urn=urn,
                type=goal.get("type") or type_of(urn),
                steps=tuple(planned.get("steps") or ()),
                protected=bool(goal.get("protect") or old.get("protect")),
                after=planned.get("state") or {},
                before={**old.get("inputs", {}), **old.get("outputs", {})},
            )
        )
    return found


def _of_one(step: _Step, catalogue: Mapping[str, Spec]) -> list[Refusal]:
    checks = [_kept(step)]
    if step.stays:
        checks += [_in_catalogue(step, catalogue), *_encrypted(step), *_closed(step), _growing(step)]
    return [refusal for refusal in checks if refusal]


def _kept(step: _Step) -> Refusal | None:
    ending = [each for each in step.steps if each in ENDING]
    if not ending or not (step.protected or step.type in KEPT):
        return None
    return kept(step.urn, "replaced" if any("replace" in each for each in ending) else "deleted")


def kept(urn: str, what: str) -> Refusal:
    """A resource that would be `replaced` or `deleted`, and must not be."""
    return Refusal(
        urn,
        "kept",
        f"{KEPT.get(type_of(urn), 'a protected resource')} would be {what}",
        "undo what does it (image, zone, network, a server taken out of the inventory); if it is meant, a "
        "person moves the data first and lifts the protection by hand: docs/growing.md",
    )


def type_of(urn: str) -> str:
    """The type that a URN names, without those it is a part of."""
    return urn.split("::")[2].rpartition("$")[2]


def _in_catalogue(step: _Step, catalogue: Mapping[str, Spec]) -> Refusal | None:
    if step.type not in (INSTANCE, LAB_SERVER) or spec_of(step.type, step.after, catalogue):
        return None
    provider = "aws" if step.type == INSTANCE else "lab"
    own = ", ".join(spec.name for spec in catalogue.values() if spec.provider == provider)
    shown = (
        step.after.get("instanceType") or f"{step.after.get('cpus')} CPU, {step.after.get('memoryMib')} MiB"
    )
    return Refusal(
        step.urn, "catalogue", f"{shown} is no specification of the catalogue", f"server_spec: one of {own}"
    )


def _encrypted(step: _Step) -> list[Refusal]:
    disks = {}
    if step.type == VOLUME:
        disks["the volume"] = step.after
    if step.type == INSTANCE:
        disks["the root disk"] = step.after.get("rootBlockDevice") or {}
        for number, disk in enumerate(step.after.get("ebsBlockDevices") or []):
            disks[f"disk {number}"] = disk
    return [
        Refusal(
            step.urn, "encrypted", f"{what} would not be encrypted", "set encrypted=True in pulumi/on_aws.py"
        )
        for what, disk in disks.items()
        if disk.get("encrypted") is not True
    ]


def _closed(step: _Step) -> list[Refusal]:
    if step.type == FIREWALL:
        rules = step.after.get("ingress") or []
    elif step.type in RULES_OF_THEIR_OWN and step.after.get("type", "ingress") == "ingress":
        rules = [step.after]
    else:
        rules = []
    found = []
    for rule in rules:
        protocol = rule.get("protocol") or rule.get("ipProtocol")
        first, last = int(rule.get("fromPort") or 0), int(rule.get("toPort") or 0)
        is_web = protocol in ("tcp", "6") and first == last and first in OPEN_PORTS
        if not is_web and (world := [each for each in _sources(rule) if each in EVERYWHERE]):
            ports = f"port {first}" if first == last else f"ports {first} to {last}"
            found.append(
                Refusal(
                    step.urn,
                    "closed",
                    f"{'every port' if protocol == '-1' else ports} would be open to {world[0]}",
                    "name the networks that need it (aws_ssh_cidrs for SSH); from everywhere only 80 and 443",
                )
            )
    return found


def _sources(rule: Mapping[str, Any]) -> list[str]:
    lists = [*(rule.get("cidrBlocks") or []), *(rule.get("ipv6CidrBlocks") or [])]
    return [*lists, *(rule[key] for key in ("cidrIpv4", "cidrIpv6") if rule.get(key))]


def _growing(step: _Step) -> Refusal | None:
    key = {VOLUME: "size", LAB_SERVER: "diskGib"}.get(step.type, "")
    before, after = step.before.get(key), step.after.get(key)
    if not before or not isinstance(after, int | float) or after >= before:
        return None
    return Refusal(
        step.urn,
        "growing",
        f"the disk has {before:g} GiB and would have {after:g}: less than its data's need may be",
        f"write server_disk_gib: {before:g} or more",
    )


def _affordable(steps: list[_Step], catalogue: Mapping[str, Spec], cap: float | None) -> list[Refusal]:
    if cap is None:
        return []
    costs = {
        step.urn: spec.usd_per_month
        for step in steps
        if step.stays and (spec := spec_of(step.type, step.after, catalogue))
    }
    total = sum(costs.values())
    if total <= cap:
        return []
    dearest = max(costs, key=lambda urn: costs[urn])
    words = f"the servers would cost {total:.2f} USD a month, and the contract's cap is {cap:.2f}"
    mend = "order a smaller one, or agree on a higher growth.usd_per_month_cap in the contract"
    return [Refusal(dearest, "affordable", words, mend)]


def spec_of(kind: str, said: Mapping[str, Any], catalogue: Mapping[str, Spec]) -> Spec | None:
    """The specification that a resource's properties are, None when the catalogue has none like it."""
    if kind == INSTANCE:
        found = catalogue.get(str(said.get("instanceType")))
        return found if found and found.provider == "aws" else None
    if kind == LAB_SERVER:
        for spec in catalogue.values():
            if spec.provider == "lab" and (spec.cpus, spec.memory_mib) == (
                said.get("cpus"),
                said.get("memoryMib"),
            ):
                return spec
    return None
