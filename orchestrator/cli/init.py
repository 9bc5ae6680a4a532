"""`amc init`: the folders and the database of this installation."""

from pathlib import Path

from orchestrator import settings
from orchestrator.errors import InvalidInput, Problem


def init() -> None:
    """Create the folders and the database, or bring the database's schema up to date. Does no harm twice."""
    from orchestrator.database.creation import initialise  # alembic only where it migrates
    from orchestrator.runs.worker import install  # the queue's own tables, in the same database

    chosen = settings.read()
    done = [
        f"created the folder {folder}"
        for folder in (chosen.home, chosen.runs_dir, chosen.secrets_dir)
        if _created(folder)
    ]
    done += initialise(chosen.database_url)
    install(chosen.database_url)
    for line in done or [f"nothing to do, {chosen.home} is ready"]:
        print(line)


def _created(folder: Path) -> bool:
    """Make a folder that only its owner can look into; one that is there stays as it is."""
    if folder.is_dir():
        return False
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        words = f"this folder can't be made: {error.strerror}"
        raise InvalidInput(
            [Problem(folder, 0, words, "make it, or set AMC_HOME to another place")]
        ) from error
    return True
