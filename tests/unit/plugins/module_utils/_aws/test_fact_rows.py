# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Facts that checks look at: read as AWS holds them, missing where there is nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.fact_rows import ROWS
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import KINDS
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import GLOBAL, Address, Document
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Bucket, FakeAws, Key, Role
from ansible_collections.crossregion.s3_dr.tests.unit.samples import EAST, KEYS, PRIMARY, address

KEY = KEYS[PRIMARY.bucket]


def at(kind: str) -> Address:
    """Where a fact is found."""
    if kind == "iam_role_made":
        return Address(kind, "s3-dr-orders", GLOBAL, OWNER)
    return address(kind, KEY if kind == "kms_key" else PRIMARY.bucket)


@pytest.fixture
def gateway(aws: FakeAws) -> Gateway:
    """A gateway to an AWS with a bucket, a key and a role."""
    aws.keys[KEY] = Key("{}", state="PendingDeletion")
    aws.roles["s3-dr-orders"] = Role({"AssumeRolePolicyDocument": "{}"}, made=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
    expiration = {"Date": datetime(2026, 1, 1, tzinfo=UTC)}
    aws.buckets[PRIMARY.bucket] = Bucket(
        EAST,
        encryption={"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
        lifecycle={"Rules": [{"ID": "r", "Status": "Enabled", "Expiration": expiration}]},
        cors=[{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}],
        notification={"EventBridgeConfiguration": {}},
        tags={"team": "red"},
    )
    return Gateway(aws.client_for)


FACTS: dict[str, Document] = {
    "bucket_encryption": {
        "Rules": [
            {
                "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
                "BucketKeyEnabled": False,
            }
        ]
    },
    "bucket_ownership": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "bucket_payer": {"Payer": "BucketOwner"},
    "bucket_lifecycle": {
        "Rules": [{"ID": "r", "Status": "Enabled", "Expiration": {"Date": "2026-01-01T00:00:00+00:00"}}]
    },
    "bucket_cors": {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
    "bucket_notification": {"EventBridgeConfiguration": {}},
    "bucket_tags": {"Tags": {"team": "red"}},
    "iam_role_made": {"CreateDate": "2026-03-04T05:06:07+00:00"},
    "kms_key": {
        "KeyState": "PendingDeletion",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyManager": "CUSTOMER",
    },
}


WRITTEN = {"bucket_encryption", "bucket_lifecycle", "bucket_notification", "bucket_ownership", "bucket_tags"} | {
    "bucket_cors"
}
"""What checks look at and modules write, too."""


def test_these_are_all_facts() -> None:
    assert set(FACTS) - WRITTEN == set(ROWS)
    assert set(KINDS) >= WRITTEN


@pytest.mark.parametrize("kind", FACTS)
def test_a_fact_is_read_as_aws_holds_it(gateway: Gateway, kind: str) -> None:
    assert gateway.observe([at(kind)]) == {at(kind): FACTS[kind]}


@pytest.mark.parametrize("kind", FACTS)
def test_a_fact_about_what_does_not_exist_is_none(aws: FakeAws, kind: str) -> None:
    assert Gateway(aws.client_for).observe([at(kind)]) == {at(kind): None}


def test_a_bucket_without_ownership_controls_has_none(aws: FakeAws, gateway: Gateway) -> None:
    aws.buckets[PRIMARY.bucket].ownership = None
    assert gateway.observe([at("bucket_ownership")]) == {at("bucket_ownership"): None}


@pytest.mark.parametrize("kind", ["bucket_lifecycle", "bucket_cors", "bucket_notification", "bucket_tags"])
def test_a_bucket_without_a_setting_has_none(aws: FakeAws, kind: str) -> None:
    aws.buckets[PRIMARY.bucket] = Bucket(EAST)
    assert Gateway(aws.client_for).observe([at(kind)]) == {at(kind): None}


@pytest.mark.parametrize("kind", [kind for kind in FACTS if kind.startswith("bucket")])
def test_every_question_about_a_bucket_names_its_owner(aws: FakeAws, gateway: Gateway, kind: str) -> None:
    gateway.observe([at(kind)])
    assert [call.params["ExpectedBucketOwner"] for call in aws.calls] == [at(kind).account]
