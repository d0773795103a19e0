# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What the steps of a drill leave for each other: objects below one prefix of the recovery bucket.

Each object is written whole, under a name that a repeated step gives again, so nothing is counted twice.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .._aws.row import Client
from .._aws.sdk_errors import ClientError, error_code

_GONE = ("NoSuchKey", "404")
_MOST_AT_ONCE = 1000
"""Amazon S3 API, DeleteObjects: so many keys in one request."""
_IN_MEMORY_BYTES = 8 * 1024 * 1024
"""So much of a file is held before it goes to Lambda's disk."""


class Work:
    """Values and rows by name, below a prefix."""

    def __init__(self, client: Client, bucket: str, owner: str, prefix: str) -> None:
        """`owner` is the ID of the bucket's account; `prefix` ends with a slash."""
        self.prefix = prefix
        self._client = client
        self._bucket = {"Bucket": bucket, "ExpectedBucketOwner": owner}

    def get(self, name: str) -> Any:
        """A value; None: there is none of that name."""
        try:
            answer = self._client.get_object(**self._bucket, Key=f"{self.prefix}{name}.json")
        except ClientError as error:
            if error_code(error) in _GONE:
                return None
            raise
        return json.loads(answer["Body"].read())

    def put(self, name: str, value: Any) -> None:
        """Keep a value in place of the one of that name."""
        body = json.dumps(value, ensure_ascii=True).encode()
        self._client.put_object(**self._bucket, Key=f"{self.prefix}{name}.json", Body=body)

    def lines(self, name: str) -> Iterator[Any]:
        """The rows of a name, one after the other.

        Raises:
            ClientError: there are none of that name.
        """
        return map(json.loads, self._unpacked(f"{name}.jsonl.gz"))

    def packed(self, name: str) -> Iterator[str]:
        """The lines of what was put there packed; none: nothing was."""
        try:
            yield from self._unpacked(f"{name}.gz")
        except ClientError as error:
            if error_code(error) not in _GONE:
                raise

    def _unpacked(self, name: str) -> Iterator[str]:
        """It is fetched whole first: whoever reads may take longer than S3 waits."""
        body = self._client.get_object(**self._bucket, Key=f"{self.prefix}{name}")["Body"]
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
            file.writelines(body.iter_chunks())
            file.seek(0)
            with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
                yield from lines

    def put_packed(self, name: str, path: Path) -> None:
        """Keep a file of lines that is packed already."""
        with path.open("rb") as file:
            self._client.put_object(**self._bucket, Key=f"{self.prefix}{name}.gz", Body=file)

    def put_lines(self, name: str, rows: Iterable[Any]) -> None:
        """Keep rows in place of those of that name."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
            with gzip.open(file, "wb", compresslevel=1) as packed:
                packed.writelines(json.dumps(row, ensure_ascii=True).encode() + b"\n" for row in rows)
            file.seek(0)
            self._client.put_object(**self._bucket, Key=f"{self.prefix}{name}.jsonl.gz", Body=file)

    def clear(self) -> None:
        """Remove everything. In a versioned bucket the former versions go by its lifecycle."""
        keys = self._keys()
        for first in range(0, len(keys), _MOST_AT_ONCE):
            some = [{"Key": key} for key in keys[first : first + _MOST_AT_ONCE]]
            self._client.delete_objects(**self._bucket, Delete={"Objects": some, "Quiet": True})

    def _keys(self) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(**self._bucket, Prefix=self.prefix)
        return sorted(one["Key"] for page in pages for one in page.get("Contents", ()))
