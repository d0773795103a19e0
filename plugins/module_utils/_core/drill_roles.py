# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What the function of a scheduled drill, its state machine and its schedule may do, and nothing else.

A role's inline policies have 10,240 characters together, which a few pairs would fill. So what the function needs of
the pairs stands in managed policies, of which a role takes ten. Source: IAM User Guide, "IAM and AWS STS quotas".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .merging import owner_tags
from .model import KEY_ARN, Account, Accounts, Address, Document, InvalidInput, Pair
from .policies import VERSION
from .proofs import RESERVED_PREFIX
from .replication import role_address
from .rules import bucket_arn
from .scheduled_drill import DEFAULT_NAME, NAMESPACE, WORK, Inventory, Names, ScheduledDrill

MOST_POLICIES = 10
_MOST_CHARACTERS = 6144
"""Of a managed policy, white space not counted."""

_READS_OF_BUCKETS = (
    "s3:GetBucket*",
    "s3:GetEncryptionConfiguration",
    "s3:GetInventoryConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:ListBucketVersions",
)
_READS_OF_VERSIONS = (
    "s3:GetObject",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionTagging",
)
_TRACING = (
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)
_CANARY_ACTIONS = ("s3:DeleteObjectVersion", "s3:PutObject", "s3:PutObjectTagging")


def trust(service: str, account: Account) -> Document:
    """The service may take the role, for things of this account only, so that nobody uses it as a deputy."""
    conditions: dict[str, Any] = {"StringEquals": {"aws:SourceAccount": account.id}}
    if service == "lambda":  # the trust that AWS documents for an execution role has none, and the drill hangs on it
        conditions = {}
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        **({"Condition": conditions} if conditions else {}),
    }
    return {"Version": VERSION, "Statement": [statement]}


def allow(sid: str, actions: Iterable[str], resources: Iterable[str], **condition: Any) -> Document:
    """A statement that allows."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": sorted(set(actions)),
        "Resource": sorted(set(resources)),
        **({"Condition": condition} if condition else {}),
    }


def policy(statements: Iterable[Document]) -> Document:
    """A policy of these statements."""
    return {"Version": VERSION, "Statement": list(statements)}


# --- what the function needs of the pairs --------------------------------------------------------------------


def pair_policies(pairs: Sequence[Pair], accounts: Mapping[str, Accounts], roles: Mapping[str, str]) -> list[Document]:
    """As few policies as hold what the function needs of all pairs.

    Args:
        accounts: of each pair, by its name.
        roles: by bucket, the role that the function takes to reach it.

    Raises:
        InvalidInput: there are more pairs than a role's policies hold.
    """
    policies: list[list[Pair]] = []
    for pair in pairs:
        if policies and _fits([*policies[-1], pair], accounts, roles):
            policies[-1].append(pair)
        elif _fits([pair], accounts, roles):
            policies.append([pair])
        else:
            raise InvalidInput(f"pair '{pair.name}': its keys and buckets alone fill more than an IAM policy holds.")
    if len(policies) > MOST_POLICIES:
        raise InvalidInput(
            f"{len(pairs)} pairs need {len(policies)} IAM policies, and a role takes {MOST_POLICIES}. Deploy some of "
            "them under another `name`."
        )
    return [policy(_statements(some, accounts, roles)) for some in policies]


def _fits(pairs: Sequence[Pair], accounts: Mapping[str, Accounts], roles: Mapping[str, str]) -> bool:
    spelt = json.dumps(policy(_statements(pairs, accounts, roles)), separators=(",", ":"))
    return len(spelt) <= _MOST_CHARACTERS


def _statements(pairs: Sequence[Pair], accounts: Mapping[str, Accounts], roles: Mapping[str, str]) -> list[Document]:
    ends = [(end, accounts[pair.name][end.bucket]) for pair in pairs for end in pair.ends()]
    own = [(end, account) for end, account in ends if end.bucket not in roles and account.ours]
    buckets = {bucket_arn(end, account.partition) for end, account in own}
    keys = {key for end, _account in own for key in end.kms_keys()}
    iam = {arn for pair in pairs for arn in _role_arns(pair, accounts[pair.name])}
    taken = {roles[end.bucket] for end, _account in ends if end.bucket in roles}
    found = [
        ("Buckets", _READS_OF_BUCKETS, buckets),
        ("Versions", _READS_OF_VERSIONS, {f"{arn}/*" for arn in buckets}),
        ("Canaries", _CANARY_ACTIONS, {f"{arn}/*{RESERVED_PREFIX}*" for arn in buckets}),
        ("KeyFacts", ("kms:DescribeKey", "kms:GetKeyPolicy"), keys),
        ("ReplicationRoles", ("iam:GetRole", "iam:GetRolePolicy"), iam),
        ("OtherAccounts", ("sts:AssumeRole",), taken),
    ]
    statements = [allow(sid, actions, resources) for sid, actions, resources in found if resources]
    return [*statements, *([_key_use("Keys", keys)] if keys else [])]


def _key_use(sid: str, keys: Iterable[str]) -> Document:
    """Through S3 of the keys' Regions only."""
    found = [match for match in map(KEY_ARN.fullmatch, keys) if match]
    suffix = {"aws-cn": "amazonaws.com.cn"}
    services = {f"s3.{one['region']}.{suffix.get(one[0].split(':')[1], 'amazonaws.com')}" for one in found}
    actions = ("kms:Decrypt", "kms:GenerateDataKey")
    return allow(sid, actions, keys, StringEquals={"kms:ViaService": sorted(services)})


def _role_arns(pair: Pair, accounts: Accounts) -> set[str]:
    """The replication roles whose policies are looked at: ours, or the user's."""
    arns = set()
    for link in pair.both_links():
        account = accounts[link.source.bucket]
        ours = f"arn:{account.partition}:iam::{account.id}:role{pair.roles.path}{role_address(link, accounts).name}"
        if account.ours:
            arns.add(link.source.replication_role_arn or ours)
    return arns


# --- the roles -----------------------------------------------------------------------------------------------


def role_wishes(drill: ScheduledDrill, names: Names, accounts: Mapping[str, Accounts]) -> dict[Address, Document]:
    """The three roles, with all that they may do.

    Args:
        accounts: of each pair's buckets, by the pair's name.
    """
    queue = names.arn("sqs", names.queue)
    traced = [allow("Tracing", _TRACING, ["*"])] if drill.tracing else []
    machine = [
        allow("Function", ["lambda:InvokeFunction"], [names.function_arn, f"{names.function_arn}:*"]),
        *_telling(drill, names, ["ssm:CreateOpsItem"]),
        *traced,
    ]
    start = [
        allow("StateMachine", ["states:StartExecution"], [names.machine_arn]),
        allow("DeadLetter", ["sqs:SendMessage"], [queue]),
    ]
    wish = {
        **_role(drill, names, "function", "lambda", [*_function_statements(drill, names), *traced]),
        **_role(drill, names, "states", "states", machine),
        **_role(drill, names, "schedule", "scheduler", start),
    }
    for number, document in enumerate(pair_policies(drill.pairs, accounts, drill.roles), 1):
        wish[pairs_policy(names, number)] = {"Policy": document, "Attached": True, "Tags": owner_tags()}
    return wish


def pairs_policy(names: Names, number: int) -> Address:
    """The address of one of the policies that tell what the function may do with the pairs."""
    return names.iam("iam_managed_policy", f"{names.role('function')}/{names.name}-{names.region}-pairs-{number}")


def _role(
    drill: ScheduledDrill, names: Names, purpose: str, service: str, statements: Sequence[Document]
) -> dict[Address, Document]:
    boundary = drill.permissions_boundary
    name = names.role(purpose)
    return {
        names.iam("iam_role", name): {
            "Path": "/",
            "Description": f"The {purpose} of the scheduled drill {drill.name} in {drill.region} acts as this role.",
            "AssumeRolePolicyDocument": trust(service, names.account),
            "Tags": owner_tags(),
            **({"PermissionsBoundary": boundary} if boundary else {}),
        },
        names.iam("iam_role_policy", f"{name}/{DEFAULT_NAME}"): policy(statements),
    }


def _function_statements(drill: ScheduledDrill, names: Names) -> list[Document]:
    partition = names.account.partition
    evidence, work = (f"arn:{partition}:s3:::{bucket}" for bucket in (drill.evidence_bucket, drill.recovery_bucket))
    logs = f"{names.arn('logs', f'log-group:{names.log_group}')}:*"
    return [
        allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [logs]),
        allow("DeadLetter", ["sqs:SendMessage"], [names.arn("sqs", names.queue)]),
        allow("Evidence", ["s3:GetObject", "s3:PutObject"], [f"{evidence}/*"]),
        allow(
            "Work", ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject"], [f"{work}/{WORK}*"]
        ),
        allow("List", ["s3:ListBucket"], [evidence, work]),
        *(_reports(drill.inventory, partition) if drill.inventory else []),
        *([_key_use("OwnKeys", drill.key_arns)] if drill.key_arns else []),
        allow("Metrics", ["cloudwatch:PutMetricData"], ["*"], StringEquals={"cloudwatch:namespace": NAMESPACE}),
        # Neither ListMetrics nor DescribeAlarms of several alarms can be limited to some.
        allow(
            "Alarms", ["cloudwatch:DescribeAlarms", "cloudwatch:ListMetrics", "cloudwatch:GetMetricStatistics"], ["*"]
        ),
        allow(
            "Topics",
            ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"],
            [f"arn:{partition}:sns:*:{names.account.id}:*"],
        ),
        *_telling(drill, names, ["ssm:CreateOpsItem", "ssm:DescribeOpsItems", "ssm:GetOpsItem", "ssm:UpdateOpsItem"]),
    ]


def _reports(inventory: Inventory, partition: str) -> list[Document]:
    """Of S3 Inventory, in buckets of whatever Region."""
    buckets = [f"arn:{partition}:s3:::{bucket}" for bucket in inventory.buckets]
    keys = inventory.key_arns
    return [
        allow("ListReports", ["s3:ListBucket"], buckets),
        allow("Reports", ["s3:GetObject"], [f"{bucket}/*" for bucket in buckets]),
        *([_key_use("ReportKeys", keys)] if keys else []),
    ]


def _telling(drill: ScheduledDrill, names: Names, ops_actions: Sequence[str]) -> list[Document]:
    """DescribeOpsItems and CreateOpsItem name no item."""
    statements = []
    if drill.topic_arns:
        statements.append(allow("Tell", ["sns:Publish"], drill.topic_arns))
    if drill.ops_items:
        statements.append(allow("OpsItems", ops_actions, ["*"]))
    return statements
