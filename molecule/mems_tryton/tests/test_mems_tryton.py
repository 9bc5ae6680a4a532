"""What the profile tryton promises: an M EMS that works, four executables that tell the truth about it."""

import json

import pytest

LOGIN = """
import json, sys
sys.argv = ["check"]
source = open("/usr/local/lib/mems/check").read().split("if __name__")[0]
exec(source)
profile = json.loads(PROFILE.read_text())
calls = Calls(profile)
password = open(profile["password_file"]).read().strip()
session = calls.call("login", "/mems/", "common.db.login", [profile["login"], {"password": password}, "en"])
calls.session = base64.b64encode(f"{profile['login']}:{session[0]}:{session[1]}".encode()).decode()
try:
    print(json.dumps(calls.call("x", "/mems/", *json.loads(INPUT))))
except Broken as broken:
    print(broken)
"""


def _asked(host, name: str) -> dict:
    return json.loads(host.check_output(f"/usr/local/lib/mems/{name}"))


def _sql(host, statement: str) -> str:
    return host.check_output("runuser -u postgres -- psql -XAt -d mems -c %s", statement)


def _as_checker(host, method: str, parameters: list) -> str:
    """One call as the service check's own user."""
    program = LOGIN.replace("INPUT", repr(json.dumps([method, parameters])))
    return host.check_output("python3 -c %s", program)


def test_business_calls_work(host):
    """Login, parties and sales over HTTPS through nginx, with timings."""
    said = _asked(host, "check")
    assert said["ok"] and said["reason"] == ""
    assert said["version"].startswith("7.0.")
    assert {"version", "login", "parties", "sales", "logout"} == set(said["timings_ms"])


def test_the_check_leaves_no_session(host):
    """It logs out: a check each minute fills no table."""
    before = _sql(host, "SELECT count(*) FROM ir_session")
    _asked(host, "check")
    assert _sql(host, "SELECT count(*) FROM ir_session") == before


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("model.party.party.create", [[{"name": "intruder"}], {}]),
        ("model.sale.sale.create", [[{"party": 1}], {}]),
        ("model.res.user.write", [[1], {"password": "intruder-1"}, {}]),
        ("model.account.move.search_read", [[], 0, 1, None, ["number"], {}]),
    ],
)
def test_the_checks_user_may_not(host, method, parameters):
    """Its password opens nothing but what it asks for: no writing, no books."""
    assert "UserError" in _as_checker(host, method, parameters)


def test_the_checks_user_reads_sales(host):
    """The same call path does work where it may: the test above does not fail for another reason."""
    assert "rec_name" in _as_checker(host, "model.sale.sale.search_read", [[], 0, 1, None, ["rec_name"], {}])


def test_demo_data_looks_like_a_business(host):
    """Sales in every state, books that balance, all three times (twice by SQL), attachments as files."""
    figures = _asked(host, "figures")
    assert figures["counts"]["sales"] == {
        "draft": 6,
        "quotation": 6,
        "confirmed": 6,
        "processing": 24,
        "cancelled": 6,
    }
    assert figures["counts"]["invoices"]["posted"] == 12
    assert float(figures["sums"]["debit"]) > 0
    assert figures["sums"]["debit"] == figures["sums"]["credit"]
    assert figures["counts"]["attachments"] == figures["files"]["count"] == 4


def test_cloned_sales_open_in_tryton(host):
    """Tryton itself reads a clone with its lines, party and invoices, as consistent as the original."""
    fields = ["rec_name", "party.rec_name", "lines", "invoices", "total_amount"]
    query = [[["reference", "=", "demo-0004/2"]], 0, 1, None, fields, {}]
    (sale,) = json.loads(_as_checker(host, "model.sale.sale.search_read", query))
    assert len(sale["lines"]) == 3
    assert all(line > 200_000 for line in sale["lines"])


def test_figures_are_stable_and_see_every_change(host):
    """Use of the system changes nothing; one price, or one byte in the file store, changes the hash."""
    first = _asked(host, "figures")
    _asked(host, "check")
    assert _asked(host, "figures") == first
    _sql(host, "UPDATE sale_line SET unit_price = unit_price + 1 WHERE id = (SELECT min(id) FROM sale_line)")
    assert _asked(host, "figures")["hash"] != first["hash"]
    _sql(host, "UPDATE sale_line SET unit_price = unit_price - 1 WHERE id = (SELECT min(id) FROM sale_line)")
    assert _asked(host, "figures") == first
    file = host.check_output("find /srv/mems/files -type f | head -n 1")
    host.run_expect(
        [0], f"cp -p {file} /root/kept && printf X | dd of={file} bs=1 seek=3 conv=notrunc status=none"
    )
    changed = _asked(host, "figures")
    host.run_expect([0], f"cp -p /root/kept {file}")
    assert changed["files"]["bytes"] == first["files"]["bytes"]
    assert changed["hash"] != first["hash"]
    assert _asked(host, "figures") == first


def test_figures_survive_dump_and_restore(host):
    """The rows of another database made from a dump give the same figures."""
    first = _asked(host, "figures")
    host.run_expect(
        [0],
        "runuser -u postgres -- sh -c 'createdb -T template0 -O mems copy && pg_dump mems | psql -qX copy'",
    )
    host.run_expect([0], 'sed -i \'s/"database": "mems"/"database": "copy"/\' /etc/mems/profile.json')
    copied = _asked(host, "figures")
    host.run_expect([0], 'sed -i \'s/"database": "copy"/"database": "mems"/\' /etc/mems/profile.json')
    host.run_expect([0], "runuser -u postgres -- dropdb copy")
    # Tryton keeps a database's attachments in a folder of its name, and the copy has none.
    assert len(copied.pop("missing")) == first["files"]["count"]
    assert copied == {name: value for name, value in first.items() if name != "missing"}


def test_version_tells_what_runs_and_what_the_index_offers(host):
    """The lab's wheels are the pinned ones: nothing newer. Without an index it can't tell, and says so."""
    said = _asked(host, "version")
    assert (said["application"], said["series"], said["available"]) == ("tryton", "7.0", {})
    assert said["level"] == _asked(host, "check")["version"] == said["packages"]["trytond"]
    blind = json.loads(
        host.check_output(
            "env PIP_FIND_LINKS=/nowhere PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1 /usr/local/lib/mems/version"
        )
    )
    assert blind["available"] is None
    assert "can't tell" in blind["words"]


def test_units_are_what_runs(host):
    """Every unit it names is active, in the order of the start; the other instance is not."""
    said = _asked(host, "units")
    assert said["units"][0] == "postgresql@15-main.service"
    assert all(host.service(unit).is_running for unit in said["units"])
    (other,) = set(said["instances"]) - {said["live"]}
    assert not host.service(f"mems@{other}.service").is_running
    assert all(host.file(folder).is_directory for folder in said["folders"])


def test_a_restarted_instance_loses_no_request(host):
    """While the live instance restarts, requests wait at its socket: 20 calls in a row, none refused."""
    live = _asked(host, "units")["live"]
    call = "curl -s --max-time 30 -o /dev/null -w '%{http_code}\\n' --connect-to ::127.0.0.1:"
    call += " --cacert /etc/mems/tls/ca.pem -H 'Content-Type: application/json'"
    call += """ -d '{"id": 1, "method": "common.server.version", "params": []}'"""
    loop = f"for n in $(seq 20); do {call} https://$(hostname)/; sleep 0.1; done"
    said = host.check_output("sh -c %s", f"systemctl restart mems@{live}.service & {loop}; wait")
    assert said.split() == ["200"] * 20


def test_the_other_instance_can_take_over(host):
    """Started, named in nginx's file, the first one stopped: M EMS works; and the same way back."""
    units = _asked(host, "units")
    live = units["live"]
    (other,) = set(units["instances"]) - {live}
    for to, away in ((other, live), (live, other)):
        host.run_expect([0], f"systemctl start mems@{to}.socket mems@{to}.service")
        host.run_expect(
            [0], f"echo 'server 127.0.0.1:{to};' > /etc/nginx/mems-live.conf && systemctl reload nginx"
        )
        host.run_expect([0], f"systemctl stop mems@{away}.socket mems@{away}.service")
        assert _asked(host, "check")["ok"]
        assert _asked(host, "units")["live"] == to


def test_secrets_are_roots(host):
    """The check's password is in one file that only root reads; Tryton's own settings hold none."""
    secret = host.file("/etc/mems/check.password")
    assert (secret.user, oct(secret.mode)) == ("root", "0o600")
    assert host.run(
        f"grep -rlF {secret.content_string.strip()} /etc /srv/mems /usr/local"
    ).stdout.split() == [secret.path]
    assert host.run("runuser -u mems -- cat /etc/mems/check.password").rc != 0


def test_what_debian_patches_is_debians(host):
    """psycopg2 and lxml come from apt, whose security updates reach them; the rest is the release's own."""
    program = "import lxml, psycopg2, trytond, passlib as p\n"
    program += "print(lxml.__file__, psycopg2.__file__, trytond.__file__, p.__file__)"
    lxml, psycopg2, trytond, passlib = host.check_output(
        "/srv/mems/current/bin/python -c %s", program
    ).split()
    assert lxml.startswith("/usr/lib/python3/") and psycopg2.startswith("/usr/lib/python3/")
    assert trytond.startswith("/srv/mems/") and passlib.startswith("/srv/mems/")


def test_nothing_failed(host):
    """No unit is failed afterwards."""
    assert host.check_output("systemctl --failed --no-legend --plain") == ""
