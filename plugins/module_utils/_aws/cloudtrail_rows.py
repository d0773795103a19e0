# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of CloudTrail's kinds.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from typing import Any

from .._core.kinds import records_by_default
from .._core.model import Address, Document
from .row import Client, Eventual, Row, never_removed, never_written

# CloudTrail speaks of one setting by two names: the first when it is read, the second when it is written.
_READ_TO_WRITE = {"LogFileValidationEnabled": "EnableLogFileValidation"}
_SETTINGS = (
    "S3BucketName",
    "S3KeyPrefix",
    "IncludeGlobalServiceEvents",
    "IsMultiRegionTrail",
    "LogFileValidationEnabled",
)
_OF_ANY_TRAIL = ("Name", "HomeRegion", "S3BucketName", "S3KeyPrefix")
_ON_REQUEST = ("KmsKeyId",)
"""What a trail need not have, and what then stays as it is."""


def _read_trail(client: Client, address: Address) -> Document:
    """A trail of several Regions is seen in each of them; of one that is at home elsewhere only that is told."""
    trail = client.get_trail(Name=address.name)["Trail"]
    if trail.get("HomeRegion", address.region) != address.region:
        return {"HomeRegion": trail["HomeRegion"], "Tags": {}}
    tag_lists = client.list_tags(ResourceIdList=[trail["TrailARN"]])["ResourceTagList"]
    document: dict[str, Any] = {setting: trail.get(setting) for setting in _SETTINGS}
    document["S3KeyPrefix"] = trail.get("S3KeyPrefix", "")
    document.update({setting: trail[setting] for setting in _ON_REQUEST if trail.get(setting)})
    document["Tags"] = {tag["Key"]: tag["Value"] for tags in tag_lists for tag in tags["TagsList"]}
    return document


def _write_trail(client: Client, address: Address, before: Document | None, after: Document) -> None:
    wanted = [*_SETTINGS, *(setting for setting in _ON_REQUEST if setting in after)]
    settings = {_READ_TO_WRITE.get(setting, setting): after[setting] for setting in wanted}
    tags = [{"Key": key, "Value": value} for key, value in after["Tags"].items()]
    if before is None:
        if not settings["S3KeyPrefix"]:
            del settings["S3KeyPrefix"]
        client.create_trail(Name=address.name, TagsList=tags, **settings)
        return
    if {**before, "Tags": None} != {**after, "Tags": None}:
        client.update_trail(Name=address.name, **settings)
    if before["Tags"] != after["Tags"]:
        client.add_tags(ResourceId=client.get_trail(Name=address.name)["Trail"]["TrailARN"], TagsList=tags)


def _delete_trail(client: Client, address: Address, before: Document) -> None:
    client.delete_trail(Name=address.name)


def _read_logging(client: Client, address: Address) -> Document | None:
    return {"IsLogging": True} if client.get_trail_status(Name=address.name)["IsLogging"] else None


def _start_logging(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.start_logging(Name=address.name)


def _stop_logging(client: Client, address: Address, before: Document) -> None:
    client.stop_logging(Name=address.name)


def _read_selectors(client: Client, address: Address) -> Document | None:
    """None for what CloudTrail gives every new trail, so that one that was just made has what a missing one has."""
    answer = client.get_event_selectors(TrailName=address.name)
    found = {key: answer[key] for key in ("EventSelectors", "AdvancedEventSelectors") if answer.get(key)}
    return None if "AdvancedEventSelectors" not in found and records_by_default(found) else found


def _write_selectors(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_event_selectors(TrailName=address.name, **after)


def _read_trails(client: Client, address: Address) -> Document:
    """With those of other Regions that are of all Regions, since they count here as well."""
    trails = client.describe_trails(includeShadowTrails=True)["trailList"]
    return {"Trails": [{setting: trail.get(setting, "") for setting in _OF_ANY_TRAIL} for trail in trails]}


_NO_TRAIL = frozenset({"TrailNotFoundException"})

ROWS = {
    "trail": Row(
        "cloudtrail",
        _read_trail,
        _write_trail,
        _delete_trail,
        {
            "read": "cloudtrail:GetTrail, cloudtrail:ListTags",
            "write": "cloudtrail:CreateTrail, cloudtrail:UpdateTrail, cloudtrail:AddTags",
            "remove": "cloudtrail:DeleteTrail",
        },
        missing=_NO_TRAIL,
        # The policies of the log bucket and of the key were written a moment ago.
        eventual=(
            Eventual("InsufficientS3BucketPolicyException"),
            Eventual("S3BucketDoesNotExistException"),
            Eventual("InsufficientEncryptionPolicyException"),
        ),
    ),
    "trail_logging": Row(
        "cloudtrail",
        _read_logging,
        _start_logging,
        _stop_logging,
        {
            "read": "cloudtrail:GetTrailStatus",
            "write": "cloudtrail:StartLogging",
            "remove": "cloudtrail:StopLogging",
        },
        missing=_NO_TRAIL,
        eventual=(Eventual("TrailNotFoundException"),),
    ),
    "trail_event_selectors": Row(
        "cloudtrail",
        _read_selectors,
        _write_selectors,
        never_removed,
        {"read": "cloudtrail:GetEventSelectors", "write": "cloudtrail:PutEventSelectors", "remove": ""},
        missing=_NO_TRAIL,
        eventual=(Eventual("TrailNotFoundException"),),
        shared=True,
    ),
    "trails": Row(
        "cloudtrail",
        _read_trails,
        never_written,
        never_removed,
        {"read": "cloudtrail:DescribeTrails", "write": "", "remove": ""},
    ),
}
