#!/usr/bin/python3
"""Does M EMS work? Business calls over HTTPS through nginx, as a user's program would make them.

    check

Logs in as a user that may only read, asks for parties and sales, and logs out. One JSON document on stdout:
    ok         whether every step worked
    reason     "" or why not, one of REASONS
    words      the same for people; on stderr too
    step       the step that failed
    version    what the application says it is
    timings_ms step -> milliseconds
Exit 0 when it works, 1 when not. It ends within DEADLINE seconds. Root only: it reads the password.
"""

import base64
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROFILE = Path("/etc/mems/profile.json")
DEADLINE = 15

REASONS = {
    "nginx_down": "nginx does not answer on port 443",
    "certificate": "the certificate is not valid for this server",
    "application_down": "nginx runs, but the application behind it does not answer",
    "database_down": "PostgreSQL does not take connections",
    "login_refused": "the application refuses the login of the service check",
    "application_error": "the application answers with an error",
    "timeout": f"no answer within {DEADLINE} s",
    "not_set_up": "this server's own settings of the check can't be read",
}


class Broken(Exception):
    """A step that did not work; `reason` is one of REASONS."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class LocalConnection(http.client.HTTPSConnection):
    """HTTPS to this server's own nginx, under the name that users reach it by."""

    def connect(self) -> None:
        """Connect to 127.0.0.1, whatever the name resolves to; the certificate must be the name's."""
        plain = socket.create_connection(("127.0.0.1", 443), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)  # type: ignore[attr-defined]


class Calls:
    """Tryton's JSON-RPC. A call returns the result or raises Broken."""

    def __init__(self, profile: dict[str, Any]) -> None:
        self.name = profile["server_name"]
        self.database = profile["database"]
        self.tls = ssl.create_default_context(cafile=profile["ca_file"])
        self.session: str | None = None
        self.timings: dict[str, float] = {}
        self.step = ""

    def call(self, step: str, path: str, method: str, parameters: list[Any]) -> Any:
        """POST one call; `step` names it in the report."""
        self.step = step
        started = time.monotonic()
        status, body = self._post(path, json.dumps({"id": 1, "method": method, "params": parameters}))
        self.timings[step] = round((time.monotonic() - started) * 1000, 1)
        if status in (502, 503, 504):
            raise Broken("application_down", f"nginx says HTTP {status}")
        if status in (401, 403, 429):
            raise Broken("login_refused", f"HTTP {status}")
        if status != 200:
            raise Broken("application_error", f"HTTP {status}: {body[:200]!r}")
        try:
            answer = json.loads(body)
        except ValueError:
            raise Broken("application_error", f"no JSON: {body[:200]!r}") from None
        # Tryton's errors come as HTTP 200.
        if not isinstance(answer, dict) or answer.get("error"):
            raise Broken("application_error", f"{method}: {str(answer)[:300]}")
        return answer.get("result")

    def _post(self, path: str, body: str) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        if self.session:
            headers["Authorization"] = f"Session {self.session}"
        connection = LocalConnection(self.name, timeout=DEADLINE, context=self.tls)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except ssl.SSLError as error:
            raise Broken("certificate", str(error)) from None
        except ConnectionError as error:
            raise Broken("nginx_down", str(error)) from None
        except OSError as error:
            raise Broken("timeout", str(error)) from None
        except http.client.HTTPException as error:
            raise Broken("nginx_down", repr(error)) from None
        finally:
            connection.close()


def business_calls(calls: Calls, login: str, password: str) -> str:
    """Version, login, two queries, logout; returns the version."""
    at = f"/{calls.database}/"
    version = str(calls.call("version", "/", "common.server.version", []))
    session = calls.call("login", at, "common.db.login", [login, {"password": password}, "en"])
    if not isinstance(session, list):
        raise Broken("login_refused", f"no session: {session!r}")
    calls.session = base64.b64encode(f"{login}:{session[0]}:{session[1]}".encode()).decode()
    query = [[], 0, 5, [["id", "DESC"]], ["rec_name"], {}]
    if not calls.call("parties", at, "model.party.party.search_read", query):
        raise Broken("application_error", "it knows no party, not even the company itself")
    calls.call("sales", at, "model.sale.sale.search_read", query)
    calls.call("logout", at, "common.db.logout", [])
    return version


def database_answers(profile: dict[str, Any]) -> bool:
    """Whether PostgreSQL takes connections: asked only to explain a failure."""
    asked = subprocess.run(
        ["pg_isready", "--quiet", "--timeout=2", "--dbname", profile["database"]], check=False, timeout=4
    )
    return asked.returncode == 0


def examine() -> dict[str, Any]:
    """The report, see the module."""
    report: dict[str, Any] = {"ok": False, "reason": "", "words": "", "step": "", "version": None}
    calls: Calls | None = None
    profile: dict[str, Any] = {}
    try:
        signal.alarm(DEADLINE - 3)  # the rest is for asking the database
        profile = json.loads(PROFILE.read_text())
        password = Path(profile["password_file"]).read_text().strip()
        calls = Calls(profile)
        report["version"] = business_calls(calls, profile["login"], password)
        report["ok"] = True
    except Broken as broken:
        report["reason"], report["words"] = broken.reason, str(broken)
    except (OSError, ValueError, KeyError) as error:
        report["reason"], report["words"] = "not_set_up", f"{type(error).__name__}: {error}"
    except TimeIsUp:
        report["reason"] = "timeout"
    signal.alarm(0)
    if report["reason"] in ("application_down", "application_error", "timeout") and profile:
        signal.alarm(3)
        try:
            if not database_answers(profile):
                report["reason"] = "database_down"
        except (TimeIsUp, OSError, subprocess.TimeoutExpired):
            report["reason"] = "database_down"
        signal.alarm(0)
    if not report["ok"]:
        detail = report["words"]
        report["words"] = REASONS[report["reason"]] + (f" ({detail})" if detail else "")
        report["step"] = calls.step if calls else ""
    report["timings_ms"] = calls.timings if calls else {}
    return report


class TimeIsUp(BaseException):
    """The deadline: no handler of ordinary errors takes it for one."""


def _time_is_up(_signal: int, _frame: object) -> None:
    raise TimeIsUp


def main() -> int:
    """Exit 0 when M EMS works."""
    signal.signal(signal.SIGALRM, _time_is_up)
    report = examine()
    print(json.dumps(report))
    if not report["ok"]:
        print(f"M EMS does not work: {report['words']}", file=sys.stderr)
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("check: run it as root, it reads the service check's password")
    sys.exit(main())
