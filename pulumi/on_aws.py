"""A MemsServer on AWS, and the network that a customer's servers share. Only here is pulumi_aws imported.

    Network   VPC, subnet, way out, security group; a role for Systems Manager, the way in without SSH
    server    instance, its data volume, its address and its name

Another specification is `instance_type`: EC2 stops the instance, changes it, starts it; volume, address and
name stay. Everything that holds data is protected: neither a replacement nor a deletion is possible without a
person who lifts that first.
"""

import json
from collections.abc import Sequence

import pulumi_aws as aws
from first_boot import user_data

import pulumi
from orchestrator.sizing.aws_settings import Aws
from orchestrator.sizing.wanted import Wanted

ROOT_GIB = 20
DATA_DEVICE = "/dev/sdf"
EVERYWHERE = "0.0.0.0/0"
MAY_BE_EC2 = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
SYSTEMS_MANAGER = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


class Network(pulumi.ComponentResource):
    """`mems:index:AwsNetwork`: one per customer; all servers of a customer are in one zone of one region."""

    def __init__(self, customer: str, one: Aws) -> None:
        super().__init__("mems:index:AwsNetwork", customer)
        self.provider = aws.Provider(customer, region=one.region, opts=pulumi.ResourceOptions(parent=self))
        opts = pulumi.ResourceOptions(parent=self, provider=self.provider)
        self.tags = {"Customer": customer, "ManagedBy": "pulumi/mems"}
        named = {**self.tags, "Name": customer}
        vpc = aws.ec2.Vpc(customer, cidr_block=one.vpc_cidr, enable_dns_hostnames=True, tags=named, opts=opts)
        self.subnet = aws.ec2.Subnet(
            customer,
            vpc_id=vpc.id,
            cidr_block=one.vpc_cidr,
            availability_zone=one.zone,
            tags=named,
            opts=opts,
        )
        gateway = aws.ec2.InternetGateway(customer, vpc_id=vpc.id, tags=named, opts=opts)
        out = aws.ec2.RouteTable(
            customer,
            vpc_id=vpc.id,
            routes=[{"cidr_block": EVERYWHERE, "gateway_id": gateway.id}],
            tags=named,
            opts=opts,
        )
        aws.ec2.RouteTableAssociation(customer, subnet_id=self.subnet.id, route_table_id=out.id, opts=opts)
        self.firewall = _firewall(customer, vpc, one.ssh_cidrs, named, opts)
        self.profile = _profile(customer, named, opts)
        self.register_outputs({})


def _firewall(
    customer: str,
    vpc: aws.ec2.Vpc,
    ssh_cidrs: Sequence[str],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.ec2.SecurityGroup:
    """The web for everyone, SSH for the orchestrator."""
    ways = [(80, [EVERYWHERE]), (443, [EVERYWHERE]), (22, list(ssh_cidrs))]
    return aws.ec2.SecurityGroup(
        customer,
        description="M EMS: the web for everyone, SSH for the orchestrator",
        vpc_id=vpc.id,
        ingress=[
            {"protocol": "tcp", "from_port": port, "to_port": port, "cidr_blocks": cidrs}
            for port, cidrs in ways
        ],
        egress=[{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": [EVERYWHERE]}],
        tags=tags,
        opts=opts,
    )


def _profile(customer: str, tags: dict[str, str], opts: pulumi.ResourceOptions) -> aws.iam.InstanceProfile:
    """Systems Manager's session is the way in when SSH is shut; the servers may do nothing else."""
    role = aws.iam.Role(customer, assume_role_policy=json.dumps(MAY_BE_EC2), tags=tags, opts=opts)
    aws.iam.RolePolicyAttachment(customer, role=role.name, policy_arn=SYSTEMS_MANAGER, opts=opts)
    return aws.iam.InstanceProfile(customer, role=role.name, tags=tags, opts=opts)


def server(wanted: Wanted, parent: pulumi.Resource, network: Network) -> "pulumi.Output[str]":
    """The server's parts; its address, which stays for as long as the server does."""
    said = wanted.aws
    assert said is not None and wanted.disk_gib is not None  # wanted.read has seen to it
    tags = {**network.tags, "Name": wanted.name}

    def opts(*, keep: bool = False, ignore: Sequence[str] = ()) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=parent,
            provider=network.provider,
            protect=True,
            retain_on_delete=keep,
            ignore_changes=list(ignore),
        )

    data = aws.ebs.Volume(
        wanted.name,
        availability_zone=said.zone,
        size=wanted.disk_gib,
        type="gp3",
        encrypted=True,
        tags={**tags, "Name": f"{wanted.name}-data"},
        # Kept even by a deletion that somebody has unprotected.
        opts=opts(keep=True),
    )
    instance = aws.ec2.Instance(
        wanted.name,
        ami=said.ami,
        instance_type=wanted.spec.name,
        subnet_id=network.subnet.id,
        vpc_security_group_ids=[network.firewall.id],
        iam_instance_profile=network.profile.name,
        user_data=data.id.apply(lambda volume: user_data(wanted.name, said.ssh_public_key, volume)),
        disable_api_termination=True,
        metadata_options={
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
        },
        root_block_device={
            "encrypted": True,
            "volume_type": "gp3",
            "volume_size": ROOT_GIB,
            "delete_on_termination": True,
        },
        tags=tags,
        # A newer image is for servers that are made anew, and what runs at the first boot has run.
        opts=opts(ignore=["ami", "user_data"]),
    )
    # A change of specification that was killed half-way leaves it stopped; the next one starts it.
    aws.ec2transitgateway.InstanceState(
        wanted.name,
        instance_id=instance.id,
        state="running",
        opts=pulumi.ResourceOptions(parent=parent, provider=network.provider),
    )
    aws.ec2.VolumeAttachment(
        wanted.name,
        device_name=DATA_DEVICE,
        instance_id=instance.id,
        volume_id=data.id,
        stop_instance_before_detaching=True,
        opts=opts(),
    )
    address = aws.ec2.Eip(wanted.name, domain="vpc", tags=tags, opts=opts())
    aws.ec2.EipAssociation(wanted.name, allocation_id=address.id, instance_id=instance.id, opts=opts())
    aws.route53.Record(
        wanted.name,
        zone_id=said.dns_zone_id,
        name=said.dns_name,
        type=aws.route53.RecordType.A,
        ttl=300,
        records=[address.public_ip],
        opts=opts(),
    )
    return address.public_ip
