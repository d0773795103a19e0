# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The documents of the trail that records who wrote to the pairs' buckets, and of its log bucket.

Sources: CloudTrail User Guide, "Amazon S3 bucket policy for CloudTrail" and "Logging data events".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .kinds import MAX_SELECTOR_VALUES, is_ours, owner_tags, selector_values
from .model import Account, Address, Document, End, InvalidInput
from .plan import Observed
from .replication import bucket_address, bucket_deletion_wish, one_account
from .rules import bucket_arn

_TRAIL_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[A-Za-z0-9](?:[._-]?[A-Za-z0-9])+")
_MANAGEMENT_SELECTOR = "s3-dr management events"


@dataclass(frozen=True, slots=True)
class RecordedPair:
    """A pair whose buckets' writes are recorded."""

    name: str
    buckets: tuple[str, ...]

    @property
    def selector_name(self) -> str:
        """The name by which the pair's selector is known in a trail that several pairs share."""
        return f"s3-dr pair {self.name}"


@dataclass(frozen=True, slots=True)
class Trail:
    """A multi-Region trail at home in `log_bucket`'s Region, with the pairs whose data events it records.

    Raises:
        InvalidInput: the declaration cannot be right; nothing was asked of AWS.
    """

    name: str
    log_bucket: End
    key_prefix: str
    pairs: tuple[RecordedPair, ...]

    def __post_init__(self) -> None:
        if not (3 <= len(self.name) <= 128 and _TRAIL_NAME.fullmatch(self.name)):
            raise InvalidInput(
                f"trail '{self.name}': CloudTrail takes 3 to 128 letters, digits, '.', '_' and '-' as a name, "
                "beginning and ending with a letter or digit, and nothing like an IP address. Choose another `name`."
            )
        if self.key_prefix != self.key_prefix.strip("/") or len(self.key_prefix) > 200:
            raise InvalidInput(
                f"trail '{self.name}': the key prefix '{self.key_prefix[:80]}' must have at most 200 characters and "
                "no slash at either end, since CloudTrail adds one. Change `key_prefix`."
            )
        buckets = [bucket for pair in self.pairs for bucket in pair.buckets]
        if self.log_bucket.bucket in buckets:
            raise InvalidInput(
                f"trail '{self.name}': its log bucket '{self.log_bucket.bucket}' is an end of a pair, so each log "
                "file would be recorded in the next one. Name a bucket of its own as `log_bucket`."
            )
        self._check_pairs()
        values = selector_values([_management_selector(), *(_pair_selector(pair, "aws") for pair in self.pairs)])
        if values > MAX_SELECTOR_VALUES:
            raise InvalidInput(
                f"trail '{self.name}': the selectors for {len(buckets)} buckets hold {values} values, and CloudTrail "
                f"takes {MAX_SELECTOR_VALUES} a trail. Divide the pairs between two trails."
            )

    def _check_pairs(self) -> None:
        names = [pair.name for pair in self.pairs]
        for pair in self.pairs:
            if names.count(pair.name) > 1:
                raise InvalidInput(f"trail '{self.name}': pair '{pair.name}' is given twice. Name each pair once.")
            if not pair.buckets:
                raise InvalidInput(f"trail '{self.name}': pair '{pair.name}' has no buckets. Name both of its buckets.")

    def arn(self, account: Account) -> str:
        """The ARN that the trail has, known before it exists."""
        return f"arn:{account.partition}:cloudtrail:{self.log_bucket.region}:{account.id}:trail/{self.name}"


def trail_wish(trail: Trail, account: Account) -> dict[Address, Document]:
    """The log bucket with its policy, the trail, its selectors, and that it is logging."""
    bucket, region = trail.log_bucket.bucket, trail.log_bucket.region
    return {
        bucket_address(trail.log_bucket, one_account(account, trail.log_bucket)): {"Region": region},
        Address("bucket_versioning", bucket, region, account.id): {"Status": "Enabled"},
        Address("bucket_public_access_block", bucket, region, account.id): {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
        Address("bucket_policy", bucket, region, account.id): _log_bucket_policy(trail, account),
        trail_address(trail, account): {
            "S3BucketName": bucket,
            "S3KeyPrefix": trail.key_prefix,
            "IncludeGlobalServiceEvents": True,
            "IsMultiRegionTrail": True,
            "LogFileValidationEnabled": True,
            "Tags": owner_tags(),
        },
        Address("trail_logging", trail.name, region, account.id): {"IsLogging": True},
        selectors_address(trail, account): {
            "AdvancedEventSelectors": [
                _management_selector(),
                *(_pair_selector(pair, account.partition) for pair in trail.pairs),
            ]
        },
    }


def trail_address(trail: Trail, account: Account) -> Address:
    """The address of the trail itself."""
    return Address("trail", trail.name, trail.log_bucket.region, account.id)


def selectors_address(trail: Trail, account: Account) -> Address:
    """The address of the trail's event selectors."""
    return Address("trail_event_selectors", trail.name, trail.log_bucket.region, account.id)


def trail_removal_wish(
    trail: Trail, account: Account, observed: Observed, *, delete_log_bucket: bool
) -> dict[Address, Document]:
    """What is taken away when these pairs leave.

    While the trail records anything else, or is not ours, only the pairs' selectors go. Else the trail goes, stopped
    first, and its statements leave the log bucket's policy. The logs stay unless their bucket is named for deletion.
    A trail that is gone already is on that way too: a run may have been interrupted behind its deletion.
    """
    wish = trail_wish(trail, account)
    if why_trail_stays(trail, account, observed):
        return {
            selectors_address(trail, account): {
                "AdvancedEventSelectors": [_pair_selector(pair, account.partition) for pair in trail.pairs]
            }
        }
    going = ("bucket_policy", "trail", "trail_logging")
    removal = {address: document for address, document in wish.items() if address.kind in going}
    if delete_log_bucket:
        removal.update(bucket_deletion_wish(trail.log_bucket, one_account(account, trail.log_bucket)))
    return removal


def why_trail_stays(trail: Trail, account: Account, observed: Observed) -> str | None:
    """Why the trail is not deleted when these pairs leave, in one sentence; None when it goes."""
    there = observed[trail_address(trail, account)]
    if there is None:
        return None
    if not is_ours(there):
        return f"The trail {trail.name} stays, since it was not made by this collection."
    others = _recorded_besides(trail, observed[selectors_address(trail, account)])
    return f"The trail {trail.name} stays, since it also records: {', '.join(others)}." if others else None


def _recorded_besides(trail: Trail, selectors: Document | None) -> list[str]:
    ours = {_MANAGEMENT_SELECTOR, *(pair.selector_name for pair in trail.pairs)}
    recorded = [str(selector.get("Name", "")) for selector in (selectors or {}).get("AdvancedEventSelectors", [])]
    return [name for name in recorded if name not in ours]


def _log_bucket_policy(trail: Trail, account: Account) -> Document:
    """CloudTrail may write to its prefix, for this trail only; nobody may speak to the bucket without TLS."""
    bucket = bucket_arn(trail.log_bucket, account.partition)
    prefix = f"{trail.key_prefix}/" if trail.key_prefix else ""
    for_this_trail = {"aws:SourceArn": trail.arn(account)}
    cloudtrail = {"Service": "cloudtrail.amazonaws.com"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "S3DrTrailAclCheck",
                "Effect": "Allow",
                "Principal": cloudtrail,
                "Action": "s3:GetBucketAcl",
                "Resource": bucket,
                "Condition": {"StringEquals": for_this_trail},
            },
            {
                "Sid": "S3DrTrailWrite",
                "Effect": "Allow",
                "Principal": cloudtrail,
                "Action": "s3:PutObject",
                "Resource": f"{bucket}/{prefix}AWSLogs/{account.id}/*",
                "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", **for_this_trail}},
            },
            {
                "Sid": "S3DrTrailTlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [bucket, f"{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }


def _management_selector() -> Document:
    """Without it, advanced selectors would end the recording of management events."""
    return {
        "Name": _MANAGEMENT_SELECTOR,
        "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}],
    }


def _pair_selector(pair: RecordedPair, partition: str) -> Document:
    return {
        "Name": pair.selector_name,
        "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
            {"Field": "readOnly", "Equals": ["false"]},
            {"Field": "resources.ARN", "StartsWith": _object_arn_prefixes(pair.buckets, partition)},
        ],
    }


def _object_arn_prefixes(buckets: Iterable[str], partition: str) -> list[str]:
    """With the slash at the end: without it, `orders` would also record `orders-archive`."""
    return [f"arn:{partition}:s3:::{bucket}/" for bucket in buckets]
