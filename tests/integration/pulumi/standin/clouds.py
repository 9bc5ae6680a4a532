"""boto3 towards the moto server, with what AWS refuses and moto lets through; every call is written down.

AWS_ENDPOINT_URL must be http://127.0.0.1:PORT. STANDIN_CALLS names a file for one line per call,
STANDIN_SLOW_S the seconds that each step of a stop and start takes, so that a test can kill in between.
"""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import boto3

MUST_BE_STOPPED = ("InstanceType", "UserData", "EbsOptimized")


class Refused(Exception):
    """What AWS would answer, in its words."""


class Clouds:
    """`ec2`, `iam` and `route53` of one region."""

    def __init__(self, endpoint: str, region: str) -> None:
        if not re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/?", endpoint):
            raise Refused("the AWS stand-in talks only to AWS_ENDPOINT_URL=http://127.0.0.1:PORT")
        self.region = region
        self.slow_s = float(os.environ.get("STANDIN_SLOW_S") or 0)
        self._calls = os.environ.get("STANDIN_CALLS")
        said = {"endpoint_url": endpoint, "region_name": region}
        said |= {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self.ec2, self.iam, self.route53 = (boto3.client(name, **said) for name in ("ec2", "iam", "route53"))
        for client in (self.ec2, self.iam, self.route53):
            client.meta.events.register("provide-client-params", self._before)

    def arn(self, service: str, what: str) -> str:
        return f"arn:aws:{service}:{self.region}:123456789012:{what}"

    def pause(self) -> None:
        """A step of a real stop or start takes its time."""
        time.sleep(self.slow_s)

    def _before(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        name = model.name
        if name == "ModifyInstanceAttribute" and any(key in params for key in MUST_BE_STOPPED):
            state = self.instance(params["InstanceId"])["State"]["Name"]
            if state != "stopped":
                raise Refused(
                    f"IncorrectInstanceState: the instance {params['InstanceId']} is {state}, not stopped"
                )
        if name == "ModifyInstanceAttribute" and "InstanceType" in params:
            # moto's modify takes any word.
            self.ec2.describe_instance_types(InstanceTypes=[params["InstanceType"]["Value"]])
        if name == "CreateVolume" and not 1 <= params.get("Size", 1) <= 16384:
            raise Refused(f"InvalidParameterValue: a volume of {params['Size']} GiB")
        if name == "ModifyVolume" and "Size" in params:
            size = self.ec2.describe_volumes(VolumeIds=[params["VolumeId"]])["Volumes"][0]["Size"]
            if params["Size"] < size:
                raise Refused(
                    f"InvalidParameterValue: a volume can only grow, from {size} to {params['Size']} GiB"
                )
        if self._calls and not name.startswith(("Describe", "Get", "List")):
            with Path(self._calls).open("a") as file:
                file.write(json.dumps([name, params], default=str) + "\n")

    def instance(self, name: str) -> dict[str, Any] | None:
        """None when it is gone, which AWS shows for another hour."""
        found = self.ec2.describe_instances(InstanceIds=[name])["Reservations"]
        one = found[0]["Instances"][0] if found else None
        return None if not one or one["State"]["Name"] in ("terminated", "shutting-down") else one
