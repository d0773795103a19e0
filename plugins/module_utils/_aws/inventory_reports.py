# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The reports of S3 Inventory on two buckets: whether to use them, which ones, and their rows.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any
from urllib.parse import unquote_plus

from .._core.causes import iso
from .._core.inventory import (
    File,
    NotUsable,
    Place,
    Report,
    folder_time,
    judged_from,
    lacks,
    parts_for,
    place_of,
    report_of,
)
from .canary import Side
from .gateway import AwsFailure, asking
from .row import ClientFor
from .sdk_errors import ClientError, error_code

_DAY = timedelta(days=1)
_NEWEST_TRIED = 3
"""So many reports are looked at: the newest may not be complete yet."""
_CHUNK = 1024 * 1024


class ReportFailed(Exception):
    """A report cannot be read to its end, so nothing that was read of it proves anything.

    The message names the file, the cause and the next step.
    """


@dataclass(frozen=True, slots=True)
class Plan:
    """Two reports to be compared, in so many parts."""

    reports: tuple[Report, Report]
    parts: int

    @property
    def notice(self) -> str:
        """What the result says of it."""
        told = " and ".join(f"{one.source} of {_to_the_second(one.began)}" for one in self.reports)
        until = _to_the_second(judged_from(self.reports))
        return f"The S3 Inventory reports on {told} were compared; of what was written after {until} nothing is judged."


def _to_the_second(moment: datetime) -> str:
    return iso(moment.replace(microsecond=0))


class InventoryReports:
    """Chooses and reads reports."""

    def __init__(self, client_for: ClientFor, threshold: int, max_age_hours: int) -> None:
        """Reports are compared of buckets with more than `threshold` objects, if none is older than `max_age_hours`."""
        self._client_for = client_for
        self._threshold = threshold
        self._max_age = timedelta(hours=max_age_hours)

    def plan(self, sides: Sequence[Side], prefixes: Sequence[str]) -> Plan | str:
        """What to compare; a sentence: the listings are compared, since there are no reports; empty: they are few."""
        held = 0
        try:
            held = max(self._objects(side) for side in sides)
            if held <= self._threshold:
                return ""
            left, right = (self._newest(side, prefixes) for side in sides)
        except (NotUsable, AwsFailure) as problem:
            size = f"although a bucket holds {held:,} objects" if held else "however many objects there are"
            return f"The listings were compared, {size}: {problem}"
        return Plan((left, right), parts_for(held))

    # --- how many ---------------------------------------------------------------------------------------------

    def _objects(self, side: Side) -> int:
        """CloudWatch's daily figure, of all versions and delete markers; 0 as long as there is none.

        Source: S3 User Guide, "Amazon S3 metrics and dimensions", NumberOfObjects.
        """
        now = datetime.now(UTC)
        client = self._client_for("cloudwatch", side.end.region, side.owner)
        with asking(f"The number of objects in {side.end.bucket}", "cloudwatch:GetMetricStatistics"):
            points = client.get_metric_statistics(
                Namespace="AWS/S3",
                MetricName="NumberOfObjects",
                Dimensions=[
                    {"Name": "BucketName", "Value": side.end.bucket},
                    {"Name": "StorageType", "Value": "AllStorageTypes"},
                ],
                StartTime=now - 4 * _DAY,
                EndTime=now,
                Period=int(_DAY.total_seconds()),
                Statistics=["Average"],
            )["Datapoints"]
        return int(max(points, key=lambda point: point["Timestamp"])["Average"]) if points else 0

    # --- which report -----------------------------------------------------------------------------------------

    def _newest(self, side: Side, prefixes: Sequence[str]) -> Report:
        """The newest complete report of a bucket."""
        end = side.end
        with asking(f"The inventory configurations of {end.bucket} in {end.region}", "s3:GetInventoryConfiguration"):
            places = self._places(side, prefixes)
        found = []
        for place in places:
            permissions = f"s3:ListBucket and s3:GetObject on {place.bucket}"
            with asking(f"The inventory reports in {place.bucket}", permissions):
                found += [report for report in [self._newest_at(side, place)] if report]
        if not found:
            where = ", ".join(f"{place.bucket}/{place.prefix}" for place in places)
            hours = int(self._max_age.total_seconds() // 3600)
            raise NotUsable(
                f"there is no complete report on {end.bucket} in {where} that is younger than {hours} hours. S3 "
                "delivers the first one within 48 hours."
            )
        return max(found, key=lambda report: report.began)

    def _places(self, side: Side, prefixes: Sequence[str]) -> list[Place]:
        configurations = list(_configurations(side))
        wanting = {one["Id"]: lacks(one, prefixes) for one in configurations}
        usable = [place_of(one, side.end.bucket, side.owner) for one in configurations if not wanting[one["Id"]]]
        if not usable:
            said = "; ".join(f"'{name}': {reason}" for name, reason in wanting.items()) or "there is none"
            raise NotUsable(
                f"no inventory configuration of {side.end.bucket} in {side.end.region} tells enough ({said}). It needs "
                "all versions in CSV, with Size, LastModifiedDate and ETag."
            )
        return usable

    def _newest_at(self, side: Side, place: Place) -> Report | None:
        client, bucket = side.client, {"Bucket": place.bucket, "ExpectedBucketOwner": place.owner}
        folders: dict[datetime, str] = {}
        now = None
        for page in client.get_paginator("list_objects_v2").paginate(**bucket, Prefix=place.prefix, Delimiter="/"):
            now = now or _date(page)
            for one in page.get("CommonPrefixes", ()):
                scanned = folder_time(one["Prefix"].removeprefix(place.prefix).rstrip("/"))
                if scanned and now - scanned <= self._max_age:
                    folders[scanned] = one["Prefix"]
        for scanned in islice(sorted(folders, reverse=True), _NEWEST_TRIED):
            manifest = _sealed(client, bucket, folders[scanned])
            if manifest is not None:
                return report_of(manifest, side.end.bucket, place, scanned)
        return None


def _configurations(side: Side) -> Iterator[Mapping[str, Any]]:
    """ListBucketInventoryConfigurations has no paginator."""
    more: dict[str, str] = {}
    while True:
        answer = side.client.list_bucket_inventory_configurations(**side.bucket, **more)
        yield from answer.get("InventoryConfigurationList", ())
        if not answer.get("IsTruncated"):
            return
        more = {"ContinuationToken": answer["NextContinuationToken"]}


def _date(answer: Mapping[str, Any]) -> datetime:
    """When S3 answered, by its own clock."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)


def _sealed(client: Any, bucket: Mapping[str, str], folder: str) -> bytes | None:
    """The manifest of a report; None: it is not complete, since S3 writes its checksum last."""
    try:
        checksum = client.get_object(**bucket, Key=f"{folder}manifest.checksum")["Body"].read()
        manifest: bytes = client.get_object(**bucket, Key=f"{folder}manifest.json")["Body"].read()
    except ClientError as error:
        if error_code(error) in ("NoSuchKey", "404"):
            return None
        raise
    if hashlib.md5(manifest, usedforsecurity=False).hexdigest() != checksum.decode("ascii", "replace").strip().lower():
        where = f"{folder}manifest.json in {bucket['Bucket']}"
        raise NotUsable(f"{where} is not what its checksum says. Wait for the next report.")
    return manifest


# --- rows ----------------------------------------------------------------------------------------------------


def rows_of(side: Side, report: Report, file: File, skip: int = 0) -> Iterator[list[str]]:
    """The rows of a file after the first ones, each as the values of COLUMNS. The file's checksum is compared.

    In CSV the key is URL-encoded.

    Raises:
        ReportFailed: the file is not what the manifest says.
        ClientError, NO_ANSWER: it cannot be fetched.
    """
    where = f"{file.key} in {report.bucket}, a file of the inventory of {report.source},"
    bucket = {"Bucket": report.bucket, "ExpectedBucketOwner": report.owner}
    try:
        body = side.client.get_object(**bucket, Key=file.key)["Body"]
    except ClientError as error:
        if error_code(error) in ("NoSuchKey", "404"):
            raise ReportFailed(f"{where} is not there any more. Keep reports for some days, then run again.") from error
        raise
    digested = _Digested(body)
    try:
        with gzip.open(io.BufferedReader(digested, _CHUNK), "rt", encoding="utf-8", newline="") as text:
            for row in islice(csv.reader(text), skip, None):
                values = ["" if place is None else row[place] for place in report.places]
                if "%" in values[0] or "+" in values[0]:
                    values[0] = unquote_plus(values[0])
                yield values
    except (EOFError, IndexError, gzip.BadGzipFile, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise ReportFailed(f"{where} cannot be read ({error}). Run again with the next report.") from error
    digested.drain()
    if (digested.size, digested.md5.hexdigest()) != (file.size, file.md5):
        raise ReportFailed(f"{where} is not what its manifest says. Run again with the next report.")


class _Digested(io.RawIOBase):
    """A body whose bytes are counted and hashed on their way."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self._body = body
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes."""
        data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        self.md5.update(data)
        self.size += len(data)
        return len(data)

    def drain(self) -> None:
        """What nobody read."""
        rest = bytearray(_CHUNK)
        while self.readinto(rest):
            pass
