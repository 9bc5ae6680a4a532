"""A proposal as JSON. Pure."""

from dataclasses import asdict
from typing import Any

from orchestrator.changes.proposal import Proposal, Proposed


def document(found: Proposal) -> dict[str, Any]:
    """For `--json`: times ISO 8601 in UTC or null (at once), `*_seconds` whole seconds or null."""
    return {
        "customer": found.customer,
        "digest": found.digest,
        "exit_code": found.exit_code,
        "contract": {"number": found.contract.number, "version": found.contract.version}
        if found.contract
        else None,
        "differences": [asdict(each) for each in found.differences],
        "contract_differences": list(found.contract_differences),
        "orders": [_order_document(each) for each in found.orders],
        "notes": list(found.notes),
        "replaces": list(found.replaces),
        "available_seconds": found.available,
        "facts": found.facts,
    }


def _order_document(order: Proposed) -> dict[str, Any]:
    return {
        "activity": order.activity,
        "servers": list(order.servers),
        "because": list(order.because),
        "clause": order.clause,
        "stops_mems": order.stops,
        "planned_at": order.at.isoformat() if order.at else None,
        "held_seconds": order.held,
        "balance_after_seconds": order.left,
        "refusal": order.refusal or None,
        "exit_code": order.exit_code,
        "preview": list(order.preview),
    }
