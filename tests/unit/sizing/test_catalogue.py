"""The catalogue of specifications: what ships with the package, and every fault with its line and mend."""

from datetime import date
from pathlib import Path

import pytest

from orchestrator.errors import InvalidInput, Problem, UsageError
from orchestrator.sizing.catalogue import PLACE, find, of_provider, read

VALID = """\
catalogue:
  lab.small: {provider: lab, cpus: 1, memory_mib: 1024, baseline: 1, usd_per_month: 0, priced_at: 2026-11-24}
  t3.small:
    provider: aws
    cpus: 2
    memory_mib: 2048
    baseline: 0.2
    usd_per_month: 17.52
    priced_at: 2025-01-01
"""

# name: (old text, new text, line of the fault, words of its message, words of its mend)
RULES = {
    "a key is missing": ("    cpus: 2\n", "", 3, "cpus is missing", "`cpus: 2`"),
    "a key is unknown": ("    cpus: 2", "    cpu: 2", 5, "unknown key `cpu`", "did you mean `cpus`?"),
    "a name stands once": ("  t3.small:", "  lab.small:", 3, "second time", "keep one"),
    "the provider is known": ("provider: aws", "provider: awz", 4, "provider is 'awz'", "`aws`?"),
    "the lab's names are its own": (
        "  t3.small:",
        "  lab.t3:",
        3,
        "`lab.t3` belongs to",
        "start with `lab.`",
    ),
    "CPUs are more than none": ("cpus: 2", "cpus: 0", 5, "greater than 0", "`cpus: 2`"),
    "CPUs are finite": ("cpus: 2", "cpus: .inf", 5, "cpus is", "`cpus: 2`"),
    "memory is whole": ("2048", "2048.5", 6, "memory_mib must be a whole number", "`memory_mib: 4096`"),
    "memory carries a system": ("2048", "64", 6, "greater than or equal to 256", "in MiB"),
    "a baseline is a share": ("0.2", "20", 7, "less than or equal to 1", "`baseline: 1.0`"),
    "nothing is paid back": ("17.52", "-1", 8, "greater than or equal to 0", "730 hours"),
    "a price is a number": ("17.52", "free", 8, "usd_per_month is 'free'", "730 hours"),
    "prices have a date": ("2025-01-01", "lately", 9, "priced_at must be a date", "`priced_at: 2026-11-24`"),
    "an anchor has no place": ("17.52", "*price", 8, "no anchors and aliases", "where it is meant"),
    "the file has one key": ("catalogue:", "catalog:", 1, "unknown key `catalog`", "`catalogue`"),
}


def problems(file: Path, text: str) -> list[Problem]:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        read(file)
    assert all(problem.file == file for problem in caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_rule_names_line_and_mend(tmp_path: Path, rule: tuple[str, str, int, str, str]) -> None:
    """The rule in the test's id: breaking it alone is reported at the line that is wrong, with a mend."""
    old, new, line, message, mend = rule
    assert VALID.count(old) == 1
    told = problems(tmp_path / "catalogue.yml", VALID.replace(old, new))
    found = [problem for problem in told if message in problem.message]
    assert [problem.line for problem in found] == [line], told
    assert mend in found[0].mend


def test_the_valid_catalogue_of_these_tests_is_valid(tmp_path: Path) -> None:
    """The text that the rules above break is valid; units and the sustained share are as the file says."""
    (tmp_path / "catalogue.yml").write_text(VALID)
    small = read(tmp_path / "catalogue.yml")["t3.small"]
    assert (small.cpus, small.sustained_cpus, small.priced_at) == (2.0, 0.4, date(2025, 1, 1))


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "- lab.small\n", "lab.small\n"])
def test_a_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    """Nothing in it is a fault of the whole file, never an empty catalogue."""
    (fault,) = problems(tmp_path / "catalogue.yml", text)
    assert "the one key `catalogue`" in fault.mend


def test_an_empty_catalogue_is_refused(tmp_path: Path) -> None:
    """A catalogue that offers nothing would make every recommendation impossible."""
    assert "is empty" in str(problems(tmp_path / "catalogue.yml", "catalogue: {}\n")[0])


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """The file's name and where the catalogue belongs."""
    with pytest.raises(InvalidInput, match="No such file"):
        read(tmp_path / "catalogue.yml")


def test_the_package_ships_its_catalogue() -> None:
    """The file stands beside the module that reads it, and holds both providers."""
    shipped = read()
    assert PLACE.parent.name == "sizing"
    assert [spec.name for spec in of_provider("lab")] == [
        "lab.small",
        "lab.medium",
        "lab.large",
        "lab.xlarge",
    ]
    assert [spec.name for spec in of_provider("aws")][:3] == ["t3.small", "t3.medium", "t3.large"]
    assert {name: spec.baseline for name, spec in shipped.items() if name.startswith("t3")} == {
        "t3.small": 0.2,
        "t3.medium": 0.2,
        "t3.large": 0.3,
        "t3.xlarge": 0.4,
    }
    assert of_provider("nobody") == []


def test_an_unknown_name_tells_the_known_ones() -> None:
    """On the command line a UsageError; said by a file, an InvalidInput with its line."""
    assert find("lab.large").memory_mib == 4096
    with pytest.raises(UsageError, match=r"did you mean `lab\.medium`\? known are: lab\.small, lab\.medium"):
        find("lab.medum")
    with pytest.raises(InvalidInput, match=r"host_vars/erp\.yml:4: there is no specification `huge`"):
        find("huge", said_in=Path("host_vars/erp.yml"), line=4)
