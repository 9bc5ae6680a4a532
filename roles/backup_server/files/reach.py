"""Does this backup server reach an M EMS server right now, by every way that backups use?

    reach.py --server NAME

Prints {"server", "ok", "database", "streaming", "files", "problems"}; exit 0 when
all ways are open. It takes at most 10 s.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pair as pairs

SECONDS = 9


def database(pair: pairs.Pair) -> str:
    """The role barman may ask and act."""
    return pairs.query(pair, "SELECT current_user", SECONDS)


def streaming(pair: pairs.Pair) -> str:
    """The role streaming_barman may stream."""
    conninfo = pair.known["streaming_conninfo"] + " replication=true dbname=replication"
    command = ["/usr/bin/psql", "-XAtq", "-d", conninfo, "-c", "IDENTIFY_SYSTEM"]
    return pairs.run(command, f"PostgreSQL of {pair.server} does not let stream", SECONDS).strip()


def files(pair: pairs.Pair) -> object:
    """The key that pulls files is let in and answered."""
    return pairs.ask(pair, "units", SECONDS)


def main() -> int:
    """All ways at once."""
    words = argparse.ArgumentParser()
    words.add_argument("--server", required=True)
    asked = words.parse_args()
    pairs.as_barman()
    answer: pairs.Record = {"server": asked.server, "ok": False, "problems": []}
    try:
        pair = pairs.read(asked.server)
    except pairs.Trouble as trouble:
        print(json.dumps({**answer, "problems": [str(trouble)]}))
        return 1
    ways = {"database": database, "streaming": streaming, "files": files}
    with ThreadPoolExecutor(len(ways)) as pool:
        for name, way in {name: pool.submit(way, pair) for name, way in ways.items()}.items():
            closed = way.exception()
            answer[name] = closed is None
            if closed is not None:
                answer["problems"].append(str(closed))
    answer["ok"] = not answer["problems"]
    print(json.dumps(answer))
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
