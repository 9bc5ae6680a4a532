"""What a customer's servers on AWS need to be told, in variables `aws_…`; mostly in group_vars/all/aws.yml.

aws_region: eu-central-1
aws_availability_zone: eu-central-1a     without it the region's zone a
aws_ami: ami-0123456789abcdef0           Debian 12 of that region; for servers that are made from now on
aws_dns_zone_id: Z0123456789ABC          the Route 53 zone of the servers' names
aws_ssh_public_key: ssh-ed25519 AAAA…    of the orchestrator: the user `ops` lets it in
aws_ssh_cidrs: [203.0.113.7/32]          from where; not from everywhere
aws_vpc_cidr: 10.20.0.0/16               without it this one
ansible_host: erp1.example.com           per server: the name that is kept for it in DNS
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import Problem
from orchestrator.sizing.said import Said

VPC_CIDR = "10.20.0.0/16"

# key: (what it has to look like, in words with an example)
_TEXTS = {
    "aws_region": (r"[a-z]{2}(-[a-z]+)+-[0-9]", "the region, such as eu-central-1"),
    "aws_ami": (r"ami-([0-9a-f]{8}|[0-9a-f]{17})", "a Debian 12 image of the region, ami-…"),
    "aws_dns_zone_id": (r"[A-Z0-9]{8,32}", "the id of the Route 53 zone, Z…"),
    "aws_ssh_public_key": (
        r"(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/]+=*( [^\n\"'\\{}]*)?",
        "one line of a .pub file, such as `ssh-ed25519 AAAA… amc`",
    ),
    "ansible_host": (
        r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
        "the server's full name in DNS, such as erp1.example.com",
    ),
}


@dataclass(frozen=True)
class Aws:
    """Valid settings of one server on AWS."""

    region: str
    zone: str
    ami: str
    dns_zone_id: str
    dns_name: str
    ssh_public_key: str
    ssh_cidrs: tuple[str, ...]
    vpc_cidr: str


def read_aws(server: str, said: Said) -> tuple[Aws | None, list[Problem]]:
    """The settings, or None and what is wrong with them."""
    problems, texts = [], dict[str, str]()
    for key, (pattern, wanted) in _TEXTS.items():
        value = said.value(key)
        if isinstance(value, str) and re.fullmatch(pattern, value):
            texts[key] = value
        else:
            words = f"{key} of {server} {_fault(value)}"
            problems.append(said.problem(key, words, f"write {wanted}"))
    zone = said.value("aws_availability_zone") or f"{texts.get('aws_region')}a"
    if "aws_region" in texts and not re.fullmatch(f"{texts['aws_region']}[a-z]", str(zone)):
        words = f"aws_availability_zone of {server} is {zone!r}, not one of {texts['aws_region']}"
        problems.append(
            said.problem("aws_availability_zone", words, f"write {texts['aws_region']}a, or b, …")
        )
    cidrs = said.value("aws_ssh_cidrs")
    problems += _faults_of_cidrs(server, said, cidrs)
    vpc = said.value("aws_vpc_cidr") or VPC_CIDR
    if not (network := _network(vpc)) or not network.is_private or not 16 <= network.prefixlen <= 24:
        words = f"aws_vpc_cidr of {server} is {vpc!r}"
        problems.append(
            said.problem("aws_vpc_cidr", words, f"write a private network of /16 to /24: {VPC_CIDR}")
        )
    if problems:
        return None, problems
    return Aws(
        region=texts["aws_region"],
        zone=str(zone),
        ami=texts["aws_ami"],
        dns_zone_id=texts["aws_dns_zone_id"],
        dns_name=texts["ansible_host"],
        ssh_public_key=texts["aws_ssh_public_key"],
        ssh_cidrs=tuple(cidrs),
        vpc_cidr=str(vpc),
    ), []


def _faults_of_cidrs(server: str, said: Said, cidrs: Any) -> list[Problem]:
    """SSH is for the orchestrator's addresses; from everywhere is what the firewall is there to keep out."""
    mend = "write where the orchestrator comes from: `aws_ssh_cidrs: [203.0.113.7/32]`"
    if not isinstance(cidrs, list) or not cidrs:
        return [said.problem("aws_ssh_cidrs", f"aws_ssh_cidrs of {server} {_fault(cidrs)}", mend)]
    problems = []
    for cidr in cidrs:
        network = _network(cidr)
        if network is None:
            words = f"aws_ssh_cidrs of {server}: {cidr!r} is no network"
            problems.append(said.problem("aws_ssh_cidrs", words, mend))
        elif network.prefixlen == 0:
            words = f"aws_ssh_cidrs of {server}: {cidr} is the whole world"
            problems.append(said.problem("aws_ssh_cidrs", words, mend))
    return problems


def _network(value: Any) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(value) if isinstance(value, str) and "/" in value else None
    except ValueError:
        return None


def _fault(value: Any) -> str:
    if value is None:
        return "is not said"
    if isinstance(value, str) and "{{" in value:
        return f"is a template, {value!r}, and nothing is templated here"
    return f"is {value!r}"
