"""Plans and states in the engine's form, as the real engine wrote them, with one resource to be changed."""

from typing import Any

from orchestrator.sizing.policies import FIREWALL, INSTANCE, LAB_SERVER, VOLUME

OF_A_SERVER = "urn:pulumi:acme::mems::mems:index:MemsServer$"
URNS = {
    INSTANCE: f"{OF_A_SERVER}{INSTANCE}::erp1",
    VOLUME: f"{OF_A_SERVER}{VOLUME}::erp1",
    LAB_SERVER: f"{OF_A_SERVER}{LAB_SERVER}::erp1",
    FIREWALL: f"urn:pulumi:acme::mems::mems:index:AwsNetwork${FIREWALL}::acme",
}
FINE: dict[str, dict[str, Any]] = {
    INSTANCE: {"instanceType": "m6i.large", "rootBlockDevice": {"encrypted": True}},
    VOLUME: {"size": 60, "encrypted": True},
    LAB_SERVER: {"cpus": 1, "memoryMib": 2048, "diskGib": 12},
    FIREWALL: {
        "ingress": [
            {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]},
            {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["203.0.113.7/32"]},
        ]
    },
}


def plan(kind: str, *steps: str, protect: bool = False, **after: Any) -> dict[str, Any]:
    """One resource: what happens to it, and how it differs from what is fine afterwards."""
    goal = {"type": kind, "custom": True, "protect": protect, "inputDiff": {"updates": after}}
    return {
        "resourcePlans": {URNS[kind]: {"goal": goal, "steps": list(steps), "state": {**FINE[kind], **after}}}
    }


def state(*kinds: str) -> dict[str, Any]:
    """These resources as they are now."""
    resources = [{"urn": URNS[kind], "type": kind, "inputs": FINE[kind], "outputs": {}} for kind in kinds]
    return {"resources": resources, "pending_operations": []}
