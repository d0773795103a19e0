# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""An AWS in memory that keeps versions, or puts their deletion off, as a test says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ..fake_aws import FakeAws
from .calls import Answer, client_error


class KeepingAws(FakeAws):
    """Its S3 refuses or puts off versions as a test says, and tells of locks.

    Attributes:
        refuses: the error for a key and version ID, each time that its deletion is asked for; None: it goes.
        locks: what HeadObject tells of the lock of a key.
        asked: how often the deletion of a version was asked for.
        tells_markers: whether a listing that goes on says where.
        access_points: the buckets of each Multi-Region Access Point.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refuses: Callable[[str, str], Answer | None] = lambda key, version_id: None
        self.locks: dict[str, Answer] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.tells_markers = True
        self.access_points: dict[str, list[str]] = {}

    def _s3_DeleteObjects(self, params: Answer, region: str) -> Answer:
        errors, allowed = [], []
        for row in params["Delete"]["Objects"]:
            self.asked[row["Key"], row["VersionId"]] += 1
            error = self.refuses(row["Key"], row["VersionId"])
            if error:
                errors.append({**row, **error})
            else:
                allowed.append(row)
        if allowed:
            params = {**params, "Delete": {"Objects": allowed}}
            errors += super()._s3_DeleteObjects(params, region).get("Errors", [])
        return {"Errors": errors} if errors else {}

    def _s3_HeadObject(self, params: Answer, region: str) -> Answer:
        return {**super()._s3_HeadObject(params, region), **self.locks.get(params["Key"], {})}

    def _s3_ListObjectVersions(self, params: Answer, region: str) -> Answer:
        answer = super()._s3_ListObjectVersions(params, region)
        if not self.tells_markers:
            answer.pop("NextVersionIdMarker", None)
        return answer

    def _s3control_ListMultiRegionAccessPoints(self, params: Answer, region: str) -> Answer:
        if region != "us-west-2":
            raise client_error("InvalidRequest", "Multi-Region Access Points are managed in us-west-2")
        told = [
            {"Name": name, "Regions": [{"Bucket": bucket} for bucket in buckets]}
            for name, buckets in self.access_points.items()
        ]
        at = int(params.get("NextToken", 0))  # one access point a page
        following = {"NextToken": str(at + 1)} if at + 1 < len(told) else {}
        return {"AccessPoints": told[at : at + 1], **following}
