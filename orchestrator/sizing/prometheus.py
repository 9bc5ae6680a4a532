"""Questions to a Prometheus in PromQL, over TLS, with a user's password or a bearer token from a file."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

import httpx

from orchestrator.errors import AmcError, InvalidInput, Problem, Unreachable
from orchestrator.settings import Settings
from orchestrator.sizing.load import Point, Series

TIMEOUT_S = 30.0
# Prometheus gives no more than 11,000 points a series; smaller pieces also keep its memory small.
CHUNK_POINTS = 1440
_CONNECT = "AMC_PROMETHEUS_URL names another one; is it running, and may this machine reach it?"


class Prometheus:
    """An open connection; every error is said in words, with the setting that may be wrong."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def history(self, query: str, start: datetime, end: datetime, step: timedelta) -> dict[str, Series]:
        """The series of a query by their label `server`, at start < t <= end, oldest first.

        Asked from the newest piece to the oldest, until one holds nothing. Values that are no number are
        left out.
        """
        pieces: dict[str, list[Series]] = {}
        upper = end
        while upper > start:
            lower = max(start, upper - (CHUNK_POINTS - 1) * step)
            found = self._range(query, lower + step if lower == start else lower, upper, step)
            if not found:
                break
            for server, series in found.items():
                pieces.setdefault(server, []).append(series)
            upper = lower - step
        return {
            server: tuple(p for piece in reversed(parts) for p in piece) for server, parts in pieces.items()
        }

    def _range(self, query: str, start: datetime, end: datetime, step: timedelta) -> dict[str, Series]:
        if start > end:
            return {}
        data = {
            "query": query,
            "start": str(start.timestamp()),
            "end": str(end.timestamp()),
            "step": str(step.total_seconds()),
        }
        return _matrix(self._ask("/api/v1/query_range", data))

    def _ask(self, path: str, data: dict[str, str]) -> Any:
        url = self._client.base_url
        try:
            answer = self._client.post(path, data=data)
        except httpx.TimeoutException:
            raise Unreachable(f"{url} does not answer within {TIMEOUT_S:.0f} s", _CONNECT) from None
        except httpx.TransportError as error:
            _unreachable(str(url), error)
        if answer.status_code in (401, 403):
            raise Unreachable(
                f"{url} does not let us in (HTTP {answer.status_code})",
                "set AMC_PROMETHEUS_USER and AMC_PROMETHEUS_PASSWORD_FILE, or a bearer token's file alone",
            )
        return _content(str(url), answer)


@contextmanager
def connected(settings: Settings) -> Iterator[Prometheus]:
    """A connection by the settings. InvalidInput when one of them can't be; nothing is asked yet."""
    url = _url(settings)
    auth, headers = _way_in(settings)
    # No proxy of the environment: the password is for this Prometheus alone.
    with httpx.Client(
        base_url=url,
        verify=_trust(settings.prometheus_ca),
        auth=auth,
        headers=headers,
        timeout=TIMEOUT_S,
        trust_env=False,
    ) as client:
        yield Prometheus(client)


def _url(settings: Settings) -> httpx.URL:
    if not settings.prometheus_url:
        _refuse(
            "AMC_PROMETHEUS_URL",
            "is not set: there is no history to read",
            "set it to the monitoring server's address, such as https://monitor1:9090",
        )
    example = "write it as https://monitor1:9090"
    try:
        url = httpx.URL(settings.prometheus_url)
    except httpx.InvalidURL as error:
        _refuse("AMC_PROMETHEUS_URL", f"is no address: {error}", example)
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        _refuse("AMC_PROMETHEUS_URL", "is no address of a web server without a password in it", example)
    if settings.prometheus_password_file and url.scheme == "http" and not _is_loopback(url.host):
        _refuse("AMC_PROMETHEUS_URL", "would send the password unencrypted", "use https://")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _way_in(settings: Settings) -> tuple[httpx.Auth | None, dict[str, str]]:
    file = settings.prometheus_password_file
    if file is None:
        if settings.prometheus_user:
            _refuse(
                "AMC_PROMETHEUS_PASSWORD_FILE",
                "is not set, AMC_PROMETHEUS_USER is",
                "name the file that holds the password",
            )
        return None, {}
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "no text in UTF-8"
        _refuse(str(file), f"cannot be read: {words}", "AMC_PROMETHEUS_PASSWORD_FILE names this file")
    if not secret or "\n" in secret or not secret.isascii():
        _refuse(str(file), "holds no password", "one line of ASCII characters")
    if settings.prometheus_user:
        return httpx.BasicAuth(settings.prometheus_user, secret), {}
    return None, {"Authorization": f"Bearer {secret}"}


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else "no certificate in it"
        _refuse(
            str(ca), f"cannot be used: {words}", "AMC_PROMETHEUS_CA names the CA's certificate, a PEM file"
        )


def _refuse(what: str, words: str, mend: str) -> NoReturn:
    raise InvalidInput([Problem(Path(what), 0, words, mend)])


def _unreachable(url: str, error: httpx.TransportError) -> NoReturn:
    words = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in words:
        raise Unreachable(
            f"{url} shows a certificate that is not trusted: {words.rpartition('failed: ')[2]}",
            "AMC_PROMETHEUS_CA names the CA file; the certificate must be for the name in AMC_PROMETHEUS_URL",
        ) from None
    raise Unreachable(f"{url} can't be reached: {words}", _CONNECT) from None


def _content(url: str, answer: httpx.Response) -> Any:
    """The data of an answer; a refusal's own words where it has some."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if answer.status_code != 200 or not isinstance(document, dict) or document.get("status") != "success":
        said = document.get("error") if isinstance(document, dict) else None
        words = f": {str(said)[:300]}" if said else ", and not in Prometheus's words"
        raise AmcError(
            f"{url} answers HTTP {answer.status_code}{words}",
            "look at the monitoring server: journalctl -u prometheus; is AMC_PROMETHEUS_URL a Prometheus?",
        )
    return document.get("data")


def _matrix(data: Any) -> dict[str, Series]:
    """The series by their server. AmcError when the answer is no matrix."""
    try:
        if data["resultType"] != "matrix":
            raise ValueError(data["resultType"])
        found = {str(each["metric"]["server"]): _points(each["values"]) for each in data["result"]}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise AmcError(f"Prometheus answers with something else than series: {error!r}"[:300]) from None
    return {server: series for server, series in found.items() if series}


def _points(values: Any) -> Series:
    read = ((datetime.fromtimestamp(float(at), UTC), float(value)) for at, value in values)
    return tuple(Point(at, value) for at, value in read if isfinite(value))
