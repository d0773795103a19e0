# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of IAM's kinds. A role policy's name is `role/policy`.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from typing import Any

from .._core.model import Address, Document
from .row import Client, Eventual, Row


def _read_role(client: Client, address: Address) -> Document:
    role = client.get_role(RoleName=address.name)["Role"]
    document: dict[str, Any] = {
        "Path": role["Path"],
        "Description": role.get("Description", ""),
        "AssumeRolePolicyDocument": role["AssumeRolePolicyDocument"],
        "Tags": {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])},
    }
    if "PermissionsBoundary" in role:
        document["PermissionsBoundary"] = role["PermissionsBoundary"]["PermissionsBoundaryArn"]
    return document


def _write_role(client: Client, address: Address, before: Document | None, after: Document) -> None:
    trust = json.dumps(after["AssumeRolePolicyDocument"])
    tags = [{"Key": key, "Value": value} for key, value in after["Tags"].items()]
    boundary = {"PermissionsBoundary": after["PermissionsBoundary"]} if "PermissionsBoundary" in after else {}
    if before is None:
        client.create_role(
            RoleName=address.name,
            Path=after["Path"],
            Description=after["Description"],
            AssumeRolePolicyDocument=trust,
            Tags=tags,
            **boundary,
        )
        return
    if before["AssumeRolePolicyDocument"] != after["AssumeRolePolicyDocument"]:
        client.update_assume_role_policy(RoleName=address.name, PolicyDocument=trust)
    if before["Description"] != after["Description"]:
        client.update_role(RoleName=address.name, Description=after["Description"])
    if before["Tags"] != after["Tags"]:
        client.tag_role(RoleName=address.name, Tags=tags)
    if boundary and before.get("PermissionsBoundary") != after["PermissionsBoundary"]:
        client.put_role_permissions_boundary(RoleName=address.name, **boundary)


def _delete_role(client: Client, address: Address, before: Document) -> None:
    client.delete_role(RoleName=address.name)


def _role_and_policy(address: Address) -> dict[str, str]:
    role, policy = address.name.split("/")
    return {"RoleName": role, "PolicyName": policy}


def _read_policy(client: Client, address: Address) -> Document:
    policy: Document = client.get_role_policy(**_role_and_policy(address))["PolicyDocument"]
    return policy


def _write_policy(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_role_policy(**_role_and_policy(address), PolicyDocument=json.dumps(after))


def _delete_policy(client: Client, address: Address, before: Document) -> None:
    client.delete_role_policy(**_role_and_policy(address))


_SETTLING = (Eventual("NoSuchEntity"), Eventual("ConcurrentModification"))

ROWS = {
    "iam_role": Row(
        "iam",
        _read_role,
        _write_role,
        _delete_role,
        {
            "read": "iam:GetRole",
            "write": "iam:CreateRole, iam:TagRole, iam:UpdateRole, iam:UpdateAssumeRolePolicy, "
            "iam:PutRolePermissionsBoundary",
            "remove": "iam:DeleteRole",
        },
        missing=frozenset({"NoSuchEntity"}),
        eventual=(Eventual("ConcurrentModification"),),
    ),
    "iam_role_policy": Row(
        "iam",
        _read_policy,
        _write_policy,
        _delete_policy,
        {"read": "iam:GetRolePolicy", "write": "iam:PutRolePolicy", "remove": "iam:DeleteRolePolicy"},
        missing=frozenset({"NoSuchEntity"}),
        eventual=_SETTLING,
    ),
}
