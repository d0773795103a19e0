# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What IAM says that a role may do, by SimulatePrincipalPolicy, which changes nothing.

It knows the role's policies, its permissions boundary and the organization's service control policies. It knows no
policy of a bucket: IAM simulates those for users only. Source: IAM API Reference, "SimulatePrincipalPolicy" and
"EvaluationResult".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._core.model import GLOBAL, UNSEEN
from .._core.preflight import UNDECIDED, Decisions, Simulation
from .row import Client, ClientFor
from .sdk_errors import BotoCoreError, ClientError, ResponseParserError

PERMISSION = "iam:SimulatePrincipalPolicy"


def simulate(client_for: ClientFor, simulation: Simulation) -> Decisions | None:
    """The decision on each request, in one question to IAM. None: there is no such role.

    A request of which IAM says nothing is left out. Where IAM may not be asked or does not answer, the one key `Unseen`
    says why: nothing depends on a simulation that others do not find out as well, only later.
    """
    client = client_for("iam", GLOBAL, simulation.account)
    try:
        return _decisions(_results(client, simulation), set(simulation.requests))
    except ClientError as error:
        code = error.response["Error"].get("Code")
        if code == "NoSuchEntity":
            return None
        if code in ("AccessDenied", "AccessDeniedException"):
            return {UNSEEN: f"these credentials may not simulate it: {PERMISSION} is missing"}
        return {UNSEEN: f"IAM did not simulate it ({error})"}
    except (BotoCoreError, ResponseParserError) as error:
        return {UNSEEN: f"IAM did not simulate it ({type(error).__name__})"}


def _results(client: Client, simulation: Simulation) -> Iterator[Mapping[str, Any]]:
    """IAM evaluates each action with each resource, so both are named once."""
    question = {
        "PolicySourceArn": simulation.role,
        "ActionNames": sorted({action for action, _resource in simulation.requests}),
        "ResourceArns": sorted({resource for _action, resource in simulation.requests}),
    }
    marker: dict[str, str] = {}
    while True:
        answer = client.simulate_principal_policy(**question, **marker)
        yield from answer["EvaluationResults"]
        if not answer.get("IsTruncated"):
            return
        marker = {"Marker": answer["Marker"]}


def _decisions(results: Iterator[Mapping[str, Any]], wanted: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The decisions that were asked for, out of every action with every resource."""
    found = {}
    for result in results:
        action = result["EvalActionName"]
        for one in _by_resource(result, wanted):
            if (action, one["EvalResourceName"]) in wanted:
                found[action, one["EvalResourceName"]] = _decision(action, one)
    return found


def _by_resource(result: Mapping[str, Any], wanted: set[tuple[str, str]]) -> list[Mapping[str, Any]]:
    """One decision for each resource.

    A result's own decision is the most restrictive of all its resources, those that nobody needs included: without
    the single ones it is good for something only when it allows.
    """
    specific: list[Mapping[str, Any]] = result.get("ResourceSpecificResults") or []
    if specific or result["EvalDecision"] != "allowed":
        return specific
    resources = {resource for _action, resource in wanted}
    return [{"EvalResourceName": resource, "EvalResourceDecision": "allowed"} for resource in resources]


def _decision(action: str, one: Mapping[str, Any]) -> str:
    """A denial is none when a condition decided it whose key IAM had no value for.

    IAM may name keys of all policies of the role; one of another service than the action's decides nothing here.
    """
    decision = str(one["EvalResourceDecision"])
    services = ("aws", action.split(":", 1)[0])
    missing = sorted(key for key in one.get("MissingContextValues") or () if key.split(":", 1)[0] in services)
    return f"{UNDECIDED}: {', '.join(missing)}" if missing and decision != "allowed" else decision
