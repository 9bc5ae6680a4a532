"""`amc doctor`: what is wrong with this installation."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestrator import settings
from orchestrator.errors import MachineUnfit


def doctor(
    reach: Annotated[bool, typer.Option("--reach", help="also try to enter every server")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Say what is wrong with this installation, and what to do; exit 3 when something is.

    Looks at folders, disk, secrets, programs, clock, engine, ssh, inventories, database, workers, what is
    overdue and whether anybody would be told. Changes nothing.
    """
    from orchestrator.doctor.examination import examine
    from orchestrator.doctor.finding import Grade

    findings = examine(settings.read(), lambda: datetime.now(UTC), reach)
    if as_json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        words = {Grade.OK: "ok   ", Grade.NOTE: "note ", Grade.FAULT: "FAULT"}
        for finding in findings:
            print(f"{words[finding.grade]}  {finding.what}: {finding.words}")
            if finding.mend:
                print(f"       mend: {finding.mend}")
    if any(finding.grade is Grade.FAULT for finding in findings):
        raise typer.Exit(MachineUnfit.exit_code)
