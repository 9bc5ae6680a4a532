"""Many customers in one house, and an activity that takes no time: for what is about the queue alone.

The activity is a real process that claims, beats and ends as a playbook's does, without Ansible in it: it
appends the run's id to `marks` and leaves a result. Everything else is the real thing.
"""

from datetime import UTC, datetime
from pathlib import Path

from orchestrator.contracts.read import read_customer
from orchestrator.runs import placing, worker
from orchestrator.runs.order import Order

from .conftest import House

FAST = """#!/bin/sh
# ATTEMPT_FOLDER is the last word. A mark is one write, so marks of many at once are whole.
for folder; do :; done
read -r stat </proc/$$/stat
set -- ${stat##*)}
printf '{"pid": %s, "started": %s}' $$ "${20}" >"$folder/.process"
mv "$folder/.process" "$folder/process.json"
echo "$AMC_RUN_ID $AMC_RUN_ATTEMPT" >>HOUSE/marks
[ ! -e HOUSE/slow ] || sleep "$(cat HOUSE/slow)"
before=$(date -u -d '-1 second' +%Y-%m-%dT%H:%M:%S+00:00)
now=$(date -u +%Y-%m-%dT%H:%M:%S+00:00)
printf '[["%s", "%s"]]' "$before" "$now" >"$folder/effort.json"
servers='"'"${AMC_RUN_ID%%-*}-erp1"'": {"ok": 1, "changed": 0, "failures": 0, "unreachable": 0}'
printf '{"status": "successful", "rc": 0, "words": "", "servers": {%s}, "started": "%s", "ended": "%s"}' \\
    "$servers" "$now" "$now" >"$folder/.result" && mv "$folder/.result" "$folder/result.json"
"""

FAST_WORKER = """
import sys
from orchestrator.cli import main
from orchestrator.runs import attempts
attempts.EXECUTION = ("{folder}/fast",)
sys.argv = ["amc", "worker", *{words}]
main.main()
"""


def settle_in(house: House, customers: int) -> list[str]:
    """So many customers with acme's contract and a server each; their names."""
    inventories = house.folder / "repository" / "inventories"
    place = Path("group_vars", "all", "contract.yml")
    contract = (inventories / "acme" / place).read_text()
    hosts = (inventories / "acme" / "hosts.yml").read_text()
    names = [f"customer{number}" for number in range(customers)]
    for name in names:
        (inventories / name / place).parent.mkdir(parents=True)
        (inventories / name / place).write_text(contract.replace("customer: acme", f"customer: {name}"))
        (inventories / name / "hosts.yml").write_text(hosts.replace("acme-erp1", f"{name}-erp1"))
    fast = house.folder / "fast"
    fast.write_text(FAST.replace("HOUSE", str(house.folder)))
    fast.chmod(0o700)
    return names


def order(house: House, customer: str, key: str, *, check: bool = False) -> str:
    """Order a patch for the customer's server; the run's id. A `check` is free."""
    contract = read_customer(house.settings.inventories, customer)
    asked = Order(customer, "patch", (f"{customer}-erp1",), "test", key, check)
    run, _ = placing.place(
        house.engine, house.settings, contract, asked, now=datetime.now(UTC), enqueue=worker.enqueue
    )
    return run.id


def fast_worker(house: House, *words: str) -> list[str]:
    """The words after `python` for a worker whose playbooks take no time."""
    return ["-c", FAST_WORKER.format(folder=house.folder, words=list(words))]
