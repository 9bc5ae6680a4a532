"""`amc lab`: real local servers for what the inventories declare with `server_provider: lab`."""

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator import settings
from orchestrator.errors import MachineUnfit, NeedsPerson, UsageError

if TYPE_CHECKING:
    from lab import Lab

app = typer.Typer(help="Real local servers (systemd-nspawn machines).", no_args_is_help=True)

Customers = Annotated[
    list[str] | None,
    typer.Option("--customer", help="Whose servers (`provider`: what customers share); default: everyone's."),
]
Servers = Annotated[
    list[str] | None,
    typer.Option("--server", help="Only this server; without --customer it needs to stand in no inventory."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@app.command()
def up(
    customer: Customers = None,
    server: Servers = None,
    layer: Annotated[str | None, typer.Option(help="Make new servers from this saved layer.")] = None,
) -> None:
    """Make, mend or start servers; returns when all of them let `ops` log in."""
    names = _names(customer, server)
    with _lab() as lab:
        for each in lab.up(names, layer):
            print(f"{each.name}  {each.address}  {each.state}")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show the lab's servers."""
    with _lab() as lab:
        servers = lab.status()
    if as_json:
        print(json.dumps([each.__dict__ for each in servers]))
        return
    for each in servers:
        print(f"{each.name}  {each.address}  {each.state}  {each.layer or '-'}")
    if not servers:
        print("the lab has no servers: amc lab up", file=sys.stderr)


@app.command(context_settings={"ignore_unknown_options": True})
def ssh(server: str, command: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Log in to SERVER as `ops`, or run a command there."""
    with _lab() as lab:
        if server not in {each.name for each in lab.status()}:
            raise UsageError(f"the lab has no server {server!r}", "amc lab status shows them")
        os.execvp("ssh", ["ssh", "-F", str(lab.ssh_config), server, *(command or [])])


@app.command()
def env() -> None:
    """Print what makes `ssh` and `ansible-playbook` by hand reach the lab: eval "$(amc lab env)"."""
    with _lab() as lab:
        config = shlex.quote(str(lab.ssh_config))
    print(f"export ANSIBLE_SSH_COMMON_ARGS={shlex.quote(f'-F {config}')}")
    print(f"export AMC_SSH_CONFIG={config}")


@app.command()
def destroy(server: str) -> None:
    """Remove one server and its files."""
    with _lab() as lab:
        lab.destroy(server)


@app.command()
def down() -> None:
    """Remove the whole lab: servers, files, links, mounts, cgroups, rules."""
    with _lab() as lab:
        lab.down()


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what this machine lacks for a lab, and what to do; exit 3 when it lacks something."""
    from lab import doctor as examination  # only this command needs it

    chosen = settings.read()
    findings = examination.examine(chosen.lab_home, chosen.cache)
    if as_json:
        print(json.dumps([finding.__dict__ for finding in findings]))
    else:
        for finding in findings:
            print(f"{'ok   ' if finding.ok else 'LACKS'}  {finding.what}: {finding.words}")
            if finding.mend:
                print(f"       mend: {finding.mend}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(MachineUnfit.exit_code)


@contextlib.contextmanager
def _lab() -> Iterator["Lab"]:
    """The lab of this installation; its errors become ours, its progress goes to stderr."""
    from lab import Lab, LabError, MachineLacks  # only these commands need it

    chosen = settings.read()
    # A server's files are for all of its users. Called by a run, which keeps its own files to itself, `/` of
    # a new server would be closed to everyone but root, and nobody could log in.
    os.umask(0o022)
    try:
        yield Lab(chosen.lab_home, chosen.cache, say=lambda line: print(line, file=sys.stderr, flush=True))
    except MachineLacks as error:
        raise MachineUnfit(error.message, error.mend) from error
    except LabError as error:
        raise NeedsPerson(error.message, error.mend) from error
    except OSError as error:
        raise NeedsPerson(str(error), "amc lab doctor examines this machine") from error


def _names(customers: list[str] | None, servers: list[str] | None) -> list[str]:
    """The lab servers that the options mean, sorted."""
    if servers and not customers:
        return sorted(set(servers))
    from orchestrator.fleet import read as fleet  # Ansible takes half a second

    inventories = settings.read().inventories
    declared = {
        each.name
        for customer in customers or fleet.owners(inventories)
        for each in fleet.read(inventories, customer).servers
        if each.provider == "lab"
    }
    if unknown := set(servers or ()) - declared:
        raise UsageError(
            f"no such lab server: {', '.join(sorted(unknown))}",
            f"declared with server_provider lab: {', '.join(sorted(declared)) or 'none'}",
        )
    if not declared:
        raise UsageError("no server with server_provider lab is declared", "write one in hosts.yml")
    return sorted(set(servers or declared))
