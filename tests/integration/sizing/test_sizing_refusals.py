"""What goes wrong between us and a Prometheus: each in words, with the setting to mend and its exit code."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.errors import AmcError, InvalidInput, Unreachable
from orchestrator.settings import Settings
from orchestrator.settings import read as read_settings
from orchestrator.sizing import prometheus
from orchestrator.sizing.load import Series
from tests.integration.sizing.backfilled import free_port
from tests.integration.sizing.conftest import Served

HOUR = timedelta(hours=1)


def asked(settings: Settings, query: str = "up") -> dict[str, Series]:
    now = datetime.now(UTC)
    with prometheus.connected(settings) as connection:
        return connection.history(query, now - 24 * HOUR, now, HOUR)


class Answering(ThreadingHTTPServer):
    """A web server on loopback that gives one answer, and keeps what it was asked."""

    status, body = 200, b"{}"
    headers: list[dict[str, str]]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.headers = []


class Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.headers.append(dict(self.headers.items()))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def answering() -> Iterator[Answering]:
    with Answering() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def plain(answering: Answering, tmp_path: Path) -> Settings:
    settings = read_settings({"AMC_HOME": str(tmp_path)})
    return replace(settings, prometheus_url=f"http://127.0.0.1:{answering.server_address[1]}")


def test_a_wrong_password_is_refused(served: Served, tmp_path: Path) -> None:
    """By the real server's 401; exit code 3."""
    (tmp_path / "wrong").write_text("wrong")
    with pytest.raises(Unreachable, match=r"does not let us in \(HTTP 401\)") as caught:
        asked(replace(served.settings, prometheus_password_file=tmp_path / "wrong"))
    assert caught.value.exit_code == 3
    assert "AMC_PROMETHEUS_PASSWORD_FILE" in caught.value.mend


def test_an_untrusted_certificate_is_refused(served: Served) -> None:
    """Without the CA file nothing is sent; a name that is not in the certificate is told as such."""
    with pytest.raises(Unreachable, match="certificate that is not trusted: self") as caught:
        asked(replace(served.settings, prometheus_ca=None))
    assert "AMC_PROMETHEUS_CA" in caught.value.mend
    other = served.settings.prometheus_url.replace("127.0.0.1", "localhost")
    with pytest.raises(Unreachable, match="certificate that is not trusted: Hostname mismatch"):
        asked(replace(served.settings, prometheus_url=other))


def test_nobody_there_is_unreachable(served: Served) -> None:
    """A closed port, and a name that does not exist; exit code 3."""
    for host in (f"127.0.0.1:{free_port()}", "nobody.invalid"):
        with pytest.raises(Unreachable, match="can't be reached"):
            asked(replace(served.settings, prometheus_url=f"https://{host}"))


def test_plain_http_at_a_tls_port_is_said(served: Served) -> None:
    """The server's own words come along, unless it has closed the connection on them."""
    plain = served.settings.prometheus_url.replace("https", "http")
    with pytest.raises(AmcError, match=r"HTTP 400|reset|disconnected"):
        asked(replace(served.settings, prometheus_url=plain))


def test_a_query_that_prometheus_refuses_is_told_in_its_words(served: Served) -> None:
    """HTTP 400 with its error; exit code 1: that is a fault of ours."""
    with pytest.raises(AmcError, match=r"HTTP 400: .*parse error") as caught:
        asked(served.settings, "sum(")
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (503, b"Service Unavailable", "HTTP 503, and not in Prometheus's words"),
        (500, b'{"status": "error", "error": "disk full"}', "HTTP 500: disk full"),
        (302, b"", "HTTP 302"),
        (200, b"<html>", "HTTP 200, and not in Prometheus's words"),
        (200, b'{"status": "success"}', "something else than series"),
        (200, b'{"status": "success", "data": {"resultType": "vector", "result": []}}', "something else"),
        (
            200,
            b'{"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}}]}}',
            "something else than series: KeyError",
        ),
        (
            200,
            b'{"status": "success", "data": {"resultType": "matrix", '
            b'"result": [{"metric": {"server": "a"}, "values": [[1, "x"]]}]}}',
            "something else than series: ValueError",
        ),
    ],
)
def test_bad_answers_are_said(
    answering: Answering, plain: Settings, status: int, body: bytes, words: str
) -> None:
    """Errors of the server and answers that are none of Prometheus: exit code 1, no traceback."""
    answering.status, answering.body = status, body
    with pytest.raises(AmcError, match=words) as caught:
        asked(plain)
    assert caught.value.exit_code == 1


def test_a_file_alone_is_a_bearer_token(answering: Answering, plain: Settings, tmp_path: Path) -> None:
    """Without a user the file's content is sent as a token; with one, as basic authentication."""
    answering.body = b'{"status": "success", "data": {"resultType": "matrix", "result": []}}'
    (tmp_path / "token").write_text("s3cret\n")
    with_token = replace(plain, prometheus_password_file=tmp_path / "token")
    assert asked(with_token) == {}
    asked(replace(with_token, prometheus_user="amc"))
    sent = [headers["Authorization"] for headers in answering.headers]
    assert sent == ["Bearer s3cret", "Basic YW1jOnMzY3JldA=="]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prometheus_url": ""}, "AMC_PROMETHEUS_URL: is not set"),
        ({"prometheus_url": "monitor1:9090"}, "AMC_PROMETHEUS_URL: is no address"),
        ({"prometheus_url": "https://"}, "AMC_PROMETHEUS_URL: is no address"),
        ({"prometheus_url": "https://amc:x@monitor1"}, "without a password in it"),
        (
            {
                "prometheus_url": "https://monitor1:port",
            },
            "AMC_PROMETHEUS_URL: is no address",
        ),
        ({"prometheus_url": "http://192.0.2.1"}, "would send the password unencrypted"),
        ({"prometheus_password_file": None}, "AMC_PROMETHEUS_PASSWORD_FILE: is not set"),
        ({"prometheus_password_file": Path("/nowhere/password")}, "/nowhere/password: cannot be read"),
        ({"prometheus_password_file": Path("/dev/null")}, "holds no password"),
        ({"prometheus_ca": Path("/nowhere/ca.pem")}, "/nowhere/ca.pem: cannot be used"),
        ({"prometheus_ca": Path("/etc/hostname")}, "/etc/hostname: cannot be used"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    """Before anything is sent; exit code 3."""
    (tmp_path / "password").write_text("x")
    settings = replace(
        read_settings({"AMC_HOME": str(tmp_path)}),
        prometheus_url="https://192.0.2.1",
        prometheus_user="amc",
        prometheus_password_file=tmp_path / "password",
    )
    with pytest.raises(InvalidInput) as caught:
        asked(replace(settings, **change))  # type: ignore[arg-type]  # one setting of each type
    assert words in str(caught.value)
