# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""SimulatePrincipalPolicy: what a role or user may do, asked without doing it.

Left out: groups, MatchedStatements, and EvalResourceName of a whole result, which on AWS is a template such as
``arn:${Partition}:s3:::${BucketName}/${KeyName}`` and here always ``*``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import EvalContext
from ministack.core.responses import get_account_id
from ministack.services import iam

from . import shapes
from .fitting import corrects, uses

uses("services.iam", "_p(params, key, default)", "_xml(status, root_tag, inner, ns)")
uses(
    "core.iam_evaluator",
    "parse_policy_document(doc)",
    "_gather_user_policies(user_name, account_id)",
    "_action_matches(request_action, actions, not_actions)",
    "_first_match(ctx, stmts, effect)",
)

Answer = tuple[int, dict[str, str], bytes]
Params = dict[str, Any]
Policies = list[list[Any]]  # the parsed statements of each policy

DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}
STRICTEST_FIRST = ("explicitDeny", "implicitDeny", "allowed")
NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


@dataclass
class Simulated(EvalContext):
    """A request that nobody makes: it has no other context than what is given."""

    given: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Simulation:
    """The policies of a principal, and the context in which they are asked."""

    principal: str
    policies: Policies
    boundary: list[Policies]  # none or one
    given: dict[str, list[str]]

    def result(self, action: str, resources: list[str]) -> dict[str, Any]:
        """IAM API, EvaluationResult: one for each action, with the strictest decision of all resources; what holds
        for each of them is in ResourceSpecificResults."""
        of_each = [self.specific_result(action, resource) for resource in resources]
        decisions = {one["EvalResourceDecision"] for one in of_each}
        result = {
            "EvalActionName": action,
            "EvalResourceName": "*",
            "EvalDecision": next(decision for decision in STRICTEST_FIRST if decision in decisions),
            "MatchedStatements": [],
            "MissingContextValues": of_each[0]["MissingContextValues"],
        }
        if resources == ["*"]:
            return result | self.boundary_detail(action, "*")
        return result | {"ResourceSpecificResults": of_each}

    def specific_result(self, action: str, resource: str) -> dict[str, Any]:
        decision = iam_evaluator.evaluate(self.context(action, resource), self.policies, *self.boundary).decision
        return {
            "EvalResourceName": resource,
            "EvalResourceDecision": DECISIONS[decision],
            "MatchedStatements": [],
            "MissingContextValues": sorted(set(self.missing_keys(action))),
        } | self.boundary_detail(action, resource)

    def boundary_detail(self, action: str, resource: str) -> dict[str, Any]:
        """IAM API, PermissionsBoundaryDecisionDetail: only for a principal with a boundary."""
        if not self.boundary:
            return {}
        context = self.context(action, resource)
        is_allowed = iam_evaluator.evaluate(context, self.boundary[0]).decision == "Allow"
        return {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": is_allowed}}

    def context(self, action: str, resource: str) -> Simulated:
        account = self.principal.split(":")[4]
        return Simulated(
            principal_arn=self.principal,
            principal_type="",
            principal_account=account,
            action=action,
            resource_arn=resource,
            region="",
            given=self.given,
        )

    def missing_keys(self, action: str) -> Iterator[str]:
        """The condition keys of statements about this action that the caller did not give."""
        for policies in (self.policies, *self.boundary):
            for statement in (statement for policy in policies for statement in policy):
                if iam_evaluator._action_matches(action, statement.actions, statement.not_actions):
                    names = (name for keys in statement.conditions.values() for name in keys)
                    yield from (name for name in names if name.lower() not in self.given)


@corrects("services.iam", "_simulate_principal_policy(p)")
def simulate(original: Callable[..., Answer], p: Params) -> Answer:
    """IAM API, SimulatePrincipalPolicy: the principal's own policies and boundary, those given beside them, and no
    policy of a resource. NoSuchEntity when there is no such principal in the caller's account."""
    arn = iam._p(p, "PolicySourceArn")
    found = policies_of(arn)
    if found is None:
        return iam._error(404, "NoSuchEntity", f"The entity with ARN {arn} cannot be found.")
    policies, boundary = found
    policies = policies + parsed(p, "PolicyInputList")
    if stands_in := parsed(p, "PermissionsBoundaryPolicyInputList"):
        boundary = [stands_in]
    simulation = Simulation(iam._p(p, "CallerArn") or arn, policies, boundary, given_context(p))
    resources = listed(p, "ResourceArns") or ["*"]
    results = [simulation.result(action, resources) for action in listed(p, "ActionNames")]
    return answer(p, results)


def policies_of(arn: str) -> tuple[Policies, list[Policies]] | None:
    """The policies of a role or user and its boundary, or None when it does not exist."""
    account, kind, name = get_account_id(), arn.rpartition(":")[2].partition("/")[0], arn.rpartition("/")[2]
    gather = {"role": iam_evaluator._gather_role_policies, "user": iam_evaluator._gather_user_policies}
    store = {"role": iam._roles, "user": iam._users}.get(kind, {})
    if name not in store or store[name]["Arn"] != arn:
        return None
    return gather[kind](name, account), iam_evaluator._permissions_boundary(store, name, account)


def answer(p: Params, results: list[dict[str, Any]]) -> Answer:
    """IAM API, SimulatePrincipalPolicy: MaxItems is 100 unless told; the Marker is where to go on."""
    start, size = int(iam._p(p, "Marker") or 0), int(iam._p(p, "MaxItems") or 100)
    rest = len(results) > start + size
    members = {"EvaluationResults": results[start : start + size], "IsTruncated": rest}
    if rest:
        members["Marker"] = str(start + size)
    shape = shapes.model("iam").operation_model("SimulatePrincipalPolicy").output_shape
    inner = shapes.fragment("SimulatePrincipalPolicyResult", NAMESPACE, shape, members)
    return iam._xml(200, "SimulatePrincipalPolicyResponse", inner.decode())


def listed(p: Params, name: str) -> list[str]:
    """A list of the Query protocol: ``Name.member.1`` and so on."""
    found = []
    while value := iam._p(p, f"{name}.member.{len(found) + 1}"):
        found.append(value)
    return found


def parsed(p: Params, name: str) -> Policies:
    return [iam_evaluator.parse_policy_document(document) for document in listed(p, name)]


def given_context(p: Params) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    while name := iam._p(p, f"ContextEntries.member.{len(given) + 1}.ContextKeyName"):
        given[name.lower()] = listed(p, f"ContextEntries.member.{len(given) + 1}.ContextKeyValues")
    return given


@corrects("core.iam_evaluator", "_resolve_condition_key(key, ctx)")
def resolve_given_key(original: Callable[..., Any], key: str, ctx: EvalContext) -> Any:
    """IAM API, ContextEntry: in a simulation a key has the values that were given for it, and no others."""
    if not isinstance(ctx, Simulated):
        return original(key, ctx)
    values = ctx.given.get(key.lower())
    return values[0] if values and len(values) == 1 else values
