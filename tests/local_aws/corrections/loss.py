# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A bucket that is lost with all that is in it, as if destroyed: nobody asked S3 for it, and nobody is told.

POST /_local_aws/loss   {"bucket": "name"}

Object Lock does not keep it, no event is sent, and its name is free at once. What waited to be replicated to it fails,
and what waited in it is gone.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import s3

from .fitting import uses

uses("services.s3", "_bucket_owner_account(name)", "_delete_bucket(name)")

PATH = "/_local_aws/loss"


def control(method: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer a request to the control path."""
    try:
        bucket = str(json.loads(body)["bucket"]) if method == "POST" else ""
    except (ValueError, TypeError, KeyError):
        bucket = ""
    owner = s3._bucket_owner_account(bucket) if bucket else None
    if owner is None:
        return 400, {"error": 'expected a POST of {"bucket": name} with the name of a bucket that is there'}
    with request_scope(owner, ""):
        return 200, {"versions": lose(bucket)}


def lose(bucket: str) -> int:
    """Let the bucket vanish; the answer is how many versions it had."""
    lost = [address for address in s3._object_versions if address[0] == bucket]
    versions = sum(len(s3._object_versions.pop(address)) for address in lost)
    s3._buckets[bucket]["objects"].clear()
    for upload in [name for name, one in s3._multipart_uploads.items() if one["bucket"] == bucket]:
        del s3._multipart_uploads[upload]
    s3._delete_bucket(bucket)
    return versions
