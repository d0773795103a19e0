# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Reports of S3 Inventory as values: which configurations tell enough, what a manifest says, and a row as a version.

Sources: S3 User Guide, "Cataloging and analyzing your data with S3 Inventory" and "Locating your inventory list".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .model import Document
from .versions import NULL, Version

SETTLED = timedelta(hours=1)
"""Reports are eventually consistent: of what was written so shortly before one nothing is judged. AWS gives no time."""
MOST_PARTS = 2048
_ROWS_OF_A_PART = 100_000
"""At each end: some 100 MB for both."""

_FORMAT = "CSV"
_NEEDED = ("Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "ETag")
COLUMNS = (*_NEEDED, "StorageClass")
"""What a version is made of, in the order in which `version_of` takes them."""
_OPTIONAL_FIELDS = ("Size", "LastModifiedDate", "ETag")
"""The needed ones that a configuration has to ask for."""
_FOLDER = "%Y-%m-%dT%H-%MZ"


class NotUsable(Exception):
    """There is no report that tells what a comparison needs. The message names bucket, cause and next step."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a report; `size` in bytes, as it is stored."""

    key: str
    size: int
    md5: str


@dataclass(frozen=True, slots=True)
class Report:
    """One report of a bucket.

    Attributes:
        bucket, owner: where it lies, and the ID of that bucket's account.
        began: when S3 began to scan the bucket; what was written later may be in it or not.
        places: where each of COLUMNS stands in a row; None: there is no such column.
    """

    source: str
    bucket: str
    owner: str
    began: datetime
    places: tuple[int | None, ...]
    files: tuple[File, ...]

    def packed(self) -> list[Any]:
        """Plain values."""
        files = [[file.key, file.size, file.md5] for file in self.files]
        return [self.source, self.bucket, self.owner, self.began.isoformat(), list(self.places), files]

    @classmethod
    def unpacked(cls, said: Sequence[Any]) -> Report:
        """From the plain values."""
        source, bucket, owner, began, places, files = said
        found = tuple(File(*file) for file in files)
        return cls(source, bucket, owner, datetime.fromisoformat(began), tuple(places), found)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the reports of a configuration are delivered."""

    bucket: str
    owner: str
    prefix: str


# --- configurations ------------------------------------------------------------------------------------------


def lacks(configuration: Document, prefixes: Sequence[str]) -> str:
    """What a configuration lacks to tell all of the versions below the prefixes; empty: nothing."""
    to = configuration["Destination"]["S3BucketDestination"]
    fields = configuration.get("OptionalFields", [])
    prefix = configuration.get("Filter", {}).get("Prefix", "")
    wants = {
        "it is disabled": not configuration["IsEnabled"],
        f"its format is {to['Format']} and not {_FORMAT}": to["Format"] != _FORMAT,
        "it has current versions only": configuration["IncludedObjectVersions"] != "All",
        f"it has only keys below '{prefix}'": not all(one.startswith(prefix) for one in prefixes),
        **{f"it lacks the field {field}": field not in fields for field in _OPTIONAL_FIELDS},
    }
    return ", ".join(said for said, wanting in wants.items() if wanting)


def place_of(configuration: Document, source: str, owner: str) -> Place:
    """Where the reports are.

    Args:
        owner: the account of the inventoried bucket, to which the reports go if the configuration names none.
    """
    to = configuration["Destination"]["S3BucketDestination"]
    folders = [to.get("Prefix", "").rstrip("/"), source, configuration["Id"]]
    bucket = to["Bucket"].rpartition(":")[2]
    return Place(bucket, to.get("AccountId", owner), "".join(f"{folder}/" for folder in folders if folder))


def folder_time(folder: str) -> datetime | None:
    """When the scan of the report in that folder began; None: the folder holds no report."""
    try:
        return datetime.strptime(folder, _FOLDER).replace(tzinfo=UTC)
    except ValueError:
        return None


# --- a report ------------------------------------------------------------------------------------------------


def report_of(manifest: bytes, source: str, place: Place, scanned: datetime) -> Report:
    """What a manifest says.

    Args:
        scanned: when the scan began, by the report's folder.

    Raises:
        NotUsable: it is not that of a report of the bucket, in CSV, with all that is needed.
    """
    try:
        said: Mapping[str, Any] = json.loads(manifest)
        columns = [name.strip() for name in said["fileSchema"].split(",")]
        files = tuple(File(one["key"], int(one["size"]), one["MD5checksum"].lower()) for one in said["files"])
        created = datetime.fromtimestamp(int(said["creationTimestamp"]) / 1000, UTC)
        is_ours = (said["sourceBucket"], said["fileFormat"]) == (source, _FORMAT)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(source, place, f"its manifest cannot be read ({error})") from error
    missing = [name for name in _NEEDED if name not in columns]
    if missing or not is_ours:
        raise _unreadable(source, place, f"it lacks {', '.join(missing)}" if missing else "it is of something else")
    places = tuple(columns.index(name) if name in columns else None for name in COLUMNS)
    return Report(source, place.bucket, place.owner, min(scanned, created), places, files)


def _unreadable(source: str, place: Place, cause: str) -> NotUsable:
    return NotUsable(
        f"the report on {source} below {place.prefix} of {place.bucket}: {cause}. Wait for the next one, or look at "
        "the inventory configuration."
    )


def judged_from(reports: Sequence[Report]) -> datetime:
    """From this moment on nothing is judged."""
    return min(report.began for report in reports) - SETTLED


# --- rows ----------------------------------------------------------------------------------------------------


def parts_for(objects: int) -> int:
    """Into how many parts the rows of a bucket are dealt, so that those of one part can be sorted in memory."""
    return max(1, min(MOST_PARTS, -(-objects // _ROWS_OF_A_PART)))


def part_of(key: str, parts: int) -> int:
    """The part of a key: the same at both ends, and of all versions of the key."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % parts


def version_of(row: Sequence[str]) -> Version:
    """From the values of COLUMNS, the key decoded.

    Raises:
        ValueError: they are not what S3 documents.
    """
    key, version_id, is_latest, is_marker, size, modified, etag, storage_class = row
    moment = datetime.fromisoformat(modified).astimezone(UTC)
    if is_marker == "true":
        return Version(key, version_id or NULL, moment, is_latest=is_latest == "true")
    return Version(key, version_id or NULL, moment, int(size), etag, storage_class or "STANDARD", is_latest == "true")
