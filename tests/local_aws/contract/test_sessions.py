# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""AssumeRole: acting in another account."""

from __future__ import annotations

import json
import os

import boto3
import pytest

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("CONTRACT_AGAINST_AWS")), reason="needs the credentials of a second account"
)


def trust(principal, **condition):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": condition["external_id"]}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def own(world):
    """The account of the caller, as a principal."""
    return {"AWS": f"arn:aws:iam::{world.account_id()}:root"}


@pytest.fixture
def foreign_role(world):
    """Make a role in the other account; the answer is its ARN."""

    def make(document, **options):
        iam, name = world.client("iam", account=world.other_account), world.name("role")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **options)["Role"]["Arn"]
        world.cleanup.callback(iam.delete_role, RoleName=name)
        return arn

    return make


def allow_buckets(world, role):
    iam, name = world.client("iam", account=world.other_account), role.rpartition("/")[2]
    statement = {"Effect": "Allow", "Action": "s3:CreateBucket", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="buckets", PolicyDocument=document)
    world.cleanup.callback(iam.delete_role_policy, RoleName=name, PolicyName="buckets")


def assume(world, role, **options):
    return world.client("sts").assume_role(RoleArn=role, RoleSessionName="contract", **options)


def client(world, credentials, service):
    return boto3.client(
        service,
        region_name=world.source_region,
        endpoint_url=world.endpoint,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


@pytest.mark.parametrize("path", ["/", "/team/blue/"])
def test_session_acts_in_the_account_of_the_role(world, own, foreign_role, path):
    """STS API, AssumeRole and GetCallerIdentity; what the session makes belongs to the role's account."""
    role = foreign_role(trust(own), Path=path)
    allow_buckets(world, role)
    credentials = assume(world, role)["Credentials"]
    identity = client(world, credentials, "sts").get_caller_identity()
    assert identity["Account"] == world.other_account
    name = role.rpartition("/")[2]
    assert identity["Arn"] == f"arn:aws:sts::{world.other_account}:assumed-role/{name}/contract"
    s3, bucket = client(world, credentials, "s3"), world.name("bucket")
    s3.create_bucket(Bucket=bucket)
    world.cleanup.callback(world.client("s3", account=world.other_account).delete_bucket, Bucket=bucket)
    world.client("s3", account=world.other_account).head_bucket(Bucket=bucket, ExpectedBucketOwner=world.other_account)


def test_buckets_of_the_caller_are_not_the_sessions(world, own, foreign_role, refused):
    """IAM User Guide, id_roles_use: the caller gives up its own permissions while it uses the role."""
    bucket = world.bucket()
    credentials = assume(world, foreign_role(trust(own)))["Credentials"]
    with refused("403"):
        client(world, credentials, "s3").head_bucket(Bucket=bucket)


def test_role_that_does_not_exist(world, refused):
    """STS API, AssumeRole: AccessDenied, as for a role that may not be assumed."""
    with refused("AccessDenied"):
        assume(world, f"arn:aws:iam::{world.other_account}:role/{world.name('absent')}")


def test_path_is_part_of_the_role(world, own, foreign_role, refused):
    """IAM User Guide, reference_identifiers: the path belongs to the ARN."""
    role = foreign_role(trust(own), Path="/team/")
    with refused("AccessDenied"):
        assume(world, role.replace("/team/", "/"))


@pytest.mark.parametrize(
    "principal",
    [{"AWS": "arn:aws:iam::999999999999:root"}, {"AWS": "999999999999"}, {"Service": "s3.amazonaws.com"}],
    ids=["other account", "its number", "service"],
)
def test_role_that_trusts_somebody_else(world, foreign_role, refused, principal):
    """STS API, AssumeRole: the role's trust policy must name the caller or its account."""
    with refused("AccessDenied"):
        assume(world, foreign_role(trust(principal)))


def test_external_id(world, own, foreign_role, refused):
    """IAM User Guide, id_roles_common-scenarios_third-party: only with the external ID that the trust asks for."""
    role = foreign_role(trust(own, external_id="secret-word"))
    with refused("AccessDenied"):
        assume(world, role)
    with refused("AccessDenied"):
        assume(world, role, ExternalId="another-word")
    assert assume(world, role, ExternalId="secret-word")["Credentials"]


def test_external_id_nobody_asked_for(world, own, foreign_role):
    """IAM User Guide, id_roles_common-scenarios_third-party: it is the trust that asks for it."""
    assert assume(world, foreign_role(trust(own)), ExternalId="secret-word")["Credentials"]


def test_role_of_the_same_account(world, own, refused):
    """STS API, AssumeRole: the same within an account."""
    iam, name = world.client("iam"), world.name("role")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": "s3.amazonaws.com"}))["Role"]["Arn"]
    world.cleanup.callback(iam.delete_role, RoleName=name)
    with refused("AccessDenied"):
        assume(world, arn)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust(own))
    assert assume(world, arn)["Credentials"]
