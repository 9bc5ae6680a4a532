"""The customers' contracts as they stand, read again only when a file changed. Broken ones are left out."""

from pathlib import Path
from typing import NamedTuple

from orchestrator.contracts.model import Contract
from orchestrator.contracts.read import PLACE, read
from orchestrator.errors import InvalidInput
from orchestrator.fleet.read import customers
from orchestrator.settings import Settings


class Agreement(NamedTuple):
    """`since`: when its file came here (seconds since 1970); nothing before that can have been missed."""

    contract: Contract
    since: float


_READ: dict[Path, tuple[tuple[int, int], Contract | None]] = {}


def agreements(settings: Settings) -> list[Agreement]:
    """Every valid contract; what is wrong with the others, `amc contract check` and `amc doctor` say."""
    found = []
    for customer in customers(settings.inventories):
        path = settings.inventories / customer / PLACE
        try:
            status = path.stat()
        except OSError:
            continue
        stamp = (status.st_mtime_ns, status.st_size)
        if _READ.get(path, (None,))[0] != stamp:
            _READ[path] = (stamp, _contract(path))
        contract = _READ[path][1]
        if contract:
            found.append(Agreement(contract, max(status.st_ctime, status.st_mtime)))
    return found


def _contract(path: Path) -> Contract | None:
    try:
        return read(path)
    except InvalidInput:
        return None
