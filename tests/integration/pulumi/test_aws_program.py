"""The AWS program through the real engine: made, resized, grown, kept, healed. Never against real AWS."""

import json
import shutil
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import InvalidInput
from tests.integration.pulumi.installation import AMI, REPOSITORY, Installation

RESIZED = ["StopInstances", "ModifyInstanceAttribute", "StartInstances"]


def test_a_server_as_the_issue_wants_it(running: Installation) -> None:
    """Encrypted disks, IMDSv2, an address and a name that stay, the way in, and only three ports."""
    server, ec2 = running.server(), running.client("ec2")
    assert (server["type"], server["state"], server["ami"]) == ("m6i.large", "running", AMI)
    assert server["belongs_to"] == server["id"]
    (one,) = ec2.describe_instances(InstanceIds=[server["id"]])["Reservations"][0]["Instances"]
    assert one["MetadataOptions"]["HttpTokens"] == "required"
    assert one["IamInstanceProfile"]["Arn"].rpartition("/")[2].startswith("erpco-")
    disks = ec2.describe_volumes()["Volumes"]
    assert [(disk["Encrypted"], disk["VolumeType"]) for disk in disks] == [(True, "gp3")] * 2
    assert sorted(disk["Size"] for disk in disks) == [20, server["gib"]]
    (group,) = [
        each for each in ec2.describe_security_groups()["SecurityGroups"] if each["GroupName"] != "default"
    ]
    opened = {rule["FromPort"]: rule["IpRanges"][0]["CidrIp"] for rule in group["IpPermissions"]}
    assert opened == {80: "0.0.0.0/0", 443: "0.0.0.0/0", 22: "203.0.113.7/32"}
    said = ec2.describe_instance_attribute(InstanceId=server["id"], Attribute="userData")["UserData"]["Value"]
    first_boot = b64decode(said).decode()
    assert "name: ops" in first_boot and server["volume"].replace("-", "") in first_boot
    route53 = running.client("route53")
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert [
        [each["Value"] for each in record["ResourceRecords"]] for record in records if record["Type"] == "A"
    ] == [[server["address"]]]


def test_another_specification_and_back(running: Installation) -> None:
    """Planned with cost and downtime; stopped, modified, started; the same instance, volume and address."""
    before = running.server()
    planned = running.plan("bigger", "m6i.xlarge")
    (server,) = planned.servers
    assert (server["action"], server["stops"], server["downtime_s"]) == ("update", True, 180)
    assert (server["from"]["spec"], server["to"]["spec"]) == ("m6i.large", "m6i.xlarge")
    assert server["usd_per_month"] == {"from": 83.95, "to": 167.9, "difference": 83.95}
    assert "hosting charges are not covered" in " ".join(planned.sentences)
    assert running.calls() == []
    applied = running.apply("bigger")
    assert (running.calls(), running.server()) == (RESIZED, {**before, "type": "m6i.xlarge"})
    assert (applied.changed, applied.servers["erpco-erp1"]["spec"]) == (True, "m6i.xlarge")
    assert running.apply("bigger") == replace(applied, changed=False)
    undone = running.back("bigger")
    assert (running.calls(), running.server()) == (RESIZED, before)
    assert undone.servers["erpco-erp1"]["spec"] == "m6i.large"
    assert running.locks() == []


def test_a_disk_grows_while_the_server_runs(running: Installation) -> None:
    """One line of host_vars, and no stop."""
    before = running.server()
    running.say("server_disk_gib", str(before["gib"] + 1))
    (server,) = running.plan("more").servers
    assert (server["stops"], server["downtime_s"]) == (False, 0)
    running.apply("more")
    assert running.calls() == ["ModifyVolume"]
    assert running.server() == {**before, "gib": before["gib"] + 1}


def test_what_would_replace_a_server_is_refused(running: Installation) -> None:
    """Another zone replaces subnet, volume and instance: each is named, with its rule and a mend."""
    running.say("aws_availability_zone", "eu-central-1b", running.aws_vars)
    with pytest.raises(InvalidInput) as refused:
        running.plan("moved")
    running.say("aws_availability_zone", "eu-central-1a", running.aws_vars)
    told = str(refused.value)
    for kind in ("instance:Instance::erpco-erp1", "volume:Volume::erpco-erp1", "volumeAttachment"):
        assert kind in told
    assert "rule `kept`: a data volume would be replaced" in told
    assert all(problem.mend for problem in refused.value.problems)
    assert running.calls() == []


def test_another_image_is_for_new_servers(running: Installation, tmp_path: Path) -> None:
    """Written down it changes nothing. A program that would replace the server by it is refused by the
    engine, which keeps what is protected, and where that is left out too, by our policy.
    """
    running.say("aws_ami", "ami-04681a1dbd79675a5", running.aws_vars)
    assert [each["action"] for each in running.plan("image").servers] == ["same"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AMC_REPOSITORY", str(tmp_path))
        shutil.copytree(REPOSITORY / "pulumi", tmp_path / "pulumi")
        for left_out in ('"ami", ', "protect=True,"):
            program = tmp_path / "pulumi" / "on_aws.py"
            assert program.read_text().count(left_out) == 1
            program.write_text(program.read_text().replace(left_out, ""))
            with pytest.raises(InvalidInput, match="rule `kept`: an instance would be replaced"):
                running.plan("replaced")
    running.say("aws_ami", AMI, running.aws_vars)
    assert running.calls() == []


def test_a_port_that_somebody_opened_is_shut_again(running: Installation) -> None:
    """Drift of the firewall and of the specification: planned, then healed."""
    server, ec2 = running.server(), running.client("ec2")
    (group,) = [
        each for each in ec2.describe_security_groups()["SecurityGroups"] if each["GroupName"] != "default"
    ]
    opened = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[opened])
    ec2.stop_instances(InstanceIds=[server["id"]])
    ec2.modify_instance_attribute(InstanceId=server["id"], InstanceType={"Value": "t3.large"})
    assert [each["action"] for each in running.plan("healed").servers] == ["update"]
    running.apply("healed")
    assert running.server() == server
    (group,) = ec2.describe_security_groups(GroupIds=[group["GroupId"]])["SecurityGroups"]
    assert sorted(rule["FromPort"] for rule in group["IpPermissions"]) == [22, 80, 443]


def test_a_resource_beside_the_firewall_is_refused(running: Installation, tmp_path: Path) -> None:
    """A program that opens the database to everyone is refused by name, port and mend."""
    shutil.copytree(REPOSITORY / "pulumi", tmp_path / "pulumi")
    program = tmp_path / "pulumi" / "on_aws.py"
    text = program.read_text().replace("(443, [EVERYWHERE]),", "(443, [EVERYWHERE]), (5432, [EVERYWHERE]),")
    program.write_text(text)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AMC_REPOSITORY", str(tmp_path))
        with pytest.raises(InvalidInput, match=r"securityGroup.*rule `closed`: port 5432 would be open"):
            running.plan("open")
    assert not (running.folder / "open" / "change.json").exists()
    assert json.loads((running.folder / "open" / "plan.json").read_text())["resourcePlans"]
