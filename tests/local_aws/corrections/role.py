# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What the replication role is allowed to do, judged by MiniStack's own IAM evaluator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import EvalContext
from ministack.services import iam, s3

from . import consistency
from .fitting import uses

uses(
    "core.iam_evaluator",
    "evaluate(ctx, policies, limits)",
    "evaluate_resource_policy(doc, ctx, service, named_only, direct_only)",
    "combine_resource_policy(identity, ctx, policy, owner_account, required, limits)",
    "_gather_role_policies(role_name, account_id)",
    "_permissions_boundary(store, name, account_id)",
)
uses("services.s3", "_bucket_owner_account(name)")

# S3 calls from inside AWS; an address of no customer, so that a policy bound to addresses refuses it as on AWS.
SERVICE_ADDRESS = "192.0.2.1"
S3 = "s3.amazonaws.com"


@dataclass(frozen=True)
class Role:
    """A role that a service of AWS has assumed."""

    arn: str
    name: str
    account: str

    def may(self, action: str, bucket: str, key: str | None = None, conditions: dict[str, str] | None = None) -> bool:
        """Whether the role's policies, its boundary and the bucket's policy together allow ``action``."""
        resource = f"arn:aws:s3:::{bucket}" if key is None else f"arn:aws:s3:::{bucket}/{key}"
        owner = s3._bucket_owner_account(bucket)
        policy = s3._bucket_policies.get_scoped(owner, None, bucket)
        return self._is_allowed(_context(self.arn, self.account, action, resource, conditions), policy, owner)

    def may_do(self, action: str, resource: str) -> bool:
        """The same for what has no policy of its own."""
        return self._is_allowed(_context(self.arn, self.account, action, resource), None, self.account)

    def may_in_general(self, action: str) -> bool:
        """The same for an action that names no resource."""
        return self._is_allowed(_context(self.arn, self.account, action, "*"), None, self.account)

    def may_use_key(self, action: str, key: str, key_policy: str, conditions: dict[str, str]) -> bool:
        """The same for a KMS key; its policy must allow it even within the key's own account."""
        context = _context(self.arn, self.account, action, key, conditions)
        return self._is_allowed(context, key_policy, key.split(":")[4], required=True)

    def _is_allowed(self, context: EvalContext, policy: str | None, owner: str | None, required: bool = False) -> bool:
        policies = iam_evaluator._gather_role_policies(self.name, self.account)
        limits = iam_evaluator._permissions_boundary(iam._roles, self.name, self.account)
        identity = iam_evaluator.evaluate(context, policies, *limits)
        combined = iam_evaluator.combine_resource_policy(identity, context, policy, owner, required, limits)
        return bool(combined.decision == "Allow")


def assume(arn: str, service: str = S3, keys: dict[str, str] | None = None) -> Role | None:
    """The role, if it exists and its trust policy lets the service, which is S3 for replication, assume it.

    S3 User Guide, setting-repl-config-perm-overview: the role trusts s3.amazonaws.com. Whether S3 fills the keys
    aws:SourceAccount and aws:SourceArn here is not documented, so a trust that insists on them is refused. Services
    that are known to fill them give them in ``keys``.
    """
    record = find(arn)
    if record is None or not _trusts(record["AssumeRolePolicyDocument"], arn, service, keys or {}):
        return None
    return Role(arn, record["RoleName"], arn.split(":")[4])


def find(arn: str) -> dict[str, Any] | None:
    """What IAM keeps of the role, or None when there is none with this path and name, or it is too new to be known."""
    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    record: dict[str, Any] | None = iam._roles.get_scoped(account, None, name)
    return record if record and record["Arn"] == arn and consistency.is_known(account, name) else None


def service_may(service: str, action: str, resource: str, policy: str | None, keys: dict[str, str]) -> bool:
    """Whether a resource policy lets an AWS service do ``action``."""
    context = _context("", "", action, resource, keys | {"aws:PrincipalIsAWSService": "true"})
    decision = iam_evaluator.evaluate_resource_policy(policy, context, service=service).decision
    return bool(decision == "Allow")


def _trusts(document: str | dict[str, Any], arn: str, service: str, keys: dict[str, str]) -> bool:
    trust = json.loads(document) if isinstance(document, str) else document
    return service_may(service, "sts:AssumeRole", arn, json.dumps(trust), keys)


def _context(
    principal: str, account: str, action: str, resource: str, keys: dict[str, str] | None = None
) -> EvalContext:
    given = {name.lower(): value for name, value in (keys or {}).items()}
    return EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region="",
        source_ip=SERVICE_ADDRESS,
        secure_transport=True,
        service_context={"aws:principalisawsservice": "false"} | given,
    )
