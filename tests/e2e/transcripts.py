"""Transcripts in the documentation, run as a reader would: `$ command`, its output, `[exit N]`.

In what it prints, `…` stands for anything within a line, a line of `…` alone for any lines.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One command of a transcript; `line` is where it stands in the file (1-based)."""

    line: int
    command: str
    expected: tuple[str, ...]
    exit_code: int


def read(document: Path) -> list[Step]:
    """The steps of every ```console block, in order."""
    steps: list[Step] = []
    inside = False
    command, at, body, code = "", 0, [], 0

    def close() -> None:
        if command:
            while body and not body[-1].strip():
                body.pop()
            steps.append(Step(at, command, tuple(body), code))

    for number, text in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        if text.startswith("```"):
            close()
            inside, command, body, code = text == "```console", "", [], 0
        elif inside and text.startswith("$ "):
            close()
            command, at, body, code = text[2:], number, [], 0
        elif inside and (exit_line := re.fullmatch(r"\[exit (\d+)\]", text)):
            code = int(exit_line[1])
        elif inside:
            body.append(text)
    return steps


def matches(expected: tuple[str, ...], printed: str) -> bool:
    """Whether the printed text is the expected one, with `…` as a wildcard."""
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    # `reached`: how many printed lines the expected lines so far can account for.
    reached = {0}
    for wanted in (line.rstrip() for line in expected):
        if wanted.strip() == "…":
            reached = set(range(min(reached, default=len(lines) + 1), len(lines) + 1))
        else:
            pattern = re.compile(".*?".join(re.escape(part) for part in wanted.split("…")))
            reached = {at + 1 for at in reached if at < len(lines) and pattern.fullmatch(lines[at])}
    return len(lines) in reached


def run(step: Step, environment: Mapping[str, str], folder: Path, deadline_s: float) -> str:
    """Runs one step in a shell; the mismatch in words, empty when it printed what the document says."""
    done = subprocess.run(
        ["bash", "-c", step.command],
        env={**os.environ, **environment},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=deadline_s,
        check=False,
    )
    if done.returncode == step.exit_code and matches(step.expected, done.stdout):
        return ""
    return (
        f"line {step.line}: $ {step.command}\n"
        f"exit code {done.returncode}, the document says {step.exit_code}\n"
        f"--- printed\n{done.stdout}\n--- documented\n" + "\n".join(step.expected)
    )
