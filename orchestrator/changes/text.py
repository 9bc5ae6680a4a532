"""A change as Markdown, for the comment under a pull request and for a terminal. Pure."""

import re
from collections.abc import Iterator, Sequence

from orchestrator.changes.looking import Seen
from orchestrator.changes.proposal import Proposal, Proposed
from orchestrator.contracts.model import Contract
from orchestrator.ledger import hours

MARK = "<!-- amc change plan -->"
"""The first line: by it a program finds the comment that it is to write anew."""
TITLES = {
    0: "Covered: merging it orders what stands below",
    3: "Not valid: nothing would be ordered",
    4: "**Not covered** by the contract: nothing would be ordered",
    5: "**The hours do not suffice**: nothing would be ordered",
}


def markdown(
    base: str, head: str, found: Sequence[Proposal], notes: Sequence[str], seen: Sequence[Seen] = ()
) -> str:
    """The whole comment."""
    lines = [MARK, f"### Maintenance: {base[:12]} → {head[:12]}", ""]
    for proposal in found:
        lines += [*_proposal(proposal), ""]
    if not found:
        lines += ["No customer's folder differs: nothing is ordered.", ""]
    for each in seen:
        lines += [*_seen(each), ""]
    lines += [f"- {_inline(note)}" for note in notes]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip()


def _proposal(found: Proposal) -> Iterator[str]:
    number = f", {_inline(found.contract.number)} version {found.contract.version}" if found.contract else ""
    yield f"#### {_inline(found.customer)}{number}"
    yield ""
    title = TITLES[found.exit_code] if found.orders else "Nothing is ordered"
    yield f"{title}. Plan `{found.digest[:12]}`."
    yield ""
    if found.orders and found.contract:
        yield "| activity | servers | clause | hours | balance after | M EMS | when |"
        yield "|---|---|---|---|---|---|---|"
        for order in found.orders:
            yield _row(order, found.contract)
        yield ""
    for order in found.orders:
        if order.refusal:
            yield f"- **{order.activity} is refused** ({order.exit_code}): {_inline(order.refusal)}"
        yield from (f"- {order.activity}: {_inline(sentence)}" for sentence in order.preview)
    yield from (f"- {name} waits, and is replaced" for name in found.replaces)
    yield from (f"- {_inline(note)}" for note in found.notes)
    differences = [f"{each.server}: {each}" for each in found.differences]
    differences += [f"contract: {each}" for each in found.contract_differences]
    if differences:
        yield ""
        yield "<details><summary>what differs</summary>"
        yield ""
        yield from (f"- {_code(each)}" for each in differences)
        yield ""
        yield "</details>"


def _row(order: Proposed, contract: Contract) -> str:
    left = "no cap" if order.left is None else hours.show(order.left)
    when = f"{order.at.astimezone(contract.zone):%A %Y-%m-%d %H:%M %Z}" if order.at else "at once"
    if order.refusal:
        left, when = "-", "-"
    stops = "may stop" if order.stops else "stays up"
    servers = _inline(", ".join(order.servers))
    held = hours.show(order.held)
    return f"| {order.activity} | {servers} | {order.clause} | {held} | {left} | {stops} | {when} |"


def _seen(seen: Seen) -> Iterator[str]:
    count = sum(len(tasks) for tasks in seen.tasks.values())
    yield f"<details><summary>check mode: {seen.activity} would change {count} tasks ({seen.run})</summary>"
    yield ""
    if seen.words:
        yield f"- it did not end well: {_inline(seen.words)}"
    for server, tasks in seen.tasks.items():
        yield from (f"- {_code(f'{server}: {task}')}" for task in tasks)
    yield ""
    yield "</details>"


def _inline(text: str) -> str:
    """One line in which nothing is markup: a pull request's author must not write the comment's structure."""
    plain = " ".join(text.split())
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", plain)
    return escaped.replace("@", "@\u200b")  # nobody is called by it


def _code(text: str) -> str:
    """The same for what stands in the code's type."""
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"
