# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Managed policies of IAM: how long they may be, and how their versions are counted and removed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ministack.services import iam

from .fitting import corrects, uses

uses("services.iam", "_p(params, key, default)", "_error(status, code, message, ns)")

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]

LONGEST = 6144

_numbers: dict[str, int] = {}
"""The highest number that a version of a policy ever had, by the policy's ARN."""


@corrects("services.iam", "_create_policy(p)")
def create(original: Callable[[Params], Answer], p: Params) -> Answer:
    """IAM User Guide, reference_iam-quotas: LimitExceeded beyond 6,144 characters."""
    return too_long(p) or original(p)


@corrects("services.iam", "_create_policy_version(p)")
def create_version(original: Callable[[Params], Answer], p: Params) -> Answer:
    """IAM User Guide, access_policies_managed-versioning: a version's number is not used again."""
    arn = iam._p(p, "PolicyArn")
    policy = iam._policies.get(arn)
    if refused := too_long(p):
        return refused
    answer = original(p)
    if answer[0] == 200 and policy is not None:
        given = list(policy["Versions"])[-1]
        _numbers[arn] = max(_numbers.get(arn, 1) + 1, int(given.removeprefix("v")))
        name = f"v{_numbers[arn]}"
        policy["Versions"][name] = policy["Versions"].pop(given) | {"VersionId": name}
        if policy["DefaultVersionId"] == given:
            policy["DefaultVersionId"] = name
        answer = answer[0], answer[1], answer[2].replace(f">{given}<".encode(), f">{name}<".encode())
    return answer


@corrects("services.iam", "_delete_policy(p)")
def delete(original: Callable[[Params], Answer], p: Params) -> Answer:
    """IAM API, DeletePolicy: DeleteConflict while there are versions besides the default one."""
    arn = iam._p(p, "PolicyArn")
    policy = iam._policies.get(arn)
    if policy and len(policy["Versions"]) > 1:
        text = "This policy has more than one version. Before you delete a policy, you must delete its other versions."
        return iam._error(409, "DeleteConflict", text, ns="iam")
    answer = original(p)
    if answer[0] == 200:
        _numbers.pop(arn, None)
    return answer


def too_long(p: Params) -> Answer | None:
    """White space does not count."""
    if len(re.sub(r"\s", "", iam._p(p, "PolicyDocument"))) <= LONGEST:
        return None
    return iam._error(409, "LimitExceeded", f"Cannot exceed quota for PolicySize: {LONGEST}", ns="iam")
