"""What the parts of a statement as text share: its width, lines that keep to it, moments. Pure."""

from datetime import datetime
from textwrap import wrap

from orchestrator.contracts.model import Contract

WIDTH = 100
INDENT = "    "
UNKNOWN = "-"


def indented(words: str) -> list[str]:
    """Below the line that they belong to; run ids stay whole."""
    return wrap(words, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False)


def local(contract: Contract, words: str, *, seconds: bool = False) -> str:
    """A moment in ISO 8601 on the contract's clock; what is none (`latest`) stays as it is."""
    try:
        at = datetime.fromisoformat(words)
        there = at.astimezone(contract.zone) if at.tzinfo else at
    except (ValueError, OverflowError):
        return words or UNKNOWN
    return f"{there:%Y-%m-%d %H:%M:%S}" if seconds else f"{there:%Y-%m-%d %H:%M}"
