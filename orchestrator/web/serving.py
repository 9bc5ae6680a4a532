"""How the application is served: uvicorn's options, for `amc serve` and whoever else serves it."""

from typing import Any

OPTIONS: dict[str, Any] = {
    "log_level": "warning",
    "server_header": False,
    "proxy_headers": False,  # nobody's word for who asks: a token tells
    "limit_concurrency": 200,
    "timeout_keep_alive": 15,  # heartbeats come every 5 s
    "timeout_graceful_shutdown": 10,
    "h11_max_incomplete_event_size": 16 * 1024,  # of a request's head
    "http": "h11",
    "ws": "none",
}
