# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The Region of a bucket, which S3 says in its answers and in its refusals."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.bucket_region import bucket_region


def a_client(code: str | None, headers: dict[str, str]) -> Any:
    """A client whose HeadBucket answers with the headers, or fails with the code and the headers."""

    def head_bucket(**asked: str) -> dict[str, Any]:
        assert asked == {"Bucket": "b"}
        answer: Any = {"ResponseMetadata": {"HTTPHeaders": headers}, "Error": {"Code": code}}
        if code:
            raise ClientError(answer, "HeadBucket")
        return dict(answer)

    return SimpleNamespace(head_bucket=head_bucket)


@pytest.mark.parametrize("code", [None, "301", "403"])
def test_the_region_is_said_also_when_s3_redirects_or_denies(code: str | None) -> None:
    assert bucket_region(a_client(code, {"x-amz-bucket-region": "eu-west-1"}), "b") == "eu-west-1"


@pytest.mark.parametrize("code", ["404", "403"])
def test_no_region_is_made_up(code: str) -> None:
    assert bucket_region(a_client(code, {}), "b") is None
