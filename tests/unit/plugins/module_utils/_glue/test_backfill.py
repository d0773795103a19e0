# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A backfill of a pair whose ends are of two accounts, on the fake AWS."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.batch_role import batch_role_arn
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.backfill import Backfill
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.backfill_options import BackfillWishes
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.batch import BatchAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    DR,
    OTHER,
    PRIMARY,
    TWO_ACCOUNTS,
    WEST,
    nothing,
    two_way,
    wished,
)


def test_the_job_its_role_and_its_papers_are_of_the_account_and_region_of_the_source() -> None:
    aws, time, pair = BatchAws(), Time(), two_way()
    gateway = Gateway(aws.client_for, time.sleep, time.clock)
    gateway.carry_out(plan({**wished(pair, TWO_ACCOUNTS)}, nothing(pair, TWO_ACCOUNTS)))
    aws.replicates = lambda version: None
    aws.buckets[f"s3-dr-{OTHER.id}-{WEST}"] = Bucket(WEST, OTHER.id, versioning="Enabled")
    aws.buckets[DR.bucket].versions.append({"Key": "a", "VersionId": "v", "body": b"1"})
    module, wishes = SimpleNamespace(check_mode=False), BackfillWishes()
    result = Backfill(
        module, gateway, aws.client_for, pair, TWO_ACCOUNTS, pair.dr, wishes, sleep=time.sleep, clock=time.clock
    ).run()
    (made,) = [call for call in aws.calls if call.operation == "CreateJob"]
    assert (made.account, made.region) == (OTHER.id, WEST)
    assert made.params["AccountId"] == OTHER.id
    assert made.params["RoleArn"] == batch_role_arn(pair, pair.dr, TWO_ACCOUNTS)
    assert made.params["Report"]["Bucket"] == f"arn:aws:s3:::s3-dr-{OTHER.id}-{WEST}"
    assert {step["account"] for step in result["steps"]} == {OTHER.id}
    assert [row["Key"] for row in aws.buckets[PRIMARY.bucket].versions] == ["a"]


def test_a_source_of_an_account_without_credentials_is_refused() -> None:
    pair, theirs = two_way(), {**TWO_ACCOUNTS, DR.bucket: Account(OTHER.id, ours=False)}
    with pytest.raises(InvalidInput, match=f"no credentials of account {OTHER.id}"):
        Backfill(SimpleNamespace(), None, None, pair, theirs, pair.dr, BackfillWishes())
