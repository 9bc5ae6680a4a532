"""The worker's own figures on loopback, for a Prometheus on this machine: AMC_METRICS_PORT."""

import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sqlalchemy import Engine

from orchestrator.notify import metrics
from orchestrator.settings import Settings

ADDRESS = "127.0.0.1"


def listen(settings: Settings, engine: Engine) -> str:
    """Answer GET /metrics in threads until this process ends; where, or why not, in words."""
    where = f"http://{ADDRESS}:{settings.metrics_port}/metrics"
    try:
        server = ThreadingHTTPServer((ADDRESS, settings.metrics_port), _handler(settings, engine))
    except OSError as error:
        return f"{where} can't be offered: {error.strerror}"
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="amc-metrics", daemon=True).start()
    return f"figures at {where}"


def _handler(settings: Settings, engine: Engine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.send_error(404)
                return
            try:
                text = metrics.text(settings, engine, datetime.now(UTC)).encode()
            except Exception as error:
                self.send_error(500, type(error).__name__)
                return
            self.send_response(200)
            self.send_header("Content-Type", metrics.CONTENT_TYPE)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_words: object) -> None:
            """Says nothing: the worker's log is for runs."""

    return Handler
