"""Runs on the M EMS server, as postgres: numbered commits, each written to a log once it is acknowledged.

    committing.py LOG [SECONDS_BETWEEN]

A line: number, PostgreSQL's clock before and after the commit (seconds since 1970). It ends when the database
does.
"""

import sys
import time
from pathlib import Path

import psycopg2  # type: ignore[import-untyped]


def main() -> None:
    """Commit until it fails."""
    log, pause = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    connection = psycopg2.connect("dbname=mems")
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE IF NOT EXISTS amc_commits (n bigint PRIMARY KEY, at timestamptz)")
    cursor.execute("SELECT coalesce(max(n), 0) FROM amc_commits")
    number = cursor.fetchone()[0]
    with log.open("a") as lines:
        while True:
            number += 1
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            before = cursor.fetchone()[0]
            cursor.execute("INSERT INTO amc_commits VALUES (%s, clock_timestamp())", (number,))
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            lines.write(f"{number} {before} {cursor.fetchone()[0]}\n")
            lines.flush()
            time.sleep(pause)


if __name__ == "__main__":
    main()
