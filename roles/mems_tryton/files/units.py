#!/usr/bin/python3
"""Which parts M EMS has on this server, as one JSON document on stdout.

units      systemd units of the live service, in the order of their start
live       port of the instance that serves; `instances` are the ports of the pair
folders    data outside the database
database   {"name", "user", "unit"}
"""

import json
import re
from pathlib import Path

PROFILE = Path("/etc/mems/profile.json")


def main() -> None:
    """Print the document."""
    profile = json.loads(PROFILE.read_text())
    match = re.search(r"127\.0\.0\.1:(\d+)", Path(profile["live_file"]).read_text())
    if not match:
        raise SystemExit(f"units: {profile['live_file']} names no instance")
    live = int(match[1])
    print(
        json.dumps(
            {
                "units": [
                    profile["database_unit"],
                    f"mems@{live}.socket",
                    f"mems@{live}.service",
                    "nginx.service",
                ],
                "live": live,
                "instances": profile["ports"],
                "folders": [profile["files"]],
                "database": {
                    "name": profile["database"],
                    "user": profile["database_user"],
                    "unit": profile["database_unit"],
                },
            }
        )
    )


if __name__ == "__main__":
    main()
