# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""SimulatePrincipalPolicy: asking what a role may do."""

from __future__ import annotations

import json

import pytest

READ, WRITE = "s3:GetObject", "s3:PutObject"
HERE, THERE = "arn:aws:s3:::here/key", "arn:aws:s3:::there/key"
TRUST = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect, action, resource, **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


@pytest.fixture
def iam(world):
    return world.client("iam")


@pytest.fixture
def new_role(world, iam):
    """Make a role with these inline statements; the answer is its ARN."""

    def make(*statements, path="/", **options):
        name = world.name("role")
        role = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document(TRUST), **options)["Role"]
        world.cleanup.callback(iam.delete_role, RoleName=name)
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document(*statements))
            world.cleanup.callback(iam.delete_role_policy, RoleName=name, PolicyName="inline")
        return role["Arn"]

    return make


@pytest.fixture
def new_policy(world, iam):
    def make(*statements):
        arn = iam.create_policy(PolicyName=world.name("policy"), PolicyDocument=document(*statements))["Policy"]["Arn"]
        world.cleanup.callback(iam.delete_policy, PolicyArn=arn)
        return arn

    return make


def results(iam, role, *actions, **options):
    return iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=list(actions), **options)[
        "EvaluationResults"
    ]


def decisions(iam, role, action, *resources, **options):
    """The decision for each of the resources."""
    (result,) = results(iam, role, action, ResourceArns=list(resources), **options)
    return {one["EvalResourceName"]: one["EvalResourceDecision"] for one in result["ResourceSpecificResults"]}


@pytest.mark.parametrize("path", ["/", "/team/blue/"])
def test_each_action_on_each_resource(iam, new_role, path):
    """IAM API, SimulatePrincipalPolicy: allowed, explicitDeny or implicitDeny for each combination."""
    role = new_role(statement("Allow", "s3:*", HERE), statement("Deny", WRITE, HERE), path=path)
    assert decisions(iam, role, READ, HERE, THERE) == {HERE: "allowed", THERE: "implicitDeny"}
    assert decisions(iam, role, WRITE, HERE, THERE) == {HERE: "explicitDeny", THERE: "implicitDeny"}


def test_one_result_for_each_action(iam, new_role):
    """IAM API, EvaluationResult: one for each action, whose decision is the strictest of all resources."""
    role = new_role(statement("Allow", "s3:*", [HERE, THERE]), statement("Deny", WRITE, HERE))
    found = results(iam, role, READ, WRITE, "s3:ListBucket", ResourceArns=[HERE, THERE])
    assert [(one["EvalActionName"], one["EvalDecision"]) for one in found] == [
        (READ, "allowed"),
        (WRITE, "explicitDeny"),
        ("s3:ListBucket", "allowed"),
    ]
    (both,) = results(iam, new_role(statement("Allow", READ, HERE)), READ, ResourceArns=[HERE, THERE])
    assert both["EvalDecision"] == "implicitDeny"


def test_name_of_a_result_is_no_resource(iam, new_role):
    """IAM API, EvaluationResult: EvalResourceName is a template or *, never the ARN that was asked about."""
    (result,) = results(iam, new_role(statement("Allow", READ, HERE)), READ, ResourceArns=[HERE])
    assert result["EvalResourceName"] != HERE
    assert [one["EvalResourceName"] for one in result["ResourceSpecificResults"]] == [HERE]


def test_without_resources(iam, new_role):
    """IAM API, SimulatePrincipalPolicy: ResourceArns is * by default, all resources."""
    (some,) = results(iam, new_role(statement("Allow", READ, HERE)), READ)
    (every,) = results(iam, new_role(statement("Allow", READ, "*")), READ)
    assert (some["EvalDecision"], every["EvalDecision"]) == ("implicitDeny", "allowed")


def test_attached_policies_count(world, iam, new_role, new_policy):
    """IAM API, SimulatePrincipalPolicy: all policies that are associated with the role."""
    role, policy = new_role(), new_policy(statement("Allow", READ, HERE))
    name = role.rpartition("/")[2]
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    world.cleanup.callback(iam.detach_role_policy, RoleName=name, PolicyArn=policy)
    assert decisions(iam, role, READ, HERE) == {HERE: "allowed"}


def test_boundary_limits(iam, new_role, new_policy):
    """IAM API, PermissionsBoundaryDecisionDetail: what the boundary does not allow is not allowed."""
    boundary = new_policy(statement("Allow", READ, "*"))
    role = new_role(statement("Allow", "s3:*", HERE), PermissionsBoundary=boundary)
    assert decisions(iam, role, READ, HERE) == {HERE: "allowed"}
    assert decisions(iam, role, WRITE, HERE) == {HERE: "implicitDeny"}
    (result,) = results(iam, role, WRITE, ResourceArns=[HERE])
    (one,) = result["ResourceSpecificResults"]
    assert one["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_policies_given_with_the_question(iam, new_role):
    """IAM API, SimulatePrincipalPolicy: PolicyInputList comes on top of what the role has, and so does a boundary."""
    role = new_role(statement("Allow", READ, HERE))
    more = document(statement("Allow", WRITE, HERE))
    assert decisions(iam, role, WRITE, HERE, PolicyInputList=[more]) == {HERE: "allowed"}
    assert decisions(iam, role, READ, HERE, PermissionsBoundaryPolicyInputList=[more]) == {HERE: "implicitDeny"}


def test_context(iam, new_role):
    """IAM API, ContextEntry and MissingContextValues: a condition is judged by the values that are given."""
    condition = {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"kms:ViaService": ["one", "two"]}}
    role = new_role(statement("Allow", READ, HERE, Condition=condition))

    def entry(name, value, kind):
        return {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": kind}

    def asked(secure, service):
        given = [entry("aws:SecureTransport", secure, "boolean"), entry("kms:ViaService", service, "string")]
        return decisions(iam, role, READ, HERE, ContextEntries=given)[HERE]

    assert asked("true", "two") == "allowed"
    assert asked("true", "three") == "implicitDeny"
    assert asked("false", "two") == "implicitDeny"
    (result,) = results(iam, role, READ, ResourceArns=[HERE])
    (one,) = result["ResourceSpecificResults"]
    assert one["EvalResourceDecision"] == "implicitDeny"
    assert sorted(one["MissingContextValues"]) == ["aws:SecureTransport", "kms:ViaService"]


def test_pages(iam, new_role):
    """IAM API, SimulatePrincipalPolicy: at most MaxItems results at once, and a Marker to go on."""
    role = new_role(statement("Allow", READ, "*"))
    first = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=[READ, WRITE], MaxItems=1)
    assert first["IsTruncated"]
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=role, ActionNames=[READ, WRITE], PaginationConfig={"PageSize": 1}
    )
    assert [one["EvalActionName"] for page in pages for one in page["EvaluationResults"]] == [READ, WRITE]


@pytest.mark.parametrize("path", ["", "other/"])
def test_missing_role(world, iam, new_role, refused, path):
    """IAM API, SimulatePrincipalPolicy: NoSuchEntity; the path is a part of the ARN."""
    name = new_role().rpartition("/")[2] if path else world.name("absent")
    with refused("NoSuchEntity"):
        results(iam, f"arn:aws:iam::{world.account_id()}:role/{path}{name}", READ)
