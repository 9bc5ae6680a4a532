"""`check` on a real M EMS server: what breaks it gets its own word, and mended it is healthy again."""

import json
import time
from typing import Any

import pytest
from mems_server import MemsServer

DEADLINE = 15


def _check(mems: MemsServer) -> dict[str, Any]:
    """What `check` says; exit code, deadline and stderr must go with it."""
    started = time.monotonic()
    done = mems.root("/usr/local/lib/mems/check")
    said: dict[str, Any] = json.loads(done.stdout)
    assert time.monotonic() - started < DEADLINE + 3
    assert done.returncode == (0 if said["ok"] else 1)
    assert bool(said["reason"]) is not said["ok"]
    assert said["ok"] or said["words"] in done.stderr
    return said


OTHER_CERTIFICATE = (
    "cd /etc/mems/tls && cp -p cert.pem cert.kept && cp -p key.pem key.kept &&"
    " openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2 -subj /CN=mems1"
    " -addext subjectAltName=DNS:mems1 -keyout key.pem -out cert.pem 2>/dev/null && systemctl reload nginx"
)
KEPT_CERTIFICATE = (
    "cd /etc/mems/tls && mv cert.kept cert.pem && mv key.kept key.pem && systemctl reload nginx"
)
OTHER_NAME = (
    "cp -p /etc/mems/profile.json /root/ &&"
    ' sed -i "s/\\"server_name\\": \\"mems1/\\"server_name\\": \\"other/" /etc/mems/profile.json'
)
SQL = 'runuser -u postgres -- psql -qX -d mems -c "{}"'
REFUSE_LOGIN = SQL.format(
    "CREATE TABLE kept AS SELECT id, password_hash FROM res_user;"
    " UPDATE res_user SET password_hash = NULL WHERE login = \\$\\$mems_check\\$\\$"
)
ALLOW_LOGIN = SQL.format(
    "UPDATE res_user u SET password_hash = k.password_hash FROM kept k WHERE k.id = u.id; DROP TABLE kept"
)

BREAKS = {
    "postgresql stopped": (
        "database_down",
        "systemctl stop postgresql@15-main",
        "systemctl start postgresql@15-main",
    ),
    "postgresql killed": (
        "database_down",
        "systemctl mask --runtime postgresql@15-main && systemctl kill --signal KILL postgresql@15-main",
        "systemctl unmask --runtime postgresql@15-main; systemctl start postgresql@15-main",
    ),
    "application stopped": (
        "application_down",
        "systemctl stop mems@8001.socket mems@8001.service",
        "systemctl start mems@8001.socket mems@8001.service",
    ),
    "application hangs": (
        "timeout",
        "systemctl kill --signal STOP mems@8001.service",
        "systemctl kill --signal CONT mems@8001.service",
    ),
    "nginx stopped": ("nginx_down", "systemctl stop nginx", "systemctl start nginx"),
    "error as HTTP 200": (
        "application_error",
        SQL.format("ALTER TABLE party_party RENAME TO party_gone"),
        SQL.format("ALTER TABLE party_gone RENAME TO party_party"),
    ),
    "login refused": (
        "login_refused",
        REFUSE_LOGIN,
        ALLOW_LOGIN,
    ),
    "someone else's certificate": ("certificate", OTHER_CERTIFICATE, KEPT_CERTIFICATE),
    "certificate of another name": (
        "certificate",
        OTHER_NAME,
        "mv /root/profile.json /etc/mems/",
    ),
    "its settings are gone": (
        "not_set_up",
        "mv /etc/mems/check.password /root/",
        "mv /root/check.password /etc/mems/",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_each_failure_has_its_word(mems: MemsServer, name: str) -> None:
    """Broken for real, `check` ends in its deadline with exit 1 and the right word; mended, it is healthy."""
    reason, breaking, mending = BREAKS[name]
    assert _check(mems)["ok"]
    try:
        done = mems.root(breaking)
        said = _check(mems)
    finally:
        mended = mems.root(mending)
    assert mended.returncode == 0, mended.stderr
    assert said["reason"] == reason, (said, done.stderr)
    until = time.monotonic() + 30
    while not (answer := _check(mems))["ok"]:
        assert time.monotonic() < until, f"waited 30 s for M EMS to be healthy again: {answer}"


def test_the_error_really_came_as_http_200(mems: MemsServer) -> None:
    """nginx's own log shows 200 for the calls of the test above that met a missing table."""
    mems.root(SQL.format("ALTER TABLE party_party RENAME TO party_gone"))
    try:
        assert _check(mems)["reason"] == "application_error"
        last = mems.root("tail -n 1 /var/log/nginx/access.log").stdout
    finally:
        mems.root(SQL.format("ALTER TABLE party_gone RENAME TO party_party"))
    assert '"POST /mems/ HTTP/1.1" 200' in last
    assert _check(mems)["ok"]
