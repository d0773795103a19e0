# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The trail: it records the pairs' writes and all management events, and only it may write its logs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import KINDS
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, Document, InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.trail import (
    RecordedPair,
    Trail,
    trail_removal_wish,
    trail_wish,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, LOGS, a_trail, address

ARN = "arn:aws:cloudtrail:us-east-1:111122223333:trail/s3-dr"
SELECTORS = address("trail_event_selectors", "s3-dr")
INVOICES = RecordedPair("invoices", ("example-invoices", "example-invoices-dr"))


def wished(kind: str, trail: Trail | None = None) -> Document:
    """The document of a kind that the trail wishes."""
    trail = trail or a_trail()
    return next(document for at, document in trail_wish(trail, ACCOUNT).items() if at.kind == kind)


def statement(sid: str, trail: Trail | None = None) -> Document:
    """A statement of the log bucket's policy."""
    return next(one for one in wished("bucket_policy", trail)["Statement"] if one["Sid"] == sid)


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
    write = statement("S3DrTrailWrite")
    assert write["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    assert write["Action"] == "s3:PutObject"
    assert write["Resource"] == "arn:aws:s3:::example-trail-logs/s3-dr/AWSLogs/111122223333/*"
    assert write["Condition"] == {
        "StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceArn": ARN},
    }
    check = statement("S3DrTrailAclCheck")
    assert (check["Action"], check["Resource"]) == ("s3:GetBucketAcl", "arn:aws:s3:::example-trail-logs")
    assert check["Condition"] == {"StringEquals": {"aws:SourceArn": ARN}}


def test_without_key_prefix_the_logs_stand_at_the_top() -> None:
    write = statement("S3DrTrailWrite", a_trail(key_prefix=""))
    assert write["Resource"] == "arn:aws:s3:::example-trail-logs/AWSLogs/111122223333/*"


def test_nobody_speaks_to_the_log_bucket_without_tls() -> None:
    tls = statement("S3DrTrailTlsOnly")
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


@pytest.mark.parametrize("number", [1, 100, 150, 250])
def test_a_trail_that_is_taken_stays_within_cloudtrails_limit_of_values(number: int) -> None:
    """500 values over all conditions of all selectors, not only the ARNs."""
    pairs = tuple(RecordedPair(f"p{n}", (f"bucket-{n}", f"bucket-{n}-dr")) for n in range(number))
    try:
        document = wished("trail_event_selectors", a_trail(pairs=pairs))
    except InvalidInput:
        return
    fields = [field for selector in document["AdvancedEventSelectors"] for field in selector["FieldSelectors"]]
    assert sum(len(values) for field in fields for key, values in field.items() if key != "Field") <= 500


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
