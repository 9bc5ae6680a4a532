"""The real engine, the real pulumi-aws program, a moto server on loopback, and between them the stand-in."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.integration.pulumi.installation import REGION, REPOSITORY, Installation


@pytest.fixture(scope="session")
def pulumi() -> Path:
    """The pinned engine; brought when it is missing, which takes minutes, once on a machine."""
    brought = subprocess.run(
        [REPOSITORY / "scripts" / "pulumi", "--wait"], capture_output=True, text=True, check=False, timeout=1200
    )
    assert brought.returncode == 0, brought.stderr
    return Path(brought.stdout.strip())


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The address of a moto server of this process."""
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    from moto.server import ThreadedMotoServer  # reads its settings when it is imported

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def installation(tmp_path: Path, moto: str, pulumi: Path) -> Installation:
    """A customer's inventory, and an AWS in which nothing is but the DNS zone."""
    made = Installation(tmp_path, moto, pulumi)
    boto3.client(
        "ec2", endpoint_url=moto, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST")).close()
    zone = made.client("route53").create_hosted_zone(Name="erpco.example.com", CallerReference="1")
    made.write(zone["HostedZone"]["Id"].rpartition("/")[2])
    return made
