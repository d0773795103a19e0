# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""VPC endpoints for S3: the routes of a gateway, the names of an interface, and their policies."""

from __future__ import annotations

import json

import pytest

REGION = "us-west-2"
SERVICE = f"com.amazonaws.{REGION}.s3"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]}


class Network:
    """A VPC of its own with a route table and a subnet."""

    def __init__(self, world):
        self.ec2 = world.client("ec2", REGION)
        self.cleanup = world.cleanup
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]

    def gateway(self, **options):
        return self.endpoint(**{"VpcEndpointType": "Gateway", "RouteTableIds": [self.table], **options})

    def interface(self, **options):
        return self.endpoint(**{"VpcEndpointType": "Interface", "SubnetIds": [self.subnet], **options})

    def endpoint(self, **options):
        made = self.ec2.create_vpc_endpoint(**{"VpcId": self.vpc, "ServiceName": SERVICE, **options})["VpcEndpoint"]
        self.cleanup.callback(self.ec2.delete_vpc_endpoints, VpcEndpointIds=[made["VpcEndpointId"]])
        return made["VpcEndpointId"]

    def shown(self, name):
        (found,) = self.ec2.describe_vpc_endpoints(VpcEndpointIds=[name])["VpcEndpoints"]
        return found

    def routes(self):
        (table,) = self.ec2.describe_route_tables(RouteTableIds=[self.table])["RouteTables"]
        return [route["GatewayId"] for route in table["Routes"] if "DestinationPrefixListId" in route]


@pytest.fixture(name="network")
def network_fixture(world):
    return Network(world)


def test_a_gateway_has_routes(network, refused):
    """VPC User Guide, gateway-endpoints: a route in each table, one for a service, which goes with the endpoint."""
    name = network.gateway()
    assert network.routes() == [name]
    with refused("RouteAlreadyExists"):
        network.gateway()
    network.ec2.modify_vpc_endpoint(VpcEndpointId=name, RemoveRouteTableIds=[network.table])
    assert network.routes() == []
    network.ec2.modify_vpc_endpoint(VpcEndpointId=name, AddRouteTableIds=[network.table])
    network.ec2.delete_vpc_endpoints(VpcEndpointIds=[name])
    assert network.routes() == []
    with refused("InvalidVpcEndpointId.NotFound"):
        network.shown(name)


def test_a_route_table_must_be_there(network, refused):
    """EC2 API, error codes: InvalidRouteTableId.NotFound."""
    with refused("InvalidRouteTableId.NotFound"):
        network.gateway(RouteTableIds=["rtb-0123456789abcdef0"])


def test_an_interface_has_names(network):
    """S3 User Guide, privatelink-interface-endpoints: names of its own, and private DNS if that is on."""
    group = network.ec2.create_security_group(GroupName="ends", Description="x", VpcId=network.vpc)["GroupId"]
    name = network.interface(SecurityGroupIds=[group], PrivateDnsEnabled=False)
    found = network.shown(name)
    assert name in found["DnsEntries"][0]["DnsName"]
    assert (found["PrivateDnsEnabled"], [one["GroupId"] for one in found["Groups"]]) == (False, [group])
    inbound = {"PrivateDnsOnlyForInboundResolverEndpoint": True}
    network.ec2.modify_vpc_endpoint(VpcEndpointId=name, PrivateDnsEnabled=True, DnsOptions=inbound)
    found = network.shown(name)
    assert (found["PrivateDnsEnabled"], found["DnsOptions"]) == (True, inbound)
    network.ec2.modify_vpc_endpoint(VpcEndpointId=name, RemoveSecurityGroupIds=[group])
    assert network.shown(name).get("Groups", []) == []


def test_another_region(network):
    """EC2 API, CreateVpcEndpoint: ServiceRegion is where the service is hosted."""
    name = network.interface(ServiceName="com.amazonaws.us-east-1.s3", ServiceRegion="us-east-1")
    assert network.shown(name)["ServiceRegion"] == "us-east-1"


def test_a_policy_is_kept(network):
    """VPC User Guide, vpc-endpoints-access: full access unless a policy is given; it can be reset."""
    name = network.gateway()
    full = json.loads(network.shown(name)["PolicyDocument"])
    assert [one["Effect"] for one in full["Statement"]] == ["Allow"]
    network.ec2.modify_vpc_endpoint(VpcEndpointId=name, PolicyDocument=json.dumps(POLICY))
    assert json.loads(network.shown(name)["PolicyDocument"]) == POLICY
    network.ec2.modify_vpc_endpoint(VpcEndpointId=name, ResetPolicy=True)
    assert json.loads(network.shown(name)["PolicyDocument"]) == full


def test_filters(network):
    """EC2 API, DescribeVpcEndpoints."""
    tags = [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "team", "Value": network.vpc}]}]
    name = network.gateway(TagSpecifications=tags)

    def found(key, value):
        answer = network.ec2.describe_vpc_endpoints(Filters=[{"Name": key, "Values": [value]}])
        return [one["VpcEndpointId"] for one in answer["VpcEndpoints"]]

    assert found("vpc-id", network.vpc) == [name]
    assert found("tag:team", network.vpc) == [name]
    assert found("tag:team", "other") == []
    assert name in found("service-name", SERVICE)
