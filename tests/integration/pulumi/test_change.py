"""A change of servers is bound to what it was planned on, outlives kills, and leaves other people's locks."""

import json
import os
import random
import signal
import socket
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.errors import AmcError, InvalidInput, UsageError, Waiting
from orchestrator.sizing import engine
from tests.integration.pulumi.installation import DEADLINE_S, REPOSITORY, Installation

SEED = 7
SLOW_S = "1"  # each of the three steps of a stop, change and start


def test_a_plan_is_bound_to_inventory_and_plan(running: Installation) -> None:
    """Each that moved is named, before anything changes."""
    running.plan("bound", "m6i.xlarge")
    before = running.host_vars.read_text()
    running.say("server_stop_to_resize", "true")
    plan = running.folder / "bound" / "plan.json"
    text = plan.read_text()
    plan.write_text(text.replace("m6i.xlarge", "m6i.2xlarge"))
    with pytest.raises(Waiting, match="the plan itself and the inventory of erpco moved since"):
        running.apply("bound")
    running.host_vars.write_text(before)
    plan.write_text(text)
    assert running.calls() == []


def test_somebody_elses_lock_stays(running: Installation) -> None:
    """Named with since when; the same for a dead process that was not ours; nothing changes."""
    running.plan("locked", "m6i.xlarge")
    folder = running.folder / "home/pulumi/.pulumi/locks/organization/mems/erpco"
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "0b7e.json"
    said = {"username": "ada", "hostname": socket.gethostname(), "timestamp": datetime.now(UTC).isoformat()}
    lock.write_text(json.dumps({"pid": 2**22 + 1, **said}))
    for do in (running.apply, running.back):
        with pytest.raises(
            Waiting, match=rf"held by ada on {socket.gethostname()} \(process 4194305\) since"
        ):
            do("locked")
    assert lock.exists()
    assert running.calls() == []
    lock.unlink()


def test_killed_in_the_middle_it_is_finished_and_taken_back(running: Installation) -> None:
    """The engine dies while it applies, provider and our own process while they take it back. Each time
    the next call finishes: the server runs, the state agrees with it, no lock is left. A plan from before
    is stale.
    """
    chance = random.Random(SEED)
    before = running.server()
    running.plan("stale", "t3.large")
    running.plan("killed", "m6i.xlarge")
    _killed(running, "apply", "killed", "engine", chance.uniform(0.1, 2.5))
    assert running.apply("killed").servers["erpco-erp1"]["spec"] == "m6i.xlarge"
    assert running.server() == {**before, "type": "m6i.xlarge"}
    with pytest.raises(Waiting, match=r"the state of the servers moved since"):
        running.apply("stale")
    _killed(running, "back", "killed", "provider and us", chance.uniform(0.1, 2.5))
    assert running.back("killed").servers["erpco-erp1"]["spec"] == before["type"]
    assert running.server() == before
    assert running.locks() == []
    assert [each["action"] for each in running.plan("look").servers] == ["same"]
    running.calls()


def _killed(running: Installation, what: str, name: str, victim: str, after: float) -> None:
    """`apply` or `back`, killed this long after the engine began to change something."""
    running.calls()
    ours = running.started(what, name, STANDIN_SLOW_S=SLOW_S)
    deadline = time.monotonic() + DEADLINE_S
    while not running.calls_file.exists():
        assert time.monotonic() < deadline and ours.poll() is None, ours.communicate()
        time.sleep(0.02)
    at_work = engine.noted(running.folder / "home/pulumi/engines")[-1]
    time.sleep(after)
    children = subprocess.run(["pgrep", "-P", str(at_work.pid)], capture_output=True, text=True, check=True)
    victims = [at_work.pid] if victim == "engine" else [*map(int, children.stdout.split()), ours.pid]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    ours.communicate(timeout=DEADLINE_S)
    assert ours.returncode != 0
    while at_work.lives():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("server_spec", "m6i.lage", "there is no specification `m6i.lage`"),
        ("server_spec", "lab.small", "lab.small is a specification of lab, and erpco-erp1 is on aws"),
        ("server_provider", "azure", "server_provider is 'azure'"),
        ("server_disk_gib", "0", "server_disk_gib of erpco-erp1 is 0"),
        ("server_disk_gib", "60.5", "server_disk_gib of erpco-erp1 is 60.5"),
        ("server_disk_gib", "40", "GiB and would have 40"),
        ("ansible_host", "10.1.2.3", "ansible_host of erpco-erp1 is '10.1.2.3'"),
        ("aws_ami", "debian-12", "aws_ami of erpco-erp1 is 'debian-12'"),
        ("aws_ami", '"{{ newest }}"', "aws_ami of erpco-erp1 is a template"),
        ("aws_region", "frankfurt", "aws_region of erpco-erp1 is 'frankfurt'"),
        ("aws_availability_zone", "us-east-1a", "is 'us-east-1a', not one of eu-central-1"),
        ("aws_ssh_cidrs", "[0.0.0.0/0]", "0.0.0.0/0 is the whole world"),
        ("aws_ssh_cidrs", "[203.0.113.7]", "'203.0.113.7' is no network"),
        ("aws_ssh_public_key", "AAAAC3Nz", "aws_ssh_public_key of erpco-erp1 is 'AAAAC3Nz'"),
        ("aws_dns_zone_id", "erpco.example.com", "aws_dns_zone_id of erpco-erp1 is 'erpco.example.com'"),
        ("aws_vpc_cidr", "8.8.0.0/16", "aws_vpc_cidr of erpco-erp1 is '8.8.0.0/16'"),
    ],
)
def test_bad_inputs_are_told_before_anything_changes(
    running: Installation, key: str, value: str, words: str
) -> None:
    """Each with its file, its line, and what to write instead; exit code 3."""
    file = running.aws_vars if key.startswith("aws_") else running.host_vars
    before = file.read_text()
    running.say(key, value, file)
    line = next(
        number for number, text in enumerate(file.read_text().splitlines(), 1) if text.startswith(f"{key}:")
    )
    try:
        with pytest.raises(InvalidInput) as refused:
            running.plan("bad")
    finally:
        file.write_text(before)
    (problem,) = [problem for problem in refused.value.problems if words in problem.message]
    assert problem.mend
    assert (problem.file, problem.line) in [(file, line), (running.folder / "bad" / "plan.json", 0)]
    assert running.calls() == []


def test_the_contracts_cap_and_orders_of_what_there_is_not(running: Installation) -> None:
    """The cap is the contract's; an order names a server and a specification that exist."""
    contract = running.customer_folder / "group_vars/all/contract.yml"
    before = contract.read_text()
    contract.write_text(
        before.replace("{customer: erpco", "{growth: {usd_per_month_cap: 150}, customer: erpco")
    )
    with pytest.raises(
        InvalidInput, match=r"rule `affordable`: the servers would cost 167.90 USD"
    ) as refused:
        running.plan("dear", "m6i.xlarge")
    assert "growth.usd_per_month_cap" in refused.value.problems[0].mend
    contract.write_text(before)
    with pytest.raises(UsageError, match=r"no specification `m6i\.huge`"):
        running.plan("unknown", "m6i.huge")
    with pytest.raises(UsageError, match="nothing is planned"):
        running.apply("never")
    assert running.calls() == []


def test_no_other_endpoint_than_loopback(running: Installation) -> None:
    """The stand-in refuses to look anywhere else, AWS above all."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", "https://ec2.eu-central-1.amazonaws.com")
        with pytest.raises(AmcError, match=r"talks only to AWS_ENDPOINT_URL=http://127\.0\.0\.1"):
            running.plan("away")


def test_by_hand_in_pulumi(running: Installation) -> None:
    """`pulumi preview --stack erpco` in pulumi/ finds state and plugins, and leaves nothing behind."""

    def changed() -> str:
        words = ["git", "status", "--porcelain", "--", "pulumi"]
        return subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout

    before = changed()
    done = subprocess.run(
        [REPOSITORY / "pulumi/engine/pulumi", "preview", "--stack", "erpco", "--non-interactive"],
        cwd=REPOSITORY / "pulumi",
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    (REPOSITORY / "pulumi" / "Pulumi.erpco.yaml").unlink(missing_ok=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unchanged" in done.stdout
    assert changed() == before
    assert Path(running.folder / "home/secrets/pulumi_passphrase").stat().st_mode & 0o777 == 0o600
