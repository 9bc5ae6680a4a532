"""`amc gate`: what the gate of a playbook by hand asks; no command for people."""

import getpass
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator import settings as settings_
from orchestrator.errors import AmcError, InvalidInput, Problem, UsageError

if TYPE_CHECKING:
    from orchestrator.web.keeper import Gate


def gate(
    *,
    customer: Annotated[str, typer.Option()],
    activity: Annotated[str, typer.Option()],
    server: Annotated[list[str], typer.Option()],
    why_now: Annotated[str | None, typer.Option(help="why it can't wait for a window")] = None,
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, as of amc run start")] = None,
) -> None:
    """Let a playbook by hand in or refuse it, keep it alive, settle it. The callback of playbooks/ starts it.

    Prints one line of JSON when it is let in, and one when it is settled; reads how it ended, one line.
    """
    from orchestrator.runs import hand, options
    from orchestrator.web import keeper

    asked = keeper.Asked(
        customer=customer,
        activity=activity,
        servers=tuple(server),
        key=secrets.token_hex(16),
        person=hand.Person(_user()),
        urgent=why_now,
        # Variables of roles that are no options are Ansible's matter.
        options={
            name: value
            for name, value in map(_named, option or [])
            if name in options.TAKES.get(activity, {})
        },
    )
    try:
        keeper.keep(_gate(settings_.read()), asked)
    except AmcError as error:
        keeper.refuse(error)
        raise typer.Exit(error.exit_code) from error


def _gate(settings: settings_.Settings) -> "Gate":
    """The configured address: another machine's, or this installation's database. Nothing is created."""
    from orchestrator.web import keeper

    if settings.url:
        return keeper.There(settings)
    from orchestrator.database.engine import connect

    prefix, _, file = settings.database_url.partition(":///")
    if prefix == "sqlite" and not Path(file).is_file():
        words = f"no orchestrator is configured: there is none here either ({file})"
        mend = "set AMC_URL and AMC_TOKEN_FILE, or AMC_HOME or AMC_DATABASE_URL of the installation"
        raise InvalidInput([Problem(Path("AMC_URL"), 0, words, mend)])
    return keeper.Here(settings, connect(settings.database_url))


def _named(option: str) -> tuple[str, str]:
    name, found, value = option.partition("=")
    if not found:
        raise UsageError(f"--option {option!r} has no value", "NAME=VALUE")
    return name, value


def _user() -> str:
    """Who works: behind sudo, who called it."""
    return os.environ.get("SUDO_USER") or getpass.getuser()
