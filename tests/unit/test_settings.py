"""Settings of the environment: secrets may stand in files, a port is a port."""

from pathlib import Path

import pytest

from orchestrator import settings
from orchestrator.errors import InvalidInput


def test_an_address_may_stand_in_a_file(tmp_path: Path) -> None:
    """One line; what stands in the environment itself goes before."""
    file = tmp_path / "url"
    file.write_text("postgresql://amc:swordfish@db1/amc\n")
    named = {"AMC_DATABASE_URL_FILE": str(file), "AMC_PING_URL_FILE": str(file)}
    found = settings.read(named)
    assert found.database_url == found.ping_url == "postgresql://amc:swordfish@db1/amc"
    assert settings.read(named | {"AMC_PING_URL": "https://ping/x"}).ping_url == "https://ping/x"
    with pytest.raises(InvalidInput, match="AMC_PING_URL_FILE names this file"):
        settings.read({"AMC_PING_URL_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize("port", ["x", "-1", "65536", "9420.5"])
def test_a_port_is_a_number(port: str) -> None:
    assert settings.read({"AMC_METRICS_PORT": "9420"}).metrics_port == 9420
    with pytest.raises(InvalidInput, match="AMC_METRICS_PORT"):
        settings.read({"AMC_METRICS_PORT": port})
