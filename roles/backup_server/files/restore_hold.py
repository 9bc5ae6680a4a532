"""A recovery, the backup server's part around it. Run as root.

    restore_hold.py hold    --server S --run RUN      nothing is received, pulled or archived for S any more
    restore_hold.py resume  --server S --run RUN --from-timeline N --to-timeline M --branched LSN
                                                      it is again, on the new timeline; waits until it streams
    restore_hold.py release --server S --run RUN      it is again, as before: the recovery did not begin
    restore_hold.py protect --server S --run RUN      the base backup after it; until then S is "unprotected"

Only S is held: other servers' backups go on. Each verb can be asked again and prints one JSON document with
`changed` and `problems`; exit 0 good, 1 not.
"""

import argparse
import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pair as pairs
import wal

BARMAN_D = Path("/etc/barman.d")
STREAM_SECONDS = 60
PROTECT_SECONDS = 24 * 3600


def held_settings(pair: pairs.Pair) -> Path:
    """Barman reads it after the server's own settings, and then leaves the server alone."""
    return BARMAN_D / f"{pair.server}.held.conf"


def systemctl(*words: str) -> str:
    """What systemctl prints; Trouble when it fails."""
    return pairs.run(["/usr/bin/systemctl", *words], f"systemctl {' '.join(words)}", 120)


def as_barman(*command: str, seconds: float = 600) -> str:
    """What a command prints that the user barman runs."""
    return pairs.run(["/usr/sbin/runuser", "-u", "barman", "--", *command], command[0], seconds)


def keep(path: Path, document: object) -> None:
    """Write a file of barman's."""
    pairs.write_json(path, document)
    barman = pwd.getpwnam("barman")
    os.chown(path, barman.pw_uid, barman.pw_gid)


def append(path: Path, record: pairs.Record) -> None:
    """Add a line to a file of barman's."""
    pairs.append_line(path, record)
    barman = pwd.getpwnam("barman")
    os.chown(path, barman.pw_uid, barman.pw_gid)


def unprotected(pair: pairs.Pair, why: str) -> None:
    """Say so; since when is kept while it stays so."""
    there = pairs.read_json(pair.folder / "protection.json") or {}
    since = there["since"] if there.get("state") == "unprotected" else pairs.now()
    keep(pair.folder / "protection.json", {"state": "unprotected", "since": since, "why": why})


def hold(pair: pairs.Pair, asked: argparse.Namespace) -> pairs.Record:
    """See the module. What was received is archived before."""
    held = pairs.read_json(pair.folder / "held.json")
    changed = held is None or held["run"] != asked.run
    if held and changed:
        take_over(pair, held["run"])
        held = {**held, "run": asked.run}
        keep(pair.folder / "held.json", held)
    unprotected(pair, f"the recovery {asked.run} is under way")
    if held is None:
        listed = systemctl("list-units", "--plain", "--no-legend", "--state=active", f"*@{pair.server}.timer")
        timers = [line.split()[0] for line in listed.splitlines() if line.strip()]
        keep(pair.folder / "held.json", {"run": asked.run, "since": pairs.now(), "timers": timers})
    held = pairs.read_json(pair.folder / "held.json")
    # Their work of this moment ends too: it would read or write what is being recovered.
    services = [name.removesuffix(".timer") + ".service" for name in held["timers"]]
    systemctl("stop", *held["timers"], *services, f"barman-wal@{pair.server}.service")
    # The base backup after the last recovery would wait for WAL that never comes, and keep the next one out.
    for last in pairs.read_lines(pair.folder / "recoveries.jsonl")[-1:]:
        subprocess.run(
            ["/usr/bin/systemctl", "stop", f"amc-{last['run']}-recover-backup.service"],
            check=False,
            timeout=120,
        )
    if not held_settings(pair).exists():
        as_barman(pairs.BARMAN, "archive-wal", pair.server)
        held_settings(pair).write_text(f"[{pair.server}]\nactive = false\n")
    stop_receiving(pair)
    return {"changed": changed, "problems": []}


def take_over(pair: pairs.Pair, other: str) -> None:
    """Go on in the place of a recovery that failed or was given up. Trouble when it still works."""
    working = systemctl(
        "list-units", "--plain", "--no-legend", "--state=active,activating", f"amc-{other}-*.service"
    )
    if working.strip():
        raise pairs.Trouble(
            f"the recovery {other} of {pair.server} is at work ({working.split()[0]}): wait for it, "
            f"or stop that unit"
        )
    shutil.rmtree(pair.folder / "restore" / other, ignore_errors=True)


def stop_receiving(pair: pairs.Pair) -> None:
    """End a receive-wal that Barman's maintenance started."""
    command = [pairs.BARMAN, "-q", "receive-wal", "--stop", pair.server]
    subprocess.run(
        ["/usr/sbin/runuser", "-u", "barman", "--", *command], check=False, capture_output=True, cwd="/"
    )


def go_on(pair: pairs.Pair) -> None:
    """Receive, pull and archive again."""
    held = pairs.read_json(pair.folder / "held.json") or {"timers": []}
    held_settings(pair).unlink(missing_ok=True)
    systemctl("restart", f"barman-wal@{pair.server}.service")
    if held["timers"]:
        systemctl("start", *held["timers"])
    (pair.folder / "held.json").unlink(missing_ok=True)


def set_ends_aside(pair: pairs.Pair) -> None:
    """Keep the newest WAL of the timeline that is left: Barman would stumble over it."""
    ends = pair.folder / "ends"
    barman = pwd.getpwnam("barman")
    ends.mkdir(mode=0o700, exist_ok=True)
    os.chown(ends, barman.pw_uid, barman.pw_gid)
    for path in (pair.catalogue / "streaming").iterdir():
        shutil.move(path, ends / path.name)


def resume(pair: pairs.Pair, asked: argparse.Namespace) -> pairs.Record:
    """See the module."""
    known = pairs.read_lines(pair.folder / "recoveries.jsonl")
    if any(each["run"] == asked.run for each in known) and not (pair.folder / "held.json").exists():
        return {"changed": False, "problems": [], "streaming": wait_for_stream(pair, asked.to_timeline)}
    if not any(each["run"] == asked.run for each in known):
        set_ends_aside(pair)
        # The timeline that is left must end in the records before anything of the new one can come in.
        left = asked.from_timeline or (known[-1]["to_timeline"] if known else 1)
        record = {"at": asked.at or pairs.now(), "run": asked.run, "from_timeline": left}
        append(
            pair.folder / "recoveries.jsonl",
            {**record, "to_timeline": asked.to_timeline, "target": asked.target},
        )
    unprotected(pair, f"no base backup yet since the recovery {asked.run}")
    go_on(pair)
    streaming = wait_for_stream(pair, asked.to_timeline)
    problems = [] if not asked.branched else gap_after(pair, asked.to_timeline, wal.position(asked.branched))
    return {"changed": True, "problems": problems, "streaming": streaming}


def wait_for_stream(pair: pairs.Pair, timeline: int) -> bool:
    """Wait until changes of this timeline are received. Trouble when they are not in time."""
    until = time.monotonic() + STREAM_SECONDS
    folder = pair.catalogue / "streaming"
    while time.monotonic() < until:
        if any(path.name.startswith(f"{timeline:08X}") for path in folder.glob("*.partial")):
            return True
        time.sleep(0.1)
    log = pairs.run(
        ["/usr/bin/journalctl", "-u", f"barman-wal@{pair.server}", "-n", "5", "-o", "cat"], "journalctl", 20
    )
    what = f"nothing of timeline {timeline} of {pair.server} was received within {STREAM_SECONDS} s"
    raise pairs.Trouble(f"{what}: {log.strip()}")


def gap_after(pair: pairs.Pair, timeline: int, branched: int) -> list[str]:
    """Whether the new timeline was received from its first segment on, in words; empty when it was."""
    names = [path.name.removesuffix(".partial") for path in (pair.catalogue / "streaming").iterdir()]
    names += [path.name for path in (pair.catalogue / "wals").glob("*/*")]
    numbers = [
        wal.parse(name).number
        for name in names
        if wal.SEGMENT.fullmatch(name) and wal.parse(name).timeline == timeline
    ]
    if numbers and min(numbers) <= branched // wal.SEGMENT_BYTES:
        return []
    return [f"the beginning of timeline {timeline} of {pair.server} was not received"]


def release(pair: pairs.Pair, asked: argparse.Namespace) -> pairs.Record:
    """See the module."""
    held = pairs.read_json(pair.folder / "held.json")
    if held is None or held["run"] != asked.run:
        return {"changed": False, "problems": []}
    go_on(pair)
    unprotected(pair, f"the recovery {asked.run} was given up, and no backup was made since")
    return {"changed": True, "problems": []}


def protect(pair: pairs.Pair, asked: argparse.Namespace) -> pairs.Record:
    """See the module. A failure stays said, until any later backup is whole."""
    program = [sys.executable, "-B", str(pairs.PROGRAMS / "backup.py")]
    done = subprocess.run(
        [*program, "--server", pair.server, "--run", asked.run],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=PROTECT_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        said = " / ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        unprotected(pair, f"the base backup after the recovery {asked.run} failed: {said}")
        raise pairs.Trouble(f"the base backup after the recovery failed: {said}")
    keep(pair.folder / "protection.json", {"state": "protected", "since": pairs.now(), "why": ""})
    return {"changed": True, "problems": []}


def main() -> int:
    """The command line."""
    words = argparse.ArgumentParser()
    words.add_argument("verb", choices=["hold", "resume", "release", "protect"])
    words.add_argument("--server", required=True)
    words.add_argument("--run", required=True)
    words.add_argument("--from-timeline", type=int, default=0)
    words.add_argument("--to-timeline", type=int, default=0)
    words.add_argument("--branched", default="", help="LSN at which the new timeline begins")
    words.add_argument("--at", default="", help="when it began, ISO 8601")
    words.add_argument("--target", default="latest")
    asked = words.parse_args()
    verbs = {"hold": hold, "resume": resume, "release": release, "protect": protect}
    try:
        answer = verbs[asked.verb](pairs.read(asked.server), asked)
    except pairs.Trouble as trouble:
        answer = {"changed": False, "problems": [str(trouble)]}
    if "AMC_OUTCOME" in os.environ:
        Path(os.environ["AMC_OUTCOME"]).write_text(json.dumps(answer))
    print(json.dumps(answer))
    return 1 if answer["problems"] and not answer.get("streaming") else 0


if __name__ == "__main__":
    sys.exit(main())
