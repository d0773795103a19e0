# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""An AWS in memory through which a pair is switched: conditional writes, fences, Regions that are lost, data points."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ConnectTimeoutError

from .calls import Answer, Call, client_error
from .replicating import ReplicatingAws

LISTING_TAKES = timedelta(seconds=5)


class Killed(BaseException):
    """The process is gone: nothing that it would still do reaches AWS."""


class JourneyAws(ReplicatingAws):
    """Its clock goes on with each listing.

    Attributes:
        lost: the Regions that do not answer.
        dies_at: before which writing call the process is killed, counted from 1; 0: never. A kill at one of the reads
            before it leaves the same.
        loses: after which of the writes of objects the answer is lost, counted from 1.
        data_points: by Region, metric and rule.
        published: what was told to topics.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lost: set[str] = set()
        self.dies_at = 0
        self.loses: set[int] = set()
        self.data_points: dict[tuple[str, str, str], list[tuple[datetime, float]]] = {}
        self.published: list[tuple[str, str, str]] = []
        self.denied: set[str] = set()
        """Operations that these credentials may not do."""
        self._seen = 0
        self._puts = 0

    def revive(self, dies_at: int = 0) -> None:
        """Another process begins."""
        self.dies_at, self._seen = dies_at, 0

    def answer(self, call: Call) -> Answer:
        """What AWS says to the call."""
        self._seen += call.writes
        if self.dies_at and self._seen >= self.dies_at:
            raise Killed
        if call.region in self.lost:
            self.calls.append(call)
            raise ConnectTimeoutError(endpoint_url=f"https://{call.service}.{call.region}.amazonaws.com")
        if call.operation in self.denied:
            self.calls.append(call)
            raise client_error("AccessDenied", "Access Denied", call.operation)
        answered = super().answer(call)
        if call.operation == "PutObject":
            self._puts += 1
            if self._puts in self.loses:
                raise ConnectTimeoutError(endpoint_url="https://s3.amazonaws.com")
        return answered

    # --- objects ------------------------------------------------------------------------------------------------

    def _s3_PutObject(self, params: Answer, region: str) -> Answer:
        bucket, body = self._bucket(params, region), params["Body"]
        body = body if isinstance(body, bytes) else body.read()
        there = self._current(params["Bucket"], params["Key"])
        if "IfNoneMatch" in params and there is not None:
            raise client_error("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        if "IfMatch" in params and there is None:
            raise client_error("NoSuchKey", "The specified key does not exist.")
        if "IfMatch" in params and there is not None and params["IfMatch"] != _etag(there["body"]):
            raise client_error("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        if bucket.versioning != "Enabled":
            super()._s3_PutObject({**params, "Body": body}, region)
            return {"ETag": _etag(body)}
        version = self.write(params["Bucket"], params["Key"], body=body)
        return {"VersionId": version["VersionId"], "ETag": _etag(body)}

    def _current(self, bucket: str, key: str) -> Answer | None:
        found = [one for one in self.buckets[bucket].versions if one["Key"] == key]
        return found[-1] if found and not found[-1].get("marker") else None

    def _version(self, params: Answer, region: str) -> Answer:
        if "VersionId" in params:
            return super()._version(params, region)
        self._bucket(params, region)
        there = self._current(params["Bucket"], params["Key"])
        if there is None:
            raise client_error("NoSuchKey", "The specified key does not exist.")
        return there

    def _s3_HeadObject(self, params: Answer, region: str) -> Answer:
        return super()._s3_HeadObject({**params, "VersionId": self._version(params, region)["VersionId"]}, region)

    def _s3_ListObjectsV2(self, params: Answer, region: str) -> Answer:
        bucket = self._bucket(params, region)
        keys = sorted({one["Key"] for one in bucket.versions})
        shown = [one for key in keys if (one := self._current(params["Bucket"], key))]
        rows = [{"Key": one["Key"], "LastModified": one["modified"], "Size": len(one["body"])} for one in shown]
        return {"Contents": rows} if rows else {}

    def _s3_ListObjectVersions(self, params: Answer, region: str) -> Answer:
        self.now += LISTING_TAKES
        return super()._s3_ListObjectVersions(params, region)

    def may_write(self, bucket: str, principal: str, service: bool = False) -> bool:
        """Whether the bucket's policy lets a principal write; it is judged as IAM documents it."""
        policy = json.loads(self.buckets[bucket].policy or '{"Statement": []}')
        return not any(_denies(statement, principal, service) for statement in policy["Statement"])

    # --- other services -----------------------------------------------------------------------------------------

    def _cloudwatch_GetMetricData(self, params: Answer, region: str) -> Answer:
        return {"MetricDataResults": [self._result(query, params, region) for query in params["MetricDataQueries"]]}

    def _result(self, query: Answer, params: Answer, region: str) -> Answer:
        metric = query["MetricStat"]["Metric"]
        (rule,) = [one["Value"] for one in metric["Dimensions"] if one["Name"] == "RuleId"]
        points = [
            (at, value)
            for at, value in self.data_points.get((region, metric["MetricName"], rule), [])
            if params["StartTime"] <= at < params["EndTime"]
        ]
        points.sort(reverse=params["ScanBy"] == "TimestampDescending")
        return {"Id": query["Id"], "Timestamps": [at for at, _value in points], "Values": [one for _at, one in points]}

    def _sns_Publish(self, params: Answer, region: str) -> Answer:
        assert params["TopicArn"].split(":")[3] == region
        self.published.append((params["TopicArn"], params["Subject"], params["Message"]))
        return {"MessageId": "1"}


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _denies(statement: dict[str, Any], principal: str, service: bool) -> bool:
    condition = statement["Condition"]
    spared = any(fnmatchcase(principal, pattern) for pattern in condition["ArnNotLike"]["aws:PrincipalArn"])
    asked = condition["BoolIfExists"]["aws:PrincipalIsAWSService"] == str(service).lower()
    writes = "s3:PutObject" in statement["Action"]
    return statement["Effect"] == "Deny" and writes and not spared and asked
