# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of Lambda and of CloudWatch Logs: functions, their reserved concurrency, and log groups.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from typing import Any

from .._core.model import Address, Document
from .row import Client, Eventual, Row

_SETTINGS = ("Runtime", "Handler", "Role", "Description", "MemorySize", "Timeout")
_PATIENCE = {"Delay": 1, "MaxAttempts": 120}


def _read_function(client: Client, address: Address) -> Document:
    answer = client.get_function(FunctionName=address.name)
    found = answer["Configuration"]
    return {
        **{name: found[name] for name in _SETTINGS if name in found},
        "Architectures": found.get("Architectures", ["x86_64"]),
        "TracingMode": found.get("TracingConfig", {}).get("Mode", "PassThrough"),
        "DeadLetterTargetArn": found.get("DeadLetterConfig", {}).get("TargetArn", ""),
        "CodeSha256": found["CodeSha256"],
        "Tags": answer.get("Tags", {}),
    }


def _write_function(client: Client, address: Address, before: Document | None, after: Document) -> None:
    """A function that is being changed takes no other change, so each one is waited for."""
    if before is None:
        client.create_function(
            FunctionName=address.name,
            **_configuration(after),
            Architectures=after["Architectures"],
            Code={"ZipFile": after["ZipFile"]},
            PackageType="Zip",
            Tags=after["Tags"],
        )
        client.get_waiter("function_active_v2").wait(FunctionName=address.name, WaiterConfig=_PATIENCE)
        return
    if (before["CodeSha256"], before["Architectures"]) != (after["CodeSha256"], after["Architectures"]):
        code = {"ZipFile": after["ZipFile"], "Architectures": after["Architectures"]}
        client.update_function_code(FunctionName=address.name, **code)
        _wait_until_updated(client, address)
    if _configuration(before) != _configuration(after):
        client.update_function_configuration(FunctionName=address.name, **_configuration(after))
        _wait_until_updated(client, address)
    if before["Tags"] != after["Tags"]:
        client.tag_resource(Resource=_function_arn(client, address), Tags=after["Tags"])


def _configuration(document: Document) -> dict[str, Any]:
    return {
        **{name: document.get(name, "") for name in _SETTINGS},
        "TracingConfig": {"Mode": document["TracingMode"]},
        "DeadLetterConfig": {"TargetArn": document["DeadLetterTargetArn"]},
    }


def _wait_until_updated(client: Client, address: Address) -> None:
    client.get_waiter("function_updated_v2").wait(FunctionName=address.name, WaiterConfig=_PATIENCE)


def _function_arn(client: Client, address: Address) -> str:
    return f"arn:{client.meta.partition}:lambda:{address.region}:{address.account}:function:{address.name}"


def _delete_function(client: Client, address: Address, before: Document) -> None:
    client.delete_function(FunctionName=address.name)


def _read_concurrency(client: Client, address: Address) -> Document | None:
    """A function without a reservation has an empty answer."""
    reserved = client.get_function_concurrency(FunctionName=address.name).get("ReservedConcurrentExecutions")
    return None if reserved is None else {"ReservedConcurrentExecutions": reserved}


def _write_concurrency(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_function_concurrency(FunctionName=address.name, **after)


def _delete_concurrency(client: Client, address: Address, before: Document) -> None:
    client.delete_function_concurrency(FunctionName=address.name)


# --- log groups ----------------------------------------------------------------------------------------------


def _read_log_group(client: Client, address: Address) -> Document | None:
    """By its name as a prefix, since there is no call for one group."""
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=address.name)
    found = next((one for page in pages for one in page["logGroups"] if one["logGroupName"] == address.name), None)
    if found is None:
        return None
    tags = client.list_tags_for_resource(resourceArn=_log_group_arn(client, address)).get("tags", {})
    kept = {"RetentionInDays": found["retentionInDays"]} if "retentionInDays" in found else {}
    return {**kept, "Tags": tags}


def _log_group_arn(client: Client, address: Address) -> str:
    return f"arn:{client.meta.partition}:logs:{address.region}:{address.account}:log-group:{address.name}"


def _write_log_group(client: Client, address: Address, before: Document | None, after: Document) -> None:
    if before is None:
        client.create_log_group(logGroupName=address.name, tags=after["Tags"])
    elif before["Tags"] != after["Tags"]:
        client.tag_resource(resourceArn=_log_group_arn(client, address), tags=after["Tags"])
    if (before or {}).get("RetentionInDays") != after["RetentionInDays"]:
        client.put_retention_policy(logGroupName=address.name, retentionInDays=after["RetentionInDays"])


def _delete_log_group(client: Client, address: Address, before: Document) -> None:
    client.delete_log_group(logGroupName=address.name)


_NO_FUNCTION = frozenset({"ResourceNotFoundException"})

ROWS = {
    "lambda_function": Row(
        "lambda",
        _read_function,
        _write_function,
        _delete_function,
        {
            "read": "lambda:GetFunction",
            "write": "lambda:CreateFunction, lambda:UpdateFunctionCode, lambda:UpdateFunctionConfiguration, "
            "lambda:GetFunction, lambda:TagResource, iam:PassRole",
            "remove": "lambda:DeleteFunction",
        },
        missing=_NO_FUNCTION,
        # The role was made a moment ago; the function is still being changed.
        eventual=(
            Eventual("InvalidParameterValueException", "cannot be assumed by Lambda"),
            Eventual("InvalidParameterValueException", "does not have permissions to call"),
            Eventual("ResourceConflictException", "in progress"),
        ),
        seen_later=True,
    ),
    "function_concurrency": Row(
        "lambda",
        _read_concurrency,
        _write_concurrency,
        _delete_concurrency,
        {
            "read": "lambda:GetFunctionConcurrency",
            "write": "lambda:PutFunctionConcurrency",
            "remove": "lambda:DeleteFunctionConcurrency",
        },
        missing=_NO_FUNCTION,
        eventual=(Eventual("ResourceConflictException", "in progress"),),
    ),
    "log_group": Row(
        "logs",
        _read_log_group,
        _write_log_group,
        _delete_log_group,
        {
            "read": "logs:DescribeLogGroups, logs:ListTagsForResource",
            "write": "logs:CreateLogGroup, logs:PutRetentionPolicy, logs:TagResource",
            "remove": "logs:DeleteLogGroup",
        },
        missing=frozenset({"ResourceNotFoundException"}),
        eventual=(Eventual("OperationAbortedException"),),
    ),
}
