# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A bucket of objects in memory, behind the calls that the work and the evidence of a scheduled drill make."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody


class ObjectBucket:
    """One bucket's current objects. `calls` are the operations and keys in their order."""

    def __init__(self, bucket: str = "example-recovery", owner: str = "111122223333") -> None:
        self.bucket, self.owner = bucket, owner
        self.objects: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []
        self.failures: dict[tuple[str, str], Exception] = {}
        """What is raised, once, for an operation on a key."""
        self.page = 1000
        self.interrupt: Callable[[str, str], None] = lambda operation, key: None
        """Is asked before each call, and may raise."""

    def put_object(self, **params: Any) -> dict[str, Any]:
        """Keep an object, unless there is one and the request says not to replace it."""
        key = self._asked("put", params)
        if params.get("IfNoneMatch") == "*" and key in self.objects:
            raise error("PreconditionFailed", "PutObject")
        body = params["Body"]
        self.objects[key] = body if isinstance(body, bytes) else body.read()
        self.types[key] = params.get("ContentType", "")
        return {"VersionId": f"v{len(self.calls)}"}

    def get_object(self, **params: Any) -> dict[str, Any]:
        """An object's bytes as a stream."""
        key = self._asked("get", params)
        if key not in self.objects:
            raise error("NoSuchKey", "GetObject")
        content = self.objects[key]
        return {"Body": StreamingBody(io.BytesIO(content), len(content))}

    def delete_object(self, **params: Any) -> dict[str, Any]:
        """Remove an object, if there is one."""
        self.objects.pop(self._asked("delete", params), None)
        return {}

    def delete_objects(self, **params: Any) -> dict[str, Any]:
        """Remove up to a thousand objects."""
        keys = [one["Key"] for one in params["Delete"]["Objects"]]
        if len(keys) > 1000:
            raise error("MalformedXML", "DeleteObjects")
        for key in keys:
            self.delete_object(**{**params, "Key": key})
        return {}

    def get_paginator(self, operation: str) -> ObjectBucket:
        """Only of ListObjectsV2."""
        if operation != "list_objects_v2":
            raise AssertionError(operation)
        return self

    def paginate(self, **params: Any) -> Iterator[dict[str, Any]]:
        """The keys below a prefix, page by page; with a delimiter the folders in their place."""
        self._asked("list", {**params, "Key": params["Prefix"]})
        prefix, keys = params["Prefix"], sorted(key for key in self.objects if key.startswith(params["Prefix"]))
        if "Delimiter" in params:
            below = [key.removeprefix(prefix).partition("/") for key in keys]
            folders = sorted({prefix + name + slash for name, slash, _rest in below if slash})
            yield {"CommonPrefixes": [{"Prefix": folder} for folder in folders]}
            return
        for first in range(0, max(1, len(keys)), self.page):
            yield {"Contents": [{"Key": key} for key in keys[first : first + self.page]]}

    def _asked(self, operation: str, params: dict[str, Any]) -> str:
        if (params["Bucket"], params["ExpectedBucketOwner"]) != (self.bucket, self.owner):
            raise error("AccessDenied", operation)
        key = str(params["Key"])
        self.calls.append((operation, key))
        self.interrupt(operation, key)
        if failure := self.failures.pop((operation, key), None):
            raise failure
        return key


def error(code: str, operation: str) -> ClientError:
    """S3's error of that code."""
    return ClientError({"Error": {"Code": code, "Message": "said so"}}, operation)


class KilledAtPut:
    """Ends the process at the given write, as far as a test can."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, operation: str, key: str) -> None:
        """Count the writes."""
        self._left -= operation == "put"
        if operation == "put" and self._left == 0:
            raise SystemExit("killed")
