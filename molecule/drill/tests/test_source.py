"""A drill and the real server."""

import json

testinfra_hosts = ["ansible://mems"]


def test_the_real_server_was_left_alone(host):
    """No recovery and no way in was there, and M EMS answers."""
    assert json.loads(host.check_output("/usr/local/lib/mems/check"))["ok"]
    assert not host.file("/var/lib/amc/set-aside").exists
    assert not host.file("/usr/local/lib/amc/recover").exists
