"""What an order says beyond its activity."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.contracts.activities import DEFAULTS
from orchestrator.errors import UsageError
from orchestrator.runs.options import TAKES, checked, flag, variables, words

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
REPOSITORY = Path(__file__).parents[3]


def test_a_moment_is_kept_in_utc() -> None:
    """However its offset was written."""
    meant = {"to": "2026-03-01T10:32:10+00:00"}
    for text in ("2026-03-01 14:32:10+04:00", "2026-03-01T10:32:10Z", "20260301T053210-0500"):
        assert checked("recover", {"to": text}, NOW) == meant
    assert checked("recover", {"to": "2026-03-01T10:32:10.25Z"}, NOW)["to"].startswith(
        "2026-03-01T10:32:10.25"
    )


def test_what_may_be_said_together() -> None:
    """It comes back as it was said, words without the blanks around them."""
    together = [
        ("check", {}),
        ("patch", {"without_proven_backup": "the backup server is being replaced"}),
        ("recover", {"only": "database", "to": "2026-03-01T10:32:10+00:00"}),
        ("recover", {"only": "attachment", "attachment": "db/ab/cd/abcd"}),
        ("recover", {"put_back": "acme-recover-20261124-083000-x7k2"}),
        ("drill", {"moment": "random"}),
    ]
    for activity, options in together:
        assert checked(activity, options, NOW) == options
    assert checked("patch", {"without_proven_backup": " why "}, NOW) == {"without_proven_backup": "why"}


@pytest.mark.parametrize(
    ("activity", "options", "said", "mend"),
    [
        ("check", {"to": "x"}, "check takes no --to", "check takes no options"),
        ("patch", {"to": "x"}, "patch takes no --to", "patch takes --without-proven-backup"),
        (
            "drill",
            {"only": "x", "put_back": "y"},
            "drill takes no --only, --put-back",
            "drill takes --moment",
        ),
        ("harden", {"moment": "newest"}, "harden takes no --moment", "no options"),
        (
            "recover",
            {"moment": "newest"},
            "recover takes no --moment",
            "--to, --only, --attachment, --put-back",
        ),
        ("recover", {"to": "2026-03-01 14:32:10"}, "has no offset", "+04:00"),
        ("recover", {"to": "2026-03-01"}, "has no offset", "+04:00"),
        ("recover", {"to": "yesterday"}, "'yesterday' is no time", "+04:00"),
        ("recover", {"to": ""}, "'' is no time", "+04:00"),
        ("recover", {"to": "0001-01-01T00:00:00+14:00"}, "is no time", "+04:00"),
        ("recover", {"to": "2026-11-24T12:00:01Z"}, "is yet to come", "the latest"),
        ("recover", {"only": "all"}, "there is no 'all'", "database, files, attachment"),
        ("recover", {"only": "attachment"}, "needs to know which", "--attachment PATH"),
        ("recover", {"attachment": "a"}, "goes with --only attachment", "add it"),
        ("recover", {"only": "files", "attachment": "a"}, "goes with --only attachment", "add it"),
        ("recover", {"only": "attachment", "attachment": "../a"}, "leads out of the file store", "from"),
        ("recover", {"only": "attachment", "attachment": "/etc/passwd"}, "leads out", "from"),
        ("recover", {"only": "attachment", "attachment": "--delete"}, "leads out", "from"),
        ("recover", {"only": "attachment", "attachment": ""}, "--attachment is empty", "path"),
        ("recover", {"put_back": "x y"}, "'x y' is no run", "amc run list"),
        ("recover", {"put_back": "x", "only": "files"}, "takes no other option", "as a whole"),
        ("drill", {"moment": "oldest"}, "there is no 'oldest'", "newest, random"),
        ("patch", {"without_proven_backup": " "}, "--without-proven-backup is empty", "say why"),
        ("patch", {"without_proven_backup": "a\nb"}, "can't be used", "one line"),
        ("patch", {"without_proven_backup": "{{ lookup('pipe', 'id') }}"}, "can't be used", "without {{"),
        ("patch", {"without_proven_backup": "{% raw %}"}, "can't be used", "without {{"),
    ],
)
def test_any_other_is_a_usage_error(activity: str, options: dict[str, str], said: str, mend: str) -> None:
    """It says what is wrong and what the activity takes."""
    with pytest.raises(UsageError) as caught:
        checked(activity, options, NOW)
    assert said in caught.value.message
    assert mend in caught.value.mend


@settings(max_examples=200)
@given(st.sampled_from(["to", "only", "attachment", "put_back"]), st.text())
def test_no_value_raises_anything_else(name: str, value: str) -> None:
    """Whatever is typed: an option, or a usage error whose words can be printed."""
    try:
        checked("recover", {name: value}, NOW)
    except UsageError as error:
        str(error).encode("utf-8", "surrogatepass")


def test_a_playbook_gets_them_by_its_own_name() -> None:
    """Roles read them as their variables."""
    assert variables("recover", {"to": "x", "put_back": "y"}) == {"recover_to": "x", "recover_put_back": "y"}
    assert variables("check", {}) == {}


def test_they_are_shown_as_they_would_be_typed() -> None:
    """With the quotes that a shell needs."""
    assert words({"without_proven_backup": "it is being replaced"}) == [
        "--without-proven-backup 'it is being replaced'"
    ]


def test_every_option_is_an_activitys_and_stands_in_the_documentation() -> None:
    """docs/contract.md has a row for each."""
    assert set(TAKES) <= set(DEFAULTS)
    page = (REPOSITORY / "docs" / "contract.md").read_text()
    for activity, takes in TAKES.items():
        assert [name for name in takes if f"| `{activity}` | `{flag(name)} " not in page] == []
