"""`amc lab` as a user types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import Lab


@pytest.fixture(scope="module")
def amc(amc_home: Path):
    """Run `amc` with the session's home."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("amc"), *words],
            env={**os.environ, "AMC_HOME": str(amc_home)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def test_the_inventory_is_made_real(lab: Lab, amc) -> None:
    """`up --customer acme` makes the server that its hosts.yml declares; status, ssh and env reach it."""
    made = amc("lab", "up", "--customer", "acme")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("acme-erp1  ")
    assert " s] acme-erp1: running at " in made.stderr
    status = json.loads(amc("lab", "status", "--json").stdout)
    shown = next(each for each in status if each["name"] == "acme-erp1")
    assert shown["state"] == "running"
    assert amc("lab", "ssh", "acme-erp1", "--", "hostname").stdout == "acme-erp1\n"
    exported = f"{amc('lab', 'env').stdout}\nssh $ANSIBLE_SSH_COMMON_ARGS acme-erp1 hostname"
    by_hand = subprocess.run(["sh", "-c", exported], capture_output=True, text=True, timeout=60, check=True)
    assert by_hand.stdout == "acme-erp1\n"
    assert amc("lab", "destroy", "acme-erp1").returncode == 0
    assert "acme-erp1" not in amc("lab", "status").stdout


def test_a_server_is_the_same_whoever_makes_it(lab: Lab, amc) -> None:
    """A run's umask is 077: a throw-away server that it makes lets its users in all the same.

    It has the size that was asked for, and status shows it.
    """
    before = os.umask(0o077)
    try:
        made = amc("lab", "up", "--server", "private", "--spec", "lab.small", "--disk-gib", "1")
    finally:
        os.umask(before)
    assert made.returncode == 0, made.stderr
    assert amc("lab", "ssh", "private", "--", "stat", "-c", "%a", "/", "/etc/hosts").stdout == "755\n644\n"
    assert amc("lab", "ssh", "private", "--", "nproc").stdout == "1\n"
    assert "0.5 CPU, 1024 MiB, disk 1 GiB" in amc("lab", "status").stdout
    shown = next(
        each for each in json.loads(amc("lab", "status", "--json").stdout) if each["name"] == "private"
    )
    assert shown["size"] == {"cpus": 0.5, "memory_mib": 1024, "disk_gib": 1}
    assert amc("lab", "destroy", "private").returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["up", "--customer", "acme", "--server", "nobody"], 2, "no such lab server: nobody"),
        (["up", "--customer", "nobody"], 3, "there is no such file"),
        (["up", "--server", "Not A Name"], 8, "is no name for a server"),
        (["up", "--server", "x", "--spec", "lab.smal"], 2, "there is no specification `lab.smal`"),
        (["up", "--server", "x", "--spec", "t3.small"], 2, "is a specification of aws"),
        (["up", "--customer", "acme", "--spec", "lab.small"], 2, "are for a throw-away server"),
        (["up", "--server", "x", "--disk-gib", "0"], 8, "a disk of 0 GiB"),
        (["ssh", "nobody"], 2, "has no server 'nobody'"),
    ],
)
def test_mistakes_are_said_in_words(amc, words: list[str], code: int, said: str) -> None:
    """Each with its exit code and what to do, no traceback."""
    done = amc("lab", *words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "mend:" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_root_it_says_so(tmp_path: Path) -> None:
    """In a user namespace that maps nobody we are not root: exit 3, what lacks and what to do."""
    for words in (["up", "--server", "x"], ["doctor"]):
        done = subprocess.run(
            ["unshare", "--user", Path(sys.executable).with_name("amc"), "lab", *words],
            env={**os.environ, "AMC_HOME": str(tmp_path), "AMC_CACHE": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 3, done.stderr
        assert "this is not root" in done.stdout + done.stderr
        assert "sudo" in done.stdout + done.stderr


def test_the_doctor_finds_this_machine_fit(amc) -> None:
    """Every trial works here; in JSON each finding has its words."""
    done = amc("lab", "doctor", "--json")
    findings = json.loads(done.stdout)
    assert done.returncode == 0, findings
    assert {each["what"] for each in findings} >= {
        "root",
        "programs",
        "namespaces",
        "overlay",
        "cgroups",
        "network",
    }
    assert all(each["ok"] and each["words"] for each in findings)
