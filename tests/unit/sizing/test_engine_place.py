"""Where the engine keeps its things, what a plan is bound to, how long a server will be away."""

import json
import os
import subprocess
from pathlib import Path

from orchestrator import settings
from orchestrator.sizing import downtime, fingerprints, place


def test_nothing_of_the_engine_lies_in_the_checkout(tmp_path: Path) -> None:
    """State, plugins and passphrase under AMC_HOME; the passphrase is made once, for us alone."""
    chosen = settings.read({"AMC_HOME": str(tmp_path)})
    first = place.environment(chosen)
    assert all(
        str(tmp_path) in first[name] for name in first if name.startswith("PULUMI_") and "/" in first[name]
    )
    secret = Path(first["PULUMI_CONFIG_PASSPHRASE_FILE"])
    before = secret.read_text()
    assert (secret.stat().st_mode & 0o777, len(before) >= 32) == (0o600, True)
    assert place.environment(chosen) == first
    assert secret.read_text() == before
    assert [file.name for file in secret.parent.iterdir()] == [secret.name]


def test_for_a_shell_what_is_set_already_wins(tmp_path: Path) -> None:
    """Another backend by hand; a home with a quote in its name stays one word."""
    chosen = settings.read({"AMC_HOME": str(tmp_path / "it's here")})
    lines = place.exports(chosen, {"PULUMI_BACKEND_URL": "s3://states"})
    told = subprocess.run(
        ["/bin/sh", "-c", "\n".join([*lines, 'printf %s "$PULUMI_HOME"'])],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == str(tmp_path / "it's here/pulumi/home")
    assert not [line for line in lines if "PULUMI_BACKEND_URL" in line]


def test_the_state_is_what_resources_are(tmp_path: Path) -> None:
    """When and from which line it was written does not count; an input, an output, a pending operation do."""
    one = {"urn": "a", "inputs": {"x": 1}, "outputs": {"y": 2}, "modified": "today", "sourcePosition": "p"}
    state = {"resources": [one], "pending_operations": []}
    same = {"resources": [{**one, "modified": "tomorrow", "sourcePosition": "q"}], "pending_operations": []}
    assert fingerprints.of_state(state) == fingerprints.of_state(same)
    for other in (
        {**state, "resources": [{**one, "outputs": {"y": 3}}]},
        {**state, "resources": []},
        {**state, "pending_operations": [{"type": "updating"}]},
    ):
        assert fingerprints.of_state(state) != fingerprints.of_state(other)


def test_an_inventory_is_its_files(tmp_path: Path) -> None:
    """Content and name count, whatever is moved between files."""
    (tmp_path / "a").write_text("one")
    first = fingerprints.of_folder(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = fingerprints.of_folder(tmp_path)
    (tmp_path / "b").write_text("on")
    assert len({first, second, fingerprints.of_folder(tmp_path)}) == 3


def test_a_commit_is_the_checkouts(tmp_path: Path) -> None:
    """Empty where there is no checkout."""
    assert fingerprints.commit(tmp_path) == ""
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    assert len(fingerprints.commit(tmp_path)) == 40


def test_downtime_is_what_was_measured(tmp_path: Path) -> None:
    """From the table first, then the longest of the last ten of that provider; damage is passed over."""
    history = tmp_path / "downtimes.jsonl"
    assert downtime.predict(history, "lab", False) == 0
    assert downtime.predict(history, "lab", True) == downtime.TABLE["lab"]
    for seconds in [40.0, *([5.0] * 9), 7.5]:
        downtime.record(history, "lab", "erp1", seconds)
    downtime.record(history, "aws", "erp2", 90)
    with history.open("a") as file:
        file.write('{"provider": "lab", "sec')
    assert downtime.predict(history, "lab", True) == 7.5
    assert downtime.predict(history, "aws", True) == 90
    assert all(json.loads(line) for line in history.read_text().splitlines()[:-1])
