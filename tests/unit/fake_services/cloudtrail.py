# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""CloudTrail in memory: trails with their selectors. A log bucket and a key must allow what CloudTrail demands."""

from __future__ import annotations

from dataclasses import dataclass, field

from .calls import OWNER, Answer, client_error, tag_list, tag_map
from .kms import FakeKms
from .s3 import FakeS3

TRAILS_PER_REGION = 5


@dataclass
class CloudTrailTrail:
    """One trail."""

    settings: Answer
    tags: dict[str, str]
    logging: bool = False
    selectors: Answer = field(
        default_factory=lambda: {
            "EventSelectors": [
                {
                    "ReadWriteType": "All",
                    "IncludeManagementEvents": True,
                    "DataResources": [],
                    "ExcludeManagementEventSources": [],
                }
            ]
        }
    )


class FakeCloudTrail(FakeS3, FakeKms):
    """CloudTrail of the account, which asks S3 for its log bucket and KMS for its key."""

    def __init__(self) -> None:
        super().__init__()
        self.trails: dict[tuple[str, str], CloudTrailTrail] = {}

    def _seen_in(self, region: str) -> dict[str, str]:
        """The names of the trails that are seen in a Region, and where they are at home."""
        return {
            name: home
            for (name, home), trail in self.trails.items()
            if home == region or trail.settings.get("IsMultiRegionTrail")
        }

    def _trail(self, name: str, region: str) -> CloudTrailTrail:
        if (name, region) not in self.trails:
            raise client_error("TrailNotFoundException", f"Unknown trail: {name}")
        return self.trails[name, region]

    def _cloudtrail_GetTrail(self, params: Answer, region: str) -> Answer:
        home = self._seen_in(region).get(params["Name"], region)
        trail = self._trail(params["Name"], home)
        about = {"Name": params["Name"], "TrailARN": _trail_arn(params["Name"], home), "HomeRegion": home}
        return {"Trail": {**about, **trail.settings}}

    def _cloudtrail_DescribeTrails(self, params: Answer, region: str) -> Answer:
        assert params["includeShadowTrails"]
        seen = self._seen_in(region).items()
        return {
            "trailList": [{"Name": name, "HomeRegion": home, **self.trails[name, home].settings} for name, home in seen]
        }

    def _cloudtrail_ListTags(self, params: Answer, region: str) -> Answer:
        arn = params["ResourceIdList"][0]
        tags = self._trail(arn.rsplit("/", 1)[1], region).tags
        return {"ResourceTagList": [{"ResourceId": arn, "TagsList": tag_list(tags)}]}

    def _cloudtrail_CreateTrail(self, params: Answer, region: str) -> None:
        if (params["Name"], region) in self.trails:
            raise client_error("TrailAlreadyExistsException", "The trail exists.")
        if len(self._seen_in(region)) >= TRAILS_PER_REGION:
            raise client_error("MaximumNumberOfTrailsExceededException", "There are 5 trails.")
        self._check_log_bucket(params, region)
        self._check_key(params, region)
        self.trails[params["Name"], region] = CloudTrailTrail(_trail_settings(params), tag_map(params["TagsList"]))

    def _check_log_bucket(self, params: Answer, region: str) -> None:
        bucket = self.buckets.get(params["S3BucketName"])
        if bucket is None:
            raise client_error("S3BucketDoesNotExistException", "The bucket does not exist")
        if _trail_arn(params["Name"], region) not in (bucket.policy or ""):
            raise client_error("InsufficientS3BucketPolicyException", "Incorrect S3 bucket policy is detected")

    def _check_key(self, params: Answer, region: str) -> None:
        if "KmsKeyId" in params:
            if params["KmsKeyId"] not in self.keys:
                raise client_error("KmsKeyNotFoundException", "The key does not exist")
            if _trail_arn(params["Name"], region) not in self.keys[params["KmsKeyId"]].policy:
                raise client_error("InsufficientEncryptionPolicyException", "Insufficient permissions on the key")

    def _cloudtrail_UpdateTrail(self, params: Answer, region: str) -> None:
        self._check_key(params, region)
        trail = self._trail(params["Name"], region)
        trail.settings = {**trail.settings, **_trail_settings(params)}

    def _cloudtrail_AddTags(self, params: Answer, region: str) -> None:
        self._trail(params["ResourceId"].rsplit("/", 1)[1], region).tags.update(tag_map(params["TagsList"]))

    def _cloudtrail_DeleteTrail(self, params: Answer, region: str) -> None:
        self._trail(params["Name"], region)
        del self.trails[params["Name"], region]

    def _cloudtrail_GetTrailStatus(self, params: Answer, region: str) -> Answer:
        return {"IsLogging": self._trail(params["Name"], region).logging}

    def _cloudtrail_StartLogging(self, params: Answer, region: str) -> None:
        self._trail(params["Name"], region).logging = True

    def _cloudtrail_StopLogging(self, params: Answer, region: str) -> None:
        self._trail(params["Name"], region).logging = False

    def _cloudtrail_GetEventSelectors(self, params: Answer, region: str) -> Answer:
        return self._trail(params["TrailName"], region).selectors

    def _cloudtrail_PutEventSelectors(self, params: Answer, region: str) -> None:
        trail = self._trail(params["TrailName"], region)
        if len(params) != 2 or not all(params.values()):
            raise client_error("InvalidEventSelectorsException", "Either basic or advanced selectors, and at least one")
        trail.selectors = {name: value for name, value in params.items() if name != "TrailName"}


def _trail_arn(name: str, region: str) -> str:
    return f"arn:aws:cloudtrail:{region}:{OWNER}:trail/{name}"


def _trail_settings(params: Answer) -> Answer:
    settings = {key: value for key, value in params.items() if key not in ("Name", "TagsList")}
    settings["LogFileValidationEnabled"] = settings.pop("EnableLogFileValidation", False)
    return settings
