# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What listings of versions tell, and the tags of a version that is not the current one."""

from __future__ import annotations

import re
from collections.abc import Callable
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
NAMES = re.compile(r"<(Key|Prefix|Delimiter|KeyMarker|NextKeyMarker)>(.*?)</\1>", re.DOTALL)
MILLISECONDS = re.compile(rb"(<LastModified>[^<]*)\.\d{3}Z")


@corrects("services.s3", "_list_object_versions(bucket_name, query_params)")
def list_versions(original: Callable[..., Answer], bucket_name: str, query_params: dict[str, Any]) -> Answer:
    """S3 API, ListObjectVersions: pages of at most 1,000 rows, keys URL-encoded where that is asked for, since XML
    cannot hold every key; times to the second, as in all its examples and in the header Last-Modified."""
    wanted = int(s3._qp(query_params, "max-keys", str(PAGE)))
    status, headers, body = original(bucket_name, {**query_params, "max-keys": [str(min(wanted, PAGE))]})
    if status != 200:
        return status, headers, body
    if s3._qp(query_params, "encoding-type") == "url":
        body = with_encoded_names(body)
    return status, headers, MILLISECONDS.sub(rb"\1.000Z", body)


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
