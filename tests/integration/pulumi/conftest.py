"""The real engine, the real pulumi-aws program, a moto server on loopback, and between them the stand-in."""

import logging
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.pulumi.installation import REPOSITORY, Installation


@pytest.fixture(scope="session")
def pulumi() -> Path:
    """The pinned engine; brought when it is missing, which takes minutes, once on a machine."""
    brought = subprocess.run(
        [REPOSITORY / "scripts" / "pulumi", "--wait"],
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert brought.returncode == 0, brought.stderr
    return Path(brought.stdout.strip())


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The address of a moto server of this process."""
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from moto.server import ThreadedMotoServer  # reads its settings when it is imported

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def _new(folder: Path, moto: str, pulumi: Path) -> Iterator[Installation]:
    """A customer's inventory, an AWS in which nothing is but the DNS zone, and the variables of both."""
    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST")).close()
    made = Installation(folder, moto, pulumi)
    zone = made.client("route53").create_hosted_zone(Name="erpco.example.com", CallerReference="1")
    made.write(zone["HostedZone"]["Id"].rpartition("/")[2])
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith(("AMC_", "AWS_", "PULUMI_", "STANDIN_"))]:
            patched.delenv(name)
        for name, value in made.variables.items():
            patched.setenv(name, value)
        yield made


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, moto: str, pulumi: Path) -> Iterator[Installation]:
    """One for a module's tests: making a server takes ten seconds."""
    yield from _new(tmp_path_factory.mktemp("erpco"), moto, pulumi)


@pytest.fixture(scope="module")
def running(installation: Installation) -> Installation:
    """With its server made."""
    installation.plan("made")
    installation.apply("made")
    installation.calls()
    return installation
