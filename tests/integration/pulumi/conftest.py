"""The real engine, the real pulumi-aws program, a moto server on loopback, and between them the stand-in."""

import logging
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
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


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, moto: str, pulumi: Path) -> Installation:
    """An installation whose server is made: it takes ten seconds, once for all of these tests."""
    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST")).close()
    made = Installation(tmp_path_factory.mktemp("erpco"), moto, pulumi)
    # A copy, so that it is no checkout: a commit while the tests run would move what plans are bound to.
    shutil.copytree(REPOSITORY / "pulumi", made.repository / "pulumi")
    zone = made.client("route53").create_hosted_zone(Name="erpco.example.com", CallerReference="1")
    made.write(zone["HostedZone"]["Id"].rpartition("/")[2])
    with _here(made):
        made.plan("made")
        made.apply("made")
        made.calls()
    return made


@pytest.fixture
def running(made: Installation) -> Iterator[Installation]:
    """The same, with this process working on it. A test leaves the specification as it was."""
    with _here(made):
        made.calls()  # those of the test before
        yield made


@contextmanager
def _here(made: Installation) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith(("AMC_", "AWS_", "PULUMI_", "STANDIN_"))]:
            patched.delenv(name)
        for name, value in made.variables.items():
            patched.setenv(name, value)
        yield
