"""The orchestrator as somebody sees it who works by hand on another machine: asks over HTTP with a token."""

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from orchestrator.errors import (
    AmcError,
    HoursInsufficient,
    InvalidInput,
    NotCovered,
    Problem,
    Unreachable,
    UsageError,
    Waiting,
)
from orchestrator.settings import Settings

SECONDS = 10.0
ERRORS: dict[int, type[AmcError]] = {
    error.exit_code: error for error in (UsageError, Unreachable, NotCovered, HoursInsufficient, Waiting)
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Client:
    """One orchestrator's API. Every method raises the refusal as the command line would say it.

    Unreachable: it does not answer, or does not let us in.
    """

    def __init__(self, settings: Settings) -> None:
        """InvalidInput: AMC_URL, AMC_TOKEN_FILE or AMC_CA can't be used."""
        self._url = _address(settings.url)
        loopback = urlsplit(self._url).hostname in LOOPBACK
        self._http = httpx.Client(
            base_url=self._url,
            headers={"Authorization": f"Bearer {_token(settings.token_file)}"},
            verify=_trusted(settings.ca),
            timeout=SECONDS,
            trust_env=not loopback,  # a proxy is for other machines
        )

    def order(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Begin work by hand: schema.Asked to schema.LetIn."""
        return self._post("/v1/orders", asked)

    def beat(self, run: str) -> dict[str, Any]:
        """It lives; schema.Standing."""
        return self._post(f"/v1/runs/{run}/beat", None)

    def settle(self, run: str, ended: dict[str, Any]) -> dict[str, Any]:
        """It has ended: schema.Ended to schema.Standing."""
        return self._post(f"/v1/runs/{run}/settle", ended)

    def _post(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        try:
            answer = self._http.post(path, json=body) if body else self._http.post(path)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"the orchestrator {self._url} does not answer: {error or type(error).__name__}",
                "see AMC_URL and AMC_CA, and that `amc serve` runs there",
            ) from error
        try:
            said = answer.json()
        except ValueError:
            said = {}
        if answer.is_success and isinstance(said, dict):
            return said
        raise _refusal(self._url, answer.status_code, said)


def _refusal(url: str, status: int, said: Any) -> AmcError:
    """The problem document as an error of ours; anything else is no orchestrator's answer."""
    if not isinstance(said, dict) or not str(said.get("type", "")).startswith("urn:amc:problem:"):
        return Unreachable(f"{url} answered {status}, and not as an orchestrator does", "see AMC_URL")
    kind = ERRORS.get(said.get("exit_code", 1), AmcError)
    return kind(str(said.get("detail", status)), str(said.get("mend", "")))


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url.rstrip("/")
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return url.rstrip("/")
    words = f"{url!r} is no https:// address, and the token would cross the network in the clear"
    raise InvalidInput([Problem(Path("AMC_URL"), 0, words, "give https://HOST of an `amc serve`")])


def _token(file: Path | None) -> str:
    if file is None:
        words = "AMC_URL is set, and no file with a token is named"
        raise InvalidInput([Problem(Path("AMC_TOKEN_FILE"), 0, words, "amc token add, on the orchestrator")])
    try:
        token, mode = file.read_text().strip(), file.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        words = f"it can't be read: {getattr(error, 'strerror', None) or error}"
        raise InvalidInput([Problem(file, 0, words, "put the token there, mode 0600")]) from error
    if mode & 0o077:
        raise InvalidInput([Problem(file, 0, "others can read this token", f"chmod 600 {file}")])
    if not token.isascii() or not token.isprintable() or not token:
        raise InvalidInput([Problem(file, 1, "this is no token", "amc token add, on the orchestrator")])
    return token


def _trusted(ca: Path | None) -> ssl.SSLContext | bool:
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca))
    except OSError as error:
        words = f"no CA certificate can be read from it: {error.strerror or error}"
        raise InvalidInput([Problem(ca, 0, words, "AMC_CA names a PEM file")]) from error
