# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""In which Region a bucket is, asked without knowing it. Source: Amazon S3 API Reference, HeadBucket.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from .row import Client
from .sdk_errors import ClientError

_HEADER = "x-amz-bucket-region"


def bucket_region(client: Client, bucket: str) -> str | None:
    """The bucket's Region, which S3 also says when it redirects or denies; None when it does not say.

    Nobody is named as the expected owner, since a bucket to which a rule replicates may be another account's.
    """
    try:
        answer = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    region: str | None = answer["ResponseMetadata"].get("HTTPHeaders", {}).get(_HEADER)
    return region
