# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Who makes a request, and what policies on roles and keys say to that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import EvalContext
from ministack.core.responses import get_region
from ministack.services import sts

from .fitting import uses

uses("services.sts", "_caller_identity(headers, query_params)")
uses("core.responses", "get_region()")


@dataclass(frozen=True)
class Caller:
    """A principal: the root of an account, or a role's session."""

    arn: str
    account: str

    def is_allowed_by(self, policy: Any, action: str, resource: str, keys: Mapping[str, str | None]) -> bool:
        """Whether the policy of a resource lets this principal do ``action``; a key without a value is absent."""
        given = {name.lower(): value for name, value in keys.items()}
        context = EvalContext(
            principal_arn=self.arn,
            principal_type="AssumedRole" if ":assumed-role/" in self.arn else "Root",
            principal_account=self.account,
            action=action,
            resource_arn=resource,
            region=get_region(),
            service_context={"aws:principalisawsservice": "false"} | given,
        )
        return bool(iam_evaluator.evaluate_resource_policy(policy, context).decision == "Allow")


def caller_of(headers: dict[str, str], query_params: dict[str, Any]) -> Caller:
    identity = sts._caller_identity(headers, query_params)
    return Caller(identity["userArn"], identity["accountId"])
