"""The page that Prometheus reads, and the check behind it."""

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]
ANSWER = {
    "at": 1795536122.5,
    "ok": True,
    "reason": "",
    "seconds": {"login": 0.13, "query": 0.014, "total": 0.158},
    "certificate_ends": 1829836183,
}


def lines(monitor_program: Load, families) -> list[str]:
    return [
        line
        for line in monitor_program("exposition").render(families).splitlines()
        if line[:1] not in ("", "#")
    ]


def test_a_check_that_worked(monitor_program: Load, tmp_path: Path) -> None:
    (tmp_path / "check.json").write_text(json.dumps(ANSWER))
    told = lines(monitor_program, monitor_program("exporter").checked(tmp_path / "check.json"))
    assert "mems_check_success 1" in told
    assert 'mems_check_duration_seconds{part="query"} 0.014' in [line[:49] for line in told]
    assert not [line for line in told if line.startswith("mems_check_failing")]


def test_a_check_that_did_not(monitor_program: Load, tmp_path: Path) -> None:
    failed = ANSWER | {"ok": False, "reason": 'a "reason"\\', "seconds": {}}
    (tmp_path / "check.json").write_text(json.dumps(failed))
    told = lines(monitor_program, monitor_program("exporter").checked(tmp_path / "check.json"))
    assert "mems_check_success 0" in told
    assert r'mems_check_failing{reason="a \"reason\"\\"} 1' in told


@pytest.mark.parametrize("text", [None, "", "{"])
def test_no_answer_is_no_success(monitor_program: Load, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "check.json").write_text(text)
    exporter = monitor_program("exporter")
    assert exporter.checked(tmp_path / "check.json") == []
    assert lines(monitor_program, [exporter.certificates("", tmp_path / "check.json")]) == []


def test_both_certificates(monitor_program: Load, tmp_path: Path) -> None:
    """The caller's own comes with the question."""
    (tmp_path / "check.json").write_text(json.dumps(ANSWER))
    server, caller = monitor_program("exporter").certificates("10", tmp_path / "check.json").samples
    assert server == ("", {"certificate": "server"}, 1829836183)
    assert caller[1] == {"certificate": "monitoring"}
    assert caller[2] == pytest.approx(time.time() + 864000, abs=5)


def test_maintenance_is_a_file(monitor_program: Load, tmp_path: Path) -> None:
    exporter = monitor_program("exporter")
    assert lines(monitor_program, [exporter.maintenance(tmp_path / "maintenance")]) == ["mems_maintenance 0"]
    (tmp_path / "maintenance").touch()
    assert lines(monitor_program, [exporter.maintenance(tmp_path / "maintenance")]) == ["mems_maintenance 1"]


def test_the_page_over_http_and_nothing_else(monitor_program: Load, tmp_path: Path) -> None:
    exporter = monitor_program("exporter")
    page = exporter.Page(
        monitor_program("access_log").Requests(tmp_path / "log"), monitor_program("machine").Machine()
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), exporter.handler(page.text))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}/etc/passwd", timeout=10)
    finally:
        server.shutdown()
        server.server_close()
    assert "mems_maintenance " in text and "mems_server_cpus " in text
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def check_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: ModuleType, answers: list[str]):
    """Runs the program with a check that gives these answers, one a call; what it left, and the calls."""
    for number, answer in enumerate(answers):
        (tmp_path / f"answer-{number}").write_text(answer)
    count = tmp_path / "count"
    count.write_text("0")
    check = tmp_path / "check"
    check.write_text(
        f"#!/bin/sh\nn=$(cat {count}); echo $((n + 1)) > {count}\ncat {tmp_path}/answer-$n; exit 1\n"
    )
    check.chmod(0o755)
    monkeypatch.setattr(program, "CHECK", str(check))
    monkeypatch.setattr(program, "ANSWER", tmp_path / "check.json")
    monkeypatch.setattr(program, "CERTIFICATE", tmp_path / "no.pem")
    monkeypatch.setattr(sys, "argv", ["check_now.py", "--pause", "0"])
    program.main()
    return json.loads((tmp_path / "check.json").read_text()), int(count.read_text())


WORKS = json.dumps(
    {"ok": True, "reason": "", "timings_ms": {"version": 2, "login": 100, "a": 10, "b": 20, "logout": 1}}
)
FAILS = json.dumps({"ok": False, "reason": "database_down", "timings_ms": {"version": 2}})


def test_the_parts_of_the_time(
    monitor_program: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the profile's queries are called."""
    kept, calls = check_now(tmp_path, monkeypatch, monitor_program("check_now"), [WORKS])
    assert (kept["ok"], calls, kept["certificate_ends"]) == (True, 1, None)
    assert kept["seconds"] == pytest.approx({"login": 0.1, "query": 0.03, "total": 0.133})
    assert (tmp_path / "check.json").stat().st_mode & 0o777 == 0o644


def test_one_that_failed_is_asked_again(
    monitor_program: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart that is over ten seconds later is no alarm; two failures are."""
    program = monitor_program("check_now")
    assert check_now(tmp_path, monkeypatch, program, [FAILS, WORKS])[0]["ok"] is True
    kept, calls = check_now(tmp_path, monkeypatch, program, [FAILS, FAILS])
    assert (kept["ok"], kept["reason"], calls) == (False, "database_down", 2)
    assert kept["seconds"] == {"total": 0.002}


@pytest.mark.parametrize("nonsense", ["", "[]", "Traceback …"])
def test_a_check_that_says_nothing_failed(
    monitor_program: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nonsense: str
) -> None:
    kept, _ = check_now(tmp_path, monkeypatch, monitor_program("check_now"), [nonsense, nonsense])
    assert (kept["ok"], kept["reason"]) == (False, "no_check")


def test_when_a_certificate_ends(
    monitor_program: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = monitor_program("check_now")
    words = ["-nodes", "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "c.pem"), "-days", "10"]
    curve = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(
        ["openssl", "req", "-x509", "-subj", "/CN=x", "-newkey", *curve, *words],
        check=True,
        capture_output=True,
    )
    monkeypatch.setattr(program, "CERTIFICATE", tmp_path / "c.pem")
    assert program.certificate_ends() == pytest.approx(time.time() + 864000, abs=60)
