"""The M EMS server is gone with all that was on it. The last test of the pair, which is another one then."""

import json

from backed_up import BACKUP, MEMS
from recovering import DATA, Recovered


def test_an_empty_server_takes_over_the_name(pair: Recovered) -> None:
    """The server is gone with all that was on it; a new one of that name is deployed without contents, gets
    the newest state and is backed up, all by the one command."""
    pair.wait_until_protected()
    before = pair.figures()
    pair.lab.destroy(MEMS)
    pair.lab.up([MEMS])
    report = pair.recover("anew")
    assert report["finished"] and report["lost_seconds"] is not None and not report["problems"]
    assert pair.figures() == before
    assert json.loads(pair.root(MEMS, "/usr/local/lib/mems/check"))["ok"]
    pair.wait_until_protected()
    assert pair.program("reach")["ok"]
    assert pair.program("files")["ok"] and pair.program("verify")["findings"] == []
    assert pair.shell(MEMS, "systemctl --failed --plain --no-legend") == ""
    assert pair.shell(BACKUP, "systemctl --failed --plain --no-legend") == ""
    assert pair.shell(MEMS, f"sudo grep -c recovery_target {DATA}/postgresql.auto.conf || true") == "0"
