# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Managed policies of IAM and their versions."""

from __future__ import annotations

import json

import pytest

from .conftest import policy
from .machine import allow, role_for


def document(action):
    return json.dumps(policy(allow(action)))


@pytest.fixture
def managed(world):
    iam = world.client("iam")
    arn = iam.create_policy(PolicyName=world.name("policy"), PolicyDocument=document("s3:GetObject"))["Policy"]["Arn"]
    world.cleanup.callback(remove, iam, arn)
    return arn


def remove(iam, arn):
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=arn)


def test_versions(world, managed):
    """User Guide, access_policies_managed-versioning: the new one is the default if that is wished for."""
    iam = world.client("iam")
    made = iam.create_policy_version(PolicyArn=managed, PolicyDocument=document("s3:PutObject"), SetAsDefault=True)
    assert (made["PolicyVersion"]["VersionId"], made["PolicyVersion"]["IsDefaultVersion"]) == ("v2", True)
    assert iam.get_policy(PolicyArn=managed)["Policy"]["DefaultVersionId"] == "v2"
    found = iam.get_policy_version(PolicyArn=managed, VersionId="v2")["PolicyVersion"]["Document"]
    assert found["Statement"][0]["Action"] == "s3:PutObject"


def test_five_versions(world, managed, refused):
    """API, CreatePolicyVersion: LimitExceeded; the number of one that went is not used again."""
    iam = world.client("iam")
    for number in range(4):
        iam.create_policy_version(PolicyArn=managed, PolicyDocument=document(f"s3:Get{number}"))
    with refused("LimitExceeded"):
        iam.create_policy_version(PolicyArn=managed, PolicyDocument=document("s3:PutObject"))
    iam.delete_policy_version(PolicyArn=managed, VersionId="v5")
    made = iam.create_policy_version(PolicyArn=managed, PolicyDocument=document("s3:PutObject"))
    assert made["PolicyVersion"]["VersionId"] == "v6"


def test_default_version_stays(world, managed, refused):
    """API, DeletePolicyVersion: DeleteConflict."""
    with refused("DeleteConflict"):
        world.client("iam").delete_policy_version(PolicyArn=managed, VersionId="v1")


def test_policy_with_versions_stays(world, managed, refused):
    """API, DeletePolicy: all other versions go first."""
    iam = world.client("iam")
    iam.create_policy_version(PolicyArn=managed, PolicyDocument=document("s3:PutObject"))
    with refused("DeleteConflict"):
        iam.delete_policy(PolicyArn=managed)


def test_attached_policy_stays(world, managed, refused):
    """API, DeletePolicy and DeleteRole: DeleteConflict."""
    iam, role = world.client("iam"), role_for(world, "lambda").rpartition("/")[2]
    iam.attach_role_policy(RoleName=role, PolicyArn=managed)
    world.cleanup.callback(iam.detach_role_policy, RoleName=role, PolicyArn=managed)
    assert iam.get_policy(PolicyArn=managed)["Policy"]["AttachmentCount"] == 1
    with refused("DeleteConflict"):
        iam.delete_policy(PolicyArn=managed)
    with refused("DeleteConflict"):
        iam.delete_role(RoleName=role)


def test_greatest_size(world, managed, refused):
    """User Guide, reference_iam-quotas: 6,144 characters, white space not counted."""
    iam = world.client("iam")
    iam.create_policy_version(PolicyArn=managed, PolicyDocument=document("s3:GetObject") + " " * 6000)
    with refused("LimitExceeded"):
        iam.create_policy_version(PolicyArn=managed, PolicyDocument=document(["s3:GetObject"] * 500))
