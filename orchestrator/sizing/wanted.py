"""What the inventories want of the machine: each server's provider, specification and disk, validated.

    server_provider: aws          host_vars or group_vars; `lab` or `aws`
    server_spec: m6i.large        of the catalogue, of that provider; without it the server is no resource
    server_disk_gib: 60           aws: the data volume; lab: the whole disk. It only grows
    server_stop_to_resize: true   lab only: stop, change, start, as EC2 does; otherwise live
    aws_…                         what aws_settings.py reads, mostly one value for all of a customer's servers

Values are read as they stand in the file: one with a template in it is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import InvalidInput, Problem, UsageError
from orchestrator.fleet.read import Fleet, Server
from orchestrator.fleet.read import read as read_fleet
from orchestrator.sizing import catalogue
from orchestrator.sizing.aws_settings import Aws, read_aws
from orchestrator.sizing.catalogue import Spec
from orchestrator.sizing.said import Said

PROVIDERS = ("aws", "lab")
DISK_GIB = range(1, 16385)  # gp3's own bounds
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


@dataclass(frozen=True)
class Wanted:
    """One server as the inventories want it. `disk_gib` None: not limited. `aws` only for that provider."""

    name: str
    provider: str
    spec: Spec
    disk_gib: int | None
    stop_to_resize: bool
    aws: Aws | None

    @property
    def stops(self) -> bool:
        """Whether another specification stops the server for a while."""
        return self.provider == "aws" or self.stop_to_resize


def read(inventories: Path, customer: str, specs: Mapping[str, str] | None = None) -> tuple[Wanted, ...]:
    """A customer's servers that have a specification, by name; `specs` (server: spec) wins over the files.

    InvalidInput with every problem, each with file, line and mend; UsageError when `specs` names
    what there is not.
    """
    return of_fleet(read_fleet(inventories, customer), specs or {})


def of_fleet(fleet: Fleet, ordered: Mapping[str, str]) -> tuple[Wanted, ...]:
    """As `read`, of a fleet that was read already."""
    known = catalogue.read()
    _refuse_unknown(fleet, ordered)
    found, problems = [], list[Problem]()
    for server in fleet.servers:
        said = Said(fleet.folder, server)
        spec_name = ordered.get(server.name) or said.value("server_spec")
        if spec_name is None:
            continue
        try:
            found.append(_wanted(server, said, spec_name, server.name in ordered, known))
        except InvalidInput as error:
            problems += error.problems
    if problems := problems or _of_the_network(fleet, found):
        raise InvalidInput(problems)
    return tuple(found)


def _of_the_network(fleet: Fleet, servers: list[Wanted]) -> list[Problem]:
    """Servers of one customer share a network: what it is made of has to be one for all."""
    problems = []
    settings = [server.aws for server in servers if server.aws]
    for key in ("region", "zone", "vpc_cidr", "ssh_cidrs"):
        said = sorted({str(getattr(each, key)) for each in settings})
        if len(said) > 1:
            words = f"{fleet.customer}'s servers share one network, and say of it: {' and '.join(said)}"
            name = {"zone": "availability_zone"}.get(key, key)
            mend = f"say aws_{name} once, in group_vars/all/aws.yml"
            problems.append(Problem(fleet.folder / "host_vars", 0, words, mend))
    return problems


def _refuse_unknown(fleet: Fleet, ordered: Mapping[str, str]) -> None:
    names = [server.name for server in fleet.servers]
    for name in ordered:
        if name not in names:
            raise UsageError(
                f"{fleet.customer} has no server {name!r}", f"its servers are: {', '.join(names)}"
            )


def _wanted(
    server: Server, said: Said, spec_name: Any, is_ordered: bool, known: Mapping[str, Spec]
) -> Wanted:
    problems = []

    def problem(key: str, words: str, mend: str) -> None:
        problems.append(said.problem(key, words, mend))

    if not NAME.fullmatch(server.name):
        problem(
            "server_spec", f"the name {server.name!r} can't be one of a machine", "lower case and hyphens"
        )
    if server.provider not in PROVIDERS:
        problem(
            "server_provider",
            f"{server.name} has a server_spec, and server_provider is {server.provider or 'not said'!r}",
            f"write one of: {', '.join(PROVIDERS)}",
        )
    spec = _spec(said, spec_name, is_ordered, known, problems)
    if spec and server.provider in PROVIDERS and spec.provider != server.provider:
        own = ", ".join(each.name for each in catalogue.of_provider(server.provider, known))
        words = (
            f"{spec.name} is a specification of {spec.provider}, and {server.name} is on {server.provider}"
        )
        if is_ordered:
            raise UsageError(words, f"order one of: {own}")
        problem("server_spec", words, f"write one of: {own}")
    disk = said.value("server_disk_gib")
    if (disk is not None or server.provider == "aws") and not _is_whole(disk, DISK_GIB):
        words = f"server_disk_gib of {server.name} is {_shown(disk)}"
        problem("server_disk_gib", words, "write whole GiB from 1 to 16384, such as `server_disk_gib: 60`")
    stop = said.value("server_stop_to_resize")
    if stop is not None and not isinstance(stop, bool):
        words = f"server_stop_to_resize of {server.name} is {stop!r}"
        problem("server_stop_to_resize", words, "write true or false")
    aws = None
    if server.provider == "aws":
        aws, faults = read_aws(server.name, said)
        problems += faults
    if problems or spec is None:
        raise InvalidInput(problems)
    return Wanted(server.name, server.provider, spec, disk, bool(stop), aws)


def _spec(
    said: Said, name: Any, is_ordered: bool, known: Mapping[str, Spec], problems: list[Problem]
) -> Spec | None:
    """The specification; an unknown one of a file is a problem, an ordered one an error of usage."""
    if is_ordered:
        return catalogue.find(name, catalogue=known)
    where = said.problem("server_spec", "", "")
    try:
        return catalogue.find(str(name), where.file, where.line, known)
    except InvalidInput as error:
        problems += error.problems
        return None


def _is_whole(value: Any, within: range) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in within


def _shown(value: Any) -> str:
    return "not said" if value is None else repr(value)
