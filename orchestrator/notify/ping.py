"""A dead-man's switch: an address that is asked while the worker works, and that alarms when nobody asks.

As healthchecks has them: a POST to the address means well, to `<address>/fail` not; the body says what.
"""

import httpx

from orchestrator.settings import Settings

TIMEOUT_S = 10.0


def send(settings: Settings, faults: list[str]) -> str:
    """Ask the address; "" when it answered or none is set, else why not, without the address."""
    if not settings.ping_url:
        return ""
    url = settings.ping_url.rstrip("/") + ("/fail" if faults else "")
    try:
        answer = httpx.post(url, content="\n".join(faults).encode(), timeout=TIMEOUT_S)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = (
            f"HTTP {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else str(error)
        )
        return said or type(error).__name__
    return ""
