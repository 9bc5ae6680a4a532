"""Two commits beside each other: whose folders differ, and a proposal for each of them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from orchestrator.changes.differences import Intent
from orchestrator.changes.history import History
from orchestrator.changes.intent import intent, refuse_faults, told_of
from orchestrator.changes.proposal import CODE, Look, Proposal, propose
from orchestrator.database.engine import reading
from orchestrator.errors import InvalidInput, UsageError
from orchestrator.fleet.read import NOT_A_CUSTOMER, customers
from orchestrator.settings import Settings


@dataclass(frozen=True)
class Survey:
    """Two commits, their inventories written out below `folder`. `customers`: whose folders differ."""

    settings: Settings
    history: History
    base: str
    head: str
    folder: Path
    customers: tuple[str, ...]
    notes: tuple[str, ...]

    def proposal(
        self,
        engine: Engine,
        customer: str,
        now: datetime,
        settings: Settings | None = None,
        engines_plan: Path | None = None,
    ) -> Proposal:
        """As `propose`; `settings` and `engines_plan` where the commit is kept and its plan is to stay."""
        head = self.folder / "head"
        seen = settings or replace(self.settings, inventories=head / self.history.folder)
        look = Look(seen, self.trees(customer), engines_plan or self.folder / f"{customer}.plan")
        before = self._at_base(customer)
        with told_of(self.head, head), reading(engine) as connection:
            after = intent(head / self.history.folder, customer)
            return propose(connection, look, before, after, now)

    def _at_base(self, customer: str) -> Intent:
        try:
            with told_of(self.base, self.folder / "base"):
                return intent(self.folder / "base" / self.history.folder, customer)
        except InvalidInput as error:
            mend = "what was not valid can't be compared: begin with an older --base, at which it was"
            raise InvalidInput([replace(each, mend=mend) for each in error.problems]) from error

    def wanted(self, customer: str | None) -> list[str]:
        """Those that differ, or the named one when it does. UsageError: there is no such customer."""
        if customer is None:
            return list(self.customers)
        known = sorted({*customers(self.folder / "base" / self.history.folder), *self._at_head()})
        if customer not in known:
            raise UsageError(f"there is no customer {customer}", f"there are: {', '.join(known) or 'none'}")
        return [customer] if customer in self.customers else []

    def _at_head(self) -> list[str]:
        return customers(self.folder / "head" / self.history.folder)

    def trees(self, customer: str) -> dict[str, str]:
        """What a digest names of the two commits."""
        code = {name: self.history.tree(self.head, name) for name in CODE}
        before = self.history.of_customer(self.base, customer)
        return {"before": before, "after": self.history.of_customer(self.head, customer), **code}


@contextmanager
def survey(settings: Settings, history: History, base: str, head: str) -> Iterator[Survey]:
    """The two commits, by whatever names; what is written out is gone afterwards.

    UsageError: `base` is no ancestor of `head`, so that their difference would take other changes back.
    InvalidInput: the inventories or contracts of `head` are not valid.
    """
    base, head = history.commit(base), history.commit(head)
    if not history.is_ancestor(base, head):
        raise UsageError(
            f"{head[:12]} does not contain {base[:12]}: the difference would take back what came after",
            "merge or rebase the branch first, then plan again",
        )
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".change-", dir=settings.home) as name:
        folder = Path(name)
        found = {
            which: history.export(commit, folder / which)
            for which, commit in (("base", base), ("head", head))
        }
        with told_of(head, folder / "head"):
            refuse_faults(found["head"])
        names = sorted({*customers(found["base"]), *customers(found["head"])})
        differing = [
            each for each in names if history.of_customer(base, each) != history.of_customer(head, each)
        ]
        notes = tuple(_besides(history, base, head, names))
        yield Survey(settings, history, base, head, folder, tuple(differing), notes)


def _besides(history: History, base: str, head: str, names: list[str]) -> Iterator[str]:
    """What differs outside of the customers' folders."""
    paths = history.changed(base, head)
    provider = f"{history.folder}/{NOT_A_CUSTOMER}/"
    if any(path.startswith(provider) for path in paths):
        yield f"{provider} differs: the shared servers are maintained by hand and billed to nobody"
    own = tuple(f"{history.folder}/{name}/" for name in [*names, NOT_A_CUSTOMER])
    others = sorted({"/".join(path.split("/")[:2]) for path in paths if not path.startswith(own)})
    if code := [path for path in others if path.split("/")[0] in CODE]:
        yield (
            f"{', '.join(code)} differ: no run follows by itself; the orders here and every later run of an "
            "installation that follows the merges work with them"
        )
