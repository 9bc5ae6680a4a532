"""`amc lab`: real local servers for what the inventories declare with `server_provider: lab`."""

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator import settings
from orchestrator.errors import InvalidInput, MachineUnfit, NeedsPerson, Problem, UsageError

if TYPE_CHECKING:
    from lab import Lab, Size
    from orchestrator.fleet.read import Fleet, Server

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
    spec: Annotated[
        str | None, typer.Option(help="Size of a throw-away server, from the catalogue; default: no limits.")
    ] = None,
    disk_gib: Annotated[int | None, typer.Option(help="Its disk in GiB; default: none of its own.")] = None,
) -> None:
    """Make, mend or start servers; returns when all of them let `ops` log in.

    A server that is made now gets the size that its inventory declares (server_spec, server_disk_gib).
    """
    sizes = asked_for(customer, server, spec, disk_gib)
    with _lab() as lab:
        for each in lab.up(sorted(sizes), layer, sizes):
            print(f"{each.name}  {each.address}  {each.state}  {each.size}")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show the lab's servers."""
    with _lab() as lab:
        servers = lab.status()
    if as_json:
        print(json.dumps([asdict(each) for each in servers]))
        return
    for each in servers:
        print(f"{each.name}  {each.address}  {each.state}  {each.layer or '-'}  {each.size}")
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


def asked_for(
    customers: list[str] | None, servers: list[str] | None, spec: str | None, disk_gib: int | None
) -> dict[str, "Size"]:
    """The lab servers that the options mean, with the size that each gets if it is made now."""
    from lab import Size
    from orchestrator.sizing import catalogue

    if servers and not customers:
        terms = catalogue.find(spec) if spec else None
        if terms and terms.provider != "lab":
            raise UsageError(
                f"{spec} is a specification of {terms.provider}", "choose one of lab's: lab.small"
            )
        size = Size(terms.cpus, terms.memory_mib, disk_gib) if terms else Size(disk_gib=disk_gib)
        return dict.fromkeys(servers, size)
    if spec or disk_gib is not None:
        words = "--spec and --disk-gib are for a throw-away server: `--server NAME` without --customer"
        raise UsageError(words, "write server_spec and server_disk_gib into the server's host_vars")
    from orchestrator.fleet import read as fleet  # Ansible takes half a second

    inventories = settings.read().inventories
    fleets = [fleet.read(inventories, customer) for customer in customers or fleet.owners(inventories)]
    declared = {
        each.name: _declared_size(one, each)
        for one in fleets
        for each in one.servers
        if each.provider == "lab"
    }
    if unknown := set(servers or ()) - set(declared):
        raise UsageError(
            f"no such lab server: {', '.join(sorted(unknown))}",
            f"declared with server_provider lab: {', '.join(sorted(declared)) or 'none'}",
        )
    if not declared:
        raise UsageError("no server with server_provider lab is declared", "write one in hosts.yml")
    return {name: declared[name] for name in servers or declared}


def _declared_size(fleet: "Fleet", server: "Server") -> "Size":
    """What a server's variables say of its size; no limits without server_spec."""
    from lab import Size
    from orchestrator.sizing import catalogue

    place = fleet.folder / "host_vars" / f"{server.name}.yml"
    spec, disk = server.variables.get("server_spec"), server.variables.get("server_disk_gib")
    if disk is not None and (not isinstance(disk, int) or isinstance(disk, bool) or disk < 1):
        message = f"server_disk_gib of {server.name} is {disk!r}"
        raise InvalidInput([Problem(place, 0, message, "write a whole number of GiB, such as 12")])
    if spec is None:
        return Size(disk_gib=disk)
    terms = catalogue.find(str(spec), said_in=place)
    if terms.provider != "lab":
        message = f"server_spec of {server.name} is {spec}, which {terms.provider} has; its provider is lab"
        raise InvalidInput([Problem(place, 0, message, "name one of lab's, such as lab.medium")])
    return Size(terms.cpus, terms.memory_mib, disk)
