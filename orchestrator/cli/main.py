"""`amc`: one module per noun. Modules here import only what they need, when they need it."""

import sys

import typer

from orchestrator.cli import (
    change,
    contract,
    doctor,
    gate,
    hours,
    init,
    lab,
    notify,
    run,
    schedule,
    serve,
    size,
    statement,
    token,
    worker,
)
from orchestrator.errors import AmcError

app = typer.Typer(
    help="The maintenance contract that runs itself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(contract.app, name="contract")
app.add_typer(lab.app, name="lab")
app.add_typer(run.app, name="run")
app.add_typer(schedule.app, name="schedule")
app.command("worker")(worker.work)
app.command()(statement.statement)
app.add_typer(hours.app, name="hours")
app.add_typer(size.app, name="size")
app.add_typer(change.app, name="change")
app.add_typer(notify.app, name="notify")
app.command("doctor")(doctor.doctor)
app.add_typer(token.app, name="token")
app.command("serve")(serve.serve)
app.command("gate", hidden=True)(gate.gate)
app.command()(init.init)


def main() -> None:
    """Run `amc`; an error of ours becomes its words on stderr and its exit code."""
    try:
        app()
    except AmcError as error:
        print(f"amc: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
