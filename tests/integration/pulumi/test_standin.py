"""What stands in for AWS refuses what AWS refuses, and everything that it does not know."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.errors import AmcError
from tests.integration.pulumi.installation import REGION, STANDIN, Installation


@pytest.fixture(scope="module")
def standin() -> Iterator[Any]:
    """Its modules, which lie beside the plugin."""
    sys.path.insert(0, str(STANDIN))
    import provider

    yield provider
    sys.path.remove(str(STANDIN))


def test_what_aws_refuses(standin: Any, running: Installation) -> None:
    """moto lets each of these through."""
    clouds, server = standin.Clouds(running.endpoint, REGION), running.server()
    changed = {"InstanceId": server["id"], "InstanceType": {"Value": "m6i.xlarge"}}
    with pytest.raises(standin.Refused, match="IncorrectInstanceState"):
        clouds.ec2.modify_instance_attribute(**changed)
    with pytest.raises(standin.Refused, match="a volume can only grow"):
        clouds.ec2.modify_volume(VolumeId=server["volume"], Size=server["gib"] - 1)
    with pytest.raises(standin.Refused, match="InvalidParameterValue: a volume of -1 GiB"):
        clouds.ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=-1)
    assert running.server() == server


@pytest.mark.parametrize(
    "endpoint", ["", "https://ec2.eu-central-1.amazonaws.com", "http://127.0.0.1.example.com:80"]
)
def test_it_talks_to_nobody_else(standin: Any, endpoint: str) -> None:
    """A server on loopback, by its number."""
    with pytest.raises(standin.Refused, match="talks only to"):
        standin.Clouds(endpoint, REGION)


def test_what_it_does_not_know(standin: Any, running: Installation) -> None:
    """A property, one below another, and a type: a program that grows past it fails loudly."""
    instance = standin.KINDS["aws:ec2/instance:Instance"]
    said = {
        "ami": "x",
        "hibernation": True,
        "metadataOptions": {"httpTokens": "required", "instanceTags": "on"},
    }
    assert instance.strange(said) == {"hibernation", "metadataOptions.instanceTags"}
    assert [name for name, _ in instance.faults({"ami": "debian-12"})] == ["ami"]
    program = running.repository / "pulumi" / "on_aws.py"
    text = program.read_text()
    program.write_text(
        text.replace("        self.register_outputs({})", "        aws.sns.Topic(customer, opts=opts)")
    )
    try:
        with pytest.raises(AmcError, match="the AWS stand-in has no type aws:sns/topic:Topic"):
            running.plan("unknown-type")
    finally:
        program.write_text(text)


def test_it_ends_with_its_engine(running: Installation) -> None:
    """Killed, the engine leaves nobody behind."""
    plugin = STANDIN / "pulumi-resource-aws"
    code = f"import subprocess; p = subprocess.Popen([{str(plugin)!r}], stdout=subprocess.PIPE); print(p.pid)"
    code += "; p.stdout.readline()"
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    subprocess.run(["timeout", "20", "tail", f"--pid={pid}", "-f", "/dev/null"], check=True)
