"""What verification finds on a real pair: nothing when all is well, and each corruption before it is needed.

One seeded case of each kind of place; bench/soak/corruptions.py does all twelve.
"""

import random

import pytest
from backed_up import Pair
from corruptions import CORRUPTIONS, Corruption, found

SEED = 4
DICE = random.Random(SEED)
ONCE = [DICE.choice(CORRUPTIONS[:4]), DICE.choice(CORRUPTIONS[4:8])]


def test_a_sound_pair_has_no_findings(pair: Pair) -> None:
    """Everything is read, nothing is found, no base backup is marked bad."""
    pair.timers("stop")
    try:
        assert pair.program("mark")["ok"]
        answer = pair.program("verify", "--full")
    finally:
        pair.timers("start")
    assert (answer["findings"], answer["ok"]) == ([], True)


@pytest.mark.parametrize("corruption", ONCE, ids=lambda each: each.name)
def test_a_corruption_is_found_before_it_is_needed(pair: Pair, corruption: Corruption) -> None:
    """It is found in words, and no longer once it is mended."""
    pair.timers("stop")
    try:
        assert found(pair, corruption)
    finally:
        pair.timers("start")
