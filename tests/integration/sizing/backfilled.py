"""A Prometheus on loopback with TLS and a password, its history backfilled by promtool."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

DEADLINE_S = 30
PASSWORD = "a password of these tests"
HASH = "$2b$04$abcdefghijklmnopqrstuuuD/R07rdTsRcphGOojYA6VXtG23jzXK"  # bcrypt of it


@contextmanager
def prometheus(folder: Path, history: str) -> Iterator[dict[str, str]]:
    """Serve a history (OpenMetrics text) from an empty folder; given are the settings that reach it."""
    (folder / "history.om").write_text(history)
    _backfill(folder)
    _certificate(folder)
    port = free_port()
    (folder / "prometheus.yml").write_text("global: {}\n")
    tls = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}"
    (folder / "web.yml").write_text(f"{tls}\nbasic_auth_users: {{amc: '{HASH}'}}\n")
    (folder / "password").write_text(f"{PASSWORD}\n")
    url = f"https://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--web.config.file={folder / 'web.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--storage.tsdb.retention.time=400d",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(server, url, folder / "log")
        yield {
            "AMC_PROMETHEUS_URL": url,
            "AMC_PROMETHEUS_CA": str(folder / "cert.pem"),
            "AMC_PROMETHEUS_USER": "amc",
            "AMC_PROMETHEUS_PASSWORD_FILE": str(folder / "password"),
        }
    finally:
        server.terminate()
        try:
            server.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _backfill(folder: Path) -> None:
    subprocess.run(
        # Long blocks: promtool reads the whole file once for each.
        [
            "promtool",
            "tsdb",
            "create-blocks-from",
            "--max-block-duration=1600h",
            "openmetrics",
            "-q",
            "history.om",
            "data",
        ],
        cwd=folder,
        check=True,
        timeout=DEADLINE_S,
    )


def _certificate(folder: Path) -> None:
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-subj",
            "/CN=tests",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=DEADLINE_S,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    with httpx.Client(verify=False, auth=("amc", PASSWORD), trust_env=False) as client:
        while time.monotonic() < deadline and server.poll() is None:
            try:
                if client.get(f"{url}/-/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    raise AssertionError(f"Prometheus did not become ready:\n{log.read_text(errors='replace')[-3000:]}")
