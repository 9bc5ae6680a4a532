"""EC2: instances, whether they run, volumes and their attachments."""

import re
from typing import Any, ClassVar

from clouds import Clouds
from kind import Kind, is_known, retag, tag_specification, tags_of

ROOT_DEVICE = "/dev/sda1"


class Instance(Kind):
    """instanceType: stop, modify, start, and the same instance, as the real provider does it."""

    replace = frozenset({"ami", "availabilityZone", "subnetId", "keyName", "privateIp", "userData"})
    in_place = frozenset(
        {
            "instanceType",
            "tags",
            "vpcSecurityGroupIds",
            "disableApiTermination",
            "iamInstanceProfile",
            "metadataOptions",
            "rootBlockDevice",
        }
    )
    computed = frozenset({"arn", "privateIp", "publicIp", "instanceState"})
    required = frozenset({"ami", "instanceType"})
    nested: ClassVar = {
        "metadataOptions": frozenset({"httpEndpoint", "httpTokens", "httpPutResponseHopLimit"}),
        "rootBlockDevice": frozenset({"encrypted", "volumeType", "volumeSize", "deleteOnTermination"}),
    }

    def faults(self, news: dict[str, Any]) -> list[tuple[str, str]]:
        ami = news.get("ami", "")
        if is_known(ami) and not re.fullmatch(r"ami-([0-9a-f]{8}|[0-9a-f]{17})", ami):
            return [("ami", f"{ami!r} is no image")]
        return []

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        root, options = inputs.get("rootBlockDevice") or {}, inputs.get("metadataOptions") or {}
        said: dict[str, Any] = {
            "ImageId": inputs["ami"],
            "InstanceType": inputs["instanceType"],
            "MinCount": 1,
            "MaxCount": 1,
            "BlockDeviceMappings": [{"DeviceName": ROOT_DEVICE, "Ebs": _disk(root)}],
            **tag_specification("instance", inputs),
        }
        for key, name in (
            ("subnetId", "SubnetId"),
            ("vpcSecurityGroupIds", "SecurityGroupIds"),
            ("userData", "UserData"),
        ):
            if inputs.get(key):
                said[name] = inputs[key]
        if options:
            said["MetadataOptions"] = {key[0].upper() + key[1:]: value for key, value in options.items()}
        if inputs.get("iamInstanceProfile"):
            said["IamInstanceProfile"] = {"Name": inputs["iamInstanceProfile"]}
        made: str = clouds.ec2.run_instances(**said)["Instances"][0]["InstanceId"]
        clouds.pause()
        clouds.ec2.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig={"Delay": 1})
        protected = {"Value": bool(inputs.get("disableApiTermination"))}
        clouds.ec2.modify_instance_attribute(InstanceId=made, DisableApiTermination=protected)
        return made

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        one = clouds.instance(name)
        if one is None:
            return None
        protected = clouds.ec2.describe_instance_attribute(InstanceId=name, Attribute="disableApiTermination")
        found = {
            "arn": clouds.arn("ec2", f"instance/{name}"),
            "ami": one["ImageId"],
            "instanceType": one["InstanceType"],
            "privateIp": one.get("PrivateIpAddress", ""),
            "publicIp": one.get("PublicIpAddress", ""),
            "instanceState": one["State"]["Name"],
            "subnetId": one.get("SubnetId", ""),
            "availabilityZone": one["Placement"]["AvailabilityZone"],
            "tags": tags_of(one),
            "vpcSecurityGroupIds": [group["GroupId"] for group in one["SecurityGroups"]],
            "disableApiTermination": protected["DisableApiTermination"]["Value"],
            "rootBlockDevice": self._root(clouds, one),
        }
        if profile := one.get("IamInstanceProfile"):
            found["iamInstanceProfile"] = profile["Arn"].rpartition("/")[2]
        if options := one.get("MetadataOptions"):
            found["metadataOptions"] = {key[0].lower() + key[1:]: value for key, value in options.items()}
        return found

    def _root(self, clouds: Clouds, one: dict[str, Any]) -> dict[str, Any]:
        disks = {each["DeviceName"]: each["Ebs"] for each in one["BlockDeviceMappings"]}
        volume = clouds.ec2.describe_volumes(VolumeIds=[disks[ROOT_DEVICE]["VolumeId"]])["Volumes"][0]
        return {
            "encrypted": volume["Encrypted"],
            "volumeType": volume["VolumeType"],
            "volumeSize": volume["Size"],
            "deleteOnTermination": disks[ROOT_DEVICE]["DeleteOnTermination"],
        }

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        ec2 = clouds.ec2
        if olds.get("instanceType") != news["instanceType"]:
            ec2.stop_instances(InstanceIds=[name])
            clouds.pause()
            ec2.get_waiter("instance_stopped").wait(InstanceIds=[name], WaiterConfig={"Delay": 1})
            ec2.modify_instance_attribute(InstanceId=name, InstanceType={"Value": news["instanceType"]})
            clouds.pause()
            ec2.start_instances(InstanceIds=[name])
            clouds.pause()
            ec2.get_waiter("instance_running").wait(InstanceIds=[name], WaiterConfig={"Delay": 1})
        if olds.get("vpcSecurityGroupIds") != news.get("vpcSecurityGroupIds"):
            ec2.modify_instance_attribute(InstanceId=name, Groups=news["vpcSecurityGroupIds"])
        if olds.get("disableApiTermination") != news.get("disableApiTermination"):
            value = {"Value": bool(news.get("disableApiTermination"))}
            ec2.modify_instance_attribute(InstanceId=name, DisableApiTermination=value)
        retag(clouds, name, olds, news)

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.ec2.terminate_instances(InstanceIds=[name])


class InstanceState(Kind):
    """Whether an instance runs: one that was stopped half-way is started again."""

    replace = frozenset({"instanceId"})
    in_place = frozenset({"state", "force"})
    required = frozenset({"instanceId", "state"})

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        self._bring(clouds, inputs["instanceId"], inputs["state"])
        name: str = inputs["instanceId"]
        return name

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        one = clouds.instance(name)
        return one and {"instanceId": name, "state": one["State"]["Name"]}

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        self._bring(clouds, name, news["state"])

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        """Nothing is there to be deleted."""

    def _bring(self, clouds: Clouds, name: str, state: str) -> None:
        one = clouds.instance(name)
        if one is None or one["State"]["Name"] == state:
            return
        change = clouds.ec2.start_instances if state == "running" else clouds.ec2.stop_instances
        change(InstanceIds=[name])
        clouds.ec2.get_waiter(f"instance_{state}").wait(InstanceIds=[name], WaiterConfig={"Delay": 1})


class Volume(Kind):
    """Grows in place, also while it is attached."""

    replace = frozenset({"availabilityZone", "encrypted", "snapshotId", "kmsKeyId"})
    in_place = frozenset({"size", "type", "iops", "throughput", "tags"})
    computed = frozenset({"arn"})
    required = frozenset({"availabilityZone"})

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        made: str = clouds.ec2.create_volume(
            AvailabilityZone=inputs["availabilityZone"],
            Encrypted=bool(inputs.get("encrypted")),
            Size=inputs["size"],
            VolumeType=inputs.get("type", "gp2"),
            **tag_specification("volume", inputs),
        )["VolumeId"]
        clouds.ec2.get_waiter("volume_available").wait(VolumeIds=[made], WaiterConfig={"Delay": 1})
        return made

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        one = clouds.ec2.describe_volumes(VolumeIds=[name])["Volumes"][0]
        return {
            "arn": clouds.arn("ec2", f"volume/{name}"),
            "availabilityZone": one["AvailabilityZone"],
            "size": one["Size"],
            "type": one["VolumeType"],
            "encrypted": one["Encrypted"],
            "tags": tags_of(one),
        }

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        keys = {"size": "Size", "type": "VolumeType", "iops": "Iops", "throughput": "Throughput"}
        changed = {aws: news[key] for key, aws in keys.items() if news.get(key) not in (None, olds.get(key))}
        if changed:
            clouds.ec2.modify_volume(VolumeId=name, **changed)
            clouds.pause()
        retag(clouds, name, olds, news)

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.ec2.delete_volume(VolumeId=name)


class VolumeAttachment(Kind):
    replace = frozenset({"deviceName", "instanceId", "volumeId"})
    in_place = frozenset({"forceDetach", "skipDestroy", "stopInstanceBeforeDetaching"})
    required = replace
    delete_first = True

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        clouds.ec2.attach_volume(
            Device=inputs["deviceName"], InstanceId=inputs["instanceId"], VolumeId=inputs["volumeId"]
        )
        return f"vai-{inputs['volumeId']}:{inputs['instanceId']}"

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        volume, instance = name.removeprefix("vai-").split(":")
        for each in clouds.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]:
            if each["InstanceId"] == instance:
                return {"deviceName": each["Device"], "instanceId": instance, "volumeId": volume}
        return None

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        """How a detachment is done is the provider's own matter."""

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.ec2.detach_volume(VolumeId=state["volumeId"], InstanceId=state["instanceId"])


def _disk(said: dict[str, Any]) -> dict[str, Any]:
    return {
        "VolumeSize": said.get("volumeSize", 8),
        "VolumeType": said.get("volumeType", "gp2"),
        "Encrypted": bool(said.get("encrypted")),
        "DeleteOnTermination": bool(said.get("deleteOnTermination", True)),
    }


KINDS = {
    "aws:ec2/instance:Instance": Instance(),
    "aws:ec2transitgateway/instanceState:InstanceState": InstanceState(),
    "aws:ebs/volume:Volume": Volume(),
    "aws:ec2/volumeAttachment:VolumeAttachment": VolumeAttachment(),
}
