"""How long a recovery takes, beside plain rsync of the same bytes and beside pg_dump/pg_restore, in one run.

    python bench/recovery.py [--mb 1000] [--home FOLDER]

A pair in a lab, its database filled to --mb megabytes of rows that don't compress, one base backup. Then
    rsync       the base backup's files from the backup server to the M EMS server over SSH, one process
    dump        pg_dump -Fd -j2 and pg_restore -j2 of the same database on the M EMS server
    recovery    PostgreSQL killed, its files removed, playbooks/recover.yml: from the run's begin until M EMS
                answers
Aim: at most twice rsync and 6 s.
"""

import argparse
import re
import signal
import sys
import tempfile
from pathlib import Path

from lab import Lab
from orchestrator import settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/servers/protection"))

from backed_up import BACKUP, CATALOGUE, MEMS
from recovering import Recovered

ROW_BYTES = 2000
FILL = """
CREATE TABLE amc_ballast (id bigint PRIMARY KEY, body text);
ALTER TABLE amc_ballast ALTER body SET STORAGE EXTERNAL;
INSERT INTO amc_ballast SELECT n, (SELECT string_agg(md5(n::text || i), '') FROM generate_series(1, 60) i)
FROM generate_series(1, {rows}) n;
"""


def timed(server: Recovered, name: str, script: str) -> float:
    """Seconds that a script of root's takes there, by its own clock."""
    clock = "date +%s%N"
    printed = server.root(
        name, f"began=$({clock})\n{script}\necho seconds $((($({clock}) - began) / 1000000))", 3600
    )
    return int(printed.rsplit("seconds ", 1)[1]) / 1000


def fill(server: Recovered, megabytes: int) -> None:
    """Rows that don't compress, on disk."""
    sql = FILL.format(rows=megabytes * 1_000_000 // ROW_BYTES)
    psql = "runuser -u postgres -- psql -qXd mems -v ON_ERROR_STOP=1"
    server.root(MEMS, f"{psql} <<'END'\n{sql}\nCHECKPOINT;\nEND", 1200)


def plain_rsync(server: Recovered, backup: str) -> float:
    """The same bytes by rsync over SSH, with a key made for it, into a folder of root's."""
    address = server.shell(MEMS, "hostname -I").split()[0]
    make = "ssh-keygen -q -t ed25519 -N '' -f /root/bench <<<y >/dev/null; cat /root/bench.pub"
    key = server.root(BACKUP, make)
    server.root(MEMS, f"mkdir -p -m 700 /root/.ssh /var/tmp/bench; echo '{key}' >>/root/.ssh/authorized_keys")
    ssh = "ssh -i /root/bench -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    copy = f"rsync -a -W -e '{ssh}' {CATALOGUE}/base/{backup}/data/ root@{address}:/var/tmp/bench/"
    seconds = timed(server, BACKUP, copy)
    server.root(MEMS, "rm -rf /var/tmp/bench /root/.ssh/authorized_keys")
    return seconds


def dump_and_restore(server: Recovered) -> tuple[float, float]:
    """pg_dump and pg_restore with two jobs each."""
    postgres = "runuser -u postgres --"
    dumped = timed(server, MEMS, f"{postgres} pg_dump -Fd -j2 -f /var/tmp/bench.dump mems")
    restored = timed(
        server, MEMS, f"{postgres} createdb bench; {postgres} pg_restore -j2 -d bench /var/tmp/bench.dump"
    )
    server.root(MEMS, f"rm -rf /var/tmp/bench.dump; {postgres} dropdb bench")
    return dumped, restored


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--home", type=Path, help="default: a temporary folder")
    chosen = parser.parse_args()
    home = chosen.home or Path(tempfile.mkdtemp(prefix="recovery-"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it takes its lab down
    lab = Lab(home / "lab", settings.read().cache)
    try:
        server = Recovered(lab, home)
        server.start()
        fill(server, chosen.mb)
        dumped, restored = dump_and_restore(server)
        backup = server.program("backup")["id"]  # after it: its WAL would be replayed
        size = int(re.match(r"\d+", server.shell(BACKUP, f"sudo du -sm {CATALOGUE}/base/{backup}"))[0])  # type: ignore[index]
        rsync = plain_rsync(server, backup)
        server.lose_the_database()
        report = server.recover("bench")
    finally:
        lab.down()
    rto = report["rto_seconds"]
    print(f"base backup {size} MB")
    print(f"rsync of it          {rsync:6.1f} s")
    print(f"pg_dump, pg_restore  {dumped:6.1f} s + {restored:.1f} s")
    print(f"recovery             {rto:6.1f} s, of which {report['seconds']}")
    print(f"aim 2 x rsync + 6 s  {2 * rsync + 6:6.1f} s: {'met' if rto <= 2 * rsync + 6 else 'not met'}")
    print(f"beside pg_restore    {rto / restored:6.2f} of its time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
