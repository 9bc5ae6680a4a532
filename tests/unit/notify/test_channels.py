"""The file of channels: every fault with its line, and no address in any word of it."""

from pathlib import Path

import pytest

from orchestrator.errors import InvalidInput
from orchestrator.notify import channels
from orchestrator.notify.events import Event

SECRET = "swordfish"


def read(tmp_path: Path, text: str) -> channels.Channels:
    file = tmp_path / "notify.yml"
    file.write_text(text)
    return channels.read(file)


def test_a_channel_hears_what_it_names_of_whom_it_names(tmp_path: Path) -> None:
    """Without names: everything of everybody. An address may stand in a file of its own."""
    (tmp_path / "acme.url").write_text("jsons://hooks.example.com/acme\n")
    found = read(
        tmp_path,
        """
maintenance_hours_ahead: 48
channels:
  - name: operations
    url: mailtos://amc:swordfish@mail.example.com?to=ops@example.com
  - name: acme
    url_file: acme.url
    customers: [acme]
    events: [maintenance, hours]
""",
    )
    operations, acme = found.channels
    assert found.hours_ahead == 48
    assert all(operations.wants(event, "globex") for event in Event)
    assert acme.url == "jsons://hooks.example.com/acme"
    assert [acme.wants(*each) for each in ((Event.HOURS, "acme"), (Event.HOURS, "globex"))] == [True, False]
    assert not acme.wants(Event.FAILED, "acme")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 0, "empty"),
        ("channels: [", 1, "no YAML"),
        ("channels:\n  - name: a\n    url: nonsense://swordfish\n", 2, "no such address"),
        ("channels:\n  - name: a\n    url: [mailtos://u:swordfish@h]\n", 3, "something else belongs"),
        ("channels:\n  - name: a\n", 2, "either url or url_file"),
        ("channels:\n  - {name: a, url_file: none}\n", 2, "cannot be read"),
        ("channels:\n  - {name: A, url: 'json://h'}\n", 2, "name"),
        ("channels:\n  - {name: a, url: 'json://h', event: [failed]}\n", 2, "unknown key `event`"),
        ("channels:\n  - {name: a, url: 'json://h', events: [fails]}\n", 2, "events"),
        ("channels:\n  - {name: a, url: 'json://h'}\n  - {name: a, url: 'json://h'}\n", 3, "twice"),
        ("channels: []\nmaintenance_hours_ahead: 0\n", 2, "maintenance_hours_ahead"),
    ],
)
def test_what_is_wrong_with_the_file(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read(tmp_path, text)
    (problem,) = refusal.value.problems
    assert (problem.line, words in problem.message) == (line, True), problem
    assert problem.mend
    assert SECRET not in str(refusal.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="AMC_NOTIFY_FILE"):
        channels.read(tmp_path / "none.yml")
