# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The trail: it records the pairs' writes and all management events, and only it may write its logs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import KINDS, canonical
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.log_bucket import LockMode, LogFiles, ObjectLock
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.merging import owner_tags
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    UNSEEN,
    Account,
    Address,
    Document,
    InvalidInput,
    Refused,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish, applied, plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.selectors import (
    DataEvents,
    RecordedPair,
    records_writes_to,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.trail import (
    AdoptedTrail,
    Trail,
    adopted_notes,
    check_adopted,
    check_trail,
    former_policies,
    known_keys,
    logging_address,
    removal_notes,
    selectors_removal_wish,
    selectors_wish,
    statements_owed,
    trail_address,
    trail_notes,
    trail_removal_wish,
    trail_wish,
    trails_address,
)
from ansible_collections.crossregion.s3_dr.tests.unit import strategies
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    KEYS,
    LOGS,
    WEST,
    a_full_trail,
    a_trail,
    address,
)

ARN = "arn:aws:cloudtrail:us-east-1:111122223333:trail/s3-dr"
SELECTORS = address("trail_event_selectors", "s3-dr")
INVOICES = RecordedPair("invoices", ("example-invoices", "example-invoices-dr"))


KEY = KEYS[LOGS.bucket]
KEY_POLICY = address("kms_key_policy", KEY)
LOCK = address("bucket_object_lock", LOGS.bucket)
DELEGATING = {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Allow"}]}


def wished(kind: str, trail: Trail | None = None) -> Document:
    """The document of a kind that the trail wishes."""
    trail = trail or a_trail()
    return next(document for at, document in trail_wish(trail, ACCOUNT).items() if at.kind == kind)


def statement(sid: str, trail: Trail | None = None) -> Document:
    """A statement of the log bucket's policy; several trails may share it, so that the Sid says whose it is."""
    statements = wished("bucket_policy", trail)["Statement"]
    return next(one for one in statements if re.fullmatch(f"S3DrTrail.{{0,8}}{sid}", one["Sid"]))


def test_the_trail_is_multi_region_validated_and_records_global_services() -> None:
    assert wished("trail") == {
        "S3BucketName": LOGS.bucket,
        "S3KeyPrefix": "s3-dr",
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": True,
        "LogFileValidationEnabled": True,
        "Tags": {"managed-by": "crossregion.s3_dr"},
    }
    assert wished("trail_logging") == {"IsLogging": True}


def test_the_log_bucket_is_versioned_and_blocks_all_public_access() -> None:
    assert wished("bucket_versioning") == {"Status": "Enabled"}
    assert set(wished("bucket_public_access_block").values()) == {True}
    assert len(wished("bucket_public_access_block")) == 4


def test_only_this_trail_may_write_and_only_below_its_prefix() -> None:
    write = statement("Write")
    assert write["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    assert write["Action"] == "s3:PutObject"
    assert write["Resource"] == "arn:aws:s3:::example-trail-logs/s3-dr/AWSLogs/111122223333/*"
    assert write["Condition"] == {
        "StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceArn": ARN},
    }
    check = statement("AclCheck")
    assert (check["Action"], check["Resource"]) == ("s3:GetBucketAcl", "arn:aws:s3:::example-trail-logs")
    assert check["Condition"] == {"StringEquals": {"aws:SourceArn": ARN}}


def test_without_key_prefix_the_logs_stand_at_the_top() -> None:
    write = statement("Write", a_trail(key_prefix=""))
    assert write["Resource"] == "arn:aws:s3:::example-trail-logs/AWSLogs/111122223333/*"


def test_nobody_speaks_to_the_log_bucket_without_tls() -> None:
    tls = statement("TlsOnly")
    assert (tls["Effect"], tls["Principal"], tls["Action"]) == ("Deny", "*", "s3:*")
    assert tls["Resource"] == ["arn:aws:s3:::example-trail-logs", "arn:aws:s3:::example-trail-logs/*"]
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_management_events_are_still_recorded_beside_data_events() -> None:
    selectors = wished("trail_event_selectors")["AdvancedEventSelectors"]
    assert {"Field": "eventCategory", "Equals": ["Management"]} in selectors[0]["FieldSelectors"]
    assert len(selectors[0]["FieldSelectors"]) == 1


def test_exactly_the_writes_to_the_pairs_buckets_are_recorded() -> None:
    fields = {
        one["Field"]: one for one in wished("trail_event_selectors")["AdvancedEventSelectors"][1]["FieldSelectors"]
    }
    assert fields["eventCategory"]["Equals"] == ["Data"]
    assert fields["resources.type"]["Equals"] == ["AWS::S3::Object"]
    assert fields["readOnly"]["Equals"] == ["false"]
    assert fields["resources.ARN"]["StartsWith"] == ["arn:aws:s3:::example-orders/", "arn:aws:s3:::example-orders-dr/"]


def test_the_arns_are_of_the_accounts_partition() -> None:
    text = str(trail_wish(a_trail(), Account("111122223333", "aws-cn")))
    assert "arn:aws-cn:" in text
    assert "arn:aws:" not in text


def test_the_log_bucket_may_not_be_an_end_of_a_pair() -> None:
    with pytest.raises(InvalidInput, match=r"'example-trail-logs' is an end of a pair.*Name a bucket of its own"):
        a_trail(pairs=(RecordedPair("loop", ("example-orders", LOGS.bucket)),))


BAD_TRAILS: dict[str, tuple[dict[str, Any], str]] = {
    "a short name": ({"name": "ab"}, "Choose another `name`"),
    "a long name": ({"name": "a" * 129}, "Choose another `name`"),
    "two dots": ({"name": "a..b"}, "Choose another `name`"),
    "a name that ends with a dash": ({"name": "abc-"}, "Choose another `name`"),
    "a name with a space": ({"name": "a b c"}, "Choose another `name`"),
    "a name like an IP address": ({"name": "192.168.5.4"}, "Choose another `name`"),
    "a prefix with a slash at its end": ({"key_prefix": "a/"}, "Change `key_prefix`"),
    "a prefix with a slash at its beginning": ({"key_prefix": "/a"}, "Change `key_prefix`"),
    "a long prefix": ({"key_prefix": "a" * 201}, "Change `key_prefix`"),
    "a pair twice": ({"pairs": (INVOICES, INVOICES)}, "invoices"),
    "a pair without buckets": ({"pairs": (RecordedPair("orders", ()),)}, "orders"),
}


@pytest.mark.parametrize(("changes", "said"), BAD_TRAILS.values(), ids=BAD_TRAILS)
def test_a_bad_trail_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        a_trail(**changes)
    assert "trail '" in str(refused.value)


def test_more_buckets_than_a_trail_takes_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"501 buckets.*Divide the pairs"):
        a_trail(pairs=(RecordedPair("orders", tuple(f"bucket-{n}" for n in range(501))),))


# --- reads ---------------------------------------------------------------------------------------------------


def test_reads_are_recorded_on_request_and_of_the_same_buckets() -> None:
    fields = wished("trail_event_selectors", a_full_trail())["AdvancedEventSelectors"][1]["FieldSelectors"]
    assert [one["Field"] for one in fields] == ["eventCategory", "resources.type", "resources.ARN"]
    writes = wished("trail_event_selectors")["AdvancedEventSelectors"][1]["FieldSelectors"]
    assert fields == [one for one in writes if one["Field"] != "readOnly"]


@pytest.mark.parametrize(("data_events", "most"), [(DataEvents.WRITES, 99), (DataEvents.ALL, 124)])
def test_a_trail_that_is_taken_stays_within_cloudtrails_limit_of_values(data_events: DataEvents, most: int) -> None:
    """500 values over all conditions of all selectors, not only the ARNs."""
    pairs = tuple(RecordedPair(f"p{n}", (f"bucket-{n}", f"bucket-{n}-dr")) for n in range(most + 1))
    with pytest.raises(InvalidInput, match="Divide the pairs"):
        a_trail(pairs=pairs, data_events=data_events)
    document = wished("trail_event_selectors", a_trail(pairs=pairs[:most], data_events=data_events))
    fields = [field for selector in document["AdvancedEventSelectors"] for field in selector["FieldSelectors"]]
    assert sum(len(values) for field in fields for key, values in field.items() if key != "Field") <= 500


# --- the log bucket ------------------------------------------------------------------------------------------


def test_a_bucket_without_default_encryption_gets_s3s_own_and_any_other_keeps_its() -> None:
    at = address("bucket_encryption", LOGS.bucket)
    own = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    assert trail_wish(a_trail(), ACCOUNT, {at: None})[at] == own
    assert at not in trail_wish(a_trail(), ACCOUNT, {at: own})


def test_without_a_wish_there_is_no_lifecycle_no_lock_and_no_key() -> None:
    kinds = {at.kind for at in trail_wish(a_trail(), ACCOUNT)}
    assert kinds.isdisjoint({"bucket_lifecycle", "bucket_object_lock", "kms_key_policy"})
    assert "KmsKeyId" not in wished("trail")


def test_log_files_are_encrypted_with_the_key_by_the_trail_and_by_the_bucket() -> None:
    (rule,) = wished("bucket_encryption", a_full_trail())["Rules"]
    assert rule == {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
        "BucketKeyEnabled": True,
    }
    assert wished("trail", a_full_trail())["KmsKeyId"] == KEY


def test_the_key_lets_cloudtrail_encrypt_for_this_trail_only() -> None:
    encrypt, describe, bucket_key = wished("kms_key_policy", a_full_trail())["Statement"]
    principals = [one["Principal"] for one in (encrypt, describe, bucket_key)]
    assert principals == [{"Service": "cloudtrail.amazonaws.com"}] * 3
    assert encrypt["Action"] == "kms:GenerateDataKey*"
    assert encrypt["Condition"] == {
        "StringEquals": {"aws:SourceArn": ARN},
        "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": "arn:aws:cloudtrail:*:111122223333:trail/*"},
    }
    assert describe["Action"] == "kms:DescribeKey"
    assert describe["Condition"] == {"StringEquals": {"aws:SourceArn": ARN}}
    assert bucket_key["Action"] == "kms:Decrypt"
    assert "Condition" not in bucket_key, "AWS documents none for it"


def test_two_trails_can_share_a_key() -> None:
    sids = [
        one["Sid"] for name in ("one", "two") for one in wished("kms_key_policy", a_full_trail(name=name))["Statement"]
    ]
    assert len(set(sids)) == 6
    assert all(sid.startswith("S3DrTrail") and sid.isalnum() for sid in sids)


def test_a_key_of_another_region_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"is in us-west-2, and S3 uses keys of the bucket's own Region only"):
        replace(LOGS, kms_key_arn=KEYS["example-orders-dr"])


@pytest.mark.parametrize(
    ("key", "held"),
    [(KEY, {UNSEEN: "denied"}), (KEY.replace(ACCOUNT.id, "999999999999"), None)],
    ids=["may not be read", "of another account"],
)
def test_what_the_keys_owner_must_allow_is_said_and_never_written(key: str, held: Document | None) -> None:
    trail = a_full_trail(log_bucket=replace(LOGS, kms_key_arn=key))
    observed = {replace(KEY_POLICY, name=key): held}
    assert "kms_key_policy" not in {at.kind for at in trail_wish(trail, ACCOUNT, observed)}
    (owed,) = statements_owed(trail, ACCOUNT, observed)
    assert (owed["kind"], owed["name"], len(owed["statements"])) == ("kms_key_policy", key, 3)
    assert "statements_to_apply" in trail_notes(trail, ACCOUNT, observed)[-1]


def test_log_files_expire_below_the_trails_own_prefix_only() -> None:
    (rule,) = wished("bucket_lifecycle", a_full_trail())["Rules"]
    assert rule == {
        "ID": "s3-dr trail s3-dr",
        "Status": "Enabled",
        "Filter": {"Prefix": "s3-dr/AWSLogs/111122223333/"},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        "Expiration": {"Days": 400},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
    }


def test_noncurrent_versions_never_stay_longer_than_current_ones() -> None:
    rule = LogFiles(retention_days=7).rule("t", "") or {}
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    assert "Transitions" not in rule


def test_files_that_only_move_never_expire() -> None:
    rule = LogFiles(transition_days=1).rule("t", "") or {}
    assert "Expiration" not in rule
    assert "NoncurrentVersionExpiration" not in rule


def test_object_lock_is_a_default_retention() -> None:
    retention = {"Mode": "GOVERNANCE", "Days": 90}
    assert wished("bucket_object_lock", a_full_trail()) == {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": retention},
    }
    years = ObjectLock(LockMode.COMPLIANCE, years=2)
    assert years.document()["Rule"] == {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 2}}
    assert years.length == 730


BAD_LOG_FILES: dict[str, tuple[Any, str]] = {
    "no days": (lambda: LogFiles(0), "log_retention_days: 0"),
    "negative days": (lambda: LogFiles(None, -1), "log_transition_days: -1"),
    "another class": (lambda: LogFiles(1, None, "GOLD"), "log_transition_class: 'GOLD'"),
    "too early": (lambda: LogFiles(None, 29, "STANDARD_IA"), "after 30 days at the earliest, not after 29"),
    "too late": (lambda: LogFiles(90, 90), "90 is not before the log files expire"),
    "no retention": (lambda: ObjectLock(LockMode.GOVERNANCE), "Set one of `days` and `years`"),
    "two retentions": (lambda: ObjectLock(LockMode.GOVERNANCE, 1, 1), "Set one of `days` and `years`"),
    "a retention of no time": (lambda: ObjectLock(LockMode.GOVERNANCE, 0), "1 to 36500 days, not 0"),
    "a retention of too long": (lambda: ObjectLock(LockMode.GOVERNANCE, years=101), "1 to 36500 days"),
}


@pytest.mark.parametrize(("make", "said"), BAD_LOG_FILES.values(), ids=BAD_LOG_FILES)
def test_days_that_contradict_s3_or_each_other_are_refused(make: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        make()


def test_that_a_lock_outlasts_the_expiry_is_said() -> None:
    lock = ObjectLock(LockMode.GOVERNANCE, years=1)
    (note,) = trail_notes(a_trail(log_files=LogFiles(90, object_lock=lock)), ACCOUNT, {})
    assert "keeps each log file for 365 days: after 90 days lifecycle only hides it" in note
    assert trail_notes(a_trail(log_files=LogFiles(365, object_lock=lock)), ACCOUNT, {}) == []


# --- what must hold before anything is changed ---------------------------------------------------------------


def nothing(trail: Trail) -> dict[Address, Document | None]:
    """An AWS that holds nothing but the key."""
    held: dict[Address, Document | None] = dict.fromkeys([*trail_wish(trail, ACCOUNT), KEY_POLICY])
    return {**held, KEY_POLICY: DELEGATING}


def locked(mode: LockMode) -> Trail:
    """A trail whose log bucket is to be locked."""
    return a_trail(log_files=LogFiles(object_lock=ObjectLock(mode, days=1)))


def test_a_new_bucket_is_locked_in_governance_mode_without_a_confirmation() -> None:
    trail = locked(LockMode.GOVERNANCE)
    check_trail(trail, ACCOUNT, nothing(trail), None)


@pytest.mark.parametrize(("mode", "exists"), [("governance", True), ("compliance", False), ("compliance", True)])
@pytest.mark.parametrize("confirmed", [None, "", "another-bucket"])
def test_a_lock_that_nobody_can_undo_needs_the_buckets_name(mode: str, exists: bool, confirmed: str | None) -> None:
    trail = locked(LockMode(mode))
    bucket = {address("bucket", LOGS.bucket): {"Region": LOGS.region} if exists else None}
    with pytest.raises(InvalidInput, match=f"Set `confirm_object_lock: {LOGS.bucket}` if that is meant"):
        check_trail(trail, ACCOUNT, {**nothing(trail), **bucket}, confirmed)
    check_trail(trail, ACCOUNT, {**nothing(trail), **bucket}, LOGS.bucket)
    check_trail(trail, ACCOUNT, {**nothing(trail), **bucket, LOCK: wished(LOCK.kind, trail)}, confirmed)


def test_a_foreign_trail_is_refused_and_adopting_it_is_named() -> None:
    foreign = {**wished("trail"), "Tags": {}}
    with pytest.raises(Refused, match=r"was not made by this collection.*`adopt: true`"):
        check_trail(a_trail(), ACCOUNT, {**nothing(a_trail()), trail_address(a_trail(), ACCOUNT): foreign}, None)


def a_log_of(bucket: str = "their-logs", prefix: str = "", name: str = "theirs", home: str = LOGS.region) -> Document:
    """Where a trail of the account keeps its log files."""
    return {"Name": name, "HomeRegion": home, "S3BucketName": bucket, "S3KeyPrefix": prefix}


SHARED_PLACES = {
    "the same": ("", a_log_of(LOGS.bucket), True),
    "the same prefix": ("s3-dr", a_log_of(LOGS.bucket, "s3-dr"), True),
    "a trail of our name that is at home elsewhere": ("", a_log_of(LOGS.bucket, name="s3-dr", home=WEST), True),
    "our own": ("", a_log_of(LOGS.bucket, name="s3-dr"), False),
    "another bucket": ("", a_log_of(), False),
    "another prefix": ("s3-dr", a_log_of(LOGS.bucket), False),
    "a longer prefix": ("s3-dr", a_log_of(LOGS.bucket, "s3-dr-2"), False),
}


@pytest.mark.parametrize(("prefix", "other", "refused"), SHARED_PLACES.values(), ids=SHARED_PLACES)
@pytest.mark.parametrize("days", [{"retention_days": 1}, {"transition_days": 1}])
def test_log_files_of_another_trail_neither_expire_nor_move(
    prefix: str, other: Document, refused: bool, days: dict[str, int]
) -> None:
    trail = a_trail(key_prefix=prefix, log_files=LogFiles(**days))
    observed = {**nothing(trail), trails_address(trail, ACCOUNT): {"Trails": [other]}}
    if not refused:
        check_trail(trail, ACCOUNT, observed, None)
        return
    with pytest.raises(InvalidInput, match=f"the trail {other['Name']} keeps its log files in {LOGS.bucket} below"):
        check_trail(trail, ACCOUNT, observed, None)
    check_trail(a_trail(key_prefix=prefix), ACCOUNT, observed, None)


def test_that_other_trails_were_not_looked_at_is_said_where_log_files_expire() -> None:
    observed = {trails_address(a_trail(), ACCOUNT): {UNSEEN: "denied"}}
    (note,) = trail_notes(a_trail(log_files=LogFiles(90)), ACCOUNT, observed)
    assert "Whether another trail keeps its log files below the same prefix" in note
    assert trail_notes(a_trail(), ACCOUNT, observed) == []


def test_a_sixth_trail_of_a_region_is_refused_before_anything_is_made() -> None:
    names = {trails_address(a_trail(), ACCOUNT): {"Trails": [a_log_of(name=name) for name in "abcde"]}}
    with pytest.raises(Refused, match=r"us-east-1 has 5 trails already \(a, b, c, d, e\).*`adopt: true`"):
        check_trail(a_trail(), ACCOUNT, {**nothing(a_trail()), **names}, None)
    ours = {trail_address(a_trail(), ACCOUNT): wished("trail")}
    check_trail(a_trail(), ACCOUNT, {**nothing(a_trail()), **names, **ours}, None)
    unseen = {trails_address(a_trail(), ACCOUNT): {UNSEEN: "denied"}}
    check_trail(a_trail(), ACCOUNT, {**nothing(a_trail()), **unseen}, None)


def test_a_trail_that_is_at_home_elsewhere_is_refused_with_its_home() -> None:
    elsewhere: Any = {"HomeRegion": WEST, "Tags": {}}
    observed = {**nothing(a_trail()), trail_address(a_trail(), ACCOUNT): elsewhere}
    with pytest.raises(InvalidInput, match=r"InvalidHomeRegionException.*Set `home_region: us-west-2`"):
        check_trail(a_trail(), ACCOUNT, observed, None)
    with pytest.raises(InvalidInput, match="Set `home_region: us-west-2`"):
        check_adopted(ADOPTED, ACCOUNT, observed)


def test_a_key_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"there is no key .*of-example-trail-logs in us-east-1"):
        check_trail(a_full_trail(), ACCOUNT, {**nothing(a_full_trail()), KEY_POLICY: None}, None)


# --- what records the log bucket itself ----------------------------------------------------------------------


def data(*fields: Document, category: str = "Data", kind: str = "AWS::S3::Object") -> Document:
    """A selector of somebody else."""
    scope = [{"Field": "eventCategory", "Equals": [category]}, {"Field": "resources.type", "Equals": [kind]}]
    return {"Name": "theirs", "FieldSelectors": [*scope, *fields]}


def arn(operator: str, value: str) -> Document:
    """A condition on the object."""
    return {"Field": "resources.ARN", operator: [value]}


LOOPS = {
    "all objects": (data(), True),
    "all writes": (data({"Field": "readOnly", "Equals": ["false"]}), True),
    "the bucket": (data(arn("StartsWith", "arn:aws:s3:::example-trail-logs/")), True),
    "a part of the bucket": (data(arn("StartsWith", "arn:aws:s3:::example-trail-logs/s3-dr/")), True),
    "buckets that begin alike": (data(arn("StartsWith", "arn:aws:s3:::example-")), True),
    "one object": (data(arn("Equals", "arn:aws:s3:::example-trail-logs/a")), True),
    "any end": (data(arn("EndsWith", ".gz")), True),
    "reads": (data({"Field": "readOnly", "Equals": ["true"]}), False),
    "all but the bucket": (data(arn("NotStartsWith", "arn:aws:s3:::example-trail-logs/")), False),
    "another bucket": (data(arn("StartsWith", "arn:aws:s3:::example-orders/")), False),
    "a longer name": (data(arn("StartsWith", "arn:aws:s3:::example-trail-logs-2/")), False),
    "another object": (data(arn("Equals", "arn:aws:s3:::example-orders/a")), False),
    "tables": (data(kind="AWS::DynamoDB::Table"), False),
    "management events": (data(category="Management"), False),
}


@pytest.mark.parametrize(("selector", "loops"), LOOPS.values(), ids=LOOPS)
def test_it_is_known_what_records_the_log_bucket(selector: Document, loops: bool) -> None:
    assert records_writes_to(LOGS.bucket, "aws", [selector]) == (["theirs"] if loops else [])


def test_that_somebody_elses_selector_records_the_log_bucket_is_said() -> None:
    observed = {SELECTORS: {"AdvancedEventSelectors": [data()]}}
    (note,) = trail_notes(a_trail(), ACCOUNT, observed)
    assert "also records writes to its own log bucket example-trail-logs" in note
    assert "(theirs)" in note


@given(strategies.trails())
def test_a_trail_never_records_its_own_log_bucket(trail: Trail) -> None:
    selectors = wished("trail_event_selectors", trail)["AdvancedEventSelectors"]
    assert records_writes_to(trail.log_bucket.bucket, "aws", selectors) == []


# --- adopting ------------------------------------------------------------------------------------------------

ORDERS = RecordedPair("orders", ("example-orders", "example-orders-dr"))
ADOPTED = AdoptedTrail("s3-dr", LOGS.region, (ORDERS,))
THEIR_TRAIL = {
    "S3BucketName": "their-logs",
    "S3KeyPrefix": "",
    "IncludeGlobalServiceEvents": True,
    "IsMultiRegionTrail": True,
    "LogFileValidationEnabled": True,
    "Tags": {},
}
BASIC = {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}]}


def adoptable(
    selectors: Document | None = None, *, logging: bool = True, **changes: Any
) -> dict[Address, Document | None]:
    """An AWS with a trail of somebody else."""
    return {
        trail_address(ADOPTED, ACCOUNT): {**THEIR_TRAIL, **changes},
        logging_address(ADOPTED, ACCOUNT): {"IsLogging": True} if logging else None,
        SELECTORS: BASIC if selectors is None else selectors,
    }


def test_an_adopted_trail_gets_selectors_and_nothing_else() -> None:
    (step,) = plan(selectors_wish(ADOPTED, ACCOUNT, adoptable()), adoptable())
    assert step.address == SELECTORS
    names = [selector["Name"] for selector in (step.after or {})["AdvancedEventSelectors"]]
    assert names == ["s3-dr management events", "s3-dr pair orders"]
    assert adopted_notes(ADOPTED, ACCOUNT, adoptable()) == []


def test_what_is_not_there_or_not_logging_cannot_be_adopted() -> None:
    check_adopted(ADOPTED, ACCOUNT, adoptable())
    with pytest.raises(InvalidInput, match="there is none of this name in us-east-1 to adopt"):
        check_adopted(ADOPTED, ACCOUNT, dict.fromkeys(adoptable()))
    with pytest.raises(Refused, match="aws cloudtrail start-logging --name s3-dr --region us-east-1"):
        check_adopted(ADOPTED, ACCOUNT, adoptable(logging=False))


def test_the_log_bucket_of_an_adopted_trail_is_checked() -> None:
    with pytest.raises(InvalidInput, match="its log bucket is their-logs, not example-trail-logs"):
        check_adopted(replace(ADOPTED, log_bucket=LOGS.bucket), ACCOUNT, adoptable())
    with pytest.raises(InvalidInput, match="'example-orders-dr' is an end of a pair"):
        check_adopted(ADOPTED, ACCOUNT, adoptable(S3BucketName="example-orders-dr"))
    with pytest.raises(InvalidInput, match="'example-orders' is an end of a pair"):
        replace(ADOPTED, log_bucket="example-orders")
    check_adopted(replace(ADOPTED, log_bucket="their-logs"), ACCOUNT, adoptable())


BAD_ADOPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"name": "ab"}, "Choose another `name`"),
    ({"region": "here"}, "not a Region's name"),
    ({"pairs": (ORDERS, ORDERS)}, "given twice"),
]


@pytest.mark.parametrize(("changes", "said"), BAD_ADOPTIONS)
def test_a_bad_adoption_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        replace(ADOPTED, **changes)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("IsMultiRegionTrail", "is of us-east-1 alone"),
        ("LogFileValidationEnabled", "has no log-file validation"),
        ("IncludeGlobalServiceEvents", "has no global service events"),
    ],
)
def test_what_an_adopted_trail_lacks_is_said(setting: str, said: str) -> None:
    (note,) = adopted_notes(ADOPTED, ACCOUNT, adoptable(**{setting: False}))
    assert said in note


def test_that_an_adopted_trail_has_no_management_events_is_said_and_not_changed() -> None:
    theirs = {"AdvancedEventSelectors": [data(arn("StartsWith", "arn:aws:s3:::example-archive/"))]}
    (note,) = adopted_notes(ADOPTED, ACCOUNT, adoptable(theirs))
    assert "records no management events" in note
    built = applied(plan(selectors_wish(ADOPTED, ACCOUNT, adoptable(theirs)), adoptable(theirs)), adoptable(theirs))
    names = [one["Name"] for one in (built[SELECTORS] or {})["AdvancedEventSelectors"]]
    assert names == ["theirs", "s3-dr pair orders"]
    assert removal_notes(ADOPTED, ACCOUNT, built, selectors_removal_wish(ADOPTED, ACCOUNT, built)) == []


def test_management_events_stay_selected_until_the_last_pair_leaves() -> None:
    both = replace(ADOPTED, pairs=(ORDERS, INVOICES))
    built = applied(plan(selectors_wish(both, ACCOUNT, adoptable()), adoptable()), adoptable())
    for leaving in (ADOPTED, replace(ADOPTED, pairs=(INVOICES,))):
        unwanted = selectors_removal_wish(leaving, ACCOUNT, built)
        assert removal_notes(leaving, ACCOUNT, built, unwanted) == []
        built = applied(plan({}, built, unwanted), built)
        if leaving is ADOPTED:
            names = [one["Name"] for one in (built[SELECTORS] or {})["AdvancedEventSelectors"]]
            assert names == ["s3-dr management events", "s3-dr pair invoices"]
    assert canonical(SELECTORS.kind, built[SELECTORS]) == canonical(SELECTORS.kind, BASIC)


@given(
    strategies.recorded_pairs,
    strategies.data_events,
    st.just(BASIC) | strategies.foreign_selectors().map(lambda found: {"AdvancedEventSelectors": found}),
)
def test_a_trail_that_is_adopted_and_left_is_as_it_was(
    pairs: tuple[RecordedPair, ...], data_events: DataEvents, theirs: Document
) -> None:
    adopted = replace(ADOPTED, pairs=pairs, data_events=data_events)
    built = applied(plan(selectors_wish(adopted, ACCOUNT, adoptable(theirs)), adoptable(theirs)), adoptable(theirs))
    assert plan(selectors_wish(adopted, ACCOUNT, built), built) == ()
    unwanted = selectors_removal_wish(adopted, ACCOUNT, built)
    left = applied(plan({}, built, unwanted), built)
    assert meaning(left) == meaning(adoptable(theirs))
    assert plan({}, left, selectors_removal_wish(adopted, ACCOUNT, left)) == ()


# --- laws ----------------------------------------------------------------------------------------------------


def meaning(world: Observed) -> Observed:
    """What AWS holds, in canonical form."""
    return {at: canonical(at.kind, document) for at, document in world.items()}


@st.composite
def trail_worlds(draw: st.DrawFn) -> tuple[Trail, Observed]:
    """A trail, and what AWS may hold for it; a key has a policy as long as it exists."""
    trail = draw(strategies.trails())
    wish = trail_wish(trail, ACCOUNT)
    world = {at: draw(strategies.theirs(at.kind, mine)) for at, mine in wish.items()}
    for at in world:
        if at.kind == "kms_key_policy":
            world[at] = world[at] or DELEGATING
    return trail, world


def goal(trail: Trail, world: Observed) -> tuple[Wish, Wish]:
    """What a run wishes and does not want, given what AWS holds."""
    return trail_wish(trail, ACCOUNT, world), former_policies(trail, ACCOUNT, world)


def run(trail: Trail, world: Observed) -> Observed:
    """What AWS holds after a run."""
    wish, unwanted = goal(trail, world)
    return applied(plan(wish, world, unwanted), world)


@given(trail_worlds())
def test_a_run_killed_after_any_step_and_begun_anew_converges(found: tuple[Trail, Observed]) -> None:
    trail, world = found
    wish, unwanted = goal(trail, world)
    steps = plan(wish, world, unwanted)
    end = meaning(applied(steps, world))
    for done in range(len(steps) + 1):
        assert meaning(run(trail, applied(steps[:done], world))) == end
    assert run(trail, applied(steps, world)) == applied(steps, world)


@given(trail_worlds(), st.booleans())
def test_a_removal_restores_what_was_foreign_and_keeps_what_protects_the_logs(
    found: tuple[Trail, Observed],
    says_the_key: bool,
) -> None:
    trail, held = found
    shared = ("bucket_policy", "kms_key_policy")
    ours = trail_wish(trail, ACCOUNT)
    world: dict[Address, Document | None] = {at: held[at] if at.kind in shared else None for at in held}
    world |= {at: KINDS[at.kind].take(ours[at], held[at]) for at in held if at.kind in shared}
    built = run(trail, world)
    leaving = trail if says_the_key else replace(trail, log_bucket=replace(trail.log_bucket, kms_key_arn=None))
    keys = known_keys(leaving, ACCOUNT, built)
    seen = {at: built[at] for at in built if at.kind != "kms_key_policy" or at in keys}
    unwanted = trail_removal_wish(leaving, ACCOUNT, seen, delete_log_bucket=False)
    steps = plan({}, seen, unwanted)
    left = applied(steps, built)
    assert {at: one for at, one in meaning(left).items() if at.kind in shared} == {
        at: one for at, one in meaning(world).items() if at.kind in shared
    }
    kinds = ("trail", "trail_logging")
    assert {left[at] for at in left if at.kind in kinds} == {None}
    stay = ("bucket_lifecycle", "bucket_object_lock", "bucket_encryption", "bucket_versioning")
    assert {at: left[at] for at in left if at.kind in stay} == {at: built[at] for at in built if at.kind in stay}
    assert [step.address.kind for step in steps][:2] == ["trail_logging", "trail"]


def test_a_key_that_is_used_no_more_lets_the_trail_in_no_more() -> None:
    built = run(a_full_trail(), nothing(a_full_trail()))
    former = KEY.replace("of-", "new-")
    moved = a_full_trail(log_bucket=replace(LOGS, kms_key_arn=former))
    keys = known_keys(moved, ACCOUNT, built)
    assert [at.name for at in keys] == [former, KEY]
    after = run(moved, {**built, replace(KEY_POLICY, name=former): DELEGATING})
    assert after[KEY_POLICY] == DELEGATING
    assert len((after[replace(KEY_POLICY, name=former)] or {})["Statement"]) == 4


def test_a_key_whose_policy_cannot_be_read_is_named_when_the_trail_goes() -> None:
    observed = {**run(a_full_trail(), nothing(a_full_trail())), KEY_POLICY: {UNSEEN: "denied"}}
    unwanted = trail_removal_wish(a_full_trail(), ACCOUNT, observed, delete_log_bucket=False)
    assert KEY_POLICY not in unwanted
    (note,) = removal_notes(a_full_trail(), ACCOUNT, observed, unwanted)
    assert "denied" in note
    assert "whose Sid begins with S3DrTrail" in note


# --- removal -------------------------------------------------------------------------------------------------


def built(changes: dict[str, Document | None] | None = None) -> dict[Any, Document | None]:
    """An AWS that holds the trail, with another document for a kind."""
    return {at: (changes or {}).get(at.kind, document) for at, document in trail_wish(a_trail(), ACCOUNT).items()}


def removed_kinds(trail: Trail, observed: dict[Any, Document | None], *, logs: bool = False) -> list[str]:
    """The kinds of the steps of the removal, in order."""
    unwanted = trail_removal_wish(trail, ACCOUNT, observed, delete_log_bucket=logs)
    observed = {**{at: {"versions": 1} for at in unwanted if at.kind == "bucket_contents"}, **observed}
    return [step.address.kind for step in plan({}, observed, unwanted)]


def test_the_trail_goes_with_its_last_pair_stopped_first_and_the_logs_stay() -> None:
    assert removed_kinds(a_trail(), built()) == ["trail_logging", "trail", "bucket_policy"]


def test_the_logs_go_only_when_their_bucket_is_named_and_after_the_trail() -> None:
    kinds = removed_kinds(a_trail(), built(), logs=True)
    assert kinds == ["trail_logging", "trail", "bucket_policy", "bucket_contents", "bucket"]


@pytest.mark.parametrize(
    "other", [{"Name": "s3-dr pair invoices", "FieldSelectors": []}, {"FieldSelectors": []}], ids=["named", "unnamed"]
)
def test_while_others_are_recorded_only_the_pairs_selectors_go(other: Document) -> None:
    both = {"AdvancedEventSelectors": [*wished("trail_event_selectors")["AdvancedEventSelectors"], other]}
    observed = built({"trail_event_selectors": both})
    unwanted = trail_removal_wish(a_trail(), ACCOUNT, observed, delete_log_bucket=True)
    (step,) = plan({}, observed, unwanted)
    assert step.address == SELECTORS
    names = [selector.get("Name") for selector in (step.after or {})["AdvancedEventSelectors"]]
    assert names == ["s3-dr management events", other.get("Name")]


def test_a_trail_that_is_not_ours_stays_and_loses_only_our_selectors() -> None:
    foreign = {**wished("trail"), "Tags": {}}
    assert removed_kinds(a_trail(), built({"trail": foreign}), logs=True) == ["trail_event_selectors"]


def test_a_trail_that_is_ours_keeps_its_management_events_for_others() -> None:
    observed = {**adoptable(Tags=owner_tags()), SELECTORS: wished("trail_event_selectors")}
    unwanted = selectors_removal_wish(ADOPTED, ACCOUNT, observed)
    assert [one["Name"] for one in unwanted[SELECTORS]["AdvancedEventSelectors"]] == ["s3-dr pair orders"]


def test_removal_goes_on_where_an_earlier_run_had_deleted_the_trail() -> None:
    gone = dict.fromkeys(("trail", "trail_logging", "trail_event_selectors"))
    assert removed_kinds(a_trail(), built(gone)) == ["bucket_policy"]


def test_nothing_is_removed_where_nothing_is() -> None:
    assert removed_kinds(a_trail(), dict.fromkeys(trail_wish(a_trail(), ACCOUNT))) == []


def test_pairs_of_two_runs_share_the_selectors() -> None:
    orders = wished("trail_event_selectors")
    both = KINDS["trail_event_selectors"].put(wished("trail_event_selectors", a_trail(pairs=(INVOICES,))), orders)
    names = sorted(selector["Name"] for selector in both["AdvancedEventSelectors"])
    assert names == ["s3-dr management events", "s3-dr pair invoices", "s3-dr pair orders"]
