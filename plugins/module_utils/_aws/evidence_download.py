# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The evidence in a bucket, listed and read; the names of its objects are never trusted as paths.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .._core.evidence_chain import order_of
from .._core.model import PAIR_NAME
from .gateway import asking
from .row import Client

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")


@dataclass(frozen=True, slots=True)
class Found:
    """One object of the bucket; `path` is its key, of which each part was looked at."""

    path: str
    etag: str

    @property
    def run(self) -> str:
        """The directory of its run."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


def is_evidence(key: str) -> bool:
    """Whether a key is one that a drill writes: `pairs/<pair>/<run>/<file>` or `fleet/<run>/<file>`."""
    parts = key.split("/")
    if len(parts) == 4 and parts[0] == "pairs":
        return bool(PAIR_NAME.fullmatch(parts[1])) and _is_run(parts[2], parts[3])
    return len(parts) == 3 and parts[0] == "fleet" and _is_run(parts[1], parts[2])


def _is_run(run: str, file: str) -> bool:
    return order_of(run) is not None and _FILE.fullmatch(file) is not None


class Evidence:
    """The evidence in one bucket."""

    def __init__(self, client: Client, bucket: str, owner: str) -> None:
        """`owner` is the ID of the bucket's account."""
        self._client = client
        self._name = bucket
        self._bucket = {"Bucket": bucket, "ExpectedBucketOwner": owner}

    def objects(self) -> tuple[list[Found], list[str]]:
        """The objects that are evidence, and the keys of those that are not.

        Raises:
            AwsFailure: the bucket cannot be listed.
        """
        found, strange = [], []
        with asking(f"The evidence in {self._name}", "s3:ListBucket"):
            for one in self._listed():
                if is_evidence(one["Key"]):
                    found.append(Found(one["Key"], one["ETag"].strip('"')))
                elif one["Key"] != "index.html":
                    strange.append(one["Key"])
        return found, strange

    def _listed(self) -> Iterator[dict[str, str]]:
        for page in self._client.get_paginator("list_objects_v2").paginate(**self._bucket):
            yield from page.get("Contents", ())

    def read(self, one: Found) -> bytes:
        """An object's content.

        Raises:
            AwsFailure: it cannot be read.
        """
        with asking(f"{one.path} in {self._name}", "s3:GetObject"):
            content: bytes = self._client.get_object(**self._bucket, Key=one.path)["Body"].read()
        return content
