"""Prometheus's text format, written."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Family:
    """All samples of one name. `samples`: (what follows the name, labels, value)."""

    name: str
    kind: str  # gauge | counter | histogram
    words: str
    samples: list[tuple[str, dict[str, str], float]] = field(default_factory=list)

    def add(self, value: float, suffix: str = "", **labels: str) -> "Family":
        """One sample more; returns the family."""
        self.samples.append((suffix, labels, value))
        return self


def render(families: Iterable[Family]) -> str:
    """The page. A family without samples is left out: what is not known has no value."""
    lines = []
    for family in families:
        if not family.samples:
            continue
        lines += [f"# HELP {family.name} {_escaped(family.words)}", f"# TYPE {family.name} {family.kind}"]
        for suffix, labels, value in family.samples:
            inner = ",".join(f'{key}="{_escaped(text, True)}"' for key, text in labels.items())
            lines.append(f"{family.name}{suffix}{f'{{{inner}}}' if inner else ''} {value:.17g}")
    return "\n".join(lines) + "\n"


def _escaped(words: str, quoted: bool = False) -> str:
    words = words.replace("\\", r"\\").replace("\n", r"\n")
    return words.replace('"', r"\"") if quoted else words
