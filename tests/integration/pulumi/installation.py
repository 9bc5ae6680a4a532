"""An installation of these tests: its own AMC_HOME, an inventory on AWS, the real engine, the stand-in."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from orchestrator import settings
from orchestrator.sizing import change
from orchestrator.sizing.change import Change, Result

REPOSITORY = Path(__file__).parents[3]
STANDIN = Path(__file__).parent / "standin"
REGION = "eu-central-1"
AMI = "ami-03cf127a"  # one that moto knows
DEADLINE_S = 120
CONTRACT = """\
amc_contract:
  {customer: erpco, customer_name: ERP Co, number: T-7, version: 1, mode: comprehensive,
   time_zone: Europe/Berlin, term: {start: 2026-01-01},
   maintenance_windows: [{days: [sunday], start: "01:00", end: "05:00"}]}
"""
HOSTS = "all: {children: {mems: {hosts: {erpco-erp1: }}}}\n"
SERVER = """\
server_provider: aws
server_spec: m6i.large
server_disk_gib: 60
ansible_host: erp1.erpco.example.com
"""
SETTINGS = """\
aws_region: eu-central-1
aws_ami: {ami}
aws_dns_zone_id: {zone}
aws_ssh_public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKJsVt9Pz4kO0xQm1Vt3Vq7m2d0pX1m9mXyV0k3n2b1c amc
aws_ssh_cidrs: [203.0.113.7/32]
"""


@dataclass
class Installation:
    """`customer` erpco has one server, erpco-erp1, on AWS; `folder` is everything's place."""

    folder: Path
    endpoint: str
    pulumi: Path

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def customer_folder(self) -> Path:
        return self.folder / "inventories" / "erpco"

    @property
    def host_vars(self) -> Path:
        return self.customer_folder / "host_vars" / "erpco-erp1.yml"

    @property
    def aws_vars(self) -> Path:
        return self.customer_folder / "group_vars" / "all" / "aws.yml"

    @property
    def calls_file(self) -> Path:
        return self.folder / "calls"

    @property
    def variables(self) -> dict[str, str]:
        """What makes this process, and what it starts, work on this installation."""
        mine = Path(sys.executable).parent
        return {
            "PATH": os.pathsep.join([str(mine), str(STANDIN), os.environ["PATH"]]),
            "AMC_HOME": str(self.folder / "home"),
            "AMC_REPOSITORY": str(self.repository),
            "AMC_INVENTORIES": str(self.folder / "inventories"),
            "AMC_PULUMI": str(self.pulumi),
            "AWS_ENDPOINT_URL": self.endpoint,
            "STANDIN_CALLS": str(self.calls_file),
        }

    def write(self, zone: str) -> None:
        """The customer's folder."""
        for file, text in (
            (self.customer_folder / "hosts.yml", HOSTS),
            (self.customer_folder / "group_vars/all/contract.yml", CONTRACT),
            (self.aws_vars, SETTINGS.format(ami=AMI, zone=zone)),
            (self.host_vars, SERVER),
        ):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def say(self, key: str, value: str, file: Path | None = None) -> None:
        """Change one line of an inventory, or add it."""
        file = file or self.host_vars
        line = f"{key}: {value}"
        text, count = re.subn(rf"^{key}:.*$", line, file.read_text(), flags=re.MULTILINE)
        file.write_text(text if count else f"{text}{line}\n")

    def plan(self, name: str, spec: str = "") -> Change:
        """Plan what the inventory wants, or another specification, in the folder of that name."""
        specs = {"erpco-erp1": spec} if spec else {}
        return change.plan(settings.read(), "erpco", self.folder / name, specs)

    def apply(self, name: str) -> Result:
        return change.apply(settings.read(), self.folder / name)

    def back(self, name: str) -> Result:
        return change.back(settings.read(), self.folder / name)

    def started(self, what: str, name: str, **more: str) -> "subprocess.Popen[str]":
        """The same as a process of its own, which can be killed."""
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrator.sizing.change", what, "--folder", str(self.folder / name)],
            env={**os.environ, **more},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def calls(self) -> list[str]:
        """The names of the calls to AWS that change something, since the last time."""
        if not self.calls_file.exists():
            return []
        found = [json.loads(line)[0] for line in self.calls_file.read_text().splitlines()]
        self.calls_file.unlink()
        return found

    def client(self, name: str) -> Any:
        return boto3.client(
            name,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def server(self) -> dict[str, Any]:
        """What AWS has of the one server, as a person would see it."""
        ec2 = self.client("ec2")
        found = [
            one
            for each in ec2.describe_instances()["Reservations"]
            for one in each["Instances"]
            if one["State"]["Name"] != "terminated"
        ]
        assert len(found) == 1
        (address,) = ec2.describe_addresses()["Addresses"]
        data = [
            each
            for each in ec2.describe_volumes()["Volumes"]
            if each["Attachments"][0]["Device"] == "/dev/sdf"
        ]
        return {
            "id": found[0]["InstanceId"],
            "type": found[0]["InstanceType"],
            "state": found[0]["State"]["Name"],
            "ami": found[0]["ImageId"],
            "address": address["PublicIp"],
            "belongs_to": address.get("InstanceId"),
            "volume": data[0]["VolumeId"],
            "gib": data[0]["Size"],
        }

    def locks(self) -> list[Path]:
        return list((self.folder / "home/pulumi/.pulumi/locks").rglob("*.json"))
