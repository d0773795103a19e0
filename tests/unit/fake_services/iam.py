# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""IAM and STS in memory: roles, and who the credentials are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from .calls import OWNER, Answer, Service, client_error, tag_list, tag_map


@dataclass
class Role:
    """One IAM role; policies are the JSON texts that were put."""

    document: Answer
    owner: str = OWNER
    policies: dict[str, str] = field(default_factory=dict)
    made: datetime = datetime(2026, 1, 1, tzinfo=UTC)


class FakeIam(Service):
    """IAM and STS of all accounts; the names of roles are unique over them."""

    def __init__(self) -> None:
        super().__init__()
        self.roles: dict[str, Role] = {}
        self.allows: Callable[[Answer], str] = lambda asked: "allowed"
        """The decision of a simulated policy."""
        self.external_ids: dict[str, str] = {}
        """What must be given to assume a role, by the role's ARN."""

    def _role(self, params: Answer) -> Role:
        role = self.roles.get(params["RoleName"])
        if role is None or role.owner != self.account:
            raise client_error("NoSuchEntity", "The role cannot be found.")
        return role

    def has_principals_of(self, policy: str) -> bool:
        """Whether all roles exist that a policy names; AWS refuses one that names others."""
        names = (name.rsplit("/", 1)[1] for name in principals(policy) if ":role/" in name)
        return all(name in self.roles for name in names)

    def _iam_GetRole(self, params: Answer, region: str) -> Answer:
        role = self._role(params)
        document = {**role.document, "CreateDate": role.made}
        trust = quote(document["AssumeRolePolicyDocument"])
        return {"Role": {**document, "AssumeRolePolicyDocument": trust, **_boundary(document)}}

    def _iam_CreateRole(self, params: Answer, region: str) -> None:
        if params["RoleName"] in self.roles:
            raise client_error("EntityAlreadyExists", "The role exists.")
        self.roles[params["RoleName"]] = Role(params, self.account)

    def _iam_UpdateAssumeRolePolicy(self, params: Answer, region: str) -> None:
        self._role(params).document["AssumeRolePolicyDocument"] = params["PolicyDocument"]

    def _iam_UpdateRole(self, params: Answer, region: str) -> None:
        self._role(params).document["Description"] = params["Description"]

    def _iam_TagRole(self, params: Answer, region: str) -> None:
        document = self._role(params).document
        document["Tags"] = tag_list({**tag_map(document.get("Tags", [])), **tag_map(params["Tags"])})

    def _iam_PutRolePermissionsBoundary(self, params: Answer, region: str) -> None:
        self._role(params).document["PermissionsBoundary"] = params["PermissionsBoundary"]

    def _iam_DeleteRole(self, params: Answer, region: str) -> None:
        if self._role(params).policies:
            raise client_error("DeleteConflict", "Cannot delete entity, must delete policies first.")
        del self.roles[params["RoleName"]]

    def _iam_GetRolePolicy(self, params: Answer, region: str) -> Answer:
        policies = self._role(params).policies
        if params["PolicyName"] not in policies:
            raise client_error("NoSuchEntity", "The role policy cannot be found.")
        return {"PolicyDocument": quote(policies[params["PolicyName"]])}

    def _iam_PutRolePolicy(self, params: Answer, region: str) -> None:
        self._role(params).policies[params["PolicyName"]] = params["PolicyDocument"]

    def _iam_DeleteRolePolicy(self, params: Answer, region: str) -> None:
        if self._role(params).policies.pop(params["PolicyName"], None) is None:
            raise client_error("NoSuchEntity", "The role policy cannot be found.")

    def _iam_SimulatePrincipalPolicy(self, params: Answer, region: str) -> Answer:
        asked = [(action, resource) for action in params["ActionNames"] for resource in params.get("ResourceArns", "*")]
        results = [
            {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": self.allows(params)}
            for action, resource in asked
        ]
        return {"EvaluationResults": results, "IsTruncated": False}

    def _sts_GetCallerIdentity(self, params: Answer, region: str) -> Answer:
        return {"Arn": f"arn:aws:sts::{self.account}:assumed-role/ops/me", "Account": self.account}

    def _sts_AssumeRole(self, params: Answer, region: str) -> Answer:
        if params.get("ExternalId") != self.external_ids.get(params["RoleArn"]):
            raise client_error("AccessDenied", "not authorized to perform: sts:AssumeRole", "AssumeRole")
        key = f"key of {params['RoleArn'].split(':')[4]}"
        return {"Credentials": {"AccessKeyId": key, "SecretAccessKey": "secret", "SessionToken": "token"}}


def principals(policy: str) -> list[str]:
    """The AWS principals that a policy names."""
    found = [statement.get("Principal", {}) for statement in json.loads(policy).get("Statement", [])]
    names = [one.get("AWS", []) for one in found if isinstance(one, dict)]
    return [name for one in names for name in ([one] if isinstance(one, str) else one)]


def _boundary(document: Answer) -> Answer:
    if "PermissionsBoundary" not in document:
        return {}
    arn = document["PermissionsBoundary"]
    return {"PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}}
