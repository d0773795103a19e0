# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""VPC endpoints: routes, names and policies, which MiniStack leaves out."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from typing import Any

from ministack.core.responses import get_region
from ministack.services import ec2

from .fitting import corrects, uses

uses(
    "services.ec2",
    "_parse_filters(params)",
    "_parse_member_list(params, prefix)",
    "_p(params, key, default)",
    "_error(code, message, status)",
    "_xml(status, root_tag, inner)",
)

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]
Endpoint = dict[str, Any]
FULL_ACCESS = {"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]}
"""VPC User Guide, vpc-endpoints-access: the policy that an endpoint has if none is given."""


@corrects("services.ec2", "_create_vpc_endpoint(p)")
def create(original: Callable[[Params], Answer], p: Params) -> Answer:
    """EC2 API, CreateVpcEndpoint; VPC User Guide, gateway-endpoints: a route table has one route to a service."""
    tables, kind = ec2._parse_member_list(p, "RouteTableId"), ec2._p(p, "VpcEndpointType") or "Gateway"
    service = ec2._p(p, "ServiceName")
    missing = [one for one in tables if one not in ec2._route_tables]
    if missing:
        return _refused("InvalidRouteTableId.NotFound", f"The routeTable ID '{missing[0]}' does not exist")
    taken = [one for one in tables if _leads_to(ec2._route_tables[one], service)]
    if taken:
        text = f"route table {taken[0]} already has a route with destination-prefix-list-id {prefix_list(service)}"
        return _refused("RouteAlreadyExists", text)
    before = set(ec2._vpc_endpoints)
    original(p)
    (name,) = set(ec2._vpc_endpoints) - before
    endpoint = ec2._vpc_endpoints[name]
    endpoint |= {
        "PolicyDocument": ec2._p(p, "PolicyDocument") or json.dumps(FULL_ACCESS),
        "Groups": ec2._parse_member_list(p, "SecurityGroupId"),
        "PrivateDnsEnabled": ec2._p(p, "PrivateDnsEnabled", "true" if kind == "Interface" else "false") == "true",
        "InboundOnly": ec2._p(p, "DnsOptions.PrivateDnsOnlyForInboundResolverEndpoint") == "true",
        "ServiceRegion": ec2._p(p, "ServiceRegion") or get_region(),
    }
    _set_routes(endpoint, tables)
    return _shown(endpoint, "CreateVpcEndpointResponse", "vpcEndpoint")


def _leads_to(table: dict[str, Any], service: str) -> bool:
    return any(route.get("DestinationPrefixListId") == prefix_list(service) for route in table["Routes"])


def prefix_list(service: str) -> str:
    """The ID of AWS's list of a service's addresses, which a route names."""
    return f"pl-{sum(service.encode()):08x}"


def _refused(code: str, text: str) -> Answer:
    answer: Answer = ec2._error(code, text, 400)
    return answer


def _set_routes(endpoint: Endpoint, tables: list[str]) -> None:
    """VPC User Guide, gateway-endpoints: S3 adds a route to each table, and takes it away with the endpoint."""
    if endpoint["VpcEndpointType"] != "Gateway":
        return
    name, target = endpoint["VpcEndpointId"], prefix_list(endpoint["ServiceName"])
    for table in ec2._route_tables.values():
        table["Routes"] = [route for route in table["Routes"] if route.get("GatewayId") != name]
        if table["RouteTableId"] in tables:
            route = {"DestinationPrefixListId": target, "GatewayId": name, "State": "active", "Origin": "CreateRoute"}
            table["Routes"].append(route)


@corrects("services.ec2", "_delete_vpc_endpoints(p)")
def delete(original: Callable[[Params], Answer], p: Params) -> Answer:
    """EC2 API, DeleteVpcEndpoints: the routes of a gateway endpoint go with it."""
    for name in ec2._parse_member_list(p, "VpcEndpointId"):
        if name in ec2._vpc_endpoints:
            _set_routes(ec2._vpc_endpoints[name], [])
    return original(p)


@corrects("services.ec2", "_describe_vpc_endpoints(p)")
def describe(original: Callable[[Params], Answer], p: Params) -> Answer:
    """EC2 API, DescribeVpcEndpoints: IDs that are not there are an error, filters are applied."""
    names, filters = ec2._parse_member_list(p, "VpcEndpointId"), ec2._parse_filters(p)
    missing = [name for name in names if name not in ec2._vpc_endpoints]
    if missing:
        return _refused("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{missing[0]}' does not exist")
    found = [
        endpoint
        for name, endpoint in ec2._vpc_endpoints.items()
        if (not names or name in names) and all(_fits(endpoint, key, values) for key, values in filters.items())
    ]
    shown = "".join(_fields(endpoint, "item") for endpoint in found)
    answer: Answer = ec2._xml(200, "DescribeVpcEndpointsResponse", f"<vpcEndpointSet>{shown}</vpcEndpointSet>")
    return answer


def _fits(endpoint: Endpoint, key: str, values: list[str]) -> bool:
    tags = {tag["Key"]: tag.get("Value", "") for tag in ec2._tags.get(endpoint["VpcEndpointId"], [])}
    facts = {
        "vpc-id": endpoint["VpcId"],
        "service-name": endpoint["ServiceName"],
        "service-region": endpoint["ServiceRegion"],
        "vpc-endpoint-type": endpoint["VpcEndpointType"],
        "vpc-endpoint-id": endpoint["VpcEndpointId"],
        "vpc-endpoint-state": endpoint["State"],
        **{f"tag:{name}": value for name, value in tags.items()},
    }
    return bool(ec2._filter_value_matches(facts.get(key), values))


@corrects("services.ec2", "_modify_vpc_endpoint(p)")
def modify(original: Callable[[Params], Answer], p: Params) -> Answer:
    """EC2 API, ModifyVpcEndpoint: route tables, subnets, security groups, private DNS and the policy."""
    answer = original(p)
    endpoint = ec2._vpc_endpoints.get(ec2._p(p, "VpcEndpointId"))
    if endpoint is None:
        return answer
    if ec2._p(p, "ResetPolicy") == "true":
        endpoint["PolicyDocument"] = json.dumps(FULL_ACCESS)
    added, removed = (ec2._parse_member_list(p, f"{verb}SecurityGroupId") for verb in ("Add", "Remove"))
    endpoint["Groups"] = [one for one in dict.fromkeys([*endpoint["Groups"], *added]) if one not in removed]
    if private := ec2._p(p, "PrivateDnsEnabled"):
        endpoint["PrivateDnsEnabled"] = private == "true"
    if inbound := ec2._p(p, "DnsOptions.PrivateDnsOnlyForInboundResolverEndpoint"):
        endpoint["InboundOnly"] = inbound == "true"
    _set_routes(endpoint, endpoint["RouteTableIds"])
    return answer


def _shown(endpoint: Endpoint, response: str, tag: str) -> Answer:
    answer: Answer = ec2._xml(200, response, _fields(endpoint, tag))
    return answer


def _fields(endpoint: Endpoint, tag: str) -> str:
    """EC2 API, VpcEndpoint. An interface endpoint has names, a gateway endpoint has none."""
    plain = ec2._vpce_fields_xml(endpoint, tag).rpartition(f"</{tag}>")[0]
    groups = "".join(f"<item><groupId>{one}</groupId></item>" for one in endpoint["Groups"])
    more = [
        f"<policyDocument>{escape(endpoint['PolicyDocument'])}</policyDocument>",
        f"<groupSet>{groups}</groupSet>",
        f"<privateDnsEnabled>{str(endpoint['PrivateDnsEnabled']).lower()}</privateDnsEnabled>",
        f"<serviceRegion>{endpoint['ServiceRegion']}</serviceRegion>",
    ]
    if endpoint["VpcEndpointType"] == "Interface":
        name = f"*.{endpoint['VpcEndpointId']}.s3.{endpoint['ServiceRegion']}.vpce.amazonaws.com"
        inbound = str(endpoint["InboundOnly"]).lower()
        only = f"<privateDnsOnlyForInboundResolverEndpoint>{inbound}</privateDnsOnlyForInboundResolverEndpoint>"
        more += [
            f"<dnsEntrySet><item><dnsName>{name}</dnsName></item></dnsEntrySet>",
            f"<dnsOptions>{only}</dnsOptions>",
        ]
    return f"{plain}{''.join(more)}</{tag}>"
