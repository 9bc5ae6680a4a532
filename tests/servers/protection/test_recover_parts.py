"""A recovery of the files alone. One attachment comes back in Molecule's scenario of role recover."""

from backed_up import MEMS
from recovering import Recovered

STORE = "/srv/mems/files"


def test_the_files_come_back_alone_and_the_database_goes_on(pair: Recovered) -> None:
    """All files deleted, a row written since: files are back, and the row is there."""
    before = pair.figures()
    pair.root(
        MEMS,
        f"find {STORE} -mindepth 1 -delete; cd /; "
        "runuser -u postgres -- psql -q mems -c 'CREATE TABLE amc_since AS SELECT 1 AS n'",
    )
    report = pair.recover("files", recover_only="files")
    assert report["finished"] and [each["kind"] for each in report["set_aside"]] == ["files"]
    assert pair.figures() == before
    assert pair.root(MEMS, "cd /; runuser -u postgres -- psql -XAtq mems -c 'TABLE amc_since'") == "1"
    assert report["protection"]["state"] == "protected"
