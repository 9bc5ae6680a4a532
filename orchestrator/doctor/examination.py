"""Everything that is looked at, in the order in which it is to be mended."""

from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy import Engine

from orchestrator.database.engine import connect
from orchestrator.doctor import machine, work
from orchestrator.doctor.finding import Clock, Finding, of_error, tried
from orchestrator.errors import AmcError
from orchestrator.settings import Settings

OF_THE_MACHINE: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "home": machine.home,
    "disk": machine.disk,
    "secrets": machine.secrets,
    "programs": machine.programs,
    "clock": machine.clock,
    "engine": machine.engine,
    "ssh": machine.way,
    "inventories": work.inventories,
}
OF_THE_DATABASE: dict[str, Callable[[Settings, Engine, Clock], Iterator[Finding]]] = {
    "database": work.database,
    "worker": work.workers,
    "overdue": work.overdue,
    "notifications": work.notifications,
    "silence": work.silence,
}


def examine(settings: Settings, clock: Clock, reach: bool = False) -> list[Finding]:
    """All findings; `clock` gives this machine's time. `reach`: also try to enter every server."""
    found = []
    for what, look in OF_THE_MACHINE.items():
        found += tried(what, partial(look, settings))
    if reach:
        found += tried("reach", partial(machine.reach, settings))
    try:
        engine = connect(settings.database_url)
    except AmcError as error:
        return [*found, *of_error("database", error)]
    for what, look_at in OF_THE_DATABASE.items():
        found += tried(what, partial(look_at, settings, engine, clock))
    engine.dispose()
    return found
