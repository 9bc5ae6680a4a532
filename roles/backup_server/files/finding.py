"""What verification tells a person: what is wrong, in words, and what mends it."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Finding:
    """`what` is one short word for programs; `backup` the base backup that can't be restored because of it.

    A note is something that nobody can or need mend, but that one must know.
    """

    what: str
    words: str
    mend: str
    backup: str = ""
    note: bool = False

    def record(self) -> dict[str, object]:
        """As it is printed."""
        return {key: value for key, value in asdict(self).items() if value not in ("", False)}
