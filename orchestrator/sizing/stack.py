"""A customer's stack, through Pulumi's Automation API. The only module that imports pulumi.automation.

The program is pulumi/program.py of the checkout, run in this process; the engine's workspace lies under
AMC_HOME, so that nothing is written into the checkout.
"""

import importlib
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pulumi.automation import (
    CommandError,
    CommandResult,
    LocalWorkspace,
    OnOutput,
    PulumiCommand,
)
from pulumi.automation import Stack as AutomationStack
from pulumi.automation.errors import InvalidVersionError, create_command_error

from orchestrator.errors import AmcError, MachineUnfit, Waiting
from orchestrator.settings import PULUMI_VERSION, Settings
from orchestrator.sizing import engine, locks
from orchestrator.sizing.place import environment

_PROTECTED = re.compile(r'unable to (replace|delete) resource "([^"]+)"')
_DELETED = re.compile(r'resource "([^"]+)" cannot be deleted')
_IMPOSSIBLE = re.compile(r"resource '([^']+)'.* has a problem: (.+)(?:\n +mend: (.+))?")
LOGS_DAYS = 14
# What takes a lock, and so has to be known when it dies.
_LOCKING = {"up", "refresh"}
T = TypeVar("T")
# When the engine ends in the middle, gRPC would tell of it with tracebacks; the engine's words are enough.
logging.getLogger("grpc").setLevel(logging.CRITICAL)
_OF_THE_PROGRAM = ("program", "mems_server", "on_aws", "on_lab", "first_boot", "emslab")


class Protected(AmcError):
    """The engine itself refuses: `resources` are (URN, replaced or deleted)."""

    exit_code = 3

    def __init__(self, resources: list[tuple[str, str]]) -> None:
        super().__init__(f"the engine keeps what is protected: {', '.join(urn for urn, _ in resources)}")
        self.resources = resources


class Impossible(AmcError):
    """The provider refuses what is wanted, before anything is changed."""

    exit_code = 3


class _Command(PulumiCommand):
    """The pinned engine, in a process as engine.py starts it."""

    def __init__(self, settings: Settings) -> None:
        try:
            super().__init__(root=str(settings.pulumi.parent.parent))
        except (OSError, InvalidVersionError) as error:
            raise _unfit(settings) from error
        if str(self.version) != PULUMI_VERSION:
            raise _unfit(settings)
        self._notes = locks.notes(settings)
        self._path = os.pathsep.join([str(settings.pulumi.parent), os.environ.get("PATH", "")])

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,  # noqa: ARG002
        on_error: OnOutput | None = None,  # noqa: ARG002
    ) -> CommandResult:
        """As the SDK's own, which would lose a running engine with its reader."""
        all_variables = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true", "PATH": self._path}
        notes = self._notes if args[0] in _LOCKING else None
        code, out, err = engine.run([self.command, "--non-interactive", *args], cwd, all_variables, notes)
        if code < 0:
            words = f"the engine was killed (signal {-code}) while it did `{args[0]}`"
            raise AmcError(words, "call it again: it goes on from there")
        result = CommandResult(stdout=out.strip(), stderr=err.strip(), code=code)
        if code:
            raise create_command_error(result)
        return result


class Stack:
    """One customer's stack, made when there is none. Errors: MachineUnfit, Waiting (a lock), AmcError."""

    def __init__(self, settings: Settings, customer: str) -> None:
        self.customer = customer
        self._settings = settings
        workspace = LocalWorkspace(
            work_dir=str(_work_dir(settings, customer)),
            env_vars=environment(settings),
            pulumi_command=_Command(settings),
        )
        _forget_old_logs(settings)
        self._stack = _told(lambda: AutomationStack.create_or_select(customer, workspace))

    def state(self) -> dict[str, Any]:
        """The engine's state: `resources` and `pending_operations`, both lists."""
        found = dict(_told(self._stack.export_stack).deployment or {})
        return {
            "resources": found.get("resources") or [],
            "pending_operations": found.get("pending_operations") or [],
        }

    def preview(self, specs: Mapping[str, str], plan: Path) -> dict[str, Any]:
        """What `up` would do, by what is really there; saved to `plan`, and returned. Changes nothing."""
        _told(
            lambda: self._stack.preview(
                program=self._program(specs), plan=str(plan), refresh=True, color="never"
            )
        )
        found: dict[str, Any] = json.loads(plan.read_text())
        return found

    def up(self, specs: Mapping[str, str], plan: Path) -> None:
        """Do what the plan says, and nothing else; Waiting when what is there has moved since."""
        program = self._program(specs)
        _told(lambda: self._stack.up(program=program, plan=str(plan), refresh=True, color="never"))

    def refresh(self) -> None:
        """Bring the state in line with what is there. What was begun and not ended is known afterwards."""
        _told(lambda: self._stack.refresh(clear_pending_creates=True, color="never"))

    def _program(self, specs: Mapping[str, str]) -> Callable[[], None]:
        program = load(self._settings.repository / "pulumi")
        return lambda: program(self.customer, self._settings.inventories, specs)


def load(folder: Path) -> Callable[[str, Path, Mapping[str, str]], None]:
    """`program()` of a checkout's pulumi/ folder, whatever was loaded before under the same names.

    Its other modules are imported when it runs: pulumi-aws only where AWS is. They come last on the path,
    where they hide nobody's.
    """
    for name in _OF_THE_PROGRAM:
        if module := sys.modules.pop(name, None):
            place = str(Path(module.__file__ or "").parent)
            sys.path[:] = [each for each in sys.path if each != place]
    sys.path.append(str(folder))
    program: Callable[[str, Path, Mapping[str, str]], None] = importlib.import_module("program").program
    return program


def _work_dir(settings: Settings, customer: str) -> Path:
    """The engine's workspace: the project's file with its plugins' paths made absolute."""
    source = settings.repository / "pulumi"
    folder = settings.pulumi_dir / "work" / customer
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    project = yaml.safe_load((source / "Pulumi.yaml").read_text())
    for plugin in project.get("plugins", {}).get("providers", []):
        plugin["path"] = str(source / plugin["path"])
    project["runtime"] = "python"
    text = yaml.safe_dump(project)
    file = folder / "Pulumi.yaml"
    if not file.exists() or file.read_text() != text:
        part = folder / f"Pulumi.yaml.{os.getpid()}"
        part.write_text(text)
        part.replace(file)
    return folder


def _forget_old_logs(settings: Settings) -> None:
    """The engine writes one at each start and never takes one away."""
    for log in (settings.pulumi_dir / "home" / "logs").glob("*.log"):
        with suppress(FileNotFoundError):
            if log.stat().st_mtime < time.time() - LOGS_DAYS * 86400:
                log.unlink()


def _told(work: Callable[[], T]) -> T:
    """The engine's errors as ours: what it said itself, without its decoration."""
    try:
        return work()
    except CommandError as error:
        raise _words(str(error)) from error


def _words(text: str) -> AmcError:
    lines = [re.sub(r"^(code|stdout|stderr): ", "", line.strip()) for line in text.splitlines()]
    if "currently locked by" in text:
        who = next((line for line in lines if "created by" in line), "somebody")
        return Waiting(f"the stack is held: {who.partition('created by ')[2] or who}", "wait for it")
    kept = {(urn, f"{verb}d") for verb, urn in _PROTECTED.findall(text)}
    if kept := kept | {(urn, "deleted") for urn in _DELETED.findall(text)}:
        return Protected(sorted(kept))
    if "violates plan" in text:
        return Waiting("what is there has moved since it was planned", "plan again")
    if missing := re.search(r"no resource plugin '?pulumi-resource-([a-z]+)'?.* at version v([0-9.]+)", text):
        name, version = missing[1], missing[2]
        return MachineUnfit(
            f"the engine's plugin for {name} {version} is not here",
            f"pulumi plugin install resource {name} {version}",
        )
    if problems := _IMPOSSIBLE.findall(text):
        words = dict.fromkeys(f"{name}: {fault.strip()}" for name, fault, _ in problems)
        mends = dict.fromkeys(mend for _, _, mend in problems if mend)
        return Impossible("; ".join(words), "; ".join(mends))
    told = [line for line in lines if line.startswith("error:")] or [line for line in lines if line][-5:]
    short = " / ".join(dict.fromkeys(line.removeprefix("error: ") for line in told))
    return AmcError(
        f"the engine says: {short[:2000]}", "read it; `pulumi preview` by hand says more (docs/growing.md)"
    )


def _unfit(settings: Settings) -> MachineUnfit:
    return MachineUnfit(
        f"{settings.pulumi} is no pulumi {PULUMI_VERSION}",
        "run scripts/pulumi, which brings it, or name one in AMC_PULUMI",
    )
