"""The one place for settings: environment variables, each with a default that works.

AMC_HOME          what this installation keeps (database, evidence, secrets, lab)  ~/.local/share/amc
AMC_CACHE         what can be made again (base images, wheels, layers)             ~/.cache/amc
AMC_DATABASE_URL  the database                                                     sqlite:///$AMC_HOME/amc.db
AMC_REPOSITORY    the checkout with inventories/, playbooks/ and roles/            where this code stands
AMC_INVENTORIES   one folder per customer                                          $AMC_REPOSITORY/inventories
AMC_SECRETS_DIR   generated secrets, mode 0700                                     $AMC_HOME/secrets
AMC_RUNS_DIR      evidence, a folder a run; all workers of a machine share it      $AMC_HOME/runs
AMC_SSH_CONFIG    the ssh_config that resolves the servers' names                  $AMC_HOME/lab/ssh_config
AMC_PULUMI        the engine, see scripts/pulumi                     $AMC_CACHE/pulumi/3.259.0/bin/pulumi
AMC_PULUMI_BACKEND  where the state of the servers lies    file://$AMC_HOME/pulumi
AMC_SERVER_COMMAND  `… up --server X` makes a server, `… destroy X` ends it   this installation's `amc lab`
AMC_URL           work by hand asks this orchestrator, https://… of an `amc serve`   none: this installation
AMC_TOKEN_FILE    the file with the token that it asks with, mode 0600                               none
AMC_CA            the CA file that signs the orchestrator's certificate              the system's CAs
AMC_PROMETHEUS_URL  https://… of the Prometheus that keeps the servers' load              none: no sizing
AMC_PROMETHEUS_CA   the CA file that signs its certificate                                the system's CAs
AMC_PROMETHEUS_USER, AMC_PROMETHEUS_PASSWORD_FILE  its user and password; a file alone holds a bearer token
AMC_NOTIFY_FILE   who is told of what, see docs/notifications.md                         none: nobody is told
AMC_PING_URL      the address of a dead-man's switch that the worker pings                               none
AMC_METRICS_PORT  where on 127.0.0.1 the worker offers its figures, /metrics                             none

AMC_DATABASE_URL_FILE and AMC_PING_URL_FILE name a file that holds the address instead: no secret is in the
environment then.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InvalidInput, Problem

# Pinned together with the SDK in pyproject.toml; scripts/pulumi brings this one.
PULUMI_VERSION = "3.259.0"


@dataclass(frozen=True)
class Settings:
    """Absolute paths and addresses; nothing here is created by reading it."""

    home: Path
    cache: Path
    database_url: str
    repository: Path
    inventories: Path
    secrets_dir: Path
    ssh_config: Path
    server_command: str
    pulumi: Path
    pulumi_backend: str
    own_runs_dir: Path | None = None
    prometheus_url: str = ""
    prometheus_ca: Path | None = None
    prometheus_user: str = ""
    prometheus_password_file: Path | None = None
    url: str = ""
    token_file: Path | None = None
    ca: Path | None = None
    notify_file: Path | None = None
    ping_url: str = ""
    metrics_port: int = 0

    @property
    def runs_dir(self) -> Path:
        """Evidence: one folder per run."""
        return self.own_runs_dir or self.home / "runs"

    @property
    def pulumi_dir(self) -> Path:
        """The engine's own files: state (unless it lies elsewhere), plugins, workspaces."""
        return self.home / "pulumi"

    @property
    def lab_home(self) -> Path:
        """The local lab of this installation."""
        return self.home / "lab"


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment; an empty variable counts as unset.

    InvalidInput: a *_FILE can't be read, or a port is none.
    """

    def path(name: str, default: Path) -> Path:
        return Path(environment.get(name) or default).expanduser().absolute()

    def file(name: str) -> Path | None:
        return path(name, Path()) if environment.get(name) else None

    home = path("AMC_HOME", Path("~/.local/share/amc"))
    cache = path("AMC_CACHE", Path("~/.cache/amc"))
    repository = path("AMC_REPOSITORY", Path(__file__).parent.parent)
    return Settings(
        home=home,
        cache=cache,
        database_url=_kept(environment, "AMC_DATABASE_URL") or f"sqlite:///{home / 'amc.db'}",
        repository=repository,
        inventories=path("AMC_INVENTORIES", repository / "inventories"),
        secrets_dir=path("AMC_SECRETS_DIR", home / "secrets"),
        ssh_config=path("AMC_SSH_CONFIG", home / "lab" / "ssh_config"),
        server_command=environment.get("AMC_SERVER_COMMAND") or _own_lab(),
        pulumi=path("AMC_PULUMI", cache / "pulumi" / PULUMI_VERSION / "bin" / "pulumi"),
        pulumi_backend=environment.get("AMC_PULUMI_BACKEND") or f"file://{home / 'pulumi'}",
        own_runs_dir=file("AMC_RUNS_DIR"),
        prometheus_url=environment.get("AMC_PROMETHEUS_URL", ""),
        prometheus_ca=file("AMC_PROMETHEUS_CA"),
        prometheus_user=environment.get("AMC_PROMETHEUS_USER", ""),
        prometheus_password_file=file("AMC_PROMETHEUS_PASSWORD_FILE"),
        url=environment.get("AMC_URL", ""),
        token_file=file("AMC_TOKEN_FILE"),
        ca=file("AMC_CA"),
        notify_file=file("AMC_NOTIFY_FILE"),
        ping_url=_kept(environment, "AMC_PING_URL"),
        metrics_port=_port(environment, "AMC_METRICS_PORT"),
    )


def _kept(environment: Mapping[str, str], name: str) -> str:
    """The variable, or the one line of the file that `<name>_FILE` names."""
    file = environment.get(f"{name}_FILE")
    if environment.get(name) or not file:
        return environment.get(name, "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "no text in UTF-8"
        raise InvalidInput(
            [Problem(Path(file), 0, f"cannot be read: {words}", f"{name}_FILE names this file")]
        ) from None


def _port(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name) or "0"
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise InvalidInput([Problem(Path(name), 0, f"{text!r} is no port", "give a number below 65536")])
    return int(text)


def _own_lab() -> str:
    """The lab of the installation that this interpreter belongs to, whatever PATH says."""
    return shlex.join([str(Path(sys.executable).parent / "amc"), "lab"])
