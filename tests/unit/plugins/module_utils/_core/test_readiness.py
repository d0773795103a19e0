# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What replication never copies is compared by meaning: names of the buckets, order and IDs make no difference."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Area, Check, Status
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.fence import fence
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    UNSEEN,
    Accounts,
    Address,
    Document,
    End,
    Pair,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.readiness import (
    readiness_addresses,
    readiness_checks,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    bucket_address,
    key_address,
    pair_addresses,
    pair_wish,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    ARCHIVE,
    DR,
    KEYS,
    OTHER,
    PRIMARY,
    TWO_ACCOUNTS,
    a_pair,
    everything,
    two_way,
)
from ansible_collections.crossregion.s3_dr.tests.unit.strategies import dice, shuffled

DENIED: Document = {UNSEEN: "these credentials may not read it: s3:GetSomething is missing"}
SETTINGS = {
    "bucket policy": "bucket_policy",
    "lifecycle": "bucket_lifecycle",
    "cors": "bucket_cors",
    "notifications": "bucket_notification",
    "default encryption": "bucket_encryption",
    "object lock": "bucket_object_lock",
    "tags": "bucket_tags",
}
"""The name of each check, and the kind of document that it looks at."""
KIND_NAMES = {kind: name for name, kind in SETTINGS.items()}


def world(
    kind: str, here: Document | None, there: Document | None, pair: Pair | None = None, accounts: Accounts = ACCOUNTS
) -> dict[Address, Document | None]:
    """Two buckets without any settings but one."""
    pair = pair or a_pair()
    found: dict[Address, Document | None] = dict.fromkeys(
        [*pair_addresses(pair, accounts), *readiness_addresses(pair, accounts)]
    )
    found[bucket_address(pair.primary, accounts, kind)] = here
    found[bucket_address(pair.dr, accounts, kind)] = there
    return found


def compared(
    kind: str, here: Document | None, there: Document | None, pair: Pair | None = None, accounts: Accounts = ACCOUNTS
) -> Check:
    """The check of one setting; those of the others have passed."""
    found = readiness_checks(pair or a_pair(), accounts, world(kind, here, there, pair, accounts))
    assert all(check.area is Area.READINESS for check in found)
    assert all(
        check.status is Status.PASSED for check in found if check.name not in (KIND_NAMES[kind], "destination key")
    )
    return next(check for check in found if check.name == KIND_NAMES[kind])


def same(kind: str, here: Document | None, there: Document | None, **rest: Any) -> bool:
    """Whether the buckets pass as alike."""
    return compared(kind, here, there, **rest).status is Status.PASSED


# --- each setting --------------------------------------------------------------------------------------------

ALIKE: dict[str, Document] = {
    "bucket_policy": {
        "Statement": [
            {
                "Sid": "Tls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": ["arn:aws:s3:::{bucket}", "arn:aws:s3:::{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            {
                "Sid": "App",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::{account}:role/app"},
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": "arn:aws:s3:::{bucket}/*",
            },
        ]
    },
    "bucket_lifecycle": {
        "Rules": [
            {"ID": "tmp", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 30}},
            {
                "ID": "old",
                "Status": "Enabled",
                "Filter": {"And": {"Prefix": "o/", "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}]}},
                "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
                "NoncurrentVersionExpiration": {"NoncurrentDays": 7, "NewerNoncurrentVersions": 3},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            },
        ]
    },
    "bucket_cors": {
        "CORSRules": [
            {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://a", "https://b"], "MaxAgeSeconds": 60},
            {"ID": "x", "AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "AllowedHeaders": ["X-A", "x-b"]},
        ]
    },
    "bucket_notification": {
        "TopicConfigurations": [
            {
                "Id": "t",
                "TopicArn": "arn:aws:sns:{region}:{account}:new-objects",
                "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
                "Filter": {
                    "Key": {"FilterRules": [{"Name": "Prefix", "Value": "a/"}, {"Name": "Suffix", "Value": "x"}]}
                },
            }
        ],
        "QueueConfigurations": [{"QueueArn": "arn:aws:sqs:{region}:{account}:{bucket}-queue", "Events": ["s3:*"]}],
        "LambdaFunctionConfigurations": [
            {"LambdaFunctionArn": "arn:aws:lambda:{region}:{account}:function:f-{region}", "Events": ["s3:*"]}
        ],
        "EventBridgeConfiguration": {},
    },
    "bucket_encryption": {
        "Rules": [
            {
                "ApplyServerSideEncryptionByDefault": {
                    "SSEAlgorithm": "aws:kms",
                    "KMSMasterKeyID": "arn:aws:kms:{region}:{account}:key/of-{bucket}",
                },
                "BucketKeyEnabled": True,
                "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
            }
        ]
    },
    "bucket_object_lock": {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}},
    },
    "bucket_tags": {"Tags": {"team": "red", "bucket": "{bucket}", "region": "{region}", "owner": "{account}"}},
}
"""A document of each kind, with places for what differs between two buckets that are set up alike."""

every_kind = pytest.mark.parametrize("kind", ALIKE)


def of(template: Any, end: End, accounts: Accounts) -> Any:
    """The document as a bucket has it."""
    text = json.dumps(template)
    for name, value in (("bucket", end.bucket), ("region", end.region), ("account", accounts[end.bucket].id)):
        text = text.replace(f"{{{name}}}", value)
    return json.loads(text)


def test_these_are_all_settings() -> None:
    found = readiness_checks(a_pair(), ACCOUNTS, world("bucket_tags", None, None))
    assert [check.name for check in found] == list(SETTINGS)
    assert set(ALIKE) == set(SETTINGS.values())


@every_kind
def test_buckets_without_a_setting_are_alike(kind: str) -> None:
    assert same(kind, None, None)


@every_kind
def test_a_setting_that_only_one_bucket_has_differs(kind: str) -> None:
    here, there = (of(ALIKE[kind], end, ACCOUNTS) for end in (PRIMARY, DR))
    for check, named in ((compared(kind, here, None), PRIMARY), (compared(kind, None, there), DR)):
        assert check.status is Status.AT_RISK
        assert f"only '{named.bucket}' has " in check.message
        assert check.subject == "example-orders -> example-orders-dr"


NAMES = (
    ("example-orders", "example-orders-dr"),
    ("data", "backup"),
    ("orders-us-east-1", "orders-us-west-2"),
    ("a.b.c", "a.b"),
    ("prod-logs-111122223333", "prod-logs-222233334444"),
)


@st.composite
def alike(draw: st.DrawFn, kind: str) -> tuple[Pair, Accounts, Document, Document]:
    """A pair whose buckets are set up alike, and what each holds, in any order."""
    names = draw(st.permutations(draw(st.sampled_from(NAMES))))
    regions = draw(st.permutations(["us-east-1", "us-west-2"]))
    primary, dr = (End(name, region) for name, region in zip(names, regions, strict=True))
    whose = {primary.bucket: ACCOUNT, dr.bucket: draw(st.sampled_from([ACCOUNT, OTHER]))}
    here = of(ALIKE[kind], primary, whose)
    there = shuffled(of(ALIKE[kind], dr, whose), draw(dice))
    return a_pair(primary=primary, dr=dr), whose, here, there


@every_kind
@given(data=st.data())
def test_a_bucket_that_is_set_up_alike_never_differs(data: st.DataObject, kind: str) -> None:
    pair, whose, here, there = data.draw(alike(kind))
    assert same(kind, here, there, pair=pair, accounts=whose), compared(kind, here, there, pair, whose).message


@every_kind
@given(data=st.data())
def test_the_very_same_settings_never_differ(data: st.DataObject, kind: str) -> None:
    """A policy may name the same role, and a tag the same bucket, at both ends."""
    pair, whose, here, _there = data.draw(alike(kind))
    other = here
    if kind == "bucket_encryption":  # a key of the other Region cannot be the same
        del here["Rules"][0]["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert same(kind, here, shuffled(other, data.draw(dice)), pair=pair, accounts=whose)


@every_kind
@given(data=st.data())
def test_a_difference_is_seen_from_both_ends(data: st.DataObject, kind: str) -> None:
    pair, whose, here, there = data.draw(alike(kind))
    less = _with_one_less(there, data.draw(st.integers(0, 3)))
    assert not same(kind, here, less, pair=pair, accounts=whose)
    assert not same(kind, less, here, pair=pair.reversed(), accounts=whose)


def _with_one_less(document: Document, number: int) -> Document:
    """The document without one of its parts."""
    if "EventBridgeConfiguration" in document:
        return {name: value for name, value in document.items() if name != sorted(document)[number]}
    if "Tags" in document:
        gone = sorted(document["Tags"])[number]
        return {"Tags": {key: value for key, value in document["Tags"].items() if key != gone}}
    if "ObjectLockEnabled" in document:
        return {"ObjectLockEnabled": "Enabled"}
    (field,) = (name for name in document if name != "Version")
    if field == "Rules" and "BucketKeyEnabled" in document["Rules"][0]:
        parts = ("BucketKeyEnabled", "BlockedEncryptionTypes", "ApplyServerSideEncryptionByDefault")
        (rule,) = document["Rules"]
        return {"Rules": [{name: value for name, value in rule.items() if name != parts[number % 3]}]}
    entries = document[field]
    return {**document, field: [one for index, one in enumerate(entries) if index != number % len(entries)]}


# --- policies ------------------------------------------------------------------------------------------------


def allow(bucket: str, **changes: Any) -> Document:
    """A statement about a bucket's objects."""
    return {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:role/data-reader"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        **changes,
    }


def test_one_role_may_read_both_buckets_though_its_name_holds_the_buckets() -> None:
    pair = a_pair(primary=End("data", "us-east-1"), dr=End("backup", "us-west-2"))
    whose = {"data": ACCOUNT, "backup": OTHER}
    here, there = ({"Statement": [allow(bucket)]} for bucket in ("data", "backup"))
    assert same("bucket_policy", here, there, pair=pair, accounts=whose)


def test_a_sid_is_only_a_name_and_a_single_value_needs_no_list() -> None:
    here = {"Statement": allow("example-orders", Sid="One", Principal="*")}
    there = {
        "Statement": [allow("example-orders-dr", Sid="Two", Principal={"AWS": ["*"]}, Action=["S3:getobject"])],
        "Version": "2012-10-17",
    }
    assert same("bucket_policy", here, there)


def test_another_principal_differs_and_the_statement_is_named() -> None:
    here = {"Statement": [allow("example-orders", Sid="Readers")]}
    there = {"Statement": [allow("example-orders-dr", Sid="Readers", Principal="*")]}
    assert "the statement 'Readers' differs" in compared("bucket_policy", here, there).message


def test_a_statement_without_a_sid_is_named_by_what_it_does() -> None:
    here = {"Statement": [allow("example-orders")]}
    assert "has a statement Allow s3:GetObject." in compared("bucket_policy", here, None).message


def test_the_statements_that_this_collection_wrote_are_no_difference() -> None:
    """The policy of a destination in another account lets the role write replicas; that of the source needs none."""
    wish = pair_wish(a_pair(), TWO_ACCOUNTS, dict.fromkeys(pair_addresses(a_pair(), TWO_ACCOUNTS)))
    ours = wish[bucket_address(DR, TWO_ACCOUNTS, "bucket_policy")]
    assert ours["Statement"]
    assert same("bucket_policy", None, ours, accounts=TWO_ACCOUNTS)
    strange = {"Statement": [{**one, "Sid": f"{one['Sid']}Not"} for one in ours["Statement"]]}
    assert not same("bucket_policy", None, strange, accounts=TWO_ACCOUNTS)


def test_a_fence_is_no_difference() -> None:
    wish = fence(a_pair(), PRIMARY, ACCOUNTS, ())
    assert same("bucket_policy", wish[bucket_address(PRIMARY, ACCOUNTS, "bucket_policy")], None)


def test_only_the_first_few_differences_are_named() -> None:
    here = {"Tags": {f"t{number}": "x" for number in range(9)}}
    assert "the tag 't0', the tag 't1', the tag 't2' and 6 more." in compared("bucket_tags", here, None).message


# --- lifecycle, notifications, encryption, lock, tags --------------------------------------------------------


def rules(*found: Document) -> Document:
    """A lifecycle configuration of enabled rules."""
    return {"Rules": [{"Status": "Enabled", **rule} for rule in found]}


def test_an_expiration_that_differs_is_named_with_its_days() -> None:
    here = rules({"ID": "tmp", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 30}})
    there = rules({"ID": "tmp", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 365}})
    assert compared("bucket_lifecycle", here, there).message == (
        "'example-orders-dr' has another lifecycle than 'example-orders', which replication never copies: only "
        "'example-orders' has the rule 'tmp' (under 'tmp/': expires after 30 days); only 'example-orders-dr' has the "
        "rule 'tmp' (under 'tmp/': expires after 365 days). Give both buckets the same rules, else one of them keeps, "
        "moves or deletes what the other does not."
    )


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"Filter": {}, "Expiration": {"Date": "2026-01-01"}}, "(for the whole bucket: expires on 2026-01-01)"),
        (
            {"Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 1}},
            "(for the whole bucket by tags or",
        ),
        ({"Prefix": "x", "Expiration": {"ExpiredObjectDeleteMarker": True}}, "(under 'x': expired delete markers go)"),
        (
            {"Filter": {}, "Transitions": [{"Days": 9, "StorageClass": "GLACIER"}, {"Days": 0, "StorageClass": "X"}]},
            "moves after 9 days to GLACIER, moves after 0 days to X",
        ),
        (
            {"Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 7, "NewerNoncurrentVersions": 2}},
            "noncurrent versions expire after 7 days but the newest 2",
        ),
        (
            {"Filter": {"ObjectSizeGreaterThan": 5}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}},
            "by tags or size: uploads are aborted after 3 days",
        ),
    ],
)
def test_a_lifecycle_rule_in_words(rule: Document, words: str) -> None:
    assert words in compared("bucket_lifecycle", rules(rule), None).message


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (
            rules({"ID": "a", "Prefix": "x", "Expiration": {"Days": 1}}),
            rules({"Filter": {"Prefix": "x"}, "Expiration": {"Days": 1}}),
        ),
        (
            rules({"Filter": {"And": {"Prefix": "x"}}, "Expiration": {"Days": 1}}),
            rules({"Prefix": "x", "Expiration": {"Days": 1}}),
        ),
        (
            rules({"Filter": {}, "Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": False}}),
            rules({"Prefix": "", "Expiration": {"Days": 1}}),
        ),
        (rules({"Filter": {}, "Expiration": {"Days": 1}, "Status": "Disabled"}), None),
        ({"Rules": [], "TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}, None),
    ],
)
def test_lifecycles_that_mean_the_same(here: Document, there: Document | None) -> None:
    assert same("bucket_lifecycle", here, there)


def test_the_smallest_size_of_what_moves_is_compared() -> None:
    moving = rules({"Filter": {}, "Transitions": [{"Days": 9, "StorageClass": "GLACIER"}]})
    here = {**moving, "TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}
    assert same(
        "bucket_lifecycle", {**moving, "TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"}, moving
    )
    assert not same("bucket_lifecycle", here, moving)


def test_another_kind_of_target_differs() -> None:
    here = {"TopicConfigurations": [{"TopicArn": "arn:aws:sns:us-east-1:111122223333:new", "Events": ["s3:*"]}]}
    there = {"QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-west-2:111122223333:new", "Events": ["s3:*"]}]}
    message = compared("bucket_notification", here, there).message
    assert "has s3:* to the topic 'new'; only 'example-orders-dr' has s3:* to the queue 'new'" in message


def events(*rules: tuple[str, str], what: str = "s3:ObjectCreated:*") -> Document:
    """Notifications of a function."""
    arn = "arn:aws:lambda:us-east-1:111122223333:function:f"
    found = {"Key": {"FilterRules": [{"Name": name, "Value": value} for name, value in rules]}}
    return {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": [what], "Filter": found}]}


def test_the_notification_of_this_collection_is_no_difference() -> None:
    """It stands at the source only, and follows the direction of replication."""
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:111122223333:s3-dr-events", "Events": ["s3:Replication:*"]}
    ours = {"QueueConfigurations": [{"Id": "s3-dr/orders/replication", **queue}]}
    assert same("bucket_notification", ours, None)
    assert not same("bucket_notification", {"QueueConfigurations": [{"Id": "theirs", **queue}]}, None)


def test_notifications_are_the_same_by_what_they_select() -> None:
    assert same("bucket_notification", events(("Prefix", "a/")), events(("prefix", "a/")))
    assert not same("bucket_notification", events(("Prefix", "a/")), events(("Suffix", "a/")))
    assert not same("bucket_notification", events(("Prefix", "a/")), events())
    assert not same("bucket_notification", events(), events(what="s3:ObjectRemoved:*"))


def cors(**changes: Any) -> Document:
    """One CORS rule."""
    return {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a"], **changes}]}


def test_cors_rules_are_the_same_by_what_they_allow() -> None:
    assert same("bucket_cors", cors(ID="a", AllowedHeaders=["X-A"], ExposeHeaders=[]), cors(AllowedHeaders=["x-a"]))
    assert not same("bucket_cors", cors(), cors(AllowedOrigins=["https://A"]))
    assert not same("bucket_cors", cors(MaxAgeSeconds=1), cors(MaxAgeSeconds=2))


def encryption(algorithm: str = "aws:kms", key: str | None = None, **more: Any) -> Document:
    """A default encryption."""
    default = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key} if key else {})}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, **more}]}


KEY_HERE, KEY_THERE = KEYS[PRIMARY.bucket], KEYS[DR.bucket]


@pytest.mark.parametrize(
    ("here", "there", "words"),
    [
        (encryption("AES256"), encryption("AES256", BucketKeyEnabled=True), None),
        (encryption("AES256"), encryption("AES256", BlockedEncryptionTypes={"EncryptionType": ["NONE"]}), None),
        (encryption(key=KEY_HERE), encryption(key=KEY_THERE), None),
        (encryption(key="alias/mine"), encryption(key=KEY_THERE), None),
        (encryption(), encryption(key="arn:aws:kms:us-west-2:111122223333:alias/aws/s3"), None),
        (encryption(key=KEY_HERE), encryption(), "has the AWS managed key aws/s3"),
        (encryption(key=KEY_HERE), encryption("AES256"), "has the algorithm AES256"),
        (encryption(key=KEY_HERE, BucketKeyEnabled=True), encryption(key=KEY_THERE), "has an S3 Bucket Key"),
        (encryption(key=KEY_HERE), encryption(key=KEY_HERE), "which is not of its Region us-west-2"),
        (encryption(key=KEY_THERE), encryption(key=KEY_HERE), "which is not of its Region us-east-1"),
        (encryption("aws:kms:dsse", KEY_HERE), encryption(key=KEY_THERE), "the algorithm aws:kms:dsse"),
    ],
)
def test_default_encryption(here: Document, there: Document, words: str | None) -> None:
    check = compared("bucket_encryption", here, there)
    assert (check.status is Status.PASSED) is (words is None)
    assert (words or "the same") in check.message


def lock(**retention: Any) -> Document:
    """Object Lock with a default retention."""
    return {"ObjectLockEnabled": "Enabled", **({"Rule": {"DefaultRetention": retention}} if retention else {})}


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (None, "has Object Lock"),
        (lock(), "only 'example-orders' has the default retention GOVERNANCE for 30 days"),
        (lock(Mode="COMPLIANCE", Years=1), "has the default retention COMPLIANCE for 1 years"),
        (lock(Mode="COMPLIANCE", Days=30), "has the default retention COMPLIANCE for 30 days"),
        (lock(Mode="GOVERNANCE", Days=31), "has the default retention GOVERNANCE for 31 days"),
    ],
)
def test_a_default_retention_that_differs_is_named(there: Document | None, words: str) -> None:
    assert words in compared("bucket_object_lock", lock(Mode="GOVERNANCE", Days=30), there).message


def test_tags_of_aws_are_no_difference() -> None:
    assert same("bucket_tags", {"Tags": {"aws:cloudformation:stack-name": "x"}}, None)
    assert "the tag 'team' differs" in compared("bucket_tags", {"Tags": {"team": "r"}}, {"Tags": {"team": "b"}}).message


# --- what could not be looked at -----------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("side", [PRIMARY, DR], ids=["primary", "dr"])
def test_what_may_not_be_read_is_unknown_with_the_permission(kind: str, side: End) -> None:
    check = compared(kind, *((DENIED, None) if side is PRIMARY else (None, DENIED)))
    assert check.status is Status.UNKNOWN
    assert f"'{side.bucket}'" in check.message
    assert "s3:GetSomething is missing" in check.message


def test_what_was_not_read_is_unknown() -> None:
    assert {check.status for check in readiness_checks(a_pair(), ACCOUNTS, {})} == {Status.UNKNOWN}


def test_an_end_without_credentials_is_one_check_and_nothing_of_it_is_read() -> None:
    accounts = {**TWO_ACCOUNTS, DR.bucket: replace(OTHER, ours=False)}
    (check,) = readiness_checks(a_pair(), accounts, {})
    assert check.status is Status.UNKNOWN
    assert f"'{DR.bucket}' belongs to account {OTHER.id}" in check.message
    assert {address.name for address in readiness_addresses(a_pair(), accounts)} == {PRIMARY.bucket}


# --- keys ----------------------------------------------------------------------------------------------------

PRIMARY_WITH_KEY, DR_WITH_KEY = (replace(end, kms_key_arn=KEYS[end.bucket]) for end in (PRIMARY, DR))
USABLE: Document = {"KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT"}


def key_check(document: Document | None) -> Check:
    """The check of the DR bucket's key."""
    pair = a_pair(primary=PRIMARY_WITH_KEY, dr=DR_WITH_KEY)
    found = {**world("bucket_tags", None, None, pair), key_address(KEYS[DR.bucket]): document}
    (check,) = [one for one in readiness_checks(pair, ACCOUNTS, found) if one.name == "destination key"]
    assert check.subject == KEYS[DR.bucket]
    return check


@pytest.mark.parametrize("state", ["Enabled", "Updating"])
def test_a_key_that_can_be_used_passes(state: str) -> None:
    assert key_check({**USABLE, "KeyState": state}).status is Status.PASSED


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, "does not exist"),
        ({**USABLE, "KeyState": "Disabled"}, "is disabled"),
        ({**USABLE, "KeyState": "PendingDeletion"}, "is going to be deleted"),
        ({**USABLE, "KeyState": "PendingImport"}, "is in the state PendingImport"),
        ({**USABLE, "KeyUsage": "SIGN_VERIFY"}, "is for SIGN_VERIFY"),
    ],
)
def test_a_key_that_cannot_be_used_is_a_risk(document: Document | None, words: str) -> None:
    check = key_check(document)
    assert check.status is Status.AT_RISK
    assert words in check.message


def test_a_key_that_may_not_be_looked_at_is_unknown() -> None:
    assert key_check(DENIED).status is Status.UNKNOWN


def keys_of(pair: Pair, accounts: Accounts = ACCOUNTS) -> set[str]:
    """The keys that are looked at."""
    return {address.name for address in readiness_addresses(pair, accounts) if address.kind == "kms_key"}


def test_the_keys_of_every_destination_are_looked_at_and_of_our_accounts_only() -> None:
    assert keys_of(a_pair(primary=PRIMARY_WITH_KEY, dr=DR_WITH_KEY)) == {KEYS[DR.bucket]}
    assert keys_of(two_way(primary=PRIMARY_WITH_KEY, dr=DR_WITH_KEY)) == {KEYS[DR.bucket], KEYS[PRIMARY.bucket]}
    archive = replace(ARCHIVE, kms_key_arn=KEYS[ARCHIVE.bucket])
    further = a_pair(primary=PRIMARY_WITH_KEY, rules=(Rule("r"), Rule("far", 2, destination=archive)))
    assert keys_of(further) == {KEYS[ARCHIVE.bucket]}
    elsewhere = replace(DR, kms_key_arn=f"arn:aws:kms:{DR.region}:{OTHER.id}:key/1")
    pair = a_pair(primary=PRIMARY_WITH_KEY, dr=elsewhere)
    assert keys_of(pair) == set()
    (check,) = [one for one in readiness_checks(pair, ACCOUNTS, {}) if one.name == "destination key"]
    assert check.status is Status.UNKNOWN


def test_each_setting_is_read_of_the_two_buckets_and_not_of_a_further_one() -> None:
    found = [address for address in readiness_addresses(everything(), TWO_ACCOUNTS) if address.kind != "kms_key"]
    assert {address.name for address in found} == {PRIMARY.bucket, DR.bucket}
    read = {address.kind for address in (*found, *pair_addresses(everything(), TWO_ACCOUNTS))}
    assert set(SETTINGS.values()) <= read
