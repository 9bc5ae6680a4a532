"""From a branch to a statement, over a real git server: shown 4 of issue 6."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from tests.integration.changes.server import Server


def _announce(served: Server, old: str, new: str) -> str:
    """Call the hook as git does after a push."""
    hook = served.bare / "hooks" / "post-receive"
    done = subprocess.run(
        [hook],
        input=f"{old} {new} refs/heads/main\n",
        cwd=served.bare,
        env=served.environment | {"GIT_DIR": ".", "GIT_QUARANTINE_PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout + done.stderr


def test_from_a_branch_to_the_statement(served: Server) -> None:
    """Branch, plan, merge, order, run, changed server, statement; announced thrice more, ordered once."""
    base = served.head()
    served.git("switch", "--quiet", "--create", "greeting")
    served.write("inventories/acme/host_vars/acme-erp1.yml", "mems_greeting: good day\nharden_banner: low\n")
    served.commit("A friendlier greeting")
    planned = served.git("push", "origin", "greeting").stderr
    assert 'mems_greeting: "hello" -> "good day"' in planned
    assert "| deploy | acme-erp1 | C1 | 2:00 | 8:00 | may stop |" in planned
    assert served.runs() == []

    served.git("switch", "--quiet", "main")
    served.git("merge", "--quiet", "--no-ff", "--message", "Merge greeting", "greeting")
    merge = served.head()
    told = served.git("push", "origin", "main").stderr
    assert "deploy on acme-erp1" in told and "refused" not in told, told

    (run,) = served.until_ended(1)
    assert run["state"] == "done", served.logs()
    assert served.made() == "good day"
    assert (run["cause"], run["key"]) == (f"change {merge[:12]}", f"change:{merge}:acme-erp1:deploy")
    inputs = json.loads((served.home / "runs" / run["id"] / "attempt-1" / "inputs.json").read_text())
    assert (inputs["commit"], inputs["uncommitted"]) == (merge, "")
    # The installation's own checkout is as it was: nothing was checked out over it.
    installed = served.folder / "installed" / "inventories" / "acme" / "host_vars" / "acme-erp1.yml"
    assert "hello" in installed.read_text()

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: _announce(served, base, merge), range(3)))
    assert all("ordered before" in answer for answer in answers), answers
    assert [each["id"] for each in served.runs()] == [run["id"]]
    year = str(datetime.now(UTC).year)
    statement = served.amc("statement", "--customer", "acme", "--year", year).stdout
    assert f"by change {merge[:12]}" in statement
    assert (served.folder / "servers" / "runs").read_text().split() == [run["id"]]


def test_what_was_not_planned_is_not_ordered(served: Server) -> None:
    """A push to the main branch without a plan is told so. Planned, it is ordered once, thrice at once."""
    base = served.head()
    served.write("inventories/acme/host_vars/acme-erp1.yml", "mems_greeting: hi\nharden_banner: low\n")
    head = served.commit("In a hurry")
    told = served.git("push", "origin", "main").stderr
    assert "this change was never planned" in told and "refused (exit 6)" in told, told
    assert served.runs() == []
    served.change("plan", base, head)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: _announce(served, base, head), range(3)))
    assert sorted("ordered before" in answer for answer in answers) == [False, True, True], answers
    (run,) = served.until_ended(1)
    assert (run["state"], served.made()) == ("done", "hi")
