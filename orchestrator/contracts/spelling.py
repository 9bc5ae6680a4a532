"""Did you mean …?"""

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, known: Iterable[str]) -> str:
    """``did you mean `patch`?`` for `ptach`; empty when nothing known is near."""
    near = get_close_matches(word[:60], list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else ""
