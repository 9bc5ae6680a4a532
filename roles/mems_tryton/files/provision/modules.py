"""The modules of the database: the first activation also creates Tryton's own tables."""

from trytond import backend
from trytond.config import config
from trytond.exceptions import MissingDependenciesException
from trytond.modules import create_graph
from trytond.pool import Pool
from trytond.transaction import Transaction


def activate(database: str, wanted: list[str], check: bool) -> list[str]:
    """Activate what is missing and load the pool; returns the names that were missing."""
    missing = [name for name in wanted if name not in active(database)]
    if missing and check:
        return [f"module {name}" for name in missing]
    language = config.get("database", "language")
    pool = Pool(database)
    if missing:
        if not backend.Database(database).test():
            backend.Database(database).init()
        pool.init(update=missing, lang=[language], activatedeps=True)
    else:
        pool.init()
    return [f"module {name}" for name in missing]


def needed(wanted: list[str]) -> set[str]:
    """The modules with all that they stand on, by what the packages say."""
    names = {"ir", "res", *wanted}
    while True:
        try:
            create_graph(names)
            return names
        except MissingDependenciesException as error:
            names |= set(error.missings)


def active(database: str) -> set[str]:
    """Names of the active modules; none before Tryton's own tables exist."""
    if not backend.Database(database).test():
        return set()
    with Transaction().start(database, 0, readonly=True) as transaction:
        cursor = transaction.connection.cursor()
        cursor.execute("SELECT name FROM ir_module WHERE state = 'activated'")
        return {name for (name,) in cursor}
