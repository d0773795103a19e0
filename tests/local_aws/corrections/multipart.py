# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Tags of multipart uploads, which MiniStack drops."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from ministack.services import s3

from .fitting import corrects, uses

uses("services.s3", "_qp(params, key, default)")

Answer = tuple[int, dict[str, str], bytes]

TAGS = "_local_aws_tags"  # where an upload's record in MiniStack keeps them
_completing: ContextVar[dict[str, str]] = ContextVar("tags of the upload being completed")


@corrects("services.s3", "_create_multipart_upload(bucket_name, key, headers)")
def keep_tags_of_upload(original: Callable[..., Answer], bucket_name: str, key: str, headers: dict[str, str]) -> Answer:
    """S3 API, CreateMultipartUpload: x-amz-tagging gives the tags of the object to be."""
    answer = original(bucket_name, key, headers)
    tags = dict(parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True))
    if answer[0] == 200 and tags:
        upload_id = ElementTree.fromstring(answer[2]).findtext(f"{{{s3.S3_NS}}}UploadId")
        s3._multipart_uploads[upload_id][TAGS] = tags
    return answer


@corrects("services.s3", "_complete_multipart_upload(bucket_name, key, body, query_params, headers)")
def tag_completed_object(
    original: Callable[..., Answer],
    bucket_name: str,
    key: str,
    body: bytes,
    query_params: dict[str, Any],
    headers: dict[str, str] | None = None,
) -> Answer:
    """The completed object has the upload's tags, so a rule with a tag filter replicates it."""
    upload = s3._multipart_uploads.get(s3._qp(query_params, "uploadId")) or {}
    tags = upload.get(TAGS, {})
    token = _completing.set(tags)
    try:
        answer = original(bucket_name, key, body, query_params, headers)
    finally:
        _completing.reset(token)
    if answer[0] == 200 and tags:
        s3._object_tags[(bucket_name, key, answer[1].get("x-amz-version-id"))] = dict(tags)
    return answer


def tags_of_completing_upload() -> dict[str, str]:
    return _completing.get({})
