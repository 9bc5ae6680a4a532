"""Every error a user can meet, as one tree with its exit code.

AmcError                 1  unexpected
├── UsageError           2  wrong words on the command line
├── InvalidInput         3  invalid contract, inventory or settings: a list of problems
├── MachineUnfit         3  this machine lacks what was asked of it: root, a program, disk
├── Unreachable          3  a service that the settings name does not answer us: down, TLS, credentials
├── NotCovered           4  the contract does not cover the work: names the clause
├── HoursInsufficient    5  the hours do not suffice: balance and what to buy
├── Waiting              6  waiting for a window or an approval
├── RolledBack           7  the run failed and was rolled back
└── NeedsPerson          8  the run failed and needs a person
"""

from dataclasses import dataclass
from pathlib import Path


class AmcError(Exception):
    """An error said in words: what happened, and (`mend`) what to do about it."""

    exit_code = 1

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}\n  mend: {self.mend}" if self.mend else self.message


class UsageError(AmcError):
    """The command line asks for something that does not exist."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One fault of an input: `line` is 1-based, 0 when the whole file is meant."""

    file: Path
    line: int
    message: str
    mend: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{where}: {self.message}\n  mend: {self.mend}"


class InvalidInput(AmcError):
    """A contract, an inventory or a setting is not valid; all its problems at once."""

    exit_code = 3

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class MachineUnfit(AmcError):
    """This machine lacks something that the work needs; `mend` says what to do."""

    exit_code = 3


class Unreachable(AmcError):
    """A service that the settings name can't be reached, or does not let us in; `mend` names the setting."""

    exit_code = 3


class NotCovered(AmcError):
    """The contract excludes this work."""

    exit_code = 4


class HoursInsufficient(AmcError):
    """The hours that are left do not suffice for the hold."""

    exit_code = 5


class Waiting(AmcError):
    """The work waits for a maintenance window or an approval."""

    exit_code = 6


class RolledBack(AmcError):
    """The run failed; the server is as it was before."""

    exit_code = 7


class NeedsPerson(AmcError):
    """The run failed, or its state cannot be proven: a person has to look."""

    exit_code = 8
