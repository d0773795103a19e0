# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What is found before anything is changed: each way in which objects would fail, and nothing where they would not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    UNSEEN,
    Account,
    Accounts,
    Address,
    Document,
    End,
    Pair,
    Refused,
    RoleSettings,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.policies import trust_policy
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.preflight import (
    Check,
    Decisions,
    PreflightFailed,
    Simulation,
    Status,
    fact_addresses,
    facts_of_a_change,
    preflight,
    require,
    simulations,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    one_account,
    pair_addresses,
    pair_wish,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    DR,
    EAST,
    PRIMARY,
    WEST,
    a_pair,
    address,
    two_way,
)

THEIRS = Account("444455556666")
ABROAD = {PRIMARY.bucket: ACCOUNT, DR.bucket: THEIRS}
NOT_OURS = {PRIMARY.bucket: ACCOUNT, DR.bucket: replace(THEIRS, ours=False)}
ROLE_NAME = "s3-dr-orders-to-us-west-2"
ROLE = f"arn:aws:iam::111122223333:role/{ROLE_NAME}"
BACK_ROLE = "arn:aws:iam::111122223333:role/s3-dr-orders-to-us-east-1"
THEIR_ROLE = "arn:aws:iam::111122223333:role/custom/replicator"
SOURCE_KEY = "arn:aws:kms:us-east-1:111122223333:key/source"
REPLICA_KEY = "arn:aws:kms:us-west-2:111122223333:key/replica"
KMS_ENDS = {
    "primary": replace(PRIMARY, kms_key_arn=SOURCE_KEY),
    "dr": replace(DR, kms_key_arn=REPLICA_KEY),
}
OWN_ROLE_ENDS = {"primary": replace(PRIMARY, replication_role_arn=THEIR_ROLE)}
TRUST = trust_policy()
DELETING = (Rule("s3-dr-orders", delete_markers=True),)
"""Rules with which S3 replicates that an object was deleted."""

HEALTHY: dict[str, Document] = {
    "bucket_versioning": {"Status": "Enabled"},
    "bucket_encryption": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
    "bucket_ownership": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "bucket_payer": {"Payer": "BucketOwner"},
    "kms_key": {
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyManager": "CUSTOMER",
    },
}
"""What AWS holds of two plain buckets that nobody has replicated yet."""


def bucket_at(kind: str, end: End = PRIMARY, account: Account = ACCOUNT) -> Address:
    """The address of a document of an end's bucket."""
    return Address(kind, end.bucket, end.region, account.id)


def world(pair: Pair, accounts: Accounts) -> dict[Address, Document | None]:
    """A healthy AWS, for all that is read of a pair of which something is going to be changed."""
    facts = (*fact_addresses(pair, accounts), *facts_of_a_change(pair, accounts))
    return {
        at: {"Region": at.region} if at.kind == "bucket" else HEALTHY.get(at.kind)
        for at in (*pair_addresses(pair, accounts), *facts)
    }


def look(
    changes: Mapping[Address, Document | None] | None = None,
    pair: Pair | None = None,
    accounts: Accounts | None = None,
    simulated: Mapping[str, Decisions] | None = None,
) -> list[Check]:
    """The checks of a pair in a healthy AWS with changes."""
    pair = pair or a_pair()
    accounts = accounts or one_account(ACCOUNT, *pair.ends())
    observed = {**world(pair, accounts), **(changes or {})}
    return preflight(pair, accounts, observed, pair_wish(pair, accounts, observed), simulated or {})


def of(checks: Sequence[Check], name: str, subject: str | None = None) -> list[Check]:
    """The checks of a name."""
    return [check for check in checks if check.name == name and subject in (None, check.subject)]


def the(checks: Sequence[Check], name: str, subject: str | None = None) -> Check:
    """The only check of a name."""
    (check,) = of(checks, name, subject)
    return check


def findings(checks: Sequence[Check]) -> list[tuple[str, str, Status]]:
    """What has not passed."""
    return [(check.name, check.subject, check.status) for check in checks if check.status is not Status.PASSED]


# --- as a whole ----------------------------------------------------------------------------------------------


def test_a_healthy_pair_passes_all_checks_in_the_order_of_its_link() -> None:
    checks = look()
    assert [(check.name, check.subject) for check in checks] == [
        ("bucket", PRIMARY.bucket),
        ("versioning", PRIMARY.bucket),
        ("bucket", DR.bucket),
        ("versioning", DR.bucket),
        ("object_lock", DR.bucket),
        ("sse_c", DR.bucket),
        ("default_encryption", PRIMARY.bucket),
        ("role_trust", ROLE),
        ("bucket_policy", PRIMARY.bucket),
        ("bucket_policy", DR.bucket),
    ]
    assert findings(checks) == []
    assert {check.failure_code for check in checks} == {None}
    require(checks, {})


def test_a_bucket_of_both_links_is_checked_once_and_its_policy_for_each_role() -> None:
    checks = look(pair=two_way())
    for name in ("bucket", "versioning"):
        assert [check.subject for check in of(checks, name)] == [PRIMARY.bucket, DR.bucket]
    assert len(of(checks, "bucket_policy", DR.bucket)) == 2
    assert [check.subject for check in of(checks, "role_trust")] == [ROLE, BACK_ROLE]
    assert len(checks) == len(set(checks))
    assert findings(checks) == []


def test_a_check_is_told_in_plain_values() -> None:
    check = Check("bucket", "b", Status.FAILED, "It is gone.", "DstBucketNotFound")
    assert json.loads(json.dumps(check.as_result())) == {
        "name": "bucket",
        "subject": "b",
        "status": "failed",
        "message": "It is gone.",
        "failure_code": "DstBucketNotFound",
    }
    assert not isinstance(check.as_result()["status"], Status)


def test_a_failure_is_refused_with_every_message_and_all_checks() -> None:
    checks = [
        Check("a", "b", Status.FAILED, "First.", "DstBucketNotFound"),
        Check("c", "d", Status.WARNING, "Only a warning."),
        Check("e", "f", Status.FAILED, "Second."),
    ]
    with pytest.raises(PreflightFailed) as raised:
        require(iter(checks), {"preflight": "all checks"})
    assert str(raised.value) == "First. Else S3 fails objects with DstBucketNotFound. Second."
    assert raised.value.result == {"preflight": "all checks"}
    assert isinstance(raised.value, Refused)


@pytest.mark.parametrize("status", [Status.PASSED, Status.WARNING, Status.UNKNOWN])
def test_only_a_failure_is_refused(status: Status) -> None:
    require([Check("a", "b", status, "Said.")], {})


# --- what is read --------------------------------------------------------------------------------------------


def test_within_one_account_only_encryption_is_read_in_addition() -> None:
    pair = a_pair()
    assert fact_addresses(pair, one_account(ACCOUNT, *pair.ends())) == [
        bucket_at("bucket_encryption"),
        bucket_at("bucket_encryption", DR),
    ]


def test_of_a_destination_in_another_account_ownership_and_payer_are_read_before_a_change() -> None:
    kinds = ("bucket_ownership", "bucket_payer")
    there = [bucket_at(kind, DR, THEIRS) for kind in kinds]
    both = [*there, *(bucket_at(kind) for kind in kinds)]  # each end is the other's destination
    assert facts_of_a_change(two_way(), ABROAD) == both
    assert facts_of_a_change(a_pair(), ABROAD) == there


def test_who_owns_and_pays_is_not_read_when_nothing_changes() -> None:
    read = [*pair_addresses(two_way(), ABROAD), *fact_addresses(two_way(), ABROAD)]
    assert set(read).isdisjoint(facts_of_a_change(two_way(), ABROAD))
    encryption_of_both = [bucket_at("bucket_encryption"), bucket_at("bucket_encryption", DR, THEIRS)]
    assert fact_addresses(two_way(), ABROAD) == encryption_of_both


def test_a_destination_in_the_sources_account_gets_no_facts_of_a_change() -> None:
    assert facts_of_a_change(two_way(), one_account(ACCOUNT, PRIMARY, DR)) == []


def test_of_a_further_bucket_in_another_account_ownership_and_payer_are_read_once() -> None:
    further = End("example-archive", "eu-west-1")
    colder = replace(further, storage_class="GLACIER_IR")
    rules = (Rule("a"), Rule("b", 2, "b/", destination=further), Rule("c", 3, "c/", destination=colder))
    accounts = {**one_account(ACCOUNT, PRIMARY, DR), further.bucket: THEIRS}
    expected = [bucket_at(kind, further, THEIRS) for kind in ("bucket_ownership", "bucket_payer")]
    for pair in (a_pair(rules=rules), two_way(rules=rules)):
        assert facts_of_a_change(pair, accounts) == expected


def test_each_key_of_an_account_of_ours_is_read_once() -> None:
    theirs = REPLICA_KEY.replace("111122223333", "444455556666")
    pair = two_way(primary=KMS_ENDS["primary"], dr=replace(DR, kms_key_arn=theirs))
    keys = [at.name for at in fact_addresses(pair, one_account(ACCOUNT, PRIMARY, DR)) if at.kind == "kms_key"]
    assert keys == [SOURCE_KEY]
    assert [at.name for at in fact_addresses(pair, ABROAD) if at.kind == "kms_key"] == [SOURCE_KEY, theirs]


def test_nothing_is_read_of_an_account_that_is_not_ours() -> None:
    assert fact_addresses(a_pair(), NOT_OURS) == [bucket_at("bucket_encryption")]
    assert facts_of_a_change(a_pair(), NOT_OURS) == []


# --- buckets and versioning ----------------------------------------------------------------------------------


def test_what_the_plan_makes_has_passed() -> None:
    missing: dict[Address, Document | None] = {
        bucket_at(kind, DR): None for kind in ("bucket", "bucket_versioning", "bucket_encryption")
    }
    checks = look(missing)
    bucket, versioning = the(checks, "bucket", DR.bucket), the(checks, "versioning", DR.bucket)
    assert (bucket.status, versioning.status) == (Status.PASSED, Status.PASSED)
    assert "will be created in us-west-2" in bucket.message
    assert "will be enabled" in versioning.message
    assert "has versioning enabled" in the(checks, "versioning", PRIMARY.bucket).message
    assert "is in us-east-1 and belongs to account 111122223333" in the(checks, "bucket", PRIMARY.bucket).message


def without_wish(changes: Mapping[Address, Document | None], pair: Pair | None = None) -> list[Check]:
    """The checks when nothing is going to be changed."""
    pair = pair or a_pair()
    accounts = one_account(ACCOUNT, *pair.ends())
    return preflight(pair, accounts, {**world(pair, accounts), **changes}, {}, {})


@pytest.mark.parametrize(
    ("end", "name", "document", "code"),
    [
        (PRIMARY, "bucket", None, "SrcBucketNotFound"),
        (DR, "bucket", None, "DstBucketNotFound"),
        (PRIMARY, "bucket", {"Region": "eu-west-1"}, "SrcBucketInvalidRegion"),
        (DR, "bucket", {"Region": "eu-west-1"}, "DstBucketInvalidRegion"),
        (PRIMARY, "versioning", None, None),
        (DR, "versioning", {"Status": "Suspended"}, "DstBucketUnversioned"),
    ],
)
def test_what_nobody_puts_right_fails(end: End, name: str, document: Document | None, code: str | None) -> None:
    kind = "bucket_versioning" if name == "versioning" else name
    check = the(without_wish({bucket_at(kind, end): document}), name, end.bucket)
    assert (check.status, check.failure_code) == (Status.FAILED, code)
    assert f"'{end.bucket}'" in check.message


def test_a_failing_bucket_of_both_links_is_told_of_once() -> None:
    checks = without_wish(
        {bucket_at("bucket"): {"Region": "eu-west-1"}, bucket_at("bucket_versioning"): None}, two_way()
    )
    assert the(checks, "bucket", PRIMARY.bucket).failure_code == "SrcBucketInvalidRegion"
    assert the(checks, "versioning", PRIMARY.bucket).failure_code == "DstBucketUnversioned"
    assert [check.subject for check in checks][:2] == [PRIMARY.bucket, PRIMARY.bucket]


def test_a_bucket_in_another_region_fails_although_the_plan_wishes_it() -> None:
    check = the(look({bucket_at("bucket", DR): {"Region": "eu-west-1"}}), "bucket", DR.bucket)
    assert check.failure_code == "DstBucketInvalidRegion"
    assert "Correct the `region`" in check.message


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("bucket", "bucket"),
        ("bucket_versioning", "versioning"),
        ("bucket_object_lock", "object_lock"),
        ("bucket_encryption", "default_encryption"),
        ("bucket_policy", "bucket_policy"),
    ],
)
def test_what_the_credentials_may_not_read_is_unknown(kind: str, name: str) -> None:
    checks = without_wish({bucket_at(kind): {UNSEEN: "s3:Get is missing"}})
    unknown = [check for check in of(checks, name) if check.status is Status.UNKNOWN]
    assert len(unknown) == 1
    assert unknown[0].failure_code is None
    if kind != "bucket_object_lock":
        assert "s3:Get is missing" in unknown[0].message


def test_what_was_not_read_is_unknown() -> None:
    pair = a_pair()
    checks = preflight(pair, one_account(ACCOUNT, *pair.ends()), {}, {}, {})
    assert {check.status for check in checks} == {Status.UNKNOWN}
    assert "not looked at" in checks[0].message


def test_an_end_of_another_account_gets_one_check_that_says_so() -> None:
    checks = look(accounts=NOT_OURS)
    assert findings(checks) == [("account", DR.bucket, Status.UNKNOWN)]
    assert "belongs to account 444455556666" in the(checks, "account").message
    assert [check.name for check in checks if check.subject == DR.bucket] == ["account", "object_lock"]


# --- Object Lock ---------------------------------------------------------------------------------------------

LOCKED: Document = {"ObjectLockEnabled": "Enabled"}


@pytest.mark.parametrize(
    ("source", "target", "status"),
    [
        (False, False, Status.PASSED),
        (True, False, Status.FAILED),
        (False, True, Status.WARNING),
        (True, True, Status.PASSED),
    ],
)
@pytest.mark.parametrize("wished", [False, True])
def test_object_lock_of_a_one_way_pair(source: bool, target: bool, status: Status, wished: bool) -> None:
    if wished:
        pair = a_pair(primary=replace(PRIMARY, object_lock=source), dr=replace(DR, object_lock=target))
        check = the(look(pair=pair), "object_lock")
    else:
        locks = {
            bucket_at("bucket_object_lock", end): LOCKED if on else None
            for end, on in ((PRIMARY, source), (DR, target))
        }
        check = the(look(locks), "object_lock")
    assert check.status is status
    assert check.failure_code == ("DstBucketObjectLockConfigMissing" if status is Status.FAILED else None)
    if status is Status.FAILED:
        assert f"Set `object_lock: true` on the end '{DR.bucket}'" in check.message
    if status is Status.WARNING:
        assert f"Set `object_lock: true` on the end '{PRIMARY.bucket}'" in check.message
        assert "DstBucketObjectLockConfigMissing" in check.message


def test_object_lock_at_one_end_of_a_two_way_pair_fails_the_direction_away_from_it() -> None:
    checks = look({bucket_at("bucket_object_lock", DR): LOCKED}, two_way())
    assert findings(checks) == [("object_lock", PRIMARY.bucket, Status.FAILED)]


def test_a_further_bucket_with_object_lock_is_never_replicated_back() -> None:
    further = End("example-archive", "eu-west-1", object_lock=True)
    pair = a_pair(rules=(Rule("a"), Rule("b", 2, destination=further)))
    assert findings(look(pair=pair)) == []


def test_a_locked_source_and_an_end_that_is_not_ours_leave_it_open() -> None:
    checks = look({bucket_at("bucket_object_lock"): LOCKED}, accounts=NOT_OURS)
    assert the(checks, "object_lock").status is Status.UNKNOWN
    assert f"whether '{DR.bucket}' has it" in the(checks, "object_lock").message
    unseen = look({bucket_at("bucket_object_lock"): {UNSEEN: "denied"}})
    assert f"whether '{PRIMARY.bucket}' has it" in the(unseen, "object_lock").message
    declared = a_pair(dr=replace(DR, object_lock=True))
    checks = look({bucket_at("bucket_object_lock"): LOCKED}, declared, NOT_OURS)
    assert the(checks, "object_lock").status is Status.UNKNOWN


# --- encryption ----------------------------------------------------------------------------------------------


def encryption(algorithm: str = "AES256", key: str = "", blocked: Sequence[str] | None = None) -> Document:
    """The answer of GetBucketEncryption."""
    default = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key} if key else {})}
    rule: dict[str, Any] = {"ApplyServerSideEncryptionByDefault": default}
    if blocked is not None:
        rule["BlockedEncryptionTypes"] = {"EncryptionType": list(blocked)}
    return {"Rules": [rule]}


@pytest.mark.parametrize(
    ("source", "target", "status"),
    [
        (["NONE"], ["SSE-C"], Status.WARNING),
        (None, ["SSE-C"], Status.WARNING),
        (["SSE-C"], ["SSE-C"], Status.PASSED),
        (["SSE-C"], ["NONE"], Status.PASSED),
        (None, None, Status.PASSED),
    ],
)
def test_a_destination_that_blocks_what_the_source_takes(
    source: list[str] | None, target: list[str] | None, status: Status
) -> None:
    changes = {
        bucket_at("bucket_encryption"): encryption(blocked=source),
        bucket_at("bucket_encryption", DR): encryption(blocked=target),
    }
    assert the(look(changes), "sse_c").status is status


def test_a_new_bucket_blocks_sse_c() -> None:
    new: dict[Address, Document | None] = {bucket_at("bucket", DR): None, bucket_at("bucket_encryption", DR): None}
    assert the(look(new), "sse_c").status is Status.WARNING
    both = {**new, bucket_at("bucket"): None, bucket_at("bucket_encryption"): None}
    assert the(look(both), "sse_c").status is Status.PASSED


def test_whether_sse_c_is_blocked_is_open_only_where_it_decides() -> None:
    unseen = {UNSEEN: "s3:GetEncryptionConfiguration is missing"}
    blocks, takes = encryption(blocked=["SSE-C"]), encryption()
    at_source, at_target = bucket_at("bucket_encryption"), bucket_at("bucket_encryption", DR)
    for source, target, status in [
        (takes, unseen, Status.UNKNOWN),
        (blocks, unseen, Status.PASSED),
        (unseen, blocks, Status.UNKNOWN),
        (unseen, takes, Status.PASSED),
    ]:
        check = the(look({at_source: source, at_target: target}), "sse_c")
        assert check.status is status
        if status is Status.UNKNOWN:
            blind = PRIMARY if source is unseen else DR
            assert f"'{blind.bucket}'" in check.message
            assert "s3:GetEncryptionConfiguration is missing" in check.message


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_objects_that_are_encrypted_with_kms_by_default_and_that_no_rule_takes(algorithm: str) -> None:
    check = the(look({bucket_at("bucket_encryption"): encryption(algorithm, SOURCE_KEY)}), "default_encryption")
    assert check.status is Status.WARNING
    assert SOURCE_KEY in check.message
    assert "`kms_key_arn`" in check.message


def test_a_disabled_rule_takes_no_objects() -> None:
    pair = a_pair(**KMS_ENDS, rules=(Rule("r", enabled=False),))
    check = the(look({bucket_at("bucket_encryption"): encryption("aws:kms", SOURCE_KEY)}, pair), "default_encryption")
    assert "no rule replicates them" in check.message


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        (SOURCE_KEY, Status.PASSED, None),
        ("source", Status.PASSED, None),
        (SOURCE_KEY + "-other", Status.FAILED, "SrcGetObjectNotPermitted"),
        ("arn:aws:kms:us-east-1:111122223333:alias/orders", Status.WARNING, None),
        ("alias/orders", Status.WARNING, None),
        ("1234abcd", Status.WARNING, None),
        ("", Status.WARNING, None),
    ],
)
def test_the_default_key_must_be_one_that_the_role_may_use(key: str, status: Status, code: str | None) -> None:
    changes = {bucket_at("bucket_encryption"): encryption("aws:kms", key)}
    check = the(look(changes, a_pair(**KMS_ENDS)), "default_encryption")
    assert (check.status, check.failure_code) == (status, code)


def test_a_default_without_a_key_is_aws_own_and_other_settings_are_no_default() -> None:
    blocking = {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}
    document = {"Rules": [blocking, *encryption("aws:kms")["Rules"]]}
    check = the(look({bucket_at("bucket_encryption"): document}), "default_encryption")
    assert "by the AWS managed key aws/s3" in check.message
    for empty in ({"Rules": [blocking]}, {}, None):
        assert the(look({bucket_at("bucket_encryption"): empty}), "default_encryption").status is Status.PASSED


def test_the_users_own_role_may_be_allowed_other_keys() -> None:
    primary = replace(KMS_ENDS["primary"], replication_role_arn=THEIR_ROLE)
    changes = {bucket_at("bucket_encryption"): encryption("aws:kms", SOURCE_KEY + "-other")}
    checks = look(changes, a_pair(primary=primary, dr=KMS_ENDS["dr"]))
    assert the(checks, "default_encryption").status is Status.WARNING


# --- keys ----------------------------------------------------------------------------------------------------


def key_check(key: str, changes: Document | None, **more: Any) -> Check:
    """The check of a key whose description has changes, or that does not exist."""
    region, account = key.split(":")[3:5]
    document = None if changes is None else {**HEALTHY["kms_key"], **changes}
    dr = replace(DR, kms_key_arn=key) if key != SOURCE_KEY else KMS_ENDS["dr"]
    pair = a_pair(primary=KMS_ENDS["primary"], dr=dr)
    return the(look({Address("kms_key", key, region, account): document}, pair, **more), "kms_key", key)


@pytest.mark.parametrize(("key", "end"), [(SOURCE_KEY, "Src"), (REPLICA_KEY, "Dst")])
@pytest.mark.parametrize(
    "flaw",
    [
        {"KeyState": "Disabled"},
        {"KeyState": "PendingDeletion"},
        {"KeyState": None},
        {"KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "RSA_2048"},
    ],
)
def test_a_key_that_s3_cannot_use_fails(key: str, end: str, flaw: Document) -> None:
    check = key_check(key, flaw)
    assert (check.status, check.failure_code) == (Status.FAILED, f"{end}KmsKeyInvalidState")
    assert key in check.message
    assert ("symmetric" in check.message) == ("KeyState" not in flaw)


@pytest.mark.parametrize("fine", [{}, {"KeyState": "Updating"}, {"KeySpec": None}, {"KeyManager": "AWS"}])
def test_a_key_that_s3_can_use_passes(fine: Document) -> None:
    assert key_check(REPLICA_KEY, fine).status is Status.PASSED
    assert key_check(SOURCE_KEY, fine).status is Status.PASSED


def test_a_key_that_does_not_exist_fails() -> None:
    for key, code in ((REPLICA_KEY, "DstKmsKeyNotFound"), (SOURCE_KEY, "SrcKmsKeyInvalidState")):
        check = key_check(key, None)
        assert (check.status, check.failure_code) == (Status.FAILED, code)
        use = f"'{PRIMARY.bucket}' has encrypted objects" if key == SOURCE_KEY else f"'{DR.bucket}' encrypts replicas"
        assert f"{key}, with which {use}" in check.message


def test_across_accounts_a_key_that_aws_manages_fails() -> None:
    theirs = REPLICA_KEY.replace("111122223333", "444455556666")
    check = key_check(theirs, {"KeyManager": "AWS"}, accounts=ABROAD)
    assert (check.status, check.failure_code) == (Status.FAILED, "DstPutObjectNotPermitted")
    assert "customer managed key" in check.message
    assert key_check(theirs, {}, accounts=ABROAD).status is Status.PASSED
    assert key_check(SOURCE_KEY, {"KeyManager": "AWS"}, accounts=ABROAD).status is Status.PASSED
    key = SOURCE_KEY.replace("111122223333", "444455556666")
    reading = a_pair(primary=replace(PRIMARY, kms_key_arn=key), dr=KMS_ENDS["dr"])
    at = Address("kms_key", key, EAST, "444455556666")
    check = the(look({at: {**HEALTHY["kms_key"], "KeyManager": "AWS"}}, reading, ABROAD), "kms_key", key)
    assert (check.status, check.failure_code) == (Status.FAILED, "SrcGetObjectNotPermitted")


def test_a_key_of_an_account_that_is_not_ours_is_unknown() -> None:
    theirs = REPLICA_KEY.replace("111122223333", "999999999999")
    check = key_check(theirs, {"KeyState": "Disabled"})
    assert check.status is Status.UNKNOWN
    assert "account 999999999999" in check.message


def test_a_key_that_may_not_be_described_is_unknown() -> None:
    assert "kms:DescribeKey is missing" in key_check(REPLICA_KEY, {UNSEEN: "kms:DescribeKey is missing"}).message


def test_a_pair_without_kms_has_no_checks_of_keys() -> None:
    pair = a_pair(**KMS_ENDS, rules=(Rule("r", kms_objects=False),))
    assert of(look(pair=pair), "kms_key") == []


# --- trust ---------------------------------------------------------------------------------------------------


def trusting(*statements: Document) -> Check:
    """The check of a role of the user's, with these statements in its trust policy."""
    document = {"Path": "/custom/", "AssumeRolePolicyDocument": {"Statement": list(statements)}}
    return the(look({address("iam_role", "replicator", "global"): document}, a_pair(**OWN_ROLE_ENDS)), "role_trust")


def trust(**changes: Any) -> Document:
    """A statement that lets S3 assume the role, with changes."""
    return {**TRUST["Statement"][0], **changes}


@pytest.mark.parametrize(
    "statement",
    [
        trust(),
        trust(Action=["sts:TagSession", "sts:AssumeRole"]),
        trust(Action="STS:Assume*"),
        trust(Principal={"Service": ["batchoperations.s3.amazonaws.com", "s3.amazonaws.com"]}),
        trust(Principal="*"),
        trust(Principal={"AWS": "*"}),
        trust(Condition={"StringEqualsIfExists": {"aws:SourceAccount": "111122223333"}}),
    ],
)
def test_a_role_that_s3_may_assume_passes(statement: Document) -> None:
    assert trusting(statement).status is Status.PASSED


@pytest.mark.parametrize(
    "statements",
    [
        [],
        [trust(Effect="Deny")],
        [trust(Effect="Deny", Condition={"Bool": {"aws:x": "true"}})],
        [trust(), trust(Effect="Deny", Principal="*")],
        [trust(Principal={"Service": "ec2.amazonaws.com"})],
        [trust(Principal={"AWS": "arn:aws:iam::111122223333:root"})],
        [trust(Action="sts:AssumeRoleWithWebIdentity")],
        [trust(NotAction="sts:*", Action=None)],
        [{**{key: value for key, value in trust().items() if key != "Action"}, "NotAction": "sts:*"}],
    ],
)
def test_a_role_that_s3_may_not_assume_fails(statements: list[Document]) -> None:
    check = trusting(*statements)
    assert (check.status, check.failure_code) == (Status.FAILED, "AssumeRoleNotPermitted")
    assert "s3.amazonaws.com" in check.message


@pytest.mark.parametrize(
    ("statements", "key"),
    [
        ([trust(Condition={"StringEquals": {"aws:SourceAccount": "111122223333"}})], "aws:SourceAccount"),
        ([trust(Condition={"ArnLikeIfExists": {"aws:SourceArn": "arn:aws:s3:::example-orders"}})], "aws:SourceArn"),
        ([trust(Condition={"StringEqualsIfExists": {"aws:SourceAccount": "999999999999"}})], "aws:SourceAccount"),
        ([trust(Condition={"StringEqualsIfExists": {"aws:x": "111122223333"}})], "aws:x"),
        ([trust(), trust(Effect="Deny", Condition={"Bool": {"aws:x": "true"}})], "aws:x"),
    ],
)
def test_conditions_that_s3_may_not_meet_are_a_warning(statements: list[Document], key: str) -> None:
    check = trusting(*statements)
    assert check.status is Status.WARNING
    assert f"({key})" in check.message


def test_one_statement_without_conditions_is_enough() -> None:
    assert trusting(trust(Condition={"StringEquals": {"aws:SourceArn": "x"}}), trust()).status is Status.PASSED


def test_a_role_of_the_users_must_exist_under_its_path() -> None:
    role = address("iam_role", "replicator", "global")
    pair = a_pair(**OWN_ROLE_ENDS)
    for document in (None, {"Path": "/", "AssumeRolePolicyDocument": TRUST}):
        check = the(look({role: document}, pair), "role_trust")
        assert (check.subject, check.failure_code) == (THEIR_ROLE, "AssumeRoleNotPermitted")
        assert "does not exist" in check.message
    assert the(look({role: {"AssumeRolePolicyDocument": TRUST}}, pair), "role_trust").status is Status.PASSED
    at_root = a_pair(primary=replace(PRIMARY, replication_role_arn=THEIR_ROLE.replace("custom/", "")))
    document = {"Path": "/", "AssumeRolePolicyDocument": TRUST}
    assert the(look({role: document}, at_root), "role_trust").status is Status.PASSED
    assert the(look({role: {UNSEEN: "iam:GetRole is missing"}}, pair), "role_trust").status is Status.UNKNOWN


def test_of_a_role_of_ours_the_trust_that_the_plan_sets_counts() -> None:
    role = address("iam_role", ROLE_NAME, "global")
    closed = {"Path": "/", "AssumeRolePolicyDocument": {"Statement": []}, "Tags": {}}
    assert the(look({role: closed}), "role_trust").status is Status.PASSED
    assert the(look({role: {UNSEEN: "iam:GetRole is missing"}}), "role_trust").status is Status.PASSED
    assert the(without_wish({role: closed}), "role_trust").status is Status.FAILED
    assert the(without_wish({role: None}), "role_trust").status is Status.FAILED


# --- simulated permissions -----------------------------------------------------------------------------------

SOURCE_REQUESTS = [
    ("s3:GetReplicationConfiguration", "arn:aws:s3:::example-orders"),
    ("s3:ListBucket", "arn:aws:s3:::example-orders"),
    ("s3:GetObjectVersionAcl", "arn:aws:s3:::example-orders/object"),
    ("s3:GetObjectVersionAnnotationForReplication", "arn:aws:s3:::example-orders/object"),
    ("s3:GetObjectVersionForReplication", "arn:aws:s3:::example-orders/object"),
    ("s3:GetObjectVersionTagging", "arn:aws:s3:::example-orders/object"),
]
REQUESTS = [
    *SOURCE_REQUESTS,
    ("s3:ReplicateDelete", "arn:aws:s3:::example-orders-dr/object"),
    ("s3:ReplicateObject", "arn:aws:s3:::example-orders-dr/object"),
    ("s3:ReplicateTags", "arn:aws:s3:::example-orders-dr/object"),
]
"""What a role needs of S3 whose rules replicate deletions."""


def simulations_of(
    pair: Pair, changes: Mapping[Address, Document | None] | None = None, accounts: Accounts | None = None
) -> list[Simulation]:
    """What AWS is asked when the pair's wish is in place, but for changes."""
    accounts = accounts or one_account(ACCOUNT, *pair.ends())
    observed = world(pair, accounts)
    wish = pair_wish(pair, accounts, observed)
    return simulations(pair, accounts, {**observed, **wish, **(changes or {})}, wish)


def test_a_role_that_stays_as_it_is_is_simulated_with_what_it_needs_of_s3() -> None:
    deleting = a_pair(**KMS_ENDS, rules=DELETING)
    assert simulations_of(deleting) == [Simulation(ROLE, ACCOUNT.id, tuple(REQUESTS))]
    assert [one.role for one in simulations_of(two_way())] == [ROLE, BACK_ROLE]


def test_a_role_is_simulated_with_deletions_only_where_a_rule_replicates_them() -> None:
    without = tuple(request for request in REQUESTS if request[0] != "s3:ReplicateDelete")
    assert simulations_of(a_pair(**KMS_ENDS)) == [Simulation(ROLE, ACCOUNT.id, without)]
    for there, back in ((True, False), (False, True)):
        pair = two_way(rules=(Rule("r", delete_markers=there, reverse_delete_markers=back),))
        deleting = ["s3:ReplicateDelete" in dict(one.requests) for one in simulations_of(pair)]
        assert deleting == [there, back]
    (only,) = simulations_of(a_pair(rules=(Rule("a", 1, "a/"), Rule("b", 2, "b/", delete_markers=True))))
    assert "s3:ReplicateDelete" in dict(only.requests)


def test_a_policy_that_means_the_same_is_no_change() -> None:
    at = address("iam_role_policy", f"{ROLE_NAME}/s3-dr-replication", "global")
    pair = a_pair()
    accounts = one_account(ACCOUNT, *pair.ends())
    wished = pair_wish(pair, accounts, world(pair, accounts))[at]
    turned = {**wished, "Statement": wished["Statement"][::-1]}
    assert len(simulations_of(pair, {at: turned})) == 1
    assert simulations_of(pair, {at: {**wished, "Statement": wished["Statement"][1:]}}) == []


def test_a_role_that_is_made_or_changed_is_not_simulated() -> None:
    pair = a_pair()
    role = address("iam_role", ROLE_NAME, "global")
    policy = address("iam_role_policy", f"{ROLE_NAME}/s3-dr-replication", "global")
    for change in ({role: None}, {policy: None}, {role: {UNSEEN: "denied"}}, {policy: {UNSEEN: "denied"}}):
        assert simulations_of(pair, change) == []
    assert simulations(pair, one_account(ACCOUNT, PRIMARY, DR), {role: {"Path": "/"}}, {}) == []
    bounded = a_pair(roles=RoleSettings(permissions_boundary="arn:aws:iam::111122223333:policy/fence"))
    assert len(simulations_of(bounded)) == 1
    without = {"Path": "/", "AssumeRolePolicyDocument": TRUST, "Tags": {}}
    assert simulations_of(bounded, {role: without}) == []
    kept = {**without, "PermissionsBoundary": "arn:aws:iam::111122223333:policy/theirs"}
    assert len(simulations_of(pair, {role: kept})) == 1


def test_a_role_of_the_users_is_simulated_if_it_exists() -> None:
    pair = a_pair(**OWN_ROLE_ENDS)
    role = address("iam_role", "replicator", "global")
    document = {"Path": "/custom/", "AssumeRolePolicyDocument": TRUST}
    assert [one.role for one in simulations_of(pair, {role: document})] == [THEIR_ROLE]
    assert simulations_of(pair, {role: None}) == []


def test_a_role_of_both_directions_is_simulated_once() -> None:
    pair = two_way(**OWN_ROLE_ENDS, dr=replace(DR, replication_role_arn=THEIR_ROLE), rules=DELETING)
    document = {"Path": "/custom/", "AssumeRolePolicyDocument": TRUST}
    role = address("iam_role", "replicator", "global")
    (only,) = simulations_of(pair, {role: document})
    assert set(REQUESTS) < set(only.requests)
    assert ("s3:ReplicateObject", "arn:aws:s3:::example-orders/object") in only.requests
    checks = look({role: document}, pair, simulated={THEIR_ROLE: dict.fromkeys(only.requests, "allowed")})
    assert the(checks, "role_permissions").status is Status.PASSED


def test_an_object_of_each_prefix_is_simulated_and_none_that_is_within_another() -> None:
    rules = (Rule("a", 1, "a/"), Rule("b", 2, "b/"), Rule("c", 3, "a/b/"))
    (only,) = simulations_of(a_pair(rules=rules))
    assert [resource for action, resource in only.requests if action == "s3:ReplicateObject"] == [
        "arn:aws:s3:::example-orders-dr/a/object",
        "arn:aws:s3:::example-orders-dr/b/object",
    ]
    many = tuple(Rule(f"r{number}", number, f"{number:03}/") for number in range(100))
    (only,) = simulations_of(a_pair(rules=many))
    assert len([action for action, _resource in only.requests if action == "s3:ReplicateObject"]) == 20


def test_a_further_bucket_is_simulated_with_the_prefixes_that_go_there() -> None:
    further = End("example-archive", "eu-west-1")
    rules = (Rule("a", 1, "a/"), Rule("b", 2, "b/", destination=further))
    (only,) = simulations_of(a_pair(rules=rules))
    written = [resource for action, resource in only.requests if action == "s3:ReplicateObject"]
    assert written == ["arn:aws:s3:::example-archive/b/object", "arn:aws:s3:::example-orders-dr/a/object"]


def test_object_lock_at_the_source_is_simulated_too() -> None:
    (only,) = simulations_of(a_pair(primary=replace(PRIMARY, object_lock=True)))
    assert {"s3:GetObjectRetention", "s3:GetObjectLegalHold"} < {action for action, _resource in only.requests}


def permissions(**denied: str) -> list[Check]:
    """The checks of a role for which a simulation allows all, but for some of its actions."""
    pair = a_pair(primary=replace(PRIMARY, object_lock=True), dr=replace(DR, object_lock=True), rules=DELETING)
    answers = {
        (action, resource): denied.get(action.removeprefix("s3:"), "allowed")
        for action, resource in simulations_of(pair)[0].requests
    }
    answers = {request: answer for request, answer in answers.items() if answer}
    return of(look(pair=pair, simulated={ROLE: answers}), "role_permissions")


def test_a_role_that_may_do_all_passes_and_one_that_was_not_simulated_is_not_judged() -> None:
    assert [check.status for check in permissions()] == [Status.PASSED]
    assert of(look(simulated={BACK_ROLE: {}}), "role_permissions") == []


@pytest.mark.parametrize("decision", ["explicitDeny", "implicitDeny"])
@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("GetObjectVersionForReplication", "SrcGetObjectNotPermitted"),
        ("GetObjectVersionAcl", "SrcGetAclNotPermitted"),
        ("GetObjectVersionTagging", "SrcGetTaggingNotPermitted"),
        ("GetObjectRetention", "SrcGetRetentionNotPermitted"),
        ("GetObjectLegalHold", "SrcGetLegalHoldNotPermitted"),
        ("ReplicateObject", "DstPutObjectNotPermitted"),
        ("ReplicateDelete", "DstDelObjNotPermitted"),
        ("ReplicateTags", "DstPutTaggingNotPermitted"),
        ("GetReplicationConfiguration", "InitiateReplicationNotPermitted"),
        ("ListBucket", "InitiateReplicationNotPermitted"),
    ],
)
def test_a_denied_action_fails_with_its_code(action: str, code: str, decision: str) -> None:
    (check,) = permissions(**{action: decision})
    assert (check.status, check.subject, check.failure_code) == (Status.FAILED, ROLE, code)
    assert f"s3:{action} on arn:aws:s3:::" in check.message
    assert "permissions boundary" in check.message


def test_a_role_that_may_not_delete_passes_where_no_rule_replicates_deletions() -> None:
    answers = {request: "explicitDeny" if request[0] == "s3:ReplicateDelete" else "allowed" for request in REQUESTS}
    simulated = {ROLE: answers}
    assert the(look(simulated=simulated), "role_permissions").status is Status.PASSED
    check = the(look(pair=a_pair(rules=DELETING), simulated=simulated), "role_permissions")
    assert (check.status, check.failure_code) == (Status.FAILED, "DstDelObjNotPermitted")


def test_owner_override_has_its_code() -> None:
    pair = a_pair(rules=(Rule("r", owner_override=True),))
    (only,) = simulations_of(pair, accounts=ABROAD)
    answers = dict.fromkeys(only.requests, "allowed")
    answers["s3:ObjectOwnerOverrideToBucketOwner", "arn:aws:s3:::example-orders-dr/object"] = "implicitDeny"
    check = the(look(pair=pair, accounts=ABROAD, simulated={ROLE: answers}), "role_permissions")
    assert check.failure_code == "DstPutAclNotPermitted"


def test_several_denied_actions_are_one_check_with_the_code_that_every_object_gets() -> None:
    (check,) = permissions(
        ReplicateTags="implicitDeny", ReplicateObject="implicitDeny", GetObjectRetention="explicitDeny"
    )
    assert check.failure_code == "DstPutObjectNotPermitted"
    assert check.message.count("s3:") == 6  # three actions, each on one ARN


def test_without_annotations_objects_replicate_all_the_same() -> None:
    (check,) = permissions(GetObjectVersionAnnotationForReplication="implicitDeny")
    assert (check.status, check.failure_code) == (Status.WARNING, "SrcGetObjectAnnotationNotPermitted")
    assert "annotations: false" in check.message


def test_what_hangs_on_conditions_is_a_warning_and_hides_no_failure() -> None:
    (check,) = permissions(ReplicateObject="undecided: aws:SourceIp, aws:x")
    assert check.status is Status.WARNING
    assert "hangs on aws:SourceIp, aws:x, which" in check.message
    both = permissions(ReplicateObject="undecided: aws:SourceIp", ReplicateDelete="explicitDeny")
    assert [check.status for check in both] == [Status.FAILED, Status.WARNING]


@pytest.mark.parametrize("answer", ["", "perhaps"])
def test_an_action_without_an_answer_is_unknown(answer: str) -> None:
    (check,) = permissions(ReplicateObject=answer)
    assert check.status is Status.UNKNOWN


def test_where_nobody_may_simulate_it_is_unknown() -> None:
    check = the(look(simulated={ROLE: {UNSEEN: "iam:SimulatePrincipalPolicy is missing"}}), "role_permissions")
    assert check.status is Status.UNKNOWN
    assert "iam:SimulatePrincipalPolicy is missing" in check.message


# --- policies of buckets -------------------------------------------------------------------------------------

OBJECTS = "arn:aws:s3:::example-orders-dr/*"


def deny(**changes: Any) -> dict[str, Any]:
    """A statement that denies everybody everything in the DR bucket, with changes; None takes a field out."""
    statement = {"Sid": "Fence", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": OBJECTS, **changes}
    return {field: value for field, value in statement.items() if value is not None}


def judged(*statements: Any, end: End = DR, pair: Pair | None = None) -> list[Check]:
    """The checks of the policy of a bucket that has these statements."""
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    return of(look({bucket_at("bucket_policy", end): policy}, pair), "bucket_policy", end.bucket)


def statuses(*statements: Any, **more: Any) -> list[Status]:
    """How they end."""
    return [check.status for check in judged(*statements, **more)]


def test_an_unconditional_denial_fails() -> None:
    (check,) = judged(deny(), pair=a_pair(rules=DELETING))
    assert (check.status, check.failure_code) == (Status.FAILED, "DstPutObjectNotPermitted")
    assert "Statement 'Fence'" in check.message
    assert "s3:ReplicateDelete, s3:ReplicateObject, s3:ReplicateTags" in check.message
    assert f'"ArnNotLike": {{"aws:PrincipalArn": "{ROLE}"}}' in check.message
    (check,) = judged(deny(Resource=["arn:aws:s3:::example-orders", "arn:aws:s3:::example-orders/*"]), end=PRIMARY)
    assert (check.status, check.failure_code) == (Status.FAILED, "SrcGetObjectNotPermitted")
    assert "s3:GetReplicationConfiguration" in check.message


def test_each_statement_that_denies_is_a_check_and_one_without_sid_has_its_number() -> None:
    statements = (deny(), deny(Effect="Allow"), deny(Sid=None, Action="s3:ReplicateDelete"))
    checks = judged(*statements, pair=a_pair(rules=DELETING))
    assert [check.failure_code for check in checks] == ["DstPutObjectNotPermitted", "DstDelObjNotPermitted"]
    assert checks[1].message.startswith("Statement 3 in the policy of bucket 'example-orders-dr'")


def test_a_denial_of_deletions_is_no_finding_where_no_rule_replicates_them() -> None:
    protection = deny(Action=["s3:ReplicateDelete", "s3:DeleteObject*"])
    assert statuses(protection) == [Status.PASSED]
    (check,) = judged(protection, pair=a_pair(rules=DELETING))
    assert (check.status, check.failure_code) == (Status.FAILED, "DstDelObjNotPermitted")
    (check,) = judged(deny(Action="s3:*"))
    assert (check.status, check.failure_code) == (Status.FAILED, "DstPutObjectNotPermitted")
    assert "s3:ReplicateObject, s3:ReplicateTags" in check.message
    assert "s3:ReplicateDelete" not in check.message


@pytest.mark.parametrize(("there", "back"), [(True, False), (False, True)])
def test_a_denial_of_deletions_is_a_finding_only_in_the_direction_that_replicates_them(there: bool, back: bool) -> None:
    pair = two_way(rules=(Rule("r", delete_markers=there, reverse_delete_markers=back),))
    for end, deletes in ((DR, there), (PRIMARY, back)):
        protection = deny(Action="s3:ReplicateDelete", Resource=f"arn:aws:s3:::{end.bucket}/*")
        failed = [check for check in judged(protection, end=end, pair=pair) if check.status is Status.FAILED]
        assert [check.failure_code for check in failed] == (["DstDelObjNotPermitted"] if deletes else [])


def test_a_denial_of_annotations_alone_is_a_warning() -> None:
    action = "s3:GetObjectVersionAnnotationForReplication"
    (check,) = judged(deny(Resource="arn:aws:s3:::example-orders/*", Action=action), end=PRIMARY)
    assert (check.status, check.failure_code) == (Status.WARNING, "SrcGetObjectAnnotationNotPermitted")


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": ["arn:aws:iam::999999999999:root", "111122223333"]},
        {"AWS": "arn:aws:iam::111122223333:root"},
        {"AWS": ROLE},
        {"Service": "x.amazonaws.com", "AWS": [ROLE]},
    ],
)
def test_a_principal_that_takes_the_role_in(principal: Any) -> None:
    assert statuses(deny(Principal=principal)) == [Status.FAILED]


@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": "arn:aws:iam::999999999999:root"},
        {"AWS": "999999999999"},
        {"AWS": ROLE + "-other"},
        {"AWS": "arn:aws-cn:iam::111122223333:root"},
        {"Service": "*"},
        {"Federated": "x"},
        {},
        [],
        None,
    ],
)
def test_a_principal_that_leaves_the_role_out(principal: Any) -> None:
    assert statuses(deny(Principal=principal)) == [Status.PASSED]


def test_not_principal_takes_in_all_but_those_it_names() -> None:
    others = {"AWS": "arn:aws:iam::111122223333:user/me"}
    assert statuses(deny(Principal=None, NotPrincipal=others)) == [Status.FAILED]
    assert statuses(deny(Principal=None, NotPrincipal="*")) == [Status.PASSED]
    (check,) = judged(deny(Principal=None, NotPrincipal={"AWS": [ROLE, "111122223333"]}))
    assert check.status is Status.WARNING
    assert "depends on NotPrincipal" in check.message


@pytest.mark.parametrize(
    "action", ["*", "s3:*", "S3:replicate*", "s3:ReplicateObjec?", ["s3:GetObject", "s3:ReplicateDelete"]]
)
def test_an_action_that_replication_needs(action: Any) -> None:
    assert statuses(deny(Action=action), pair=a_pair(rules=DELETING)) == [Status.FAILED]


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:Get*", "s3:ReplicateObjec", "s3:ReplicateObject?", [], "ec2:*"])
def test_an_action_that_replication_does_not_need(action: Any) -> None:
    assert statuses(deny(Action=action)) == [Status.PASSED]


def test_not_action_takes_in_all_but_those_it_names() -> None:
    assert statuses(deny(Action=None, NotAction="s3:GetObject")) == [Status.FAILED]
    assert statuses(deny(Action=None, NotAction=["s3:Replicate*", "s3:GetObject"])) == [Status.PASSED]
    assert statuses(deny(Action=None)) == [Status.PASSED]


@pytest.mark.parametrize(
    "resource",
    [
        "*",
        OBJECTS,
        "arn:aws:s3:::*",
        "arn:aws:s3:::example-orders*",
        "arn:aws:s3:::example-orders-d?/*",
        ["arn:aws:s3:::other/*", OBJECTS],
        ["arn:aws:s3:::example-orders-dr/secret/*", OBJECTS],
    ],
)
def test_a_resource_with_all_objects_that_are_replicated(resource: Any) -> None:
    (check,) = judged(deny(Resource=resource))
    assert (check.status, check.failure_code) == (Status.FAILED, "DstPutObjectNotPermitted")


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:s3:::example-orders-dr/secret/*",
        "arn:aws:s3:::example-orders-dr/secret",
        "arn:aws:s3:::example-orders-d?/x",
        "arn:aws:s3:::example-orders-d?/x*",
        "arn:aws:s3:::example-orders-dr/*.tmp",
        "*/quarantine/*",
        ["arn:aws:s3:::other/*", "arn:aws:s3:::example-orders-dr/a/*", "arn:aws:s3:::example-orders-dr/b/*"],
        ["arn:aws:s3:::example-orders-dr", "arn:aws:s3:::example-orders-dr/secret/*"],  # nothing is needed of the first
    ],
)
def test_a_resource_with_a_part_of_the_objects_that_are_replicated_is_a_warning(resource: Any) -> None:
    (check,) = judged(deny(Resource=resource))
    assert (check.status, check.failure_code) == (Status.WARNING, None)
    assert "Statement 'Fence'" in check.message
    assert "depends on Resource, which names a part of the objects" in check.message
    assert "s3:ReplicateObject, s3:ReplicateTags" in check.message


def test_a_part_of_the_objects_excuses_no_denial_on_the_bucket_itself() -> None:
    part = "arn:aws:s3:::example-orders/secret/*"
    assert statuses(deny(Resource=part), end=PRIMARY) == [Status.WARNING]
    (check,) = judged(deny(Resource=["arn:aws:s3:::example-orders", part]), end=PRIMARY)
    assert check.status is Status.FAILED
    assert "s3:ListBucket" in check.message
    objects_only = deny(Resource=["arn:aws:s3:::example-orders", part], Action="s3:GetObjectVersion*")
    assert statuses(objects_only, end=PRIMARY) == [Status.WARNING]


def test_all_objects_of_one_rule_are_not_a_part() -> None:
    pair = a_pair(rules=(Rule("a", 1, "a/"), Rule("b", 2, "b/")))
    assert statuses(deny(Resource="arn:aws:s3:::example-orders-dr/a/*"), pair=pair) == [Status.FAILED]
    assert statuses(deny(Resource="arn:aws:s3:::example-orders-dr/a/x/*"), pair=pair) == [Status.WARNING]


@pytest.mark.parametrize(
    "resource", ["arn:aws:s3:::example-orders-dr", "arn:aws:s3:::example-orders/*", "arn:aws:s3:::x", [], None, ""]
)
def test_a_resource_with_no_object_that_is_replicated(resource: Any) -> None:
    assert statuses(deny(Resource=resource)) == [Status.PASSED]


def test_only_the_prefixes_of_the_rules_count() -> None:
    pair = a_pair(rules=(Rule("r", prefix="a/"),))
    for resource, status in [
        ("arn:aws:s3:::example-orders-dr/b/*", Status.PASSED),
        ("arn:aws:s3:::example-orders-dr/a", Status.PASSED),
        ("arn:aws:s3:::example-orders-dr/a/*", Status.FAILED),
        ("arn:aws:s3:::example-orders-dr/a*", Status.FAILED),
        ("arn:aws:s3:::example-orders-dr/?/*", Status.FAILED),
        ("arn:aws:s3:::example-orders-dr/a/b/*", Status.WARNING),
        ("arn:aws:s3:::example-orders-dr/*/b", Status.WARNING),
        ("arn:aws:s3:::example-orders-dr/a/", Status.WARNING),
    ]:
        assert statuses(deny(Resource=resource), pair=pair) == [status]


def test_not_resource_takes_in_all_but_those_it_names() -> None:
    pair = a_pair(rules=(Rule("r", prefix="a/"),))
    for resource, status in [
        ("arn:aws:s3:::example-orders-dr/a/*", Status.PASSED),
        ("arn:aws:s3:::example-orders-dr/*", Status.PASSED),
        ("*", Status.PASSED),
        ("arn:aws:s3:::example-orders-dr/a/b/*", Status.FAILED),
        ("arn:aws:s3:::example-orders-dr/a/", Status.FAILED),
        ("arn:aws:s3:::example-orders-dr/b/*", Status.FAILED),
    ]:
        assert statuses(deny(Resource=None, NotResource=resource), pair=pair) == [status]
    bucket = deny(Resource=None, NotResource="arn:aws:s3:::example-orders*", Action="s3:ListBucket")
    assert statuses(bucket, end=PRIMARY) == [Status.PASSED]
    bucket["NotResource"] = "arn:aws:s3:::example-orders"
    assert statuses(bucket, end=PRIMARY) == [Status.PASSED]
    bucket["NotResource"] = "arn:aws:s3:::example-orders/*"
    assert statuses(bucket, end=PRIMARY) == [Status.FAILED]


def test_a_policy_variable_in_a_resource_leaves_it_open() -> None:
    (check,) = judged(deny(Resource="arn:aws:s3:::example-orders-dr/${aws:username}/*"))
    assert check.status is Status.WARNING
    assert "policy variable" in check.message
    assert statuses(deny(Resource="arn:aws:s3:::other/${aws:username}/*")) == [Status.PASSED]
    (check,) = judged(deny(Resource=None, NotResource="arn:aws:s3:::example-orders-dr/${aws:username}"))
    assert check.status is Status.WARNING
    for bucket, status in (("example-${aws:username}ers", Status.WARNING), ("example-${aws:username}x", Status.PASSED)):
        assert statuses(deny(Action="s3:ListBucket", Resource=f"arn:aws:s3:::{bucket}"), end=PRIMARY) == [status]


def conditional(operator: str, key: str, value: Any, **changes: Any) -> dict[str, Any]:
    """A denial on one condition."""
    return deny(Condition={operator: {key: value}}, **changes)


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("Bool", "aws:SecureTransport", "false"),
        ("BoolIfExists", "aws:SecureTransport", False),
        ("NumericLessThan", "s3:TlsVersion", 1.2),
        ("ArnNotLike", "aws:PrincipalArn", ROLE),
        ("ArnNotLike", "aws:principalarn", ["arn:aws:iam::*:role/x", "arn:aws:iam::*:role/s3-dr-*"]),
        ("ArnNotEquals", "aws:PrincipalArn", "arn:aws:iam::1111*:role/s3-dr-*"),
        ("ArnNotLikeIfExists", "aws:PrincipalArn", ROLE),
        ("StringNotLike", "aws:PrincipalArn", "*:role/s3-dr-*"),
        ("StringNotEquals", "aws:PrincipalArn", [ROLE]),
        ("StringNotEqualsIgnoreCase", "aws:PrincipalArn", ROLE.upper()),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/somebody"),
        ("StringEquals", "aws:PrincipalArn", ROLE + "x"),
        ("StringNotEquals", "aws:PrincipalAccount", ["111122223333", "444455556666"]),
        ("StringEquals", "aws:SourceVpce", "vpce-1"),
        ("Null", "aws:SourceVpce", "false"),
        ("Null", "aws:PrincipalArn", "true"),
        ("Bool", "aws:PrincipalIsAWSService", "true"),
        ("Bool", "aws:ViaAWSService", "true"),
    ],
)
def test_a_condition_that_never_holds_for_s3_as_the_role(operator: str, key: str, value: Any) -> None:
    assert statuses(conditional(operator, key, value)) == [Status.PASSED]


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringNotEquals", "aws:SourceVpce", "vpce-1"),
        ("StringNotEqualsIfExists", "aws:sourceVpce", "vpce-1"),
        ("StringEqualsIfExists", "aws:SourceVpce", "vpce-1"),
        ("StringNotLike", "aws:SourceVpc", ["vpc-1", "vpc-2"]),
        ("NotIpAddress", "aws:SourceIp", "203.0.113.0/24"),
        ("NotIpAddressIfExists", "aws:SourceIp", "203.0.113.0/24"),
        ("NotIpAddress", "aws:VpcSourceIp", "10.0.0.0/8"),
        ("Null", "aws:SourceVpc", "true"),
    ],
)
def test_a_denial_of_all_that_comes_from_elsewhere_fails_with_the_way_out(operator: str, key: str, value: Any) -> None:
    (check,) = judged(conditional(operator, key, value))
    assert (check.status, check.failure_code) == (Status.FAILED, "DstPutObjectNotPermitted")
    assert f"where {key} says" in check.message
    assert "never through a VPC endpoint" in check.message
    assert "ArnNotLike" in check.message


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/somebody"),
        ("ArnNotEquals", "aws:PrincipalArn", "arn:aws:iam::*:role/*/s3-dr-*"),
        ("StringNotEquals", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/s3-dr-*"),
        ("StringNotEquals", "aws:PrincipalArn", ROLE.upper()),
        ("ArnLike", "aws:PrincipalArn", ROLE),
        ("StringNotEquals", "aws:PrincipalAccount", "999999999999"),
        ("Bool", "aws:SecureTransport", "true"),
        ("Null", "aws:PrincipalArn", "false"),
    ],
)
def test_a_condition_that_always_holds_for_s3_as_the_role_fails(operator: str, key: str, value: Any) -> None:
    (check,) = judged(conditional(operator, key, value))
    assert check.status is Status.FAILED
    assert "VPC endpoint" not in check.message


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringNotEquals", "aws:PrincipalOrgID", "o-1"),
        ("IpAddress", "aws:SourceIp", "203.0.113.0/24"),
        ("StringNotEquals", "s3:x-amz-server-side-encryption", "aws:kms"),
        ("NumericGreaterThan", "s3:TlsVersion", "1.2"),
        ("NumericLessThan", "aws:PrincipalArn", "1"),
        ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/${aws:PrincipalTag/x}"),
        ("ForAnyValue:StringNotEquals", "aws:SourceVpce", "vpce-1"),
        ("DateGreaterThan", "aws:CurrentTime", "2030-01-01T00:00:00Z"),
    ],
)
def test_a_condition_of_which_nobody_knows_is_a_warning(operator: str, key: str, value: Any) -> None:
    (check,) = judged(conditional(operator, key, value))
    assert (check.status, check.failure_code) == (Status.WARNING, None)
    assert "Statement 'Fence'" in check.message
    assert f"depends on {key}" in check.message


def test_all_conditions_of_a_statement_must_hold() -> None:
    twice = {"ArnNotLike": {"aws:PrincipalArn": ROLE}, "StringNotLike": {"aws:PrincipalArn": "*:role/other"}}
    assert statuses(deny(Condition=twice)) == [Status.PASSED]
    fence = {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}
    exempt = deny(Condition={**fence, "ArnNotLike": {"aws:PrincipalArn": ROLE}})
    assert statuses(exempt) == [Status.PASSED]
    services = {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"}
    perimeter = deny(Condition={**fence, "BoolIfExists": services})
    assert statuses(perimeter) == [Status.FAILED]
    (check,) = judged(deny(Condition={"StringNotEquals": {"aws:SourceVpce": "v", "aws:PrincipalOrgID": "o-1"}}))
    assert check.status is Status.WARNING
    assert "depends on aws:PrincipalOrgID" in check.message


def test_a_pattern_with_many_stars_takes_no_time() -> None:
    assert statuses(deny(Resource="*a" * 200 + "b")) == [Status.WARNING]
    assert statuses(deny(Resource="*?" * 20 + "*" * 200)) == [Status.FAILED]
    assert statuses(deny(Action="s3:" + "*e" * 200)) == [Status.PASSED]


def test_the_policy_of_a_bucket_that_is_made_is_empty() -> None:
    new: dict[Address, Document | None] = {
        bucket_at("bucket", DR): None,
        bucket_at("bucket_policy", DR): {UNSEEN: "there is no bucket"},
    }
    assert the(look(new), "bucket_policy", DR.bucket).status is Status.PASSED


SIMPLE = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "*", "Deny", "s3:*", ROLE, OBJECTS, "${x}"])
SHAPES = st.recursive(
    SIMPLE,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["AWS", "Service", "Bool", "StringNotEquals", "aws:SourceIp"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
FIELDS = ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
STATEMENTS = st.dictionaries(st.sampled_from(FIELDS), SHAPES).map(lambda changes: {**deny(), **changes})


@given(st.lists(STATEMENTS | SHAPES, max_size=3) | STATEMENTS | SHAPES)
def test_no_shape_of_a_policy_is_too_odd(statement: Any) -> None:
    checks = of(look({bucket_at("bucket_policy", DR): {"Statement": statement}}), "bucket_policy", DR.bucket)
    assert checks
    assert {check.status for check in checks} <= set(Status)


@given(st.lists(STATEMENTS, max_size=3), STATEMENTS)
def test_what_is_allowed_changes_no_verdict(statements: list[Document], more: Document) -> None:
    assert judged(*statements, {**more, "Effect": "Allow"}) == judged(*statements)


@given(
    st.lists(STATEMENTS, max_size=3),
    STATEMENTS,
    st.sampled_from(
        [
            {"Principal": {"AWS": "arn:aws:iam::999999999999:root"}},
            {"Action": "s3:PutObject"},
            {"Resource": "arn:aws:s3:::example-orders-dr"},
            {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            {"Condition": {"ArnNotLike": {"aws:PrincipalArn": ROLE}}},
        ]
    ),
)
def test_a_denial_that_misses_the_role_never_matters(
    statements: list[Document], more: Document, elsewhere: Document
) -> None:
    assert judged(*statements, {**more, "Effect": "Deny", **elsewhere}) == judged(*statements)


# --- a destination in another account ------------------------------------------------------------------------


def test_a_healthy_destination_in_another_account_passes_two_more_checks() -> None:
    checks = look(accounts=ABROAD)
    assert [check.name for check in checks if check.name in ("payer", "ownership")] == ["payer", "ownership"]
    assert findings(checks) == []


@pytest.mark.parametrize("pair", [a_pair(), two_way()], ids=["one_way", "two_way"])
def test_when_nothing_changes_nobody_looks_at_who_owns_and_pays(pair: Pair) -> None:
    unread = set(facts_of_a_change(pair, ABROAD))
    observed = {at: document for at, document in world(pair, ABROAD).items() if at not in unread}
    without = preflight(pair, ABROAD, observed, pair_wish(pair, ABROAD, observed), {})
    beside = [check for check in look(pair=pair, accounts=ABROAD) if check.name not in ("payer", "ownership")]
    assert without == beside
    assert findings(without) == []


def test_replicas_go_to_no_requester_pays_bucket_of_another_account() -> None:
    check = the(look({bucket_at("bucket_payer", DR, THEIRS): {"Payer": "Requester"}}, accounts=ABROAD), "payer")
    assert (check.status, check.failure_code) == (Status.FAILED, None)
    assert "BucketOwner" in check.message
    assert the(look({bucket_at("bucket_payer", DR, THEIRS): None}, accounts=ABROAD), "payer").status is Status.PASSED


@pytest.mark.parametrize("ownership", ["ObjectWriter", "BucketOwnerPreferred", None])
def test_replicas_that_would_belong_to_the_sources_account_are_a_warning(ownership: str | None) -> None:
    document = {"Rules": [{"ObjectOwnership": ownership}]} if ownership else None
    changes = {bucket_at("bucket_ownership", DR, THEIRS): document}
    check = the(look(changes, accounts=ABROAD), "ownership")
    assert check.status is Status.WARNING
    assert "`owner_override: true`" in check.message
    overriding = a_pair(rules=(Rule("r", owner_override=True),))
    assert the(look(changes, overriding, ABROAD), "ownership").status is Status.PASSED
    in_part = a_pair(rules=(Rule("r", owner_override=True), Rule("s", 2)))
    assert the(look(changes, in_part, ABROAD), "ownership").status is Status.WARNING


@pytest.mark.parametrize("kind", ["bucket_payer", "bucket_ownership"])
def test_what_may_not_be_read_of_another_accounts_bucket_is_unknown(kind: str) -> None:
    checks = look({bucket_at(kind, DR, THEIRS): {UNSEEN: "denied"}}, accounts=ABROAD)
    assert the(checks, kind.removeprefix("bucket_")).status is Status.UNKNOWN


def test_a_bucket_that_is_made_in_another_account_has_the_defaults() -> None:
    new: dict[Address, Document | None] = {
        bucket_at(kind, DR, THEIRS): None for kind in ("bucket", "bucket_ownership", "bucket_payer")
    }
    checks = look(new, accounts=ABROAD)
    assert [check for check in checks if check.name in ("payer", "ownership")] == []


def test_the_accounts_of_other_partitions_have_their_own_arns() -> None:
    account = Account("111122223333", "aws-us-gov")
    ends = {"primary": End("example-orders", "us-gov-west-1"), "dr": End("example-orders-dr", "us-gov-east-1")}
    pair = a_pair(**ends)
    at = Address("bucket_policy", DR.bucket, "us-gov-east-1", account.id)
    accounts = one_account(account, *pair.ends())
    for partition, status in (("aws-us-gov", Status.FAILED), ("aws", Status.PASSED)):
        policy = {"Statement": deny(Resource=f"arn:{partition}:s3:::example-orders-dr/*")}
        assert the(look({at: policy}, pair, accounts), "bucket_policy", DR.bucket).status is status


def test_the_regions_of_the_examples_are_those_of_the_keys() -> None:
    assert (SOURCE_KEY.split(":")[3], REPLICA_KEY.split(":")[3]) == (EAST, WEST)
