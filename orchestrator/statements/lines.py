"""The width of a statement as text, and lines that keep to it. Pure."""

from textwrap import wrap

WIDTH = 100
INDENT = "    "


def indented(words: str) -> list[str]:
    """Below the line that they belong to."""
    return wrap(words, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
