"""`amc worker`: does what is queued."""

from typing import Annotated

import typer

from orchestrator import settings as settings_


def work(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="end when no run is queued or running")
    ] = False,
) -> None:
    """Take runs from the queue, one per customer at a time; goes on with those a crash interrupted.

    It also releases runs whose time has come, and orders what the schedules want 24 hours ahead (not with
    --until-idle). On SQLite one worker at a time (exit 6 when there is one), on PostgreSQL any number: a dead
    one's runs are taken over. A signal ends it at once; what runs goes on, the next worker attaches to it.
    """
    from orchestrator.database.engine import connect
    from orchestrator.notify import watch
    from orchestrator.runs import worker

    settings = settings_.read()
    worker.serve(settings, connect(settings.database_url), watch, until_idle=until_idle)
