"""The gate: every playbook of this folder asks `amc` before its first play. docs/by-hand.md tells the rules.

A callback: a gate written as a play is skipped by -l, -t, --skip-tags and --start-at-task. And Ansible only
warns of an exception in a callback, so whatever goes wrong here ends the process: nothing passes by a fault.
It guards colleagues from mistakes, not against somebody with SSH keys who wants to pass.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.callback import CallbackBase

PLAYBOOKS = Path(__file__).absolute().parents[1]
REPOSITORY = PLAYBOOKS.parent
CONTRACT = Path("group_vars", "all", "contract.yml")
PROVIDER = "provider"
MAINTAINED = "mems"
THROWAWAY = "amc_throwaway"
SETTLES_WITHIN_SECONDS = 20
USAGE, INVALID = 2, 3  # exit codes, see orchestrator/errors.py


class Refused(Exception):
    """The words and the exit code of a refusal of the gate's own."""

    def __init__(self, words, mend, exit_code=INVALID):
        super().__init__(f"{words}\n  mend: {mend}")
        self.exit_code = exit_code


class CallbackModule(CallbackBase):
    """Asks once, at the first play; tells the keeper (`amc gate`) how it ended."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "amc"

    def __init__(self):
        super().__init__()
        self.playbook = None
        self.asked = False
        self.keeper = None
        self.complaints = []

    def v2_playbook_on_start(self, playbook):
        """Ansible has read it; nothing has begun."""
        self.playbook = playbook

    def v2_playbook_on_play_start(self, play):
        """Pass, or end the process with the refusal's exit code."""
        if self.asked:
            return
        self.asked = True
        os.environ.pop("AMC_GATE_RUN", None)
        try:
            self._pass(play)
        except Refused as refused:
            _refuse(str(refused), refused.exit_code)
        except Exception as error:
            _refuse(f"the gate failed, so nothing passes: {type(error).__name__}: {error}", 1)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """A task failed."""
        if not ignore_errors:
            self._complain(result)

    def v2_runner_on_unreachable(self, result):
        """A server can't be reached."""
        self._complain(result)

    def v2_playbook_on_stats(self, stats):
        """The playbook ended by itself. It does not come here after a signal: the keeper sees that."""
        if self.keeper is None:
            return
        counts = {
            host: {
                "ok": one["ok"],
                "changed": one["changed"],
                "failures": one["failures"],
                "unreachable": one["unreachable"],
            }
            for host in stats.processed
            for one in [stats.summarize(host)]
        }
        bad = any(one["failures"] or one["unreachable"] for one in counts.values())
        said = {"status": "failed" if bad else "successful", "servers": counts, "complaints": self.complaints}
        keeper, self.keeper = self.keeper, None
        try:
            out, _ = keeper.communicate(json.dumps(said) + "\n", timeout=SETTLES_WITHIN_SECONDS)
            settled = json.loads(out)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            _say("the run is not settled yet; the orchestrator does it at the last heartbeat")
            return
        if "refused" in settled:
            _say(f"the run could not be settled: {settled['refused']}")
            return
        charged = settled.get("charged_seconds")
        words = f": {settled['words']}" if settled["words"] else ""
        price = "" if charged is None else f", charged {charged // 3600}:{charged // 60 % 60:02d}"
        _say(f"{settled['run']}: {settled['state']}{words}{price}")

    def _complain(self, result):
        words = str(result.result.get("msg", ""))[:300]
        self.complaints.append(f"{result.host.get_name()}: {result.task.get_name()}: {words}")

    def _pass(self, play):
        if context.CLIARGS.get("check"):
            return  # changes nothing, costs nothing
        if len(context.CLIARGS["args"]) > 1:
            raise Refused(
                "one command, one playbook: each is an order of its own", "one after the other", USAGE
            )
        variables = play.get_variable_manager()
        inventory = variables._inventory
        activity, hosts = _activity(self.playbook), _reached(self.playbook, inventory)
        customer = _customer(inventory)
        if customer is not None:
            marked = [host.name for host in hosts if THROWAWAY in variables.get_vars(play=play, host=host)]
            if marked:
                raise Refused(
                    f"{', '.join(marked)} belongs to {customer}, and is no throw-away server",
                    f"leave {THROWAWAY} out",
                )
        if "AMC_RUN_ID" in os.environ:
            _require_orchestrator(activity, customer)
            return
        if customer is None:
            _require_nobodys(hosts, inventory, lambda host: variables.get_vars(play=play, host=host))
            return
        own = [host.name for host in hosts if not _is_providers(host)]
        if not own:
            raise Refused(
                f"no server of {customer} is reached: it is limited away, or not there",
                f"the provider's own servers, of nobody's account: -i inventories/{PROVIDER} alone",
                USAGE,
            )
        self._ask(customer, activity, own, variables.extra_vars)

    def _ask(self, customer, activity, servers, extra):
        words = [*_amc(), "gate", "--customer", customer, "--activity", activity]
        words += [word for name in servers for word in ("--server", name)]
        if extra.get("amc_now"):
            words += ["--why-now", str(extra["amc_now"])]
        for name, value in extra.items():
            if name.startswith(f"{activity}_") and isinstance(value, str) and value:
                words += ["--option", f"{name.removeprefix(f'{activity}_')}={value}"]
        # A session of its own: Ctrl-C is for Ansible, and the keeper settles after it.
        self.keeper = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=2,  # Ansible has made it close on exec
            text=True,
            start_new_session=True,
        )
        try:
            said = json.loads(self.keeper.stdout.readline())
        except ValueError:
            code = self.keeper.wait()
            raise Refused("`amc gate` gave no answer", "see what it says above", code or 1) from None
        if "refused" in said:
            _refuse(said["refused"], said["exit_code"])
        _say(said["words"])
        os.environ["AMC_GATE_RUN"] = said["run"]
        extra.update(amc_run_id=said["run"], amc_run_attempt=1, amc_evidence_dir=said["evidence"])


def _activity(playbook):
    """The name of the playbook of ours whose plays these are; other playbooks may import one of them."""
    files = {Path(play.get_path().rpartition(":")[0]) for play in playbook.get_plays()}
    ours = {file.stem for file in files if file.parent.resolve() == PLAYBOOKS.resolve()}
    if len(ours) != 1:
        raise Refused(f"several playbooks in one: {', '.join(sorted(ours))}", "one after the other", USAGE)
    return ours.pop()


def _reached(playbook, inventory):
    """Every host that a play can reach under -l; a pattern that is a template may be any host."""
    found = {}
    for play in playbook.get_plays():
        words = play.hosts if isinstance(play.hosts, list) else [play.hosts]
        pattern = ["all"] if any("{{" in str(word) for word in words) else play.hosts
        for host in inventory.get_hosts(pattern, ignore_restrictions=True):
            if host.name not in ("localhost", "127.0.0.1"):
                found[host.name] = host
    return list(found.values())


def _sources(inventory):
    """The folders of the inventories given with -i."""
    paths = [Path(source).absolute() for source in inventory._sources if "," not in source]
    return [path if path.is_dir() else path.parent for path in paths]


def _customer(inventory):
    """The one customer whose folder is given; None when none of them has a contract."""
    found = sorted({folder.name for folder in _sources(inventory) if (folder / CONTRACT).exists()})
    if len(found) > 1:
        raise Refused(
            f"inventories of {' and '.join(found)} together: the last one's contract would be everybody's",
            "one customer a command",
        )
    return found[0] if found else None


def _is_providers(host):
    return Path(str(host.vars.get("inventory_dir"))).name == PROVIDER


def _require_nobodys(hosts, inventory, variables_of):
    """Without a contract pass: what customers share, and servers that are marked as thrown away."""
    names = [host.name for host in hosts]
    if not names:
        raise Refused("no server is reached", "-i inventories/<customer> -i inventories/provider", USAGE)
    owners = _owners()
    if known := sorted({owners[name] for name in names if name in owners}):
        raise Refused(
            f"{', '.join(names)}: of {', '.join(known)}, and no contract is given",
            f"-i inventories/{known[0]} -i inventories/{PROVIDER}",
        )
    if all(_is_providers(host) for host in hosts) and len(_sources(inventory)) == 1:
        _say(f"{', '.join(names)}: the provider's own, in nobody's account")
        return
    unmarked = [host.name for host in hosts if variables_of(host).get(THROWAWAY) is not True]
    if unmarked:
        raise Refused(
            f"{', '.join(unmarked)}: whose? There is no contract in these inventories",
            f"-i inventories/<customer>; of a test: {THROWAWAY}: true in its inventory",
        )
    _say(f"{', '.join(names)}: thrown away after use, in nobody's account")


def _owners():
    """Server -> folder, of every customer known here."""
    places = {
        REPOSITORY / "inventories",
        Path(os.environ.get("AMC_INVENTORIES") or REPOSITORY / "inventories"),
    }
    found = {}
    for file in (file for place in places for file in place.glob("*/hosts.yml")):
        if file.parent.name != PROVIDER and (file.parent / CONTRACT).exists():
            for host in InventoryManager(loader=DataLoader(), sources=[str(file)]).get_hosts():
                found[host.name] = file.parent.name
    return found


def _require_orchestrator(activity, customer):
    """The process that executes the run is an ancestor of this one; the variable alone can be anybody's."""
    run = os.environ["AMC_RUN_ID"]
    for pid in _ancestors():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        if "orchestrator.runs.execution" not in words:
            continue
        attempt = Path(words[words.index("orchestrator.runs.execution") + 1])
        order = json.loads((attempt.parent / "order.json").read_text())
        process = json.loads((attempt / "process.json").read_text())
        own = process["pid"] == pid and not (attempt / "result.json").exists()
        if own and (order["run"], order["activity"], order["customer"]) == (run, activity, customer):
            return
    raise Refused(f"AMC_RUN_ID says {run}, and no such run executes this", "unset AMC_RUN_ID")


def _ancestors():
    pid = os.getppid()
    while pid > 1:
        yield pid
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _amc():
    """This installation's own command, whatever PATH says; PATH where Ansible was installed apart."""
    for path in (Path(sys.executable).parent / "amc", REPOSITORY / ".venv" / "bin" / "amc"):
        if path.exists():
            return [str(path)]
    if found := shutil.which("amc"):
        return [found]
    raise Refused("there is no `amc` to ask", "scripts/install")


def _refuse(words, exit_code):
    """The reason on stderr and, where asked for, in a file: Ansible's own exit codes mean other things."""
    _say(words)
    if file := os.environ.get("AMC_GATE_REASON_FILE"):
        Path(file).write_text(json.dumps({"exit_code": exit_code, "words": words}) + "\n")
    raise SystemExit(exit_code)


def _say(words):
    print(f"amc: {words}", file=sys.stderr, flush=True)
