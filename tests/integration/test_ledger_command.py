"""`amc init` and `amc hours` as a user runs them, on both databases."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestrator.cli.main import main


class Done(NamedTuple):
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


Amc = Callable[..., Done]
CONTRACT = """\
amc_contract:
  customer: {customer}
  customer_name: Acme Trading LLC
  number: AMC-{customer}
  version: 1
  mode: {mode}
  time_zone: Asia/Dubai
  term:
    start: 2026-01-01
  {hours}
  maintenance_windows:
    - days: [friday]
      start: "22:00"
      end: "04:00"
"""


@pytest.fixture
def inventories(tmp_path: Path) -> Path:
    """A retainer of 60 hours and a comprehensive contract."""
    for customer, mode, hours in (
        ("acme", "retainer", "hours: {per_calendar_year: 60}"),
        ("globex", "comprehensive", "hours: {}"),
    ):
        file = tmp_path / "inventories" / customer / "group_vars" / "all" / "contract.yml"
        file.parent.mkdir(parents=True)
        file.write_text(CONTRACT.format(customer=customer, mode=mode, hours=hours))
    return tmp_path / "inventories"


@pytest.fixture
def amc(
    tmp_path: Path,
    inventories: Path,
    empty_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Amc:
    """The command line in a home of its own, on a database in which nothing was done yet.

    It runs in this process: a new one spends half a second on its imports, every time.
    """
    monkeypatch.setenv("AMC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AMC_INVENTORIES", str(inventories))
    monkeypatch.setenv("AMC_DATABASE_URL", empty_database_url.replace(str(tmp_path), str(tmp_path / "home")))

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["amc", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return run


def test_a_home_that_was_not_made_is_refused_and_not_made(amc: Amc, tmp_path: Path) -> None:
    """Reading commands and purchases exit with 3, say what to run, and create nothing."""
    for words in (
        ["balance", "--customer", "acme"],
        ["log", "--customer", "acme"],
        ["buy", "--customer", "acme", "--hours", "1", "--note", "x"],
    ):
        done = amc("hours", *words)
        assert (done.returncode, done.stdout) == (3, "")
        assert "run amc init" in done.stderr
    assert not (tmp_path / "home").exists()


def test_init_makes_a_private_home_once(amc: Amc, tmp_path: Path) -> None:
    """Folders 0700, the database's file 0600; the second run says that there is nothing to do."""
    first = amc("init")
    assert first.returncode == 0
    assert "created the folder" in first.stdout
    assert "brought the schema" in first.stdout
    home = tmp_path / "home"
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (home, *home.iterdir())}
    assert modes.pop("amc.db", "0o600") == "0o600"
    assert modes == {"home": "0o700", "runs": "0o700", "secrets": "0o700"}
    assert "nothing to do" in amc("init").stdout


def test_hours_from_purchase_to_verification(amc: Amc) -> None:
    """Bought twice with one key is bought once; balance, log and verify agree, as text and as JSON."""
    amc("init")
    buy = ["hours", "buy", "--customer", "acme", "--hours", "2.5", "--note", "invoice 7", "--key", "i7"]
    assert [amc(*buy).returncode, amc(*buy).returncode] == [0, 0]
    text = amc("hours", "balance", "--customer", "acme").stdout
    assert "calendar year" in text
    assert "62:30 available, 0:00 held" in text
    balance = json.loads(amc("hours", "balance", "--customer", "acme", "--json").stdout)
    assert (balance["contract"], balance["available"]) == ("AMC-acme", 225_000)
    assert [(lot["kind"], lot["available"]) for lot in balance["lots"]] == [
        ("retainer", 216_000),
        ("prepaid", 9000),
    ]
    log = json.loads(amc("hours", "log", "--customer", "acme", "--json").stdout)["postings"]
    assert [(line["kind"], line["key"], line["seconds"], line["note"]) for line in log] == [
        ("buy", "i7", 9000, "invoice 7")
    ]
    assert "2:30  i7  invoice 7" in amc("hours", "log", "--customer", "acme").stdout
    verified = json.loads(amc("hours", "verify", "--customer", "acme", "--json").stdout)
    assert (verified["whole"], verified["head"]) == (True, log[0]["hash"])
    assert amc("hours", "verify", "--customer", "acme", "--head", log[0]["hash"]).returncode == 0
    changed = amc("hours", "verify", "--customer", "acme", "--head", "f" * 64)
    assert changed.returncode == 8
    assert "is not in the chain" in changed.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--customer", "acme", "--hours", "-1"], 2, "2.5 or 2:30"),
        (["--customer", "acme", "--hours", "nan"], 2, "2.5 or 2:30"),
        (["--customer", "acme", "--hours", "0.3333"], 2, "whole number of seconds"),
        (["--customer", "acme", "--hours", "10001"], 2, "more than 10000"),
        (["--customer", "globex", "--hours", "1"], 2, "is comprehensive"),
        (["--customer", "nobody", "--hours", "1"], 3, "no such file"),
    ],
)
def test_what_cannot_be_bought_is_refused_in_words(amc: Amc, words: list[str], code: int, said: str) -> None:
    """The exit code and one sentence, no traceback, and nothing posted."""
    amc("init")
    done = amc("hours", "buy", *words, "--note", "x")
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(amc("hours", "log", "--customer", "acme", "--json").stdout)["postings"] == []


def test_the_balance_loads_nothing_heavy(amc: Amc) -> None:
    """It answers in half a second because these are left alone; a process of its own tells what it loaded."""
    amc("init")
    program = (
        "import sys\n"
        "from orchestrator.cli.main import main\n"
        "sys.argv = ['amc', 'hours', 'balance', '--customer', 'acme']\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    heavy = {'dbos', 'ansible', 'ansible_runner', 'alembic', 'rich'} & set(sys.modules)\n"
        "    print(*sorted(heavy), 'loaded')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert "60:00 available" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded"
