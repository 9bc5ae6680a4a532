"""IAM's roles and profiles, and Route 53's records."""

import json
from typing import Any

from clouds import Clouds
from kind import Kind


class Role(Kind):
    replace = frozenset({"name"})
    in_place = frozenset({"assumeRolePolicy", "tags"})
    computed = frozenset({"arn"})
    required = frozenset({"assumeRolePolicy"})
    named = True

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        clouds.iam.create_role(
            RoleName=inputs["name"], AssumeRolePolicyDocument=inputs["assumeRolePolicy"], Tags=_tags(inputs)
        )
        name: str = inputs["name"]
        return name

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        one = clouds.iam.get_role(RoleName=name)["Role"]
        return {
            "name": name,
            "arn": one["Arn"],
            "assumeRolePolicy": json.dumps(one["AssumeRolePolicyDocument"]),
        }

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        clouds.iam.update_assume_role_policy(RoleName=name, PolicyDocument=news["assumeRolePolicy"])

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.iam.delete_role(RoleName=name)


class RolePolicyAttachment(Kind):
    replace = frozenset({"role", "policyArn"})
    required = replace

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        clouds.iam.attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
        return f"{inputs['role']} {inputs['policyArn']}"

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        role, policy = name.split(" ")
        attached = clouds.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        return (
            {"role": role, "policyArn": policy}
            if policy in [each["PolicyArn"] for each in attached]
            else None
        )

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.iam.detach_role_policy(RoleName=state["role"], PolicyArn=state["policyArn"])


class InstanceProfile(Kind):
    replace = frozenset({"name"})
    in_place = frozenset({"role", "tags"})
    computed = frozenset({"arn"})
    named = True

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        name: str = inputs["name"]
        clouds.iam.create_instance_profile(InstanceProfileName=name, Tags=_tags(inputs))
        clouds.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=inputs["role"])
        return name

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        one = clouds.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        return {"name": name, "arn": one["Arn"], "role": one["Roles"][0]["RoleName"]}

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=state["role"])
        clouds.iam.delete_instance_profile(InstanceProfileName=name)


class Record(Kind):
    replace = frozenset({"zoneId", "name", "type"})
    in_place = frozenset({"ttl", "records"})
    computed = frozenset({"fqdn"})
    required = frozenset({"zoneId", "name", "type", "ttl", "records"})

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        self._put(clouds, "CREATE", inputs)
        return f"{inputs['zoneId']}_{inputs['name']}_{inputs['type']}"

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        zone, record, kind = name.split("_")
        for one in clouds.route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]:
            if one["Name"].rstrip(".") == record and one["Type"] == kind:
                return {
                    "zoneId": zone,
                    "name": record,
                    "fqdn": record,
                    "type": kind,
                    "ttl": one["TTL"],
                    "records": [each["Value"] for each in one["ResourceRecords"]],
                }
        return None

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        self._put(clouds, "UPSERT", news)

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        self._put(clouds, "DELETE", state)

    def _put(self, clouds: Clouds, action: str, said: dict[str, Any]) -> None:
        record = {
            "Name": said["name"],
            "Type": said["type"],
            "TTL": said["ttl"],
            "ResourceRecords": [{"Value": each} for each in said["records"]],
        }
        clouds.route53.change_resource_record_sets(
            HostedZoneId=said["zoneId"],
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
        )


def _tags(inputs: dict[str, Any]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in (inputs.get("tags") or {}).items()]


KINDS = {
    "aws:iam/role:Role": Role(),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": RolePolicyAttachment(),
    "aws:iam/instanceProfile:InstanceProfile": InstanceProfile(),
    "aws:route53/record:Record": Record(),
}
