"""What the inventories want of the machine: every fault with file, line and mend, all of them at once."""

from pathlib import Path

import pytest

from orchestrator.errors import InvalidInput, Problem, UsageError
from orchestrator.sizing.wanted import Wanted, read

HOSTS = "all: {children: {mems: {hosts: {erp1: , erp2: }}}}\n"
LAB = "server_provider: lab\nserver_spec: lab.medium\nserver_disk_gib: 12\n"
AWS = """\
server_provider: aws
server_spec: t3.large
server_disk_gib: 60
ansible_host: erp1.example.com
"""
SETTINGS = """\
aws_region: eu-central-1
aws_ami: ami-0123456789abcdef0
aws_dns_zone_id: Z0123456789ABC
aws_ssh_public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKJsVt9Pz4kO0xQm1Vt3Vq7m2d0pX1m9mXyV0k3n2b1c amc
aws_ssh_cidrs: [203.0.113.7/32]
"""


@pytest.fixture
def inventories(tmp_path: Path) -> Path:
    for name, text in (
        ("hosts.yml", HOSTS),
        ("host_vars/erp1.yml", LAB),
        ("group_vars/all/aws.yml", SETTINGS),
    ):
        file = tmp_path / "acme" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def say(inventories: Path, name: str, text: str) -> Path:
    file = inventories / "acme" / name
    file.write_text(text)
    return file


def problems(inventories: Path) -> list[Problem]:
    with pytest.raises(InvalidInput) as refused:
        read(inventories, "acme")
    assert all(problem.mend for problem in refused.value.problems)
    return refused.value.problems


def test_only_a_server_with_a_specification_is_wanted(inventories: Path) -> None:
    """The other one stays as it is: no resource of the stack."""
    (server,) = read(inventories, "acme")
    assert (server.name, server.spec.name, server.disk_gib, server.stops) == ("erp1", "lab.medium", 12, False)


def test_an_order_wins_and_names_what_there_is(inventories: Path) -> None:
    """For a server that has no specification yet, too; anything unknown is an error of usage."""
    say(inventories, "host_vars/erp2.yml", "server_provider: lab\nserver_stop_to_resize: true\n")
    found = {
        each.name: each for each in read(inventories, "acme", {"erp1": "lab.large", "erp2": "lab.small"})
    }
    assert (found["erp1"].spec.name, found["erp2"].spec.name, found["erp2"].stops) == (
        "lab.large",
        "lab.small",
        True,
    )
    for order in ({"erp3": "lab.large"}, {"erp1": "lab.larg"}, {"erp1": "t3.large"}):
        with pytest.raises(UsageError) as refused:
            read(inventories, "acme", order)
        assert refused.value.mend


def test_on_aws(inventories: Path) -> None:
    """Defaults of zone and network; EC2 always stops."""
    say(inventories, "host_vars/erp1.yml", AWS)
    (server,) = read(inventories, "acme")
    assert server.aws is not None
    assert (server.aws.zone, server.aws.vpc_cidr, server.stops) == ("eu-central-1a", "10.20.0.0/16", True)
    assert isinstance(server, Wanted)


def test_the_line_is_that_of_the_strongest_file(inventories: Path) -> None:
    """host_vars before group_vars before hosts.yml, as Ansible lets them win."""
    file = say(inventories, "host_vars/erp1.yml", f"# a comment\n{LAB}".replace("lab.medium", "lab.mega"))
    (problem,) = problems(inventories)
    assert (problem.file, problem.line) == (file, 3)
    say(inventories, "host_vars/erp1.yml", "server_provider: lab\n")
    everyone = say(inventories, "group_vars/all/servers.yml", "server_spec: lab.mega\n")
    assert {(each.file, each.line) for each in problems(inventories)} >= {(everyone, 1)}


def test_everything_that_is_missing_at_once(inventories: Path) -> None:
    """A server on AWS that says nothing else: a problem for each setting."""
    say(inventories, "host_vars/erp1.yml", "server_provider: aws\nserver_spec: t3.large\n")
    say(inventories, "group_vars/all/aws.yml", "")
    told = " ".join(str(problem) for problem in problems(inventories))
    for key in (
        "server_disk_gib",
        "aws_region",
        "aws_ami",
        "aws_dns_zone_id",
        "aws_ssh_public_key",
        "aws_ssh_cidrs",
        "ansible_host",
    ):
        assert f"{key} of erp1 is not said" in told


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("server_stop_to_resize: perhaps", "server_stop_to_resize of erp1 is 'perhaps'"),
        ("server_disk_gib: true", "server_disk_gib of erp1 is True"),
        ('server_disk_gib: "12"', "server_disk_gib of erp1 is '12'"),
        ("server_disk_gib: 20000", "server_disk_gib of erp1 is 20000"),
        ("server_spec: [lab.small]", "there is no specification"),
        ("server_provider: gcp", "server_provider is 'gcp'"),
    ],
)
def test_odd_values(inventories: Path, line: str, words: str) -> None:
    """Nothing is guessed."""
    kept = [each for each in LAB.splitlines() if each.split(":")[0] != line.split(":", maxsplit=1)[0]]
    file = say(inventories, "host_vars/erp1.yml", "\n".join([*kept, line]) + "\n")
    (problem,) = problems(inventories)
    assert words in problem.message
    assert (problem.file, problem.line) == (file, len(kept) + 1)


@pytest.mark.parametrize(
    "key", ["ssh-rsa", 'ssh-ed25519 AAAA\\nruncmd: [x]"', "ssh-ed25519 AAAA {{ x }}", "ssh-ed25519 AAAA it's"]
)
def test_a_key_that_would_be_more_than_a_key(inventories: Path, key: str) -> None:
    """It is written into cloud-init's configuration: one line of one key and nothing else."""
    say(inventories, "host_vars/erp1.yml", AWS)
    text = [line for line in SETTINGS.splitlines() if "public_key" not in line]
    say(inventories, "group_vars/all/aws.yml", "\n".join([*text, f'aws_ssh_public_key: "{key}']) + '"\n')
    (problem,) = problems(inventories)
    assert problem.message.startswith("aws_ssh_public_key of erp1") or "YAML" in problem.message


def test_servers_of_one_network_agree_about_it(inventories: Path) -> None:
    """Two regions for one customer: said which, and where to say it once."""
    say(inventories, "host_vars/erp1.yml", AWS)
    say(
        inventories,
        "host_vars/erp2.yml",
        AWS.replace("erp1", "erp2") + "aws_availability_zone: eu-central-1b\n",
    )
    (problem,) = problems(inventories)
    assert "eu-central-1a and eu-central-1b" in problem.message
    assert "aws_availability_zone once" in problem.mend
