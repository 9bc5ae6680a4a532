"""A drill on real servers finds figures that differ; a patch asks for the proof of a good one.

The tests build on each other in order. A good drill of a random moment is Molecule's, one of the newest
state is in the end-to-end tests.
"""

import json
import random
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from backed_up import BACKUP, MEMS, STATE, Pair

LEFT = "drill-killed-0001"
MARKS, PROVEN = f"{STATE}/marks.jsonl", f"{STATE}/proven.json"
OLDER_OF_TWO = next(seed for seed in range(99) if random.Random(seed).sample(range(2), 2)[0] == 1)
OTHER_FIGURES = '.figures.counts.parties += 1 | .figures.sums.sales = "1.00"'
UNTOUCHED = f"{MEMS} is not patched, and nothing on it was touched"


def server_command(pair: Pair, *more: str) -> str:
    """A command of our own that makes and destroys servers in the pair's lab; `more` goes with each `up`."""
    program = pair.folder / "servers"
    amc = f"AMC_HOME={shlex.quote(str(pair.folder))} {sys.executable} -m orchestrator.cli.main lab"
    with_more = f'[ "$1" = destroy ] || set -- "$@" {shlex.join(more)}'
    program.write_text(f'#!/bin/sh\n{with_more}\nexec env {amc} "$@"\n')
    program.chmod(0o755)
    return str(program)


def drill(pair: Pair, run: str, **variables: object) -> tuple[subprocess.CompletedProcess[str], Any]:
    """A drill and its report."""
    words = {"amc_run_id": run, "amc_evidence_dir": str(pair.folder / run), **variables}
    done = pair.playbook("playbooks/drill.yml", f"-e{json.dumps(words)}")
    report = pair.folder / run / MEMS / "drill.json"
    assert report.exists(), done.stdout[-4000:] + done.stderr
    return done, json.loads(report.read_text())


def patch(pair: Pair, reason: str = "") -> subprocess.CompletedProcess[str]:
    """A patch in check mode: its preflight looks and refuses as in a real one."""
    return pair.playbook(
        "playbooks/patch.yml", "--check", f"-e{json.dumps({'patch_without_proven_backup': reason})}"
    )


def test_a_patch_is_refused_while_nothing_is_proven(pair: Pair) -> None:
    """There is a backup, but no drill was made yet."""
    done = patch(pair)
    assert done.returncode == 2
    assert UNTOUCHED in done.stdout
    assert f"no drill has proven that a backup of {MEMS} comes back" in done.stdout


def test_figures_that_differ_are_found(pair: Pair, request: pytest.FixtureRequest) -> None:
    """Of an earlier moment other figures were recorded than its rows have: the run fails and names them, and
    nothing is proven. It is met exactly, or what changed since would show. A killed drill leaves nothing."""
    pair.timers("stop")
    request.addfinalizer(lambda: pair.timers("start"))
    pair.lab.up([LEFT])
    (layer,) = [each.layer or "" for each in pair.lab.status() if each.name == MEMS]
    pair.root(
        BACKUP,
        f"cp -p {MARKS} {MARKS}.kept\n"
        f"tail -n 1 {MARKS}.kept | jq -c '{OTHER_FIGURES}' >{MARKS}\n"
        f"runuser -u barman -- sh -c 'mkdir -p -m 700 {STATE}/drills; echo {{}} >{STATE}/drills/{LEFT}.json'",
    )
    pair.root(MEMS, "runuser -u postgres -- psql -q mems -c \"UPDATE party_party SET code = code || 'x'\"")
    done, report = drill(
        pair,
        "drill-bad",
        drill_moment="random",
        drill_seed=OLDER_OF_TWO,
        amc_server_command=server_command(pair, "--layer", layer),
    )
    pair.root(BACKUP, f"cat {MARKS}.kept >{MARKS}; rm {MARKS}.kept")
    assert done.returncode == 2
    assert "its backups are not proven" in done.stdout
    assert [each["what"] for each in report["differences"]] == ["counts.parties", "sums.sales"]
    assert (report["ok"], report["figures_equal"], report["check"]["ok"]) == (False, False, True)
    assert pair.run(BACKUP, f"sudo test -e {PROVEN}").returncode == 1
    assert [each.name for each in pair.lab.status()] == [BACKUP, MEMS]
    assert pair.root(BACKUP, f"find {STATE}/drills -name '*.json'") == ""


def proven(pair: Pair, days_ago: int) -> None:
    """As if a drill had proven a backup of that day."""
    ended = (datetime.now(UTC) - timedelta(days=days_ago, minutes=1)).isoformat()
    record = {"at": datetime.now(UTC).isoformat(), "run": "r", "backup_id": "b", "backup_ended": ended}
    record |= {"moment": ended, "rpo_seconds": 0.1, "rto_seconds": 60.0, "figures_equal": True}
    pair.root(BACKUP, f"cat >{PROVEN} <<'END'\n{json.dumps(record)}\nEND\nchown barman {PROVEN}")


def test_a_patch_may_go_with_a_young_proof(pair: Pair) -> None:
    """The same patch as in the first test, as after a good drill."""
    proven(pair, 0)
    done = patch(pair)
    assert done.returncode == 0, done.stdout
    assert "packages would be updated" in done.stdout


def test_a_proof_that_is_too_old_counts_no_more_but_a_reason_does(pair: Pair) -> None:
    """The proven backup is nine days old, the contract says eight; with a reason it goes and says so."""
    proven(pair, 9)
    refused = patch(pair)
    assert refused.returncode == 2
    assert "is 9 days old, the contract allows 8" in " ".join(refused.stdout.split())
    done = patch(pair, "the backup server moves house")
    assert done.returncode == 0, done.stdout
    said = " ".join(done.stdout.split())
    assert "Patched without a proven backup" in said
    assert "because: the backup server moves house" in said
