# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A key's policy is read and written as a whole, and never removed."""

from __future__ import annotations

import json

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Step
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import FakeAws, Key
from ansible_collections.crossregion.s3_dr.tests.unit.samples import KEYS, PRIMARY, address

KEY = KEYS[PRIMARY.bucket]
POLICY = {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Deny"}]}
AT = address("kms_key_policy", KEY)


@pytest.fixture
def gateway(aws: FakeAws) -> Gateway:
    """A gateway to an AWS with one key."""
    aws.keys[KEY] = Key(json.dumps(POLICY))
    return Gateway(aws.client_for)


def test_a_keys_policy_is_read_as_a_document(gateway: Gateway) -> None:
    assert gateway.observe([AT]) == {AT: POLICY}


def test_a_key_that_does_not_exist_has_no_policy(aws: FakeAws) -> None:
    assert Gateway(aws.client_for).observe([AT]) == {AT: None}


def test_what_is_written_is_the_keys_only_policy(aws: FakeAws, gateway: Gateway) -> None:
    gateway.carry_out([Step(AT, POLICY, {**POLICY, "Statement": []})])
    assert json.loads(aws.keys[KEY].policy) == {**POLICY, "Statement": []}
    (call,) = aws.writes()
    assert call.params["PolicyName"] == "default"
    assert "BypassPolicyLockoutSafetyCheck" not in call.params


def test_a_keys_policy_is_never_removed(aws: FakeAws, gateway: Gateway) -> None:
    with pytest.raises(NotImplementedError, match="never removed"):
        gateway.carry_out([Step(AT, POLICY, None)])
    assert aws.writes() == []
