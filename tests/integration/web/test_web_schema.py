"""Schemathesis asks what the schema allows and forbids, over real HTTP, and finds nothing to complain of."""

import json
import os
import subprocess
import sys
from pathlib import Path

from .conftest import Served

CONFIG = Path(__file__).with_name("schemathesis.toml")
PROGRAM = str(Path(sys.executable).parent / "schemathesis")


def test_schemathesis_finds_nothing(served: Served, tmp_path: Path) -> None:
    """Statuses, media types, bodies, refused methods, ignored tokens, and no fault of the server."""
    schema = tmp_path / "openapi.json"
    schema.write_text(json.dumps(served.app.openapi()))
    tokens = {"ENGINEER": served.secrets["oskar"], "MONITOR": served.secrets["prometheus"]}
    words = ["--url", served.url, "--max-examples", "15", "--seed", "1", "--generation-database", "none"]
    done = subprocess.run(
        [PROGRAM, "--config-file", str(CONFIG), "run", str(schema), *words],
        env=os.environ | tokens | {"NO_PROXY": "127.0.0.1", "NO_COLOR": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-2000:]}"
    assert "6 selected" in done.stdout or "6 total" in done.stdout or "6 tested" in done.stdout, done.stdout
