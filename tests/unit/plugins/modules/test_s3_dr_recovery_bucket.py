# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The task that makes a recovery bucket, on the fake AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_recovery_bucket
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, FakeAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import EAST, KEYS, OTHER, PRIMARY, WEST
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Tasks

NAME = f"s3-dr-111122223333-{WEST}"


@pytest.fixture
def tasks(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Tasks:
    """Tasks on an empty AWS."""
    return Tasks(aws, monkeypatch)


def run(tasks: Tasks, check: bool = False, **options: Any) -> dict[str, Any]:
    """What the task ends with, in the DR Region unless another is named."""
    return tasks.run(s3_dr_recovery_bucket, check, **{"region": WEST, **options})


def test_a_bucket_is_made_private_versioned_and_encrypted_and_the_second_run_changes_nothing(tasks: Tasks) -> None:
    predicted = run(tasks, check=True)
    assert tasks.aws.writes() == []
    done = run(tasks)
    assert (predicted["steps"], predicted["diff"]) == (done["steps"], done["diff"])
    assert (done["changed"], done["bucket"]) == (True, NAME)
    bucket = tasks.aws.buckets[NAME]
    assert (bucket.region, bucket.versioning) == (WEST, "Enabled")
    assert set((bucket.public_access_block or {}).values()) == {True}
    assert [one["Sid"] for one in json.loads(bucket.policy or "{}")["Statement"]] == ["S3DrRecoveryTlsOnly"]
    again = run(tasks)
    assert (again["changed"], again["steps"], tasks.aws.writes()) == (False, [], [])


def test_lifecycle_is_for_our_own_prefixes_only(tasks: Tasks) -> None:
    run(tasks)
    rules = {rule["ID"]: rule for rule in (tasks.aws.buckets[NAME].lifecycle or {})["Rules"]}
    assert {name: rule["Filter"]["Prefix"] for name, rule in rules.items()} == {
        "s3-dr batch": "batch/",
        "s3-dr journal": "journal/",
    }
    assert rules["s3-dr batch"]["Expiration"] == {"Days": 90}
    assert "Expiration" not in rules["s3-dr journal"]


def test_what_a_bucket_of_that_name_holds_already_stays(tasks: Tasks) -> None:
    foreign = {"ID": "mine", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 1}}
    by_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEYS[PRIMARY.bucket]}
    tasks.aws.buckets[NAME] = Bucket(WEST, lifecycle={"Rules": [foreign]}, encryption=by_key)
    run(tasks)
    bucket = tasks.aws.buckets[NAME]
    assert foreign in (bucket.lifecycle or {})["Rules"]
    assert bucket.encryption == by_key


def test_a_key_encrypts_what_is_written_from_now_on(tasks: Tasks) -> None:
    key = KEYS["example-orders-dr"]
    run(tasks, kms_key_arn=key)
    assert tasks.aws.buckets[NAME].encryption["KMSMasterKeyID"] == key
    assert "is in us-east-1" in run(tasks, kms_key_arn=KEYS[PRIMARY.bucket])["msg"]


@pytest.mark.parametrize("template", ["s3-dr-{acount}-{region}", "No Name", "{region"])
def test_a_wrong_name_is_refused_before_anything_is_asked(tasks: Tasks, template: str) -> None:
    ended = run(tasks, recovery_bucket=template)
    assert ended["failed"]
    assert tasks.aws.calls == []


def test_a_name_without_placeholders_is_taken_as_it_is(tasks: Tasks) -> None:
    assert run(tasks, recovery_bucket="example-recovery")["bucket"] == "example-recovery"


def test_a_bucket_in_another_region_is_refused(tasks: Tasks) -> None:
    tasks.aws.buckets[NAME] = Bucket(EAST)
    assert "not in us-west-2" in run(tasks)["msg"]


def test_absent_keeps_the_journals_unless_the_bucket_is_named(tasks: Tasks) -> None:
    run(tasks)
    kept = run(tasks, state="absent")
    assert (kept["changed"], NAME in tasks.aws.buckets) == (False, True)
    assert "stays with its journals" in kept["notes"][0]
    for wrong in ({"delete": True}, {"delete": True, "confirm_deletion": ["another"]}):
        assert f"Set `confirm_deletion: {NAME}`" in run(tasks, state="absent", **wrong)["msg"]
    assert "goes only with `state: absent`" in run(tasks, delete=True)["msg"]
    named = {"state": "absent", "delete": True, "confirm_deletion": [NAME]}
    assert run(tasks, check=True, **named)["changed"]
    assert NAME in tasks.aws.buckets
    assert run(tasks, **named)["changed"]
    assert NAME not in tasks.aws.buckets
    assert not run(tasks, **named)["changed"]


def test_an_account_without_credentials_is_left_alone(tasks: Tasks) -> None:
    ended = run(tasks, account_id=OTHER.id)
    assert (ended["changed"], tasks.aws.buckets) == (False, {})
    assert OTHER.id in ended["notes"][0]
    assert "bucket" not in ended


def test_credentials_of_another_account_that_is_not_the_one_that_is_named_are_refused(tasks: Tasks) -> None:
    named = {"credentials": {"profile": "theirs"}, "account_id": OTHER.id}
    assert "Correct one of them" in run(tasks, **named)["msg"]
    alone = {"credentials": {"external_id": "42"}}
    assert "goes only with `assume_role_arn`" in run(tasks, **alone)["msg"]
