"""How M EMS answers: its own check, several times.

    response.py --command CHECK --calls N [--within SECONDS] [--watch SECONDS]

Waits up to `--within` seconds for a first good answer, then calls N times, and on until `--watch` seconds are
over. Prints {"ok", "calls", "p50_ms", "p95_ms", "failed", "words"}: times of a whole check (login and query
over HTTPS), in milliseconds. Only reads. Exit code 1 when a call failed.
"""

import argparse
import json
import subprocess
import sys
import time

LIMIT_SECONDS = 60


def call(command: str) -> tuple[float, str]:
    """One check: (milliseconds, what it complains of)."""
    began = time.monotonic()
    try:
        done = subprocess.run([command], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1000 * (time.monotonic() - began), str(error)
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return 1000 * (time.monotonic() - began), "" if done.returncode == 0 else said


def measure(command: str, calls: int, within: float, watch: float) -> dict[str, object]:
    """As this module says."""
    deadline = time.monotonic() + within
    _, words = call(command)
    while words and time.monotonic() < deadline:
        time.sleep(1)
        _, words = call(command)
    times: list[float] = []
    complaints = [words] if words else []
    end = time.monotonic() + watch
    while not complaints and (len(times) < calls or time.monotonic() < end):
        milliseconds, words = call(command)
        times.append(milliseconds)
        complaints += [words] if words else []
        time.sleep(0.1)
    times.sort()
    return {
        "ok": not complaints,
        "calls": len(times),
        "p50_ms": round(percentile(times, 50), 1) if times else None,
        "p95_ms": round(percentile(times, 95), 1) if times else None,
        "failed": len(complaints),
        "words": "; ".join(complaints),
    }


def percentile(ordered: list[float], share: int) -> float:
    """The nearest rank of an ordered, non-empty list."""
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def main() -> int:
    """Measure and print."""
    words = argparse.ArgumentParser()
    words.add_argument("--command", required=True)
    words.add_argument("--calls", type=int, required=True)
    words.add_argument("--within", type=float, default=0)
    words.add_argument("--watch", type=float, default=0)
    asked = words.parse_args()
    answer = measure(asked.command, asked.calls, asked.within, asked.watch)
    print(json.dumps(answer))
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
