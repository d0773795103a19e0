# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a Batch Replication job reads and writes in the recovery bucket: its list of versions, and its report.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any
from urllib.parse import quote, unquote_plus

from .._core.batch_job import Manifest
from .._core.batch_report import BadReport, Failures, ReportFile, failed_task, files_of_failed
from .canary import Side
from .gateway import AwsFailure, asking
from .sdk_errors import ClientError, error_code

_MISSING = ("404", "NoSuchKey", "NotFound")


class VersionList:
    """A list of versions, on disk until it is uploaded, so that memory does not grow with it. A context manager."""

    def __init__(self) -> None:
        self.versions = 0
        self._file = _temporary_file()
        self._sum = hashlib.sha256()

    def __enter__(self) -> VersionList:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, bucket: str, key: str, version_id: str) -> None:
        """One line. A key is URL-encoded, so nothing in it needs quotation marks."""
        line = f"{bucket},{quote(key, safe='/')},{version_id}\n".encode()
        self._file.writelines([line])
        self._sum.update(line)
        self.versions += 1

    @property
    def digest(self) -> str:
        """SHA-256 of the list."""
        return self._sum.hexdigest()

    def upload(self, side: Side, key: str) -> Manifest:
        """Put it into the recovery bucket, unless it is there: the key is of its content.

        Raises:
            AwsFailure: the bucket cannot be written, or is not versioned.
        """
        with asking(f"the list of versions in {side.end.bucket}", "s3:PutObject, s3:GetObject and s3:ListBucket"):
            try:
                there = side.client.head_object(**side.bucket, Key=key)
            except ClientError as error:
                if error_code(error) not in _MISSING:
                    raise
                self._file.seek(0)
                owner = {"ExpectedBucketOwner": side.owner, "ContentType": "text/csv"}
                side.client.upload_fileobj(self._file, side.end.bucket, key, ExtraArgs=owner)
                there = side.client.head_object(**side.bucket, Key=key)
        if "VersionId" not in there:
            raise AwsFailure(
                f"the recovery bucket {side.end.bucket} has no versioning, and a job is given its list by the list's "
                "version. Run setup.yml, which enables it, then again."
            )
        return Manifest(key, there["VersionId"], there["ETag"].strip('"'))


def _temporary_file() -> IO[bytes]:
    return tempfile.TemporaryFile()


class _Summed(io.RawIOBase):
    """The body of an answer, summed up as it is read."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self._body = body
        self.md5 = hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Some bytes; 0: there are none left."""
        data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        self.md5.update(data)
        return len(data)


def read_failures(side: Side, prefix: str, job_id: str, most: int) -> tuple[Failures, str]:
    """The failed tasks of a job, by its report; with the place of the report's manifest.

    Args:
        prefix: of the job's reports.
        most: how many examples of each code are kept.

    Raises:
        AwsFailure: there is no report, it cannot be read, or is not what its checksums say.
    """
    bucket, key = side.end.bucket, f"{prefix}/job-{job_id}/manifest.json"
    what = f"the report of the job {job_id} (s3://{bucket}/{key})"
    failures = Failures(most)
    try:
        with asking(what, "s3:GetObject"):
            for file in files_of_failed(_body(side, key).read()):
                for row in _rows(side, file):
                    task = failed_task(row, unquote_plus)
                    if task is not None:
                        failures.add(task)
    except (BadReport, UnicodeDecodeError, csv.Error) as error:
        raise AwsFailure(f"{what}: {error}. Look at it by hand: what it tells cannot be trusted.") from error
    return failures, f"s3://{bucket}/{key}"


def _body(side: Side, key: str) -> Any:
    return side.client.get_object(**side.bucket, Key=key)["Body"]


def _rows(side: Side, file: ReportFile) -> Iterator[list[str]]:
    """The rows of a file, one at a time.

    Raises:
        BadReport: at its end, when it is not what its checksum says.
    """
    summed = _Summed(_body(side, file.key))
    with io.TextIOWrapper(io.BufferedReader(summed), encoding="utf-8", newline="") as text:
        yield from csv.reader(text)
        if summed.md5.hexdigest() != file.md5.lower():
            raise BadReport(f"{file.key} is not what its MD5 in the manifest says")
