"""How M EMS answers: its own check, several times.

    response.py --command CHECK --calls N [--limit SECONDS] [--within SECONDS] [--watch SECONDS]

Waits up to `--within` seconds for a first good answer, then calls N times, and on until `--watch` seconds are
over. Prints {"ok", "calls", "p50_ms", "p95_ms", "reason", "words"}: times of a whole check (login and query
over HTTPS), in milliseconds; `reason` of a failure is the check's own, `timeout` also for one that takes
longer than `--limit`. Only reads. Exit code 1 when a call failed.
"""

import argparse
import json
import subprocess
import sys
import time


def call(command: str, limit: float) -> tuple[float, str, str]:
    """One check: (milliseconds, the reason of its failure, in words); "" when all is well."""
    began = time.monotonic()
    try:
        done = subprocess.run([command], capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return 1000 * limit, "timeout", f"no answer within {limit:g} s"
    except OSError as error:
        return 0.0, "no_check", str(error)
    took = 1000 * (time.monotonic() - began)
    if done.returncode == 0:
        return took, "", ""
    words = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return took, reason_of(done.stdout), words


def reason_of(printed: str) -> str:
    """What a check names as the reason."""
    try:
        report = json.loads(printed)
    except ValueError:
        report = None
    return str(report.get("reason")) if isinstance(report, dict) else "no_report"


def measure(command: str, calls: int, limit: float, within: float, watch: float) -> dict[str, object]:
    """As this module says."""
    deadline = time.monotonic() + within
    _, reason, words = call(command, limit)
    while reason and time.monotonic() < deadline:
        time.sleep(1)
        _, reason, words = call(command, limit)
    times: list[float] = []
    end = time.monotonic() + watch
    while not reason and (len(times) < calls or time.monotonic() < end):
        milliseconds, reason, words = call(command, limit)
        times.append(milliseconds)
        time.sleep(0.1)
    times.sort()
    return {
        "ok": not reason,
        "calls": len(times),
        "p50_ms": round(percentile(times, 50), 1) if times else None,
        "p95_ms": round(percentile(times, 95), 1) if times else None,
        "reason": reason,
        "words": words,
    }


def percentile(ordered: list[float], share: int) -> float:
    """The nearest rank of an ordered, non-empty list."""
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def main() -> int:
    """Measure and print."""
    words = argparse.ArgumentParser()
    words.add_argument("--command", required=True)
    words.add_argument("--calls", type=int, required=True)
    words.add_argument("--limit", type=float, default=60)
    words.add_argument("--within", type=float, default=0)
    words.add_argument("--watch", type=float, default=0)
    asked = words.parse_args()
    answer = measure(asked.command, asked.calls, asked.limit, asked.within, asked.watch)
    print(json.dumps(answer))
    if not answer["ok"]:
        print(answer["words"], file=sys.stderr)
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
