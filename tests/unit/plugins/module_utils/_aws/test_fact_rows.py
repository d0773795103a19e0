# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Facts that checks look at: read as AWS holds them, missing where there is nothing."""

from __future__ import annotations

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.fact_rows import ROWS
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Address, Document
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, FakeAws, Key
from ansible_collections.crossregion.s3_dr.tests.unit.samples import EAST, KEYS, PRIMARY, address

KEY = KEYS[PRIMARY.bucket]


def at(kind: str) -> Address:
    """Where a fact is found."""
    return address(kind, KEY if kind == "kms_key" else PRIMARY.bucket)


@pytest.fixture
def gateway(aws: FakeAws) -> Gateway:
    """A gateway to an AWS with a bucket and a key."""
    aws.keys[KEY] = Key("{}", state="PendingDeletion")
    aws.buckets[PRIMARY.bucket] = Bucket(EAST, encryption={"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY})
    return Gateway(aws.client_for)


FACTS: dict[str, Document] = {
    "bucket_encryption": {
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}}]
    },
    "bucket_ownership": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "bucket_payer": {"Payer": "BucketOwner"},
    "kms_key": {
        "KeyState": "PendingDeletion",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyManager": "CUSTOMER",
    },
}


def test_these_are_all_facts() -> None:
    assert set(FACTS) == set(ROWS)


@pytest.mark.parametrize("kind", FACTS)
def test_a_fact_is_read_as_aws_holds_it(gateway: Gateway, kind: str) -> None:
    assert gateway.observe([at(kind)]) == {at(kind): FACTS[kind]}


@pytest.mark.parametrize("kind", FACTS)
def test_a_fact_about_what_does_not_exist_is_none(aws: FakeAws, kind: str) -> None:
    assert Gateway(aws.client_for).observe([at(kind)]) == {at(kind): None}


def test_a_bucket_without_ownership_controls_has_none(aws: FakeAws, gateway: Gateway) -> None:
    aws.buckets[PRIMARY.bucket].ownership = None
    assert gateway.observe([at("bucket_ownership")]) == {at("bucket_ownership"): None}


@pytest.mark.parametrize("kind", [kind for kind in FACTS if kind.startswith("bucket")])
def test_every_question_about_a_bucket_names_its_owner(aws: FakeAws, gateway: Gateway, kind: str) -> None:
    gateway.observe([at(kind)])
    assert [call.params["ExpectedBucketOwner"] for call in aws.calls] == [at(kind).account]
