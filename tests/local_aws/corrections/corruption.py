# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Stored versions that change by themselves, which AWS's never do: so a comparison can be shown to notice it.

POST /_local_aws/corruption   {"bucket": "name", "key": "key", "version_id": "id", "what": "data"}

``what``: ``data`` (one bit is flipped, and nothing but reading tells it), ``content`` (one bit is flipped, and ETag and
checksums tell it), ``size`` (the last byte is lost, and size, ETag and checksums tell it), ``etag`` (the ETag is
another one, the data is not). Times, tags and the replication status stay.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import s3

from . import versions
from .fitting import uses

uses("services.s3", "_bucket_owner_account(name)", "_compute_s3_checksum(algorithm, body)")

PATH = "/_local_aws/corruption"
WHATS = ("data", "content", "size", "etag")


def control(method: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer a request to the control path."""
    try:
        wish = json.loads(body) if method == "POST" else {}
        bucket, key, version_id, what = (str(wish[name]) for name in ("bucket", "key", "version_id", "what"))
    except (ValueError, TypeError, KeyError):
        return 400, {"error": 'expected a POST of {"bucket": name, "key": key, "version_id": ID, "what": what}'}
    if what not in WHATS:
        return 400, {"error": f"what is one of {', '.join(WHATS)}"}
    found = versions.get(bucket, key, version_id)
    if found is None or (not found[0] and what != "etag"):
        return 400, {"error": f"{bucket} holds no version {version_id} of {key} with data in it"}
    with request_scope(s3._bucket_owner_account(bucket), ""):
        for record, name in records(bucket, key, version_id):
            record.update(spoiled(record, name, found[0], what))
    return 200, {"etag": versions.get(bucket, key, version_id)[1]}


def records(bucket: str, key: str, version_id: str) -> list[tuple[dict[str, Any], str]]:
    """Where MiniStack keeps the version, which is twice for the current one, and under which name its data is."""
    kept = [(one, "data") for one in s3._object_versions.get((bucket, key), []) if one["version_id"] == version_id]
    current = s3._buckets[bucket]["objects"].get(key)
    if current is not None and (current.get("version_id") or "null") == version_id:
        kept.append((current, "body"))
    return kept


def spoiled(record: dict[str, Any], name: str, data: bytes, what: str) -> dict[str, Any]:
    """What of the record is other than before."""
    if what == "etag":
        return {"etag": f'"{hashlib.md5(data + b"other", usedforsecurity=False).hexdigest()}"'}
    data = data[:-1] if what == "size" else bytes([data[0] ^ 1]) + data[1:]
    if what == "data":
        return {name: data}
    checksums = {algorithm: s3._compute_s3_checksum(algorithm, data) for algorithm in record.get("checksums") or {}}
    etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
    return {name: data, "size": len(data), "etag": etag, "checksums": checksums}
