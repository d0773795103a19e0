# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""One question to IAM about a role, and what is made of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.simulation import simulate
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import UNSEEN
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.preflight import Decisions, Simulation

ROLE = "arn:aws:iam::111122223333:role/replicator"
BUCKET, OBJECT = "arn:aws:s3:::example-orders", "arn:aws:s3:::example-orders-dr/object"
LIST, WRITE = ("s3:ListBucket", BUCKET), ("s3:ReplicateObject", OBJECT)
SIMULATION = Simulation(ROLE, "111122223333", (LIST, WRITE))
QUESTION = {
    "PolicySourceArn": ROLE,
    "ActionNames": ["s3:ListBucket", "s3:ReplicateObject"],
    "ResourceArns": [BUCKET, OBJECT],
}


@pytest.fixture
def iam() -> Iterator[Any]:
    """A real client of IAM whose calls are checked and answered here."""
    client = boto3.client("iam", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
    with Stubber(client) as stubber:
        stubber.asked = client
        yield stubber
        stubber.assert_no_pending_responses()


def ask(stubber: Any, simulation: Simulation = SIMULATION) -> Decisions | None:
    """Simulate, with clients for IAM of the role's account only."""

    def client_for(service: str, region: str, account: str) -> Any:
        assert (service, region, account) == ("iam", "global", "111122223333")
        return stubber.asked

    return simulate(client_for, simulation)


def result(action: str, top: str = "implicitDeny", missing: list[str] | None = None, **by_resource: str) -> Any:
    """IAM's answer on an action: one decision for all resources, and one for each; `bucket` and `object` name them."""
    names = {"bucket": BUCKET, "object": OBJECT}
    return {
        "EvalActionName": action,
        "EvalResourceName": "arn:${Partition}:s3:::${BucketName}",
        "EvalDecision": top,
        "ResourceSpecificResults": [
            {
                "EvalResourceName": names[name],
                "EvalResourceDecision": decision,
                "MissingContextValues": missing or [],
            }
            for name, decision in by_resource.items()
        ],
    }


def test_each_request_gets_the_decision_on_its_own_resource(iam: Any) -> None:
    results = [
        result("s3:ListBucket", bucket="allowed", object="implicitDeny"),
        result("s3:ReplicateObject", bucket="allowed", object="explicitDeny"),
    ]
    iam.add_response("simulate_principal_policy", {"EvaluationResults": results, "IsTruncated": False}, QUESTION)
    assert ask(iam) == {LIST: "allowed", WRITE: "explicitDeny"}


def test_the_pages_of_one_answer_are_read_to_the_end(iam: Any) -> None:
    first = {"EvaluationResults": [result(LIST[0], bucket="allowed")], "IsTruncated": True, "Marker": "next"}
    iam.add_response("simulate_principal_policy", first, QUESTION)
    last = {"EvaluationResults": [result(WRITE[0], object="allowed")], "IsTruncated": False}
    iam.add_response("simulate_principal_policy", last, {**QUESTION, "Marker": "next"})
    assert ask(iam) == {LIST: "allowed", WRITE: "allowed"}


@pytest.mark.parametrize(("top", "found"), [("allowed", {LIST: "allowed"}), ("implicitDeny", {})])
def test_a_decision_on_all_resources_is_good_only_when_it_allows(iam: Any, top: str, found: dict[Any, str]) -> None:
    alone = {key: value for key, value in result("s3:ListBucket", top).items() if key != "ResourceSpecificResults"}
    for one in (alone, {**alone, "ResourceSpecificResults": []}):
        iam.add_response("simulate_principal_policy", {"EvaluationResults": [one]}, QUESTION)
        assert ask(iam) == found


def test_a_decision_on_one_resource_counts_more_than_that_on_all(iam: Any) -> None:
    results = [result("s3:ListBucket", "allowed", bucket="implicitDeny")]
    iam.add_response("simulate_principal_policy", {"EvaluationResults": results}, QUESTION)
    assert ask(iam) == {LIST: "implicitDeny"}


@pytest.mark.parametrize(
    ("decision", "missing", "found"),
    [
        ("explicitDeny", ["s3:prefix", "aws:SourceIp", "kms:ViaService"], "undecided: aws:SourceIp, s3:prefix"),
        ("implicitDeny", ["kms:ViaService"], "implicitDeny"),
        ("allowed", ["aws:SourceIp"], "allowed"),
    ],
)
def test_a_denial_on_a_condition_that_iam_could_not_judge_is_undecided(
    iam: Any, decision: str, missing: list[str], found: str
) -> None:
    results = [result("s3:ReplicateObject", missing=missing, object=decision)]
    iam.add_response("simulate_principal_policy", {"EvaluationResults": results}, QUESTION)
    assert ask(iam) == {WRITE: found}


def test_an_action_and_a_resource_of_several_requests_are_named_once(iam: Any) -> None:
    simulation = Simulation(
        ROLE, "111122223333", (WRITE, LIST, ("s3:ListBucket", OBJECT), ("s3:ReplicateObject", BUCKET))
    )
    iam.add_response("simulate_principal_policy", {"EvaluationResults": []}, QUESTION)
    assert ask(iam, simulation) == {}


def test_a_role_that_is_not_there_is_not_simulated(iam: Any) -> None:
    iam.add_client_error("simulate_principal_policy", "NoSuchEntity")
    assert ask(iam) is None


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_credentials_that_may_not_ask_say_so(iam: Any, code: str) -> None:
    iam.add_client_error("simulate_principal_policy", code)
    found = ask(iam)
    assert found is not None
    assert list(found) == [UNSEEN]
    assert "iam:SimulatePrincipalPolicy is missing" in found[UNSEEN]


@pytest.mark.parametrize("code", ["Throttling", "InvalidInput"])
def test_another_refusal_is_no_answer(iam: Any, code: str) -> None:
    iam.add_client_error("simulate_principal_policy", code)
    assert code in str((ask(iam) or {})[UNSEEN])


@pytest.mark.parametrize(
    "error", [EndpointConnectionError(endpoint_url="https://iam"), ResponseParserError("HTML, and no XML")]
)
def test_an_iam_that_does_not_answer_stops_nothing(error: Exception) -> None:
    class Silent:
        def simulate_principal_policy(self, **_question: Any) -> None:
            raise error

    assert simulate(lambda service, region, account: Silent(), SIMULATION) == {
        UNSEEN: f"IAM did not simulate it ({type(error).__name__})"
    }
