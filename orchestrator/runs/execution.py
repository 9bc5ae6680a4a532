"""Execute one attempt of a run: `python -m orchestrator.runs.execution ATTEMPT_FOLDER`.

ansible-runner behind this one module, in a process of its own session, so that it outlives its worker. It
says who it is (process.json) before anything else, beats while it works, and writes result.json at the end:

    {"status": successful|failed|timeout|error, "rc": int|null, "words": str, "started": iso, "ended": iso,
     "servers": {name: {"ok": n, "changed": n, "failures": n, "unreachable": n}}}

What ansible-runner would leave behind (environment, whole results: they may hold secrets) is deleted.
"""

import os
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator import settings as settings_
from orchestrator.fleet.read import provider_folder
from orchestrator.runs import options, playbooks
from orchestrator.runs.attempts import RUN_LIMIT_SECONDS
from orchestrator.runs.events import Events
from orchestrator.runs.evidence import Attempt, Evidence, read_json, sha256, tree_hash, write_json
from orchestrator.runs.heartbeat import Heart
from orchestrator.runs.processes import Process


def main() -> None:
    """The process's life; whatever happens, it leaves a result."""
    os.umask(0o077)
    folder = Path(sys.argv[1]).absolute()
    attempt = Attempt(folder, int(folder.name.rpartition("-")[2]))
    write_json(attempt.process, Process.of(os.getpid()).as_json())
    started = datetime.now(UTC)
    with Heart(attempt.effort):
        try:
            result = execute(Evidence(folder.parent), attempt, settings_.read())
        except Exception as error:
            result = {
                "status": "error",
                "rc": None,
                "words": f"{type(error).__name__}: {error}",
                "servers": {},
            }
        finally:
            shutil.rmtree(attempt.runner, ignore_errors=True)
    times = {"started": started.isoformat(), "ended": datetime.now(UTC).isoformat()}
    write_json(attempt.result, result | times)


def execute(evidence: Evidence, attempt: Attempt, settings: settings_.Settings) -> dict[str, Any]:
    """Run the playbook of the ordered activity; returns the result without its times."""
    import ansible_runner  # process.json is written before anything slow

    order = read_json(evidence.order)
    repository, inventory = Path(order["repository"]), Path(order["inventory"])
    playbook = playbooks.path(repository, order["activity"])
    if not playbook.exists():
        return {"status": "error", "rc": None, "words": f"there is no {playbook}", "servers": {}}
    provider = provider_folder(inventory.parent)
    write_json(attempt.folder / "inputs.json", _inputs(repository, inventory, provider, playbook))
    settings.secrets_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    attempt.runner.mkdir(mode=0o700)
    with closing(Events(attempt.folder / "events.jsonl", attempt.log)) as events:
        runner = ansible_runner.run(
            private_data_dir=str(attempt.runner),
            project_dir=str(repository),
            playbook=str(playbook),
            inventory=[str(folder) for folder in (inventory, provider) if folder],
            limit=playbooks.limit(playbook, order["servers"]),
            cmdline="--check" if order["check"] else None,
            extravars=_variables(evidence, attempt, settings, order),
            # A run of a merged change has its commit's; what the playbook calls (resize) has to see them.
            envvars=environment(repository, settings)
            | {"AMC_REPOSITORY": str(repository), "AMC_INVENTORIES": str(inventory.parent)},
            settings={"suppress_output_file": True},
            suppress_env_files=True,
            quiet=True,
            timeout=RUN_LIMIT_SECONDS,
            event_handler=events.take,
            # Without one, ansible-runner replaces this process's signal handlers.
            cancel_callback=lambda: False,
        )
    return {
        "status": runner.status,
        "rc": runner.rc,
        "words": "; ".join(events.complaints),
        "servers": events.servers,
    }


def _variables(
    evidence: Evidence, attempt: Attempt, settings: settings_.Settings, order: dict[str, Any]
) -> dict[str, Any]:
    """What the playbook gets as extra variables."""
    return options.variables(order["activity"], order.get("options", {})) | {
        "amc_run_id": order["run"],
        "amc_run_attempt": attempt.number,
        "amc_evidence_dir": str(evidence.reports),
        "amc_secrets_dir": str(settings.secrets_dir),
        "amc_server_command": settings.server_command,
        "amc_plan_dir": str(evidence.plan),
        "amc_change_command": f"{sys.executable} -m orchestrator.sizing.change",
    }


def environment(repository: Path, settings: settings_.Settings) -> dict[str, str]:
    """What the playbook's process gets besides this one's environment."""
    found = {
        "AMC_SECRETS_DIR": str(settings.secrets_dir),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        # ansible-runner turns host key checking off unless it is set.
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        # The limit may name a group that the playbook is yet to make; a server that nothing was done on is
        # found at the end.
        "ANSIBLE_HOST_PATTERN_MISMATCH": "ignore",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    if (repository / "ansible.cfg").exists():
        found["ANSIBLE_CONFIG"] = str(repository / "ansible.cfg")
    if settings.ssh_config.exists():
        found["ANSIBLE_SSH_COMMON_ARGS"] = f"-F {settings.ssh_config}"
    return found


def _inputs(
    repository: Path, inventory: Path, provider: Path | None, playbook: Path
) -> dict[str, str | None]:
    """What was executed: the commit, and hashes that also tell of changes that are not committed."""
    return {
        "commit": _git(repository, "rev-parse", "HEAD"),
        "uncommitted": _git(repository, "status", "--porcelain"),
        "customer_folder_sha256": tree_hash(inventory),
        "provider_folder_sha256": tree_hash(provider) if provider else None,
        "playbook_sha256": sha256(playbook),
    }


def _git(repository: Path, *words: str) -> str:
    """Its answer, "" where there is no git or no checkout."""
    try:
        command = ["git", "-C", str(repository), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    main()
