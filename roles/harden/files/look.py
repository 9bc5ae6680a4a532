"""What this server is and can, found by trying or reading. Changes nothing; prints one JSON document.

    look.py < {"sysctls": {key: value}, "services": [unit]}

Ansible hands this file to the server's Python with the wish as its argument, for a server that has nothing
of ours yet. The document:
    login            the user who logged in, before sudo
    engineers        members of the group engineers
    homes            people's home folders
    crontab_owners   users that have a crontab
    ssh              {ports, rsa_key_bits: 0 when there is none}
    sysctls_refused  {key: why} of those that can't be set here
    modules_refused, modules_without_effect, audit_refused, nft_refused   "" or why it can't be done here
    services         those of the wish that exist here
    ipv6_advertised  addresses or routes come from router advertisements
    listening        [{port, program}] open to other machines
    login_roles      PostgreSQL's login roles, [] without PostgreSQL
    failed_units     names
    warnings         what an engineer should look at, in words
"""

import grp
import json
import os
import pwd
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

CAP_SYS_MODULE = 16
NETLINK_AUDIT, AUDIT_GET = 9, 1000


def _output(*command: str) -> str:
    """What it prints; empty when it can't be run or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _why_not_set(key: str) -> str:
    """Why the key can't be set; tried by writing what it already is."""
    path = Path("/proc/sys") / key.replace(".", "/")
    if not path.exists():
        return "this kernel has no such setting"
    try:
        path.write_text(path.read_text())
    except OSError as problem:
        return f"refused: {problem.strerror}"
    return ""


def _modules() -> tuple[str, str]:
    """Why no file can be written for modprobe, and why one would have no effect here and now."""
    if not Path("/usr/sbin/modprobe").exists():
        return "no modprobe is installed: this server loads no modules", ""
    bounds = re.search(r"CapBnd:\s*(\w+)", Path("/proc/1/status").read_text())
    if bounds and not int(bounds[1], 16) >> CAP_SYS_MODULE & 1:
        return "", "this server may not load modules itself: its kernel is its host's"
    return "", ""


def _audit() -> str:
    """Ask the kernel for the state of its auditing, as auditd would."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT) as asked:
            asked.settimeout(2)
            asked.send(struct.pack("=IHHII", 16, AUDIT_GET, 5, 1, 0))
            kind, error = struct.unpack("=4xH10xi", asked.recv(8192)[:20])
    except OSError as problem:
        return f"the kernel's auditing can't be reached: {problem.strerror or problem}"
    if kind == 2 and error:  # NLMSG_ERROR
        return f"the kernel's auditing can't be reached: {os.strerror(-error)}"
    return ""


def _nft() -> str:
    try:
        rules = "add table inet amc_try\ndelete table inet amc_try\n"
        done = subprocess.run(
            ["/usr/sbin/nft", "-c", "-f", "-"], input=rules, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""  # not installed yet
    return done.stderr.strip() if done.returncode else ""


def _ssh() -> dict[str, Any]:
    settings = _output("/usr/sbin/sshd", "-T")
    key = _output("ssh-keygen", "-lf", "/etc/ssh/ssh_host_rsa_key.pub")
    return {
        "ports": [int(port) for port in re.findall(r"^port (\d+)$", settings, re.M)] or [22],
        "rsa_key_bits": int(key.split()[0]) if key else 0,
    }


def _listening() -> list[dict[str, Any]]:
    found = {}
    for line in _output("ss", "-Hltnp").splitlines():
        host, _, port = line.split()[3].rpartition(":")
        if not host.startswith("127.") and host not in ("[::1]", "::1"):
            program = re.search(r'\(\("([^"]+)"', line)
            found[int(port)] = program[1] if program else "a socket of systemd"
    return [{"port": port, "program": found[port]} for port in sorted(found)]


def _members(group: str) -> list[str]:
    try:
        return grp.getgrnam(group).gr_mem
    except KeyError:
        return []


def _login_roles() -> list[str]:
    query = "SELECT rolname FROM pg_roles WHERE rolcanlogin ORDER BY 1"
    return _output("runuser", "-u", "postgres", "--", "psql", "-XAtc", query).split()


def _warnings() -> list[str]:
    words = [
        f"{user.pw_name} is a second root (uid 0)"
        for user in pwd.getpwall()
        if user.pw_uid == 0 and user.pw_name != "root"
    ]
    for line in Path("/etc/shadow").read_text().splitlines():
        if line.split(":")[1] == "":
            words.append(f"{line.split(':')[0]} has an empty password")
    for name in ["/etc/apt/sources.list", *map(str, Path("/etc/apt").glob("sources.list.d/*"))]:
        text = Path(name).read_text(errors="replace") if Path(name).is_file() else ""
        if re.search(
            r"^[^#\n]*(trusted=yes|allow-insecure=yes|Trusted: yes|Allow-Insecure: yes)", text, re.M
        ):
            words.append(f"{name} takes packages without checking their signatures")
    superusers = "SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin AND rolname <> 'postgres'"
    for role in _output("runuser", "-u", "postgres", "--", "psql", "-XAtc", superusers).split():
        words.append(f"PostgreSQL's role {role} is a superuser")
    return words


def main() -> None:
    """See the module."""
    wish = json.loads(sys.argv[1])
    refused = {key: why for key in wish["sysctls"] if (why := _why_not_set(key))}
    modules = _modules()
    units = _output("systemctl", "list-unit-files", "--no-legend", "--plain", *wish["services"])
    found = {
        "login": os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name,
        "engineers": _members("engineers"),
        "homes": sorted({user.pw_dir for user in pwd.getpwall() if user.pw_dir.startswith("/home/")}),
        "crontab_owners": sorted(each.name for each in Path("/var/spool/cron").glob("crontabs/*")),
        "ssh": _ssh(),
        "sysctls_refused": refused,
        "modules_refused": modules[0],
        "modules_without_effect": modules[1],
        "audit_refused": _audit(),
        "nft_refused": _nft(),
        "services": [line.split()[0] for line in units.splitlines()] if wish["services"] else [],
        "ipv6_advertised": "proto ra" in _output("ip", "-6", "route")
        or "dynamic" in _output("ip", "-6", "addr"),
        "listening": _listening(),
        "login_roles": _login_roles(),
        "failed_units": [
            line.split()[0]
            for line in _output("systemctl", "--failed", "--plain", "--no-legend").splitlines()
        ],
        "warnings": _warnings(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
