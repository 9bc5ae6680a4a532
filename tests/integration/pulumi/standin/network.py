"""EC2's network: VPC, subnet, gateway, routes, security groups, addresses."""

from typing import Any, ClassVar

from clouds import Clouds
from kind import Kind, retag, tag_specification, tags_of


class Vpc(Kind):
    replace = frozenset({"cidrBlock"})
    in_place = frozenset({"enableDnsHostnames", "tags"})
    computed = frozenset({"arn"})
    required = replace

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        made: str = clouds.ec2.create_vpc(CidrBlock=inputs["cidrBlock"], **tag_specification("vpc", inputs))[
            "Vpc"
        ]["VpcId"]
        self.update(clouds, made, {}, {**inputs, "tags": {}})
        return made

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        one = clouds.ec2.describe_vpcs(VpcIds=[name])["Vpcs"][0]
        names = clouds.ec2.describe_vpc_attribute(VpcId=name, Attribute="enableDnsHostnames")
        return {
            "arn": clouds.arn("ec2", f"vpc/{name}"),
            "cidrBlock": one["CidrBlock"],
            "enableDnsHostnames": names["EnableDnsHostnames"]["Value"],
            "tags": tags_of(one),
        }

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        value = {"Value": bool(news.get("enableDnsHostnames"))}
        clouds.ec2.modify_vpc_attribute(VpcId=name, EnableDnsHostnames=value)
        retag(clouds, name, olds, news)

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.ec2.delete_vpc(VpcId=name)


class Subnet(Kind):
    replace = frozenset({"vpcId", "cidrBlock", "availabilityZone"})
    in_place = frozenset({"tags"})
    computed = frozenset({"arn"})
    required = frozenset({"vpcId", "cidrBlock"})

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        made: str = clouds.ec2.create_subnet(
            VpcId=inputs["vpcId"],
            CidrBlock=inputs["cidrBlock"],
            AvailabilityZone=inputs["availabilityZone"],
            **tag_specification("subnet", inputs),
        )["Subnet"]["SubnetId"]
        return made

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        one = clouds.ec2.describe_subnets(SubnetIds=[name])["Subnets"][0]
        return {
            "arn": clouds.arn("ec2", f"subnet/{name}"),
            "vpcId": one["VpcId"],
            "cidrBlock": one["CidrBlock"],
            "availabilityZone": one["AvailabilityZone"],
            "tags": tags_of(one),
        }

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        retag(clouds, name, olds, news)

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.ec2.delete_subnet(SubnetId=name)


class InternetGateway(Kind):
    in_place = frozenset({"vpcId", "tags"})
    computed = frozenset({"arn"})

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        made: str = clouds.ec2.create_internet_gateway(**tag_specification("internet-gateway", inputs))[
            "InternetGateway"
        ]["InternetGatewayId"]
        clouds.ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=inputs["vpcId"])
        return made

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        one = clouds.ec2.describe_internet_gateways(InternetGatewayIds=[name])["InternetGateways"][0]
        attached = [each["VpcId"] for each in one["Attachments"]]
        return {
            "arn": clouds.arn("ec2", f"internet-gateway/{name}"),
            "vpcId": attached[0] if attached else "",
            "tags": tags_of(one),
        }

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        retag(clouds, name, olds, news)

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.ec2.detach_internet_gateway(InternetGatewayId=name, VpcId=state["vpcId"])
        clouds.ec2.delete_internet_gateway(InternetGatewayId=name)


class RouteTable(Kind):
    replace = frozenset({"vpcId"})
    in_place = frozenset({"routes", "tags"})
    computed = frozenset({"arn"})
    required = replace
    nested: ClassVar = {"routes": frozenset({"cidrBlock", "gatewayId"})}

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        made: str = clouds.ec2.create_route_table(
            VpcId=inputs["vpcId"], **tag_specification("route-table", inputs)
        )["RouteTable"]["RouteTableId"]
        self.update(clouds, made, {}, {**inputs, "tags": {}})
        return made

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        one = clouds.ec2.describe_route_tables(RouteTableIds=[name])["RouteTables"][0]
        return {
            "arn": clouds.arn("ec2", f"route-table/{name}"),
            "vpcId": one["VpcId"],
            "routes": [
                {"cidrBlock": route["DestinationCidrBlock"], "gatewayId": route["GatewayId"]}
                for route in one["Routes"]
                if route.get("GatewayId") != "local"
            ],
            "tags": tags_of(one),
        }

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        for route in olds.get("routes") or []:
            clouds.ec2.delete_route(RouteTableId=name, DestinationCidrBlock=route["cidrBlock"])
        for route in news.get("routes") or []:
            clouds.ec2.create_route(
                RouteTableId=name, DestinationCidrBlock=route["cidrBlock"], GatewayId=route["gatewayId"]
            )
        retag(clouds, name, olds, news)

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.ec2.delete_route_table(RouteTableId=name)


class RouteTableAssociation(Kind):
    replace = frozenset({"subnetId"})
    in_place = frozenset({"routeTableId"})
    required = frozenset({"subnetId", "routeTableId"})

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        made: str = clouds.ec2.associate_route_table(
            SubnetId=inputs["subnetId"], RouteTableId=inputs["routeTableId"]
        )["AssociationId"]
        return made

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        for table in clouds.ec2.describe_route_tables()["RouteTables"]:
            for each in table["Associations"]:
                if each["RouteTableAssociationId"] == name:
                    return {"subnetId": each["SubnetId"], "routeTableId": each["RouteTableId"]}
        return None

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.ec2.disassociate_route_table(AssociationId=name)


class SecurityGroup(Kind):
    replace = frozenset({"name", "description", "vpcId"})
    in_place = frozenset({"ingress", "egress", "tags"})
    computed = frozenset({"arn"})
    nested: ClassVar = dict.fromkeys(
        ("ingress", "egress"), frozenset({"protocol", "fromPort", "toPort", "cidrBlocks"})
    )
    named = True

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        made: str = clouds.ec2.create_security_group(
            GroupName=inputs["name"],
            Description=inputs.get("description", "Managed by Pulumi"),
            VpcId=inputs["vpcId"],
            **tag_specification("security-group", inputs),
        )["GroupId"]
        self.update(clouds, made, {**(self.read(clouds, made) or {}), "tags": {}}, {**inputs, "tags": {}})
        return made

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        one = clouds.ec2.describe_security_groups(GroupIds=[name])["SecurityGroups"][0]
        return {
            "arn": clouds.arn("ec2", f"security-group/{name}"),
            "name": one["GroupName"],
            "description": one["Description"],
            "vpcId": one["VpcId"],
            "ingress": [_rule(each) for each in one["IpPermissions"]],
            "egress": [_rule(each) for each in one["IpPermissionsEgress"]],
            "tags": tags_of(one),
        }

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        for way in ("ingress", "egress"):
            old, new = olds.get(way) or [], news.get(way) or []
            if gone := [_permission(each) for each in old if each not in new]:
                getattr(clouds.ec2, f"revoke_security_group_{way}")(GroupId=name, IpPermissions=gone)
            if more := [_permission(each) for each in new if each not in old]:
                getattr(clouds.ec2, f"authorize_security_group_{way}")(GroupId=name, IpPermissions=more)
        retag(clouds, name, olds, news)

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.ec2.delete_security_group(GroupId=name)


class Eip(Kind):
    replace = frozenset({"domain"})
    in_place = frozenset({"tags"})
    computed = frozenset({"publicIp", "allocationId"})

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        made: str = clouds.ec2.allocate_address(
            Domain=inputs.get("domain", "vpc"), **tag_specification("elastic-ip", inputs)
        )["AllocationId"]
        return made

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        one = clouds.ec2.describe_addresses(AllocationIds=[name])["Addresses"][0]
        return {
            "publicIp": one["PublicIp"],
            "allocationId": name,
            "domain": one["Domain"],
            "tags": tags_of(one),
        }

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        retag(clouds, name, olds, news)

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.ec2.release_address(AllocationId=name)


class EipAssociation(Kind):
    replace = frozenset({"allocationId", "instanceId"})
    required = replace

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        made: str = clouds.ec2.associate_address(
            AllocationId=inputs["allocationId"], InstanceId=inputs["instanceId"]
        )["AssociationId"]
        return made

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        for one in clouds.ec2.describe_addresses()["Addresses"]:
            if one.get("AssociationId") == name:
                return {"allocationId": one["AllocationId"], "instanceId": one["InstanceId"]}
        return None

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        clouds.ec2.disassociate_address(AssociationId=name)


def _rule(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "protocol": one["IpProtocol"],
        "fromPort": one.get("FromPort", 0),
        "toPort": one.get("ToPort", 0),
        "cidrBlocks": [each["CidrIp"] for each in one["IpRanges"]],
    }


def _permission(rule: dict[str, Any]) -> dict[str, Any]:
    ports = {} if rule["protocol"] == "-1" else {"FromPort": rule["fromPort"], "ToPort": rule["toPort"]}
    ranges = [{"CidrIp": each} for each in rule["cidrBlocks"]]
    return {"IpProtocol": rule["protocol"], "IpRanges": ranges, **ports}


KINDS = {
    "aws:ec2/vpc:Vpc": Vpc(),
    "aws:ec2/subnet:Subnet": Subnet(),
    "aws:ec2/internetGateway:InternetGateway": InternetGateway(),
    "aws:ec2/routeTable:RouteTable": RouteTable(),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": RouteTableAssociation(),
    "aws:ec2/securityGroup:SecurityGroup": SecurityGroup(),
    "aws:ec2/eip:Eip": Eip(),
    "aws:ec2/eipAssociation:EipAssociation": EipAssociation(),
}
