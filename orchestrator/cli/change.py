"""`amc change`: a pull request's difference as orders, and where servers differ from what was merged."""

import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator import settings as settings_

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from orchestrator.changes.drift import Drift
    from orchestrator.changes.history import History
    from orchestrator.changes.looking import Seen
    from orchestrator.changes.ordering import Ordered
    from orchestrator.changes.proposal import Proposal

app = typer.Typer(
    help="Changes of the inventory: planned, ordered once merged, looked for.", no_args_is_help=True
)

Base = Annotated[str, typer.Option(help="the commit before: a branch, a tag or an id")]
Head = Annotated[str, typer.Option(help="the commit after, which contains --base")]
Git = Annotated[
    Path | None, typer.Option("--git", help="the git repository, bare or not; default: AMC_REPOSITORY")
]
Customer = Annotated[str | None, typer.Option(help="only this customer's")]
Json = Annotated[bool, typer.Option("--json", help="one JSON document on stdout")]


@app.command()
def plan(
    *,
    base: Base,
    head: Head,
    git: Git = None,
    customer: Customer = None,
    check: Annotated[
        bool, typer.Option("--check", help="run Ansible's check mode on the real servers, too; free")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what merging would order, as Markdown. Exit 0 all covered, 3 invalid, 4 not covered, 5 no hours."""
    from orchestrator.changes import document, ordering, text
    from orchestrator.changes.kept import Kept
    from orchestrator.changes.survey import survey
    from orchestrator.database.engine import connect

    settings = settings_.read()
    engine, history, now = connect(settings.database_url), _history(settings, git), datetime.now(UTC)
    kept = Kept(settings.home / "changes")
    with survey(settings, history, base, head) as found:
        names = found.wanted(customer)
        proposals = [found.proposal(engine, name, now) for name in names]
        base, head = found.base, found.head
        warnings = [ordering.begins_elsewhere(kept, found, name) for name in names]
        notes = [*found.notes, *(f"{words}: plan from there" for words in warnings if words)]
    documents = {each.digest: document.document(each) for each in proposals}
    for digest, each in documents.items():
        kept.keep_plan(digest, each | {"base": base, "head": head, "planned_at": now.isoformat()})
    seen = []
    if check:
        at = ordering.of_commit(settings, history.keep(head, kept.tree(head)), history.folder)
        seen = [each for proposal in proposals for each in _look(at, engine, proposal, head, now)]
    code = min((each.exit_code for each in proposals if each.exit_code), default=0)
    if as_json:
        whole = {"base": base, "head": head, "exit_code": code, "customers": list(documents.values())}
        print(json.dumps(whole | {"notes": notes, "checked": [asdict(each) for each in seen]}, indent=2))
    else:
        print(text.markdown(base, head, proposals, notes, seen))
    raise typer.Exit(code)


@app.command()
def apply(
    *, base: Base, head: Head, git: Git = None, customer: Customer = None, as_json: Json = False
) -> None:
    """Order what was planned, once a merge. Exit 6: it was not planned so, or something moved since."""
    from orchestrator.changes import ordering
    from orchestrator.database.engine import connect
    from orchestrator.runs import lock, worker

    settings = settings_.read()
    _leave_the_hook()
    engine, now = connect(settings.database_url), datetime.now(UTC)
    history = _history(settings, git)
    found = ordering.apply(
        settings, engine, history, base, head, now=now, enqueue=worker.enqueue, only=customer
    )
    if any(run.is_open for each in found for run, _ in each.runs):
        lock.start_worker(settings)
    if as_json:
        print(json.dumps([_ordered(each) for each in found], indent=2))
    for each in found:
        _print_ordered(each, as_json)
    if not found:
        _say("no customer's folder differs: nothing is ordered")
    raise typer.Exit(next((each.refusal.exit_code for each in found if each.refusal), 0))


@app.command()
def drift(
    *,
    customer: Annotated[str, typer.Option(help="the customer's folder in inventories/")],
    at: Annotated[
        str | None, typer.Option(metavar="COMMIT", help="default: the newest merge that was applied here")
    ] = None,
    git: Git = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="exit 1 when something differs")] = False,
    as_json: Json = False,
) -> None:
    """Look where servers differ from the merged inventory: Ansible's check mode, and Pulumi's refresh."""
    from orchestrator.changes import drift as drifting
    from orchestrator.changes.kept import Kept
    from orchestrator.changes.ordering import of_commit
    from orchestrator.database.engine import connect
    from orchestrator.errors import NeedsPerson
    from orchestrator.runs import worker

    settings = settings_.read()
    engine, now = connect(settings.database_url), datetime.now(UTC)
    kept, history = Kept(settings.home / "changes"), _history(settings, git)
    commit = history.commit(at) if at else kept.newest()
    where = (
        of_commit(settings, history.keep(commit, kept.tree(commit)), history.folder) if commit else settings
    )
    cause = f"drift from {commit[:12] or 'the inventories'}"
    found = drifting.drift(where, engine, customer, cause=cause, now=now, enqueue=worker.enqueue, say=_say)
    if as_json:
        print(json.dumps(asdict(found) | {"commit": commit, "differs": found.is_there}, indent=2))
    else:
        for line in _drift_lines(found):
            print(line)
    if failed := [f"{seen.run}: {seen.words}" for seen in found.inside if seen.words]:
        raise NeedsPerson(f"not all could be looked at: {'; '.join(failed)}", "amc run log tells more")
    raise typer.Exit(1 if exit_code and found.is_there else 0)


def _look(
    at: settings_.Settings, engine: "Engine", proposal: "Proposal", head: str, now: datetime
) -> "list[Seen]":
    """Check runs of a proposal's orders that can be looked at: not on servers that are still to come."""
    from orchestrator.changes.looking import look
    from orchestrator.runs import placing, worker

    new = {each.server for each in proposal.differences if each.kind == "new"}
    return [
        look(
            at,
            engine,
            proposal.contract,
            order.activity,
            order.servers,
            cause=f"look at {head[:12]}",
            now=now,
            enqueue=worker.enqueue,
            say=_say,
        )
        for order in proposal.orders
        if proposal.contract
        and not order.refusal
        and order.activity not in placing.PLANNED
        and not new & set(order.servers)
    ]


def _history(settings: settings_.Settings, git: Path | None) -> "History":
    """The repository, and where the inventories lie in it."""
    from orchestrator.changes.history import History

    within = settings.inventories.is_relative_to(settings.repository)
    folder = settings.inventories.relative_to(settings.repository).as_posix() if within else "inventories"
    return History((git or settings.repository).absolute(), folder)


def _leave_the_hook() -> None:
    """A worker that is started from a hook must not take the hook's repository for every other."""
    for name in [
        name for name in os.environ if name.startswith("GIT_") and not name.startswith("GIT_CONFIG_")
    ]:
        del os.environ[name]


def _print_ordered(each: "Ordered", quiet: bool) -> None:
    if each.refusal:
        print(f"amc: {each.refusal}", file=sys.stderr)
        return
    say = _say if quiet else print
    if not each.runs:
        say(f"{each.customer}: nothing is to be ordered")
    for run, is_new in each.runs:
        when = f" not before {run.planned_at:%Y-%m-%d %H:%M} UTC" if run.planned_at and run.waits else ""
        known = "" if is_new else ", ordered before"
        say(f"{run.id}: {run.activity} on {', '.join(run.servers)}: {run.state}{when}{known}")


def _ordered(each: "Ordered") -> dict[str, Any]:
    return {
        "customer": each.customer,
        "digest": each.digest or None,
        "runs": [
            {
                "id": run.id,
                "activity": run.activity,
                "servers": run.servers,
                "state": run.state,
                "planned_at": run.planned_at.isoformat() if run.planned_at else None,
                "new": is_new,
            }
            for run, is_new in each.runs
        ],
        "refusal": str(each.refusal) if each.refusal else None,
        "exit_code": each.refusal.exit_code if each.refusal else 0,
    }


def _drift_lines(found: "Drift") -> list[str]:
    lines = [
        f"{server}: {seen.activity}: {task}"
        for seen in found.inside
        for server, tasks in seen.tasks.items()
        for task in tasks
    ]
    lines += list(found.outside)
    return lines or [f"{found.customer}: the servers are as the inventory says"]


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
