"""Hours as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.ledger import hours


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2.5", 9000),
        ("2:30", 9000),
        ("0.25", 900),
        ("1", 3600),
        ("0:00:01", 1),
        (" 10 ", 36000),
        ("10000", 36_000_000),
    ],
)
def test_hours_are_read_as_written(text: str, seconds: int) -> None:
    """Decimals and the clock mean the same."""
    assert hours.parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0:00",
        "-1",
        "nan",
        "NaN",
        "inf",
        "1e3",
        "2,5",
        "0.3333",
        "1:60",
        "10001",
        "99999",
        "1_0",
        "٣",
        "2.5h",
    ],
)
def test_what_is_no_amount_of_hours_is_refused(text: str) -> None:
    """No sign, no exponent, no part of a second, no slip of the finger; the error says how to write it."""
    with pytest.raises(UsageError, match=r"2\.5 or 2:30"):
        hours.parse(text)


@given(st.integers(1, 36_000_000))
def test_what_is_shown_can_be_read_back(seconds: int) -> None:
    """`show` loses nothing, so a refusal's "buy at least" can be pasted."""
    assert hours.parse(hours.show(seconds)) == seconds


def test_negative_amounts_are_shown_with_their_sign() -> None:
    """Minutes of a negative amount count away from zero."""
    assert hours.show(-5400) == "-1:30"
