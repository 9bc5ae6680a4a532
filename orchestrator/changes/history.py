"""Git behind this one module: it reads commits and never touches the repository it reads.

Nothing is checked out over a work tree: a folder of a commit is written out elsewhere, file by file, without
git's filters and attributes; a commit that runs are to work with becomes a small repository of its own.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.errors import InvalidInput, MachineUnfit, Problem, UsageError

LIMIT_SECONDS = 300
PLAIN = "100644"
ODD = {"100755": "executable: Ansible would run it", "120000": "a symbolic link", "160000": "a submodule"}
# A hook's git sets variables that would lead every other git to the hook's repository.
KEPT = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")


@dataclass(frozen=True)
class History:
    """A git repository, bare or not. `folder` is where the inventories lie in it, such as `inventories`."""

    place: Path
    folder: str

    def commit(self, name: str) -> str:
        """The full id of a branch, a tag or an id. UsageError: there is no such commit."""
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        done = self._git(*words)
        if done.returncode:
            self._require_repository()
            raise UsageError(f"{self.place} has no commit {name!r}", "fetch it, or name another")
        return done.stdout.decode().strip()

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` contains `older`; a commit contains itself."""
        return self._git("merge-base", "--is-ancestor", older, newer).returncode == 0

    def tree(self, commit: str, path: str) -> str:
        """The id of what lies there: the same content, the same id. Empty when nothing does."""
        done = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{path}")
        return done.stdout.decode().strip() if done.returncode == 0 else ""

    def of_customer(self, commit: str, customer: str) -> str:
        """The id of a customer's folder."""
        return self.tree(commit, f"{self.folder}/{customer}")

    def committer(self, commit: str) -> str:
        """Who made the commit: for a merge, who merged."""
        return self._told("show", "--no-patch", "--format=%cn", commit).decode(errors="replace").strip()

    def changed(self, base: str, head: str) -> list[str]:
        """The paths that differ, renames as two."""
        found = self._told("diff", "--name-only", "--no-renames", "-z", base, head)
        return sorted(os.fsdecode(path) for path in found.split(b"\0") if path)

    def export(self, commit: str, into: Path) -> Path:
        """Write the commit's inventories below `into`; the folder they are in.

        InvalidInput for what is no plain file: an executable inventory would be run by Ansible, symbolic
        links and submodules lead out of the folder.
        """
        files = list(self._files(commit))
        found = into / self.folder
        found.mkdir(parents=True, exist_ok=True)
        for path, content in zip(files, self._contents([each for _, each in files]), strict=True):
            file = into / path[0]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return found

    def keep(self, commit: str, folder: Path) -> Path:
        """The whole commit in a repository of its own at `folder`, made once: what runs work with."""
        if folder.exists():
            return folder
        part = folder.with_name(f".{folder.name}.{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True, mode=0o700)
        source = self._told("rev-parse", "--absolute-git-dir").decode().rstrip("\n")
        mine = History(part, self.folder)
        mine._told("init", "--quiet", "--template=")
        mine._told("-c", "protocol.version=2", "fetch", "--quiet", "--no-tags", "--depth=1", source, commit)
        mine._told("checkout", "--quiet", "--detach", commit)
        try:
            part.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(part)
        return folder

    def _files(self, commit: str) -> Iterator[tuple[str, str]]:
        """(path, id) of each file of the inventories."""
        problems = []
        listed = self._told("ls-tree", "-r", "-z", "--full-tree", commit, "--", self.folder)
        for line in (each for each in listed.split(b"\0") if each):
            facts, _, name = line.partition(b"\t")
            mode, _, blob = facts.decode().split(" ")
            path = os.fsdecode(name)
            if mode != PLAIN or set(PurePosixPath(path).parts) & {"..", ".git"}:
                words = f"this is {ODD.get(mode, 'no plain file')}"
                problems.append(Problem(Path(path), 0, words, "make it a plain file with its content"))
            else:
                yield path, blob
        if problems:
            raise InvalidInput(problems)

    def _contents(self, blobs: list[str]) -> Iterator[bytes]:
        asked = "".join(f"{blob}\n" for blob in blobs).encode()
        answer = self._told("cat-file", "--batch", given=asked)
        at = 0
        for _ in blobs:
            end = answer.index(b"\n", at)
            size = int(answer[at:end].split(b" ")[2])
            yield answer[end + 1 : end + 1 + size]
            at = end + size + 2

    def _told(self, *words: str, given: bytes = b"") -> bytes:
        done = self._git(*words, given=given)
        if done.returncode:
            self._require_repository()
            said = done.stderr.decode(errors="replace").strip()
            raise MachineUnfit(f"git {words[0]} in {self.place}: {said}", "see what git says")
        return done.stdout

    def _require_repository(self) -> None:
        done = self._git("rev-parse", "--git-dir")
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            mend = "name the repository with --git"
            if any("safe.directory" in line for line in said):
                mend = f"git config --global --add safe.directory {self.place}"
            raise MachineUnfit(f"{self.place} can't be read: {said[0] if said else 'no repository'}", mend)

    def _git(self, *words: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        variables = {
            name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in KEPT
        }
        variables |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1"}
        command = ["git", "-C", str(self.place), "-c", "core.hooksPath=/dev/null", *words]
        try:
            return subprocess.run(
                command, input=given, env=variables, capture_output=True, timeout=LIMIT_SECONDS, check=False
            )
        except FileNotFoundError:
            raise MachineUnfit("there is no git", "apt install git") from None
        except subprocess.TimeoutExpired:
            raise MachineUnfit(f"git {words[0]} took longer than {LIMIT_SECONDS} s", "look there") from None
