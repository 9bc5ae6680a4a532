"""What has to happen so that changed files take effect, and so that files brought back do.

Which files belong to which topic is told by their paths, whoever put them: our own, or the customer's
additional ones. Checks come before any service is told; a check that fails says why in words.
"""

import re
import subprocess
import time
from pathlib import Path
from typing import Any

COMMAND_SECONDS = 60
SETTLE_SECONDS = 15
"""For a service that was told something to be active again."""

TOPICS = {
    "units": r"/etc/systemd/system/",
    "firewall": r"/etc/nftables",
    "sudo": r"/etc/sudoers",
    "ssh": r"/etc/ssh/(sshd_config|moduli|ssh_host)",
    "sysctl": r"/etc/sysctl\.d/",
    "journal": r"/etc/systemd/journald\.conf",
    "audit": r"/etc/audit/rules\.d/",
    "nginx": r"/etc/nginx/",
    "postgresql": r"/etc/postgresql/",
    "application": r"/etc/systemd/system/mems@|/etc/postgresql/",
}
"""In the order in which they are told: what logins hang on comes first, so an undo opens the door first.

The application is restarted once, last, for PostgreSQL's rules too: its open connections would hide that it
may open no more.
"""

PASSING = re.compile(
    r"^(amc-|user@|user-runtime-dir@|session-|systemd-(tmpfiles|fsck|update)|apt-daily|dpkg-)"
)
"""Services that come and go by themselves."""

SQL_ERRORS = (
    "SELECT error || ' in ' || sourcefile FROM pg_file_settings"
    " WHERE error IS NOT NULL AND error <> 'setting could not be applied'"
    " UNION ALL SELECT 'pg_hba.conf, line ' || line_number || ': ' || error FROM pg_hba_file_rules"
    " WHERE error IS NOT NULL"
)

Before = dict[str, Any]


def run(*command: str, words: str = "") -> str:
    """What went wrong with the command in words; empty when it ended well."""
    try:
        done = subprocess.run(
            command, input=words, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"{' '.join(command)}: {problem}"
    if done.returncode == 0:
        return ""
    said = " / ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-4:])
    return f"{' '.join(command)}: {said or f'ended with {done.returncode}'}"


def output(*command: str) -> str:
    """What it prints; empty when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def topics(paths: list[str]) -> list[str]:
    """Those that the paths belong to, in order."""
    return [name for name, pattern in TOPICS.items() if any(re.match(pattern, path) for path in paths)]


def active(kinds: str = "service") -> set[str]:
    """Services that run, without those that come and go."""
    listed = output("systemctl", "list-units", f"--type={kinds}", "--state=active", "--plain", "--no-legend")
    names = {line.split()[0] for line in listed.splitlines() if line.strip()}
    return {name for name in names if not PASSING.match(name)}


def failed() -> list[str]:
    """Failed units."""
    listed = output("systemctl", "--failed", "--plain", "--no-legend")
    return [line.split()[0] for line in listed.splitlines() if line.strip()]


def before(contents: dict[str, str]) -> Before:
    """What runs and what the kernel has now, before the paths change; `contents`: path -> its new text."""
    keys: dict[str, str] = {}
    for path, text in contents.items():
        if re.match(TOPICS["sysctl"], path):
            keys |= {each: Path(each).read_text().strip() for each in _sysctls(text)}
    ruleset = output("nft", "-s", "list", "ruleset")
    return {"services": sorted(active()), "failed": failed(), "sysctls": keys, "ruleset": ruleset}


def _sysctls(text: str) -> dict[str, str]:
    """File below /proc/sys -> value, from the text of a sysctl.d file. A line without `*` wins."""
    found: dict[str, str] = {}
    named = set()
    for line in text.splitlines():
        key, equals, value = line.strip().lstrip("-").partition("=")
        if not equals or line.lstrip().startswith(("#", ";")):
            continue
        pattern = key.strip().replace(".", "/")
        for path in map(str, Path("/proc/sys").glob(pattern)):
            if "*" not in pattern:
                named.add(path)
            if "*" not in pattern or path not in named:
                found[path] = value.strip()
    return found


def units_of(paths: list[str]) -> list[str]:
    """Units whose files are among the paths, without templates: of these only the application's are ours."""
    pattern = r"/etc/systemd/system/([^/@]+\.(?:service|socket|timer))(\.d/|$)"
    return sorted({match[1] for path in paths if (match := re.match(pattern, path))})


def instances() -> list[str]:
    """The application's instances that run."""
    return sorted(unit for unit in active() if unit.startswith("mems@"))


def clusters(paths: list[str]) -> list[str]:
    """PostgreSQL's units whose settings are among the paths."""
    found = {re.match(r"/etc/postgresql/(\d+)/([^/]+)/", path) for path in paths}
    return sorted(f"postgresql@{match[1]}-{match[2]}.service" for match in found if match)


def check(paths: list[str]) -> str:
    """Ask each topic's own program whether it can live with its files as they are now on disk."""
    problems = []
    for topic in topics(paths):
        if topic == "firewall":
            problems.append(run("nft", "-c", "-f", "/etc/nftables.conf"))
        elif topic == "sudo":
            problems.append(run("visudo", "-c"))
        elif topic == "ssh":
            problems.append(run("/usr/sbin/sshd", "-t"))
        elif topic == "nginx":
            problems.append(run("nginx", "-t", "-q"))
        elif topic == "postgresql":
            problems.append(output("runuser", "-u", "postgres", "--", "psql", "-XAtc", SQL_ERRORS).strip())
    return "; ".join(problem for problem in problems if problem)


def tell(paths: list[str], was: Before, undo: bool = False) -> str:
    """Let what the paths belong to take effect. An undo stops at no problem, and starts what is down."""
    problems = []
    for topic in topics(paths):
        problem = _tell(topic, paths, was, undo)
        if problem:
            problems.append(problem)
            if not undo:
                break
    return "; ".join(problems)


def _tell(topic: str, paths: list[str], was: Before, undo: bool) -> str:
    how = "reload-or-restart" if undo else "reload"
    simple = {
        "ssh": ["systemctl", how, "ssh.service"],
        "nginx": ["systemctl", how, "nginx.service"],
        "journal": ["systemctl", "restart", "systemd-journald.service"],
        "audit": ["sh", "-c", "! systemctl -q is-active auditd || augenrules --load"],
    }
    said = ""
    if topic in simple:
        said = run(*simple[topic])
    elif topic == "units":
        said = run("systemctl", "daemon-reload") or _restart(units_of(paths), undo)
    elif topic == "firewall" and undo:
        said = run("nft", "-f", "-", words=f"flush ruleset\n{was['ruleset']}")
    elif topic == "firewall":
        said = run("nft", "-f", "/etc/nftables.conf")
    elif topic == "sysctl":
        said = _set(was["sysctls"] if undo else _all_sysctls(paths))
    elif topic == "postgresql":
        said = "; ".join(filter(None, (run("systemctl", how, unit) for unit in clusters(paths))))
    elif topic == "application":
        said = _restart(instances(), undo)
    return said


def _all_sysctls(paths: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        if re.match(TOPICS["sysctl"], path) and Path(path).exists():
            found |= _sysctls(Path(path).read_text())
    return found


def _set(values: dict[str, str]) -> str:
    problems = []
    for path, value in values.items():
        try:
            if Path(path).read_text().strip() != value:
                Path(path).write_text(value)
        except OSError as problem:
            problems.append(f"{path}: {problem.strerror}")
    return "; ".join(problems)


def _restart(units: list[str], undo: bool) -> str:
    problems = []
    for unit in units:
        if undo:
            run("systemctl", "reset-failed", unit)
        problems.append(run("systemctl", "try-restart", unit))
    return "; ".join(problem for problem in problems if problem)


def damage(was: Before, stopped: set[str]) -> str:
    """What ran before and does not any more, or failed since, in words; `stopped` were meant to."""
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        gone = sorted(set(was["services"]) - active() - stopped)
        new = sorted(set(failed()) - set(was["failed"]))
        if not gone and not new:
            return ""
        if time.monotonic() > until:
            return "; ".join(
                [f"{unit} does not run any more" for unit in gone if unit not in new]
                + [f"{unit} failed" for unit in new]
            )
        time.sleep(0.3)


def start_again(was: Before) -> str:
    """Start what ran before and does not run now; forget failures that were not there before."""
    problems = []
    for unit in sorted(set(was["services"]) - active()):
        run("systemctl", "reset-failed", unit)
        problems.append(run("systemctl", "start", unit))
    for unit in set(failed()) - set(was["failed"]):
        run("systemctl", "reset-failed", unit)
    return "; ".join(problem for problem in problems if problem)
