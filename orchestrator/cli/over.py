"""`amc run over`: may another run have the server that this one has locked?"""

from typing import Annotated

import typer

from orchestrator import settings as settings_


def over(run_id: Annotated[str, typer.Argument(metavar="RUN", help="the run that has the lock")]) -> None:
    """Say whether a run has ended, for the lock on a server: exit code 0 when it has, 1 when it has not.

    A run that is unknown may go on somewhere: it is not over before a person has looked.
    """
    from orchestrator.database.engine import connect, reading
    from orchestrator.runs import states, store

    settings = settings_.read()
    with reading(connect(settings.database_url)) as connection:
        run = store.get(connection, run_id)
    print(f"{run.id} is {run.state}")
    raise typer.Exit(0 if run.state in states.OVER else 1)
