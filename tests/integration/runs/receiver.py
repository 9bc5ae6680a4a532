"""A receiver of notifications and pings: an HTTP server on loopback that keeps what it is sent."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """`status` is what it answers with; before it answers it calls `before`."""

    status: int = 200
    before: Callable[[], None] = lambda: None
    requests: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, body))
                receiver.before()
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def told(self) -> list[Any]:
        """The messages, as Apprise's json:// brings them."""
        return [json.loads(body) for path, body in self.requests if path.startswith("/told")]

    @property
    def titles(self) -> list[str]:
        return [each["title"] for each in self.told]

    @property
    def pings(self) -> list[tuple[str, str]]:
        return [(path, body.decode()) for path, body in self.requests if path.startswith("/ping")]

    def until(self, met: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 15
        while not met():
            assert time.monotonic() < deadline, self.requests
            time.sleep(0.05)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
