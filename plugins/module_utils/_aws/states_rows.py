# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of Step Functions, of EventBridge Scheduler, and of IAM's managed policies with their role.

A managed policy's name is `role/policy`: it is made for that role, attached to it, and goes with it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from typing import Any

from .._core.model import Address, Document
from .row import Client, Eventual, Row
from .sdk_errors import ClientError, error_code


def machine_arn(client: Client, address: Address) -> str:
    """The ARN of a state machine."""
    return f"arn:{client.meta.partition}:states:{address.region}:{address.account}:stateMachine:{address.name}"


def _read_machine(client: Client, address: Address) -> Document | None:
    arn = machine_arn(client, address)
    found = client.describe_state_machine(stateMachineArn=arn)
    if found.get("status") == "DELETING":
        return None
    tags = client.list_tags_for_resource(resourceArn=arn).get("tags", [])
    return {
        "Type": found["type"],
        "Definition": json.loads(found["definition"]),
        "RoleArn": found["roleArn"],
        "Tracing": found.get("tracingConfiguration", {}).get("enabled", False),
        "Tags": {tag["key"]: tag["value"] for tag in tags},
    }


def _write_machine(client: Client, address: Address, before: Document | None, after: Document) -> None:
    tags = [{"key": key, "value": value} for key, value in after["Tags"].items()]
    settings: dict[str, Any] = {
        "definition": json.dumps(after["Definition"]),
        "roleArn": after["RoleArn"],
        "tracingConfiguration": {"enabled": after["Tracing"]},
    }
    if before is None:
        client.create_state_machine(name=address.name, type=after["Type"], tags=tags, **settings)
        return
    arn = machine_arn(client, address)
    client.update_state_machine(stateMachineArn=arn, **settings)
    if before["Tags"] != after["Tags"]:
        client.tag_resource(resourceArn=arn, tags=tags)


def _delete_machine(client: Client, address: Address, before: Document) -> None:
    """Executions that run come to their end."""
    client.delete_state_machine(stateMachineArn=machine_arn(client, address))


# --- schedules -----------------------------------------------------------------------------------------------

_SCHEDULE = ("ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "State", "Description", "Target")


def _read_schedule(client: Client, address: Address) -> Document:
    found = client.get_schedule(Name=address.name)
    return {name: found[name] for name in _SCHEDULE if name in found}


def _write_schedule(client: Client, address: Address, before: Document | None, after: Document) -> None:
    write = client.create_schedule if before is None else client.update_schedule
    write(Name=address.name, **after)


def _delete_schedule(client: Client, address: Address, before: Document) -> None:
    client.delete_schedule(Name=address.name)


# --- managed policies ----------------------------------------------------------------------------------------

_MOST_VERSIONS = 5
"""IAM User Guide, "IAM and AWS STS quotas": so many versions of a managed policy are kept."""


def _role_and_policy(client: Client, address: Address) -> tuple[str, str, str]:
    role, policy = address.name.split("/")
    return role, policy, f"arn:{client.meta.partition}:iam::{address.account}:policy/{policy}"


def _read_policy(client: Client, address: Address) -> Document:
    role, _policy, arn = _role_and_policy(client, address)
    found = client.get_policy(PolicyArn=arn)["Policy"]
    version = client.get_policy_version(PolicyArn=arn, VersionId=found["DefaultVersionId"])["PolicyVersion"]
    return {
        "Policy": version["Document"],
        "Attached": _is_attached(client, role, arn),
        "Tags": {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
    }


def _is_attached(client: Client, role: str, arn: str) -> bool:
    try:
        pages = client.get_paginator("list_attached_role_policies").paginate(RoleName=role)
        return any(one["PolicyArn"] == arn for page in pages for one in page["AttachedPolicies"])
    except ClientError as error:
        if error_code(error) == "NoSuchEntity":  # the role is gone
            return False
        raise


def _write_policy(client: Client, address: Address, before: Document | None, after: Document) -> None:
    role, policy, arn = _role_and_policy(client, address)
    document = json.dumps(after["Policy"], separators=(",", ":"))
    if before is None:
        tags = [{"Key": key, "Value": value} for key, value in after["Tags"].items()]
        client.create_policy(PolicyName=policy, PolicyDocument=document, Tags=tags)
    elif before["Policy"] != after["Policy"]:
        _make_room(client, arn)
        client.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    if not (before or {}).get("Attached"):
        client.attach_role_policy(RoleName=role, PolicyArn=arn)


def _make_room(client: Client, arn: str) -> None:
    versions = client.list_policy_versions(PolicyArn=arn)["Versions"]
    others = sorted((one["CreateDate"], one["VersionId"]) for one in versions if not one["IsDefaultVersion"])
    for _created, version in others[: max(0, len(versions) - _MOST_VERSIONS + 1)]:
        client.delete_policy_version(PolicyArn=arn, VersionId=version)


def _delete_policy(client: Client, address: Address, before: Document) -> None:
    role, _policy, arn = _role_and_policy(client, address)
    if before["Attached"]:
        client.detach_role_policy(RoleName=role, PolicyArn=arn)
    for one in client.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not one["IsDefaultVersion"]:
            client.delete_policy_version(PolicyArn=arn, VersionId=one["VersionId"])
    client.delete_policy(PolicyArn=arn)


ROWS = {
    "state_machine": Row(
        "stepfunctions",
        _read_machine,
        _write_machine,
        _delete_machine,
        {
            "read": "states:DescribeStateMachine, states:ListTagsForResource",
            "write": "states:CreateStateMachine, states:UpdateStateMachine, states:TagResource, iam:PassRole",
            "remove": "states:DeleteStateMachine",
        },
        missing=frozenset({"StateMachineDoesNotExist"}),
        eventual=(
            Eventual("AccessDeniedException", "is not authorized to create managed-rule"),
            Eventual("AccessDeniedException", "is not authorized to assume"),
            Eventual("StateMachineDeleting"),
        ),
        seen_later=True,
    ),
    "schedule": Row(
        "scheduler",
        _read_schedule,
        _write_schedule,
        _delete_schedule,
        {
            "read": "scheduler:GetSchedule",
            "write": "scheduler:CreateSchedule, scheduler:UpdateSchedule, iam:PassRole",
            "remove": "scheduler:DeleteSchedule",
        },
        missing=frozenset({"ResourceNotFoundException"}),
        eventual=(
            Eventual("ValidationException", "The execution role you provide must allow"),
            Eventual("ConflictException"),
        ),
    ),
    "iam_managed_policy": Row(
        "iam",
        _read_policy,
        _write_policy,
        _delete_policy,
        {
            "read": "iam:GetPolicy, iam:GetPolicyVersion, iam:ListAttachedRolePolicies",
            "write": "iam:CreatePolicy, iam:CreatePolicyVersion, iam:DeletePolicyVersion, iam:ListPolicyVersions, "
            "iam:AttachRolePolicy, iam:TagPolicy",
            "remove": "iam:DetachRolePolicy, iam:DeletePolicyVersion, iam:ListPolicyVersions, iam:DeletePolicy",
        },
        missing=frozenset({"NoSuchEntity"}),
        eventual=(Eventual("NoSuchEntity"), Eventual("ConcurrentModification")),
    ),
}
