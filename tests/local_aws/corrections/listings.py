# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Versions: what listings of them tell, tags of one that is not the current one, and how fast many are deleted."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.sax.saxutils import unescape

from ministack.services import s3

from .fitting import corrects, uses

uses(
    "services.s3",
    "_qp(params, key, default)",
    "_url_encode(value)",
    "_delete_marker_read_refused(version)",
    "_object_record_from_version(v)",
)

Answer = tuple[int, dict[str, str], bytes]

PAGE = 1000
# The version that was the next older one of a version when that was deleted, by bucket, key and version ID.
_older: dict[tuple[str, str, str], str | None] = {}
NAMES = re.compile(r"<(Key|Prefix|Delimiter|KeyMarker|NextKeyMarker)>(.*?)</\1>", re.DOTALL)
MILLISECONDS = re.compile(rb"(<LastModified>[^<]*)\.\d{3}Z")


@corrects("services.s3", "_list_object_versions(bucket_name, query_params)")
def list_versions(original: Callable[..., Answer], bucket_name: str, query_params: dict[str, Any]) -> Answer:
    """S3 API, ListObjectVersions: pages of at most 1,000 rows, keys URL-encoded where that is asked for, since XML
    cannot hold every key; times to the second, as in all its examples and in the header Last-Modified."""
    wanted = int(s3._qp(query_params, "max-keys", str(PAGE)))
    with marker_in_place(bucket_name, s3._qp(query_params, "key-marker"), s3._qp(query_params, "version-id-marker")):
        status, headers, body = original(bucket_name, {**query_params, "max-keys": [str(min(wanted, PAGE))]})
    if status != 200:
        return status, headers, body
    if s3._qp(query_params, "encoding-type") == "url":
        body = with_encoded_names(body)
    return status, headers, MILLISECONDS.sub(rb"\1.000Z", body)


@contextlib.contextmanager
def marker_in_place(bucket: str, key: str, marker: str) -> Iterator[None]:
    """A listing goes on after its marker, also when the version of that ID was deleted since, as who empties a bucket
    does page by page. MiniStack looks for the version, so something of its ID is put where it was."""
    versions = s3._object_versions.get((bucket, key), [])
    places = {version["version_id"]: place for place, version in enumerate(versions)} if marker else {}
    if not places or marker in places or (bucket, key, marker) not in _older:
        yield
        return
    older = _older[bucket, key, marker]
    while older is not None and older not in places:
        older = _older.get((bucket, key, older))
    stand_in = {"version_id": marker}
    versions.insert(places[older] + 1 if older is not None else 0, stand_in)
    try:
        yield
    finally:
        versions.remove(stand_in)


def with_encoded_names(body: bytes) -> bytes:
    """MiniStack writes characters that XML forbids as they are, so this is done on the text."""

    def encoded(match: re.Match[str]) -> str:
        return f"<{match[1]}>{s3._url_encode(unescape(match[2]))}</{match[1]}>"

    text = NAMES.sub(encoded, body.decode())
    return text.replace("<MaxKeys>", "<EncodingType>url</EncodingType><MaxKeys>", 1).encode()


@corrects("services.s3", "_get_object_tagging(bucket_name, key, query_params)")
def tags_of_version(
    original: Callable[..., Answer], bucket_name: str, key: str, query_params: dict[str, Any] | None = None
) -> Answer:
    """S3 API, GetObjectTagging: versionId names any version, also while a delete marker hides the key.

    What it answers for a delete marker is not documented; refusing it as GET and HEAD do is a choice.
    """
    version_id = s3._qp(query_params or {}, "versionId")
    versions = s3._object_versions.get((bucket_name, key), [])
    version = next((one for one in versions if one["version_id"] == version_id), None)
    if version is None:
        return original(bucket_name, key, query_params)
    if version.get("is_delete_marker"):
        refused: Answer = s3._delete_marker_read_refused(version)
        return refused
    objects = s3._buckets[bucket_name]["objects"]
    if key in objects:
        return original(bucket_name, key, query_params)
    objects[key] = s3._object_record_from_version(version)  # for as long as MiniStack looks for it there
    try:
        return original(bucket_name, key, query_params)
    finally:
        del objects[key]


@corrects("services.s3", "_delete_object_version(bucket, bucket_name, key, version_id)")
def delete_one_of_many(
    original: Callable[..., tuple[bool, bool]], bucket: dict[str, Any], bucket_name: str, key: str, version_id: str
) -> tuple[bool, bool]:
    """No fact of AWS but its speed: MiniStack looks at all versions of the key, which for thousands takes minutes. It
    needs only the one that goes and the one that is current afterwards."""
    address = bucket_name, key
    versions = s3._object_versions.get(address) or []
    places = (place for place in reversed(range(len(versions))) if versions[place]["version_id"] == version_id)
    place = next(places, None)
    if place is not None:
        _older[bucket_name, key, version_id] = versions[place - 1]["version_id"] if place else None
    if place is None or len(versions) < 3:
        return original(bucket, bucket_name, key, version_id)
    removed = versions.pop(place)
    s3._object_versions[address] = [removed, versions[-1]]
    try:
        return original(bucket, bucket_name, key, version_id)
    finally:
        s3._object_versions[address] = versions
