"""The policies, each alone: what is refused, by resource and rule, with a mend; and what is not."""

from typing import Any

import pytest

from orchestrator.sizing import catalogue
from orchestrator.sizing.policies import FIREWALL, INSTANCE, LAB_SERVER, VOLUME, refusals
from tests.unit.sizing.plans import URNS, plan, state

EVERYONE = {"cidrBlocks": ["0.0.0.0/0"]}
SSH = {"protocol": "tcp", "fromPort": 22, "toPort": 22}


@pytest.mark.parametrize(
    ("kind", "steps", "after", "rule", "words"),
    [
        (
            INSTANCE,
            ("delete-replaced", "replace", "create-replacement"),
            {},
            "kept",
            "an instance would be replaced",
        ),
        (VOLUME, ("delete",), {}, "kept", "a data volume would be deleted"),
        (LAB_SERVER, ("delete",), {}, "kept", "a lab server would be deleted"),
        (INSTANCE, ("update",), {"instanceType": "x2iedn.32xlarge"}, "catalogue", "x2iedn.32xlarge"),
        (INSTANCE, ("update",), {"instanceType": "lab.small"}, "catalogue", "lab.small"),
        (LAB_SERVER, ("update",), {"cpus": 3}, "catalogue", "3 CPU, 2048 MiB"),
        (VOLUME, ("create",), {"encrypted": False}, "encrypted", "the volume"),
        (VOLUME, ("create",), {"encrypted": None}, "encrypted", "the volume"),
        (INSTANCE, ("create",), {"rootBlockDevice": {}}, "encrypted", "the root disk"),
        (INSTANCE, ("create",), {"ebsBlockDevices": [{"encrypted": False}]}, "encrypted", "disk 0"),
        (
            FIREWALL,
            ("update",),
            {"ingress": [{**SSH, **EVERYONE}]},
            "closed",
            "port 22 would be open to 0.0.0.0/0",
        ),
        (FIREWALL, ("update",), {"ingress": [{**SSH, "ipv6CidrBlocks": ["::/0"]}]}, "closed", "open to ::/0"),
        (
            FIREWALL,
            ("update",),
            {"ingress": [{"protocol": "tcp", "fromPort": 80, "toPort": 443, **EVERYONE}]},
            "closed",
            "ports 80 to 443",
        ),
        (FIREWALL, ("create",), {"ingress": [{"protocol": "-1", **EVERYONE}]}, "closed", "every port"),
        (
            FIREWALL,
            ("create",),
            {"ingress": [{"protocol": "udp", "fromPort": 443, "toPort": 443, **EVERYONE}]},
            "closed",
            "port 443",
        ),
        (VOLUME, ("update",), {"size": 59}, "growing", "has 60 GiB and would have 59"),
        (LAB_SERVER, ("update",), {"diskGib": 8}, "growing", "has 12 GiB and would have 8"),
    ],
)
def test_what_is_refused(
    kind: str, steps: tuple[str, ...], after: dict[str, Any], rule: str, words: str
) -> None:
    """The resource is named by its URN, the rule by its name."""
    (refused,) = refusals(plan(kind, *steps, **after), state(kind), catalogue.read())
    assert (refused.resource, refused.rule) == (URNS[kind], rule)
    assert words in refused.words
    assert refused.mend


@pytest.mark.parametrize(
    ("kind", "steps", "after"),
    [
        (INSTANCE, ("update",), {"instanceType": "m6i.2xlarge"}),
        (VOLUME, ("update",), {"size": 61}),
        (LAB_SERVER, ("update",), {"cpus": 2, "memoryMib": 4096, "diskGib": 13}),
        (LAB_SERVER, ("update",), {"diskGib": None}),
        (FIREWALL, ("create-replacement", "replace", "delete-replaced"), {}),
        (FIREWALL, ("update",), {"ingress": [{"protocol": "tcp", "fromPort": 80, "toPort": 80, **EVERYONE}]}),
    ],
)
def test_what_is_not(kind: str, steps: tuple[str, ...], after: dict[str, Any]) -> None:
    """Growing, another specification of the catalogue, and what holds no data."""
    assert refusals(plan(kind, *steps, **after), state(kind), catalogue.read()) == []


def test_what_is_protected_is_kept_whatever_it_is() -> None:
    """Protected in the plan, or in the state where the plan has lifted it."""
    before = state(FIREWALL)
    assert [each.rule for each in refusals(plan(FIREWALL, "delete", protect=True), before, {})] == ["kept"]
    before["resources"][0]["protect"] = True
    assert [each.rule for each in refusals(plan(FIREWALL, "delete"), before, {})] == ["kept"]


def test_a_rule_of_its_own_opens_no_port_either() -> None:
    """Security group rules as resources, in both forms that pulumi-aws has."""
    for kind, said in (
        ("aws:ec2/securityGroupRule:SecurityGroupRule", {**SSH, **EVERYONE, "type": "ingress"}),
        (
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "0.0.0.0/0"},
        ),
    ):
        planned = {"resourcePlans": {f"urn:pulumi:a::mems::{kind}::x": {"steps": ["create"], "state": said}}}
        assert [each.rule for each in refusals(planned, state(), {})] == ["closed"]


def test_all_servers_count_towards_the_cap() -> None:
    """Two servers of 83.95 USD fit into 167.90, and not into a cent less; the dearest is named."""
    planned = plan(INSTANCE, "update")
    planned["resourcePlans"][URNS[INSTANCE].replace("erp1", "erp2")] = {
        "goal": {"type": INSTANCE, "custom": True},
        "steps": ["same"],
        "state": {"instanceType": "m6i.large", "rootBlockDevice": {"encrypted": True}},
    }
    assert refusals(planned, state(), catalogue.read(), 167.90) == []
    (refused,) = refusals(planned, state(), catalogue.read(), 167.89)
    assert (refused.rule, refused.resource) == ("affordable", URNS[INSTANCE])
    assert "167.90 USD a month" in refused.words
