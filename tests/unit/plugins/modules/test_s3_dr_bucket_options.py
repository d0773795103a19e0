# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The task that sets options of a pair's buckets, on the fake AWS: what is there stays, and what it does is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_bucket_options
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, FakeAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, DR, EAST, PRIMARY, WEST
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Tasks

LOGS = "example-logs"
KEY = f"arn:aws:kms:{WEST}:{ACCOUNT.id}:key/a"
LOCKED = {"ObjectLockEnabled": "Enabled"}
ORDERS: dict[str, Any] = {
    "name": "orders",
    "primary": {"bucket": PRIMARY.bucket, "region": EAST},
    "dr": {"bucket": DR.bucket, "region": WEST},
}
WITH_LOCK = {"dr": {**ORDERS["dr"], "object_lock": True}}
COLDER = {"id": "colder", "transitions": [{"days": 90, "storage_class": "GLACIER_IR"}]}
EVERYTHING: dict[str, Any] = {
    "accelerate": "enabled",
    "object_lock": {"mode": "governance", "days": 30},
    "lifecycle": [
        {
            **COLDER,
            "prefix": "in/",
            "tags": {"team": "a"},
            "larger_than": 200_000,
            "noncurrent_days": 400,
            "noncurrent_versions_kept": 3,
        },
        {"id": "tidy", "expired_delete_markers": True, "abort_uploads_days": 7},
    ],
    "intelligent_tiering": [{"id": "cold", "archive_days": 90, "deep_archive_days": 180, "prefix": "in/"}],
    "encryption": {"algorithm": "aws:kms", "kms_key_arn": KEY, "bucket_key": True, "block_sse_c": True},
    "block_public_access": True,
    "ownership": "BucketOwnerEnforced",
    "tls_only": True,
    "minimum_tls_version": "1.2",
    "access_log": {"bucket": LOGS, "prefix": "orders/"},
    "tags": {"team": "a"},
}


class World(Tasks):
    """An AWS with both buckets of a pair, and one for logs."""

    def __init__(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(aws, monkeypatch)
        self.primary, self.dr, self.logs = Bucket(EAST), Bucket(WEST), Bucket(WEST)
        for bucket in (self.primary, self.dr):
            bucket.versioning = "Enabled"
        aws.buckets = {PRIMARY.bucket: self.primary, DR.bucket: self.dr, LOGS: self.logs}

    def set(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What the task ends with."""
        return self.run(s3_dr_bucket_options, check, **{**ORDERS, **options})

    def of_dr(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """The same with options of the DR bucket."""
        return self.set(check, dr_options=options)

    def statements(self, bucket: str) -> list[str]:
        """The Sids of a bucket's policy."""
        policy = self.aws.buckets[bucket].policy
        return [one["Sid"] for one in json.loads(policy)["Statement"]] if policy else []


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """The same for each test."""
    return World(FakeAws(), monkeypatch)


def test_everything_is_predicted_done_and_then_left_alone(world: World) -> None:
    world.dr.object_lock = LOCKED
    given = {**WITH_LOCK, "dr_options": EVERYTHING}
    predicted = world.set(check=True, **given)
    assert world.aws.writes() == []
    done = world.set(**given)
    assert (predicted["steps"], predicted["diff"]) == (done["steps"], done["diff"])
    assert {step["kind"] for step in done["steps"]} == {
        "bucket_accelerate",
        "bucket_encryption",
        "bucket_lifecycle",
        "bucket_logging",
        "bucket_object_lock",
        "bucket_policy",
        "bucket_public_access_block",
        "bucket_tags",
        "bucket_tiering",
    }
    again = world.set(**given)
    assert (again["changed"], again["steps"], world.aws.writes()) == (False, [], [])


def test_what_s3_gets_is_what_was_asked_for(world: World) -> None:
    world.dr.object_lock = LOCKED
    world.set(**WITH_LOCK, dr_options=EVERYTHING)
    dr = world.dr
    assert (dr.accelerate, dr.tags, dr.bucket_key) == ("Enabled", {"team": "a"}, True)
    assert dr.object_lock["Rule"] == {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}
    assert dr.lifecycle["Rules"] == [
        {
            "ID": "colder",
            "Status": "Enabled",
            "Filter": {
                "And": {
                    "Prefix": "in/",
                    "ObjectSizeGreaterThan": 200_000,
                    "Tags": [{"Key": "team", "Value": "a"}],
                }
            },
            "Transitions": [{"Days": 90, "StorageClass": "GLACIER_IR"}],
            "NoncurrentVersionExpiration": {"NoncurrentDays": 400, "NewerNoncurrentVersions": 3},
        },
        {
            "ID": "tidy",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
    assert dr.tiering["cold"]["Tierings"] == [
        {"Days": 90, "AccessTier": "ARCHIVE_ACCESS"},
        {"Days": 180, "AccessTier": "DEEP_ARCHIVE_ACCESS"},
    ]
    assert dr.encryption == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert dr.blocked == {"EncryptionType": ["SSE-C"]}
    assert dr.logging == {"TargetBucket": LOGS, "TargetPrefix": "orders/"}
    assert world.statements(DR.bucket) == ["S3DrTlsOnly", "S3DrMinimumTls"]
    (log,) = json.loads(world.logs.policy or "")["Statement"]
    assert log["Resource"] == f"arn:aws:s3:::{LOGS}/orders/*"
    assert log["Condition"]["ArnLike"] == {"aws:SourceArn": f"arn:aws:s3:::{DR.bucket}"}
    assert (world.primary.tags, world.primary.lifecycle, world.primary.policy) == ({}, None, None)


def test_what_is_not_named_stays(world: World) -> None:
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}
    policy = {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Deny", "Principal": "*"}]}
    world.dr.lifecycle, world.dr.tags, world.dr.policy = {"Rules": [theirs]}, {"theirs": "1"}, json.dumps(policy)
    world.dr.logging = {"TargetBucket": LOGS, "TargetPrefix": "a", "TargetObjectKeyFormat": {"SimplePrefix": {}}}
    assert world.of_dr()["changed"] is False
    world.of_dr(lifecycle=[COLDER], tags={"ours": "2"}, tls_only=True, access_log={"bucket": LOGS, "prefix": "b"})
    assert [rule["ID"] for rule in world.dr.lifecycle["Rules"]] == ["theirs", "colder"]
    assert world.dr.tags == {"theirs": "1", "ours": "2"}
    assert world.statements(DR.bucket) == ["Theirs", "S3DrTlsOnly"]
    assert world.dr.logging["TargetObjectKeyFormat"] == {"SimplePrefix": {}}


def test_what_is_named_for_it_goes_and_nothing_else(world: World) -> None:
    world.dr.object_lock = LOCKED
    world.set(**WITH_LOCK, dr_options=EVERYTHING)
    gone = {
        "accelerate": "suspended",
        "object_lock": {"mode": "none"},
        "lifecycle": [{"id": "colder", "state": "absent"}],
        "intelligent_tiering": [{"id": "cold", "state": "absent"}],
        "encryption": {"algorithm": "AES256", "bucket_key": False, "block_sse_c": False},
        "tls_only": False,
        "access_log": {"enabled": False},
        "removed_tags": ["team"],
    }
    assert world.set(**WITH_LOCK, dr_options=gone)["changed"] is True
    dr = world.dr
    assert (dr.accelerate, dr.tags, dr.tiering, dr.logging, dr.policy) == ("Suspended", {}, {}, None, None)
    assert [rule["ID"] for rule in dr.lifecycle["Rules"]] == ["tidy"]
    assert dr.object_lock == LOCKED
    again = world.set(**WITH_LOCK, dr_options=gone)
    assert (again["changed"], world.aws.writes()) == (False, [])


def test_the_last_rule_goes_with_the_configuration(world: World) -> None:
    world.of_dr(lifecycle=[COLDER])
    world.of_dr(lifecycle=[{"id": "colder", "state": "absent"}])
    assert world.dr.lifecycle is None
    assert world.of_dr(lifecycle=[{"id": "colder", "state": "absent"}])["changed"] is False


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"access_log": {"bucket": DR.bucket}}, "it would log the writing of its own log"),
        ({"access_log": {"prefix": "a"}}, "`access_log` needs a `bucket`"),
        ({"object_lock": {"mode": "governance", "days": 1}}, "Set `object_lock: true` at this end of the pair"),
        ({"minimum_tls_version": "1.2", "tls_only": False}, "`minimum_tls_version` needs `tls_only`"),
        ({"encryption": {"algorithm": "AES256", "kms_key_arn": KEY}}, "AES256 has no key"),
        ({"encryption": {"algorithm": "aws:kms", "kms_key_arn": KEY.replace(WEST, EAST)}}, f"a key in {WEST}"),
        ({"encryption": {"algorithm": "aws:kms:dsse", "bucket_key": True}}, "DSSE-KMS has no Bucket Key"),
        ({"lifecycle": [COLDER, COLDER]}, "'colder' is there twice"),
        ({"lifecycle": [{"id": "idle"}]}, "it does nothing"),
        ({"lifecycle": [{"id": "x", "expiration_days": 0}]}, "`expiration_days` is 0. Use 1 or more"),
        ({"lifecycle": [{**COLDER, "expiration_days": 90}]}, "go to GLACIER_IR after 90 days, and expire after 90"),
        (
            {"lifecycle": [{"id": "x", "transitions": [{"days": 1, "storage_class": "STANDARD_IA"}]}]},
            "S3 takes objects to STANDARD_IA after 30 days at the earliest",
        ),
        (
            {
                "lifecycle": [
                    {
                        "id": "x",
                        "transitions": [
                            {"days": 30, "storage_class": "GLACIER"},
                            {"days": 60, "storage_class": "STANDARD_IA"},
                        ],
                    }
                ]
            },
            "STANDARD_IA cannot follow GLACIER",
        ),
        (
            {"lifecycle": [{"id": "x", "expired_delete_markers": True, "expiration_days": 3}]},
            "goes with neither `expiration_days` nor `tags`",
        ),
        ({"lifecycle": [{"id": "x", "noncurrent_versions_kept": 3, "expiration_days": 3}]}, "needs `noncurrent_days`"),
        ({"lifecycle": [{"id": "x", "abort_uploads_days": 3, "tags": {"a": "b"}}]}, "goes with neither `tags`"),
        ({"intelligent_tiering": [{"id": "x"}]}, "set `archive_days`"),
        ({"intelligent_tiering": [{"id": "x", "archive_days": 10}]}, "archive_days is 10. Use 90 to 730"),
        ({"tags": {f"k{number}": "v" for number in range(51)}}, "it has 51 tags"),
    ],
)
def test_what_cannot_be_right_is_refused_before_any_call(world: World, options: dict[str, Any], said: str) -> None:
    told = world.of_dr(**options)
    assert told["failed"]
    assert said in told["msg"]
    assert "Nothing was changed." in told["msg"]
    assert world.aws.calls == []


def test_a_name_with_a_dot_is_not_accelerated(world: World) -> None:
    told = world.set(primary={"bucket": "example.orders", "region": EAST}, primary_options={"accelerate": "enabled"})
    assert "S3 accelerates no bucket whose name has a dot" in told["msg"]
    assert world.aws.calls == []


@pytest.mark.parametrize(
    ("bucket", "lock", "options", "said"),
    [
        (None, None, {"tls_only": True}, f"bucket '{DR.bucket}' is not there in {WEST}. Run the role replication_pair"),
        (DR.bucket, None, {"object_lock": {"mode": "governance", "days": 1}}, "Object Lock is not enabled yet"),
        (DR.bucket, LOCKED, {"access_log": {"bucket": "other"}}, f"there is no bucket 'other' in {WEST}"),
        (
            DR.bucket,
            LOCKED,
            {"object_lock": {"mode": "compliance", "years": 1}},
            f"`confirm_compliance: [{DR.bucket}]`",
        ),
    ],
)
def test_what_the_bucket_is_not_ready_for_is_refused(
    world: World, bucket: str | None, lock: dict[str, Any] | None, options: dict[str, Any], said: str
) -> None:
    if bucket is None:
        del world.aws.buckets[DR.bucket]
    world.dr.object_lock = lock
    told = world.set(**WITH_LOCK, dr_options=options)
    assert told["failed"]
    assert said in told["msg"]
    assert world.aws.writes() == []


def test_a_bucket_with_a_default_retention_gets_no_log(world: World) -> None:
    world.logs.object_lock = {**LOCKED, "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    assert "S3 delivers no access log to such a bucket" in world.of_dr(access_log={"bucket": LOGS})["msg"]


def test_compliance_is_set_when_it_is_confirmed_and_then_asked_for_no_more(world: World) -> None:
    world.dr.object_lock = LOCKED
    lock = {**WITH_LOCK, "dr_options": {"object_lock": {"mode": "compliance", "years": 1}}}
    assert world.set(check=True, **lock)["failed"]
    assert world.set(**lock, confirm_compliance=[DR.bucket])["changed"] is True
    assert world.dr.object_lock["Rule"] == {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}
    assert world.set(**lock)["changed"] is False


def test_an_end_without_credentials_is_left_alone_and_it_is_said(world: World) -> None:
    theirs = {**ORDERS["dr"], "account_id": "444455556666"}
    told = world.set(dr=theirs, dr_options={"tls_only": True}, primary_options={"tls_only": True})
    assert [step["name"] for step in told["steps"]] == [PRIMARY.bucket]
    assert any("of which this task has no credentials" in note for note in told["notes"])


# --- what is said --------------------------------------------------------------------------------------------


def notes(world: World, **options: Any) -> str:
    """All notes, in check mode."""
    return "\n".join(world.set(check=True, **options)["notes"])


ARCHIVE = {"lifecycle": [{"id": "deep", "transitions": [{"days": 10, "storage_class": "DEEP_ARCHIVE"}]}]}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"primary_options": {"accelerate": "enabled"}}, "It does not change replication"),
        ({"dr_options": ARCHIVE}, "After a failover they must be restored"),
        ({"primary_options": ARCHIVE}, "what has not arrived by then"),
        ({"primary_options": {"lifecycle": [COLDER]}}, "whose replication is PENDING or FAILED"),
        ({"dr_options": {"lifecycle": [COLDER]}}, "objects under 128 KB stay where they are"),
        (
            {"dr_options": {"lifecycle": [{**COLDER, "expiration_days": 100}]}},
            "objects leave GLACIER_IR after 10 days, and at least 90 are billed",
        ),
        (
            {"dr_options": {"lifecycle": [{"id": "x", "expiration_days": 30}]}},
            f"versions of all keys go after 30 days, and stay at {PRIMARY.bucket}",
        ),
        (
            {
                "dr_options": {"lifecycle": [{"id": "x", "prefix": "a/", "noncurrent_days": 30}]},
                "primary_options": {"lifecycle": [{"id": "x", "prefix": "a/", "noncurrent_days": 60}]},
            },
            f"versions of keys below 'a/' go after 30 days, and at {PRIMARY.bucket} after 60",
        ),
        (
            {
                "primary_options": {
                    "encryption": {"algorithm": "aws:kms", "kms_key_arn": KEY.replace(WEST, EAST), "bucket_key": True}
                }
            },
            "so they will not replicate",
        ),
        ({"dr_options": {"intelligent_tiering": [{"id": "x", "archive_days": 90}]}}, "takes replicas to archives"),
    ],
)
def test_what_a_choice_does_to_disaster_recovery_is_said_beforehand(
    world: World, options: dict[str, Any], said: str
) -> None:
    assert said in notes(world, **options)


def test_what_a_lock_does_is_said(world: World) -> None:
    world.dr.object_lock = LOCKED
    told = notes(
        world,
        direction="two_way",
        dr={**ORDERS["dr"], "object_lock": True},
        dr_options={"object_lock": {"mode": "governance", "days": 30}},
    )
    assert "for 30 days nobody without s3:BypassGovernanceRetention can delete a version" in told
    assert "a replica of a locked version keeps its source's retention" in told
    assert "what is locked cannot be replicated back" in told


def test_nothing_is_said_of_what_is_harmless(world: World) -> None:
    harmless = {"tls_only": True, "block_public_access": True, "tags": {"a": "b"}}
    assert notes(world, primary_options=harmless, dr_options={**harmless}) == ""
    kept = {"id": "x", "expiration_days": 30}
    both = {"primary_options": {"lifecycle": [kept]}, "dr_options": {"lifecycle": [{**kept}]}}
    assert "From then on" not in notes(world, **both)
