"""docs/operating.md is true: each of its transcripts prints what the page says."""

import pytest
import transcripts
from conftest import REPOSITORY
from installation import Installation

STEPS = transcripts.read(REPOSITORY / "docs/operating.md")


@pytest.mark.parametrize("step", STEPS, ids=[f"line {step.line}" for step in STEPS])
def test_transcript(step: transcripts.Step, installation: Installation) -> None:
    """In the page's order, on the demo customers after `scripts/up`."""
    mismatch = transcripts.run(step, installation.environment, installation.folder, deadline_s=300)
    assert mismatch == ""


def test_the_page_has_transcripts() -> None:
    """An empty page would pass the test above."""
    assert len(STEPS) >= 15
