# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Configurations of S3 Intelligent-Tiering, which MiniStack does not keep, and which buckets may be accelerated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import s3

from . import shapes
from .fitting import corrects, uses

uses("services.s3", "_error(code, message, status, resource, extra, headers)", "_qp(params, key, default)")

Answer = tuple[int, dict[str, str], bytes]
LEAST_DAYS = {"ARCHIVE_ACCESS": 90, "DEEP_ARCHIVE_ACCESS": 180}

# Per bucket, known by its name and the time of its creation: ID and configuration, as it was sent.
_kept: dict[tuple[str, str], dict[str, bytes]] = {}


@corrects("services.s3", "_dispatch(method, bucket, key, headers, body, query_params)")
def answer_option_requests(
    original: Callable[..., Answer],
    method: str,
    bucket: str,
    key: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
) -> Answer:
    """S3 API, PutBucketAccelerateConfiguration: the name must not contain dots."""
    if bucket in s3._buckets and not key:
        if "intelligent-tiering" in query_params and (name := s3._qp(query_params, "id")):
            return answer(method, bucket, name, body)
        if "accelerate" in query_params and method == "PUT" and "." in bucket:
            return s3._error("InvalidRequest", "S3 Transfer Acceleration is not supported for names with periods", 400)
    return original(method, bucket, key, headers, body, query_params)


def answer(method: str, bucket: str, name: str, body: bytes) -> Answer:
    """S3 API, Put, Get and DeleteBucketIntelligentTieringConfiguration: what is put stays until it is deleted."""
    kept = _kept.setdefault((bucket, s3._buckets[bucket]["created"]), {})
    if method == "PUT":
        return put(kept, bucket, name, body)
    if name not in kept:
        return s3._error("NoSuchConfiguration", "The specified configuration does not exist.", 404, f"/{bucket}")
    if method == "DELETE":
        del kept[name]
        return 204, {}, b""
    return 200, {"Content-Type": "application/xml"}, kept[name]


def put(kept: dict[str, bytes], bucket: str, name: str, body: bytes) -> Answer:
    """S3 User Guide, using-intelligent-tiering: at least 90 days to the archive tier and 180 to the deep one."""
    shape = shapes.model("s3").shape_for("IntelligentTieringConfiguration")
    try:
        configuration = shapes.parse(shape, body)
        shapes.check(shape, configuration)
    except shapes.Malformed:
        return s3._error("MalformedXML", s3._MALFORMED_XML, 400, f"/{bucket}")
    if any(tier["Days"] < LEAST_DAYS[tier["AccessTier"]] for tier in configuration["Tierings"]):
        return s3._error("InvalidArgument", "The number of days is below the minimum of the access tier.", 400)
    kept[name] = body
    return 200, {}, b""
