#!/usr/bin/python3 -BI
"""Asks M EMS's own check whether it works, as root; leaves the answer for the exporter, which is not root.

    check_now.py [--pause SECONDS]

Writes /run/amc-monitor/check.json: {"at", "ok", "reason", "seconds": {"login", "query", "total"},
"certificate_ends"}; times are seconds since 1970, `certificate_ends` is null where it can't be read. One that
failed is asked again after the pause: a restart is over by then, so `ok` false means that users see it.
"""

import argparse
import calendar
import json
import subprocess
import time
from pathlib import Path
from typing import Any

CHECK = "/usr/local/lib/mems/check"
DEADLINE = 20  # its own is 15 s
ANSWER = Path("/run/amc-monitor/check.json")
CERTIFICATE = Path("/etc/mems/tls/cert.pem")
NEITHER = {"version", "login", "logout"}  # steps that are no query


def ask() -> dict[str, Any]:
    """The check's own report; without one, a report that says so."""
    try:
        done = subprocess.run([CHECK], capture_output=True, text=True, timeout=DEADLINE, check=False)
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"ok": False, "reason": "timeout"}
    except (OSError, ValueError):
        return {"ok": False, "reason": "no_check"}
    return answer if isinstance(answer, dict) else {"ok": False, "reason": "no_check"}


def seconds(timings_ms: dict[str, float]) -> dict[str, float]:
    """How long the login, the queries and all steps took; a part that was not reached is left out."""
    parts: dict[str, float] = {}
    for step, took in timings_ms.items():
        part = "login" if step == "login" else "query" if step not in NEITHER else ""
        for each in filter(None, (part, "total")):
            parts[each] = parts.get(each, 0.0) + took / 1000
    return parts


def certificate_ends() -> int | None:
    """Of the certificate that users and the monitoring see."""
    command = ["openssl", "x509", "-noout", "-enddate", "-in", str(CERTIFICATE)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    try:
        return calendar.timegm(time.strptime(said, "notAfter=%b %d %H:%M:%S %Y GMT"))
    except ValueError:
        return None


def main() -> None:
    """Ask, ask again, write."""
    words = argparse.ArgumentParser()
    words.add_argument("--pause", type=float, default=10, help="seconds before a failed check is asked again")
    pause = words.parse_args().pause
    answer = ask()
    if not answer.get("ok"):
        time.sleep(pause)
        answer = ask()
    kept = {
        "at": time.time(),
        "ok": bool(answer.get("ok")),
        "reason": str(answer.get("reason", "")),
        "seconds": seconds(answer.get("timings_ms") or {}),
        "certificate_ends": certificate_ends(),
    }
    part = ANSWER.with_name("check.json.part")
    part.write_text(json.dumps(kept))
    part.chmod(0o644)
    part.replace(ANSWER)


if __name__ == "__main__":
    main()
