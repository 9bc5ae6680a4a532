"""Where the engine finds its things: state, passphrase, plugins. Nothing of it lies in the checkout.

    python -m orchestrator.sizing.place      the same for a shell; `pulumi` in .venv/bin reads it

What stands in the environment already wins, so that a person can look at another state by hand.
"""

import os
import secrets
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from orchestrator import settings as all_settings
from orchestrator.settings import Settings

PASSPHRASE = "pulumi_passphrase"


def environment(settings: Settings) -> dict[str, str]:
    """The variables that the engine needs; the folders and the passphrase are made where they are missing."""
    home = settings.pulumi_dir / "home"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    local = settings.pulumi_backend.removeprefix("file://")
    if local != settings.pulumi_backend:
        Path(local).mkdir(parents=True, exist_ok=True, mode=0o700)
    return {
        "PULUMI_BACKEND_URL": settings.pulumi_backend,
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(_passphrase(settings)),
        "PULUMI_HOME": str(home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def _passphrase(settings: Settings) -> Path:
    """A secret like the others: made at its first use, read by nobody but us."""
    settings.secrets_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = settings.secrets_dir / PASSPHRASE
    if not file.exists():
        part = file.with_name(f".{PASSPHRASE}.{os.getpid()}")
        part.touch(mode=0o600)
        part.write_text(secrets.token_urlsafe(32))
        with suppress(FileExistsError):
            os.link(part, file)  # whole, and the first one wins
        part.unlink()
    return file


def exports(settings: Settings, present: Mapping[str, str]) -> list[str]:
    """Lines for a shell's `eval`."""
    found = {"AMC_PULUMI": str(settings.pulumi), **environment(settings)}
    return [f"export {name}={shlex.quote(value)}" for name, value in found.items() if not present.get(name)]


if __name__ == "__main__":
    print("\n".join(exports(all_settings.read(), os.environ)))
