# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Everything in a bucket deleted for good: versions, delete markers, unfinished uploads.

One thread reads the listing page by page, some others delete what is on the pages. Only so many pages wait at a time
that the memory does not grow with the bucket. A run that was ended anywhere goes on where it was: with what is there.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import unquote_plus

from .._core.deletion import WRITTEN_SINCE, Lock, Refusal, Refusals, deleted_sentence, kept_sentences
from .row import Client, Running
from .sdk_errors import NO_ANSWER, THROTTLED, BotoCoreError, ClientError, ResponseParserError, error_code

WORKERS = 8
"""S3 takes a second or so for a request of 1,000 versions, and promises 3,500 deletions a second for each prefix."""
_MOST_WAITING = 2 * WORKERS
_PAGE = 1000
"""The most rows that ListObjectVersions tells, and the most that DeleteObjects takes."""
PATIENCE_SECONDS = 120.0
"""How long calls are made again of which none goes through."""
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_LOCKS_LOOKED_AT = 10

_NOT_IN_XML = re.compile(r"[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Of these XML 1.0 cannot hold most; one in a key makes S3 refuse all of a DeleteObjects request."""

T = TypeVar("T")
Item = TypeVar("Item")
Name = tuple[str, str]
"""A key and a version ID."""


class Ended(Exception):
    """The run was told to stop. What is deleted is gone, and the rest is still there."""


class NotDeleted(Exception):
    """S3 kept some of it. The message says what, why and what to do.

    Attributes:
        bucket: the bucket.
        deleted: how many `versions` and `uploads` went.
        refused: what S3 kept.
    """

    def __init__(self, bucket: str, deleted: dict[str, int], refused: Refused, message: str) -> None:
        super().__init__(message)
        self.bucket = bucket
        self.deleted = deleted
        self.refused = refused


class Refused:
    """What S3 keeps, counted, and all of it on disk: there may be as many refusals as versions.

    Attributes:
        all_listed: whether all of it found room on the disk.
    """

    def __init__(self) -> None:
        self.refusals = Refusals()
        self.all_listed = True
        self._adding = threading.Lock()
        self._lines: IO[bytes] | None = None

    def add(self, refusals: Iterable[Refusal]) -> None:
        """Take refusals in, from any thread."""
        with self._adding:
            for refusal in refusals:
                self.refusals.add(refusal)
                try:
                    self._lines = self._lines or _temporary()
                    self._lines.writelines([json.dumps(refusal.as_result()).encode(), b"\n"])
                except OSError:  # a list to read is no reason to stop
                    self.all_listed = False

    def write_all(self, path: Path) -> None:
        """All of them as a file, which appears whole and is private: keys may be nobody else's business."""
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with part.open("wb") as file:
            if self._lines is not None:
                self._lines.seek(0)
                file.writelines(self._lines)
        part.replace(path)


def _temporary() -> IO[bytes]:
    """A file without a name, which goes when nobody needs it."""
    return tempfile.TemporaryFile()


class Pace:
    """Calls that S3 puts off are made again after a pause, in which all threads wait.

    The pause grows while nothing goes through, and shrinks with what does.
    """

    def __init__(self, stopped: threading.Event, sleep: Callable[[float], object], clock: Callable[[], float]) -> None:
        self._stopped = stopped
        self._sleep = sleep
        self._clock = clock
        self._changing = threading.Lock()
        self._resume = self._progressed = clock()
        self._pause = _FIRST_PAUSE_SECONDS
        self._answered = False

    def call(self, make: Callable[[], T]) -> T:
        """The answer to a call, however often it must be made; a connection that never stood is not waited for.

        Raises:
            Ended: the run was told to stop.
        """
        while True:
            self._wait()
            try:
                answer = make()
            except ClientError as error:
                if error_code(error) not in THROTTLED or not self.put_off():
                    raise
            except NO_ANSWER:
                if not self._answered or not self.put_off():
                    raise
            else:
                self._answered = True
                return answer

    def went_through(self) -> None:
        """Something was read or deleted."""
        with self._changing:
            self._progressed = self._clock()
            self._pause = max(_FIRST_PAUSE_SECONDS, self._pause / 2)

    def put_off(self) -> bool:
        """Let all threads pause; False: that has been tried for long enough."""
        with self._changing:
            now = self._clock()
            if now - self._progressed > PATIENCE_SECONDS:
                return False
            if now >= self._resume:  # else it was refused together with another one that has said so already
                self._resume = now + self._pause
                self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
            return True

    def _wait(self) -> None:
        while True:
            if self._stopped.is_set():
                raise Ended
            pause = self._resume - self._clock()
            if pause <= 0:
                return
            self._sleep(pause)


def delete_contents(
    client: Client,
    bucket: str,
    owner: str,
    running: Running | None = None,
    sleep: Callable[[float], object] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Delete every version and delete marker for good, and abort every unfinished upload.

    DeleteObjects answers 200 even when it kept some of them, so the errors for each key are read. Object Lock is never
    bypassed.

    Args:
        running: is told how far it is, and tells when to stop and what is too new.
        sleep: how to wait; by default a wait that ends when the run is told to stop.

    Raises:
        NotDeleted: some of it was kept, by S3 or since it is too new; all else is deleted.
        Ended: the run was told to stop.
    """
    running = running or Running()
    pace = Pace(running.stopped, sleep or running.stopped.wait, clock)
    _Deletion(client, bucket, owner, running, pace).run()


class _Deletion:
    """One deletion of all that a bucket holds."""

    def __init__(self, client: Client, bucket: str, owner: str, running: Running, pace: Pace) -> None:
        self._client = client
        self._bucket = bucket
        self._at = {"Bucket": bucket, "ExpectedBucketOwner": owner}
        self._running = running
        self._pace = pace
        self._failed = threading.Event()
        self._refused = Refused()
        self._counting = threading.Lock()
        self._deleted = {"versions": 0, "uploads": 0}

    def run(self) -> None:
        """Delete, then say what was kept."""
        with ThreadPoolExecutor(WORKERS, thread_name_prefix=f"delete from {self._bucket}") as pool:
            try:
                self._share(pool, self._uploads(), self._abort)
                self._share(pool, self._pages(), self._delete)
            except BaseException:
                self._failed.set()  # the threads end with the call that they are in
                raise
        if self._refused.refusals.total:
            raise NotDeleted(self._bucket, self._deleted, self._refused, self._what_was_kept())

    def _share(self, pool: ThreadPoolExecutor, items: Iterator[Item], do: Callable[[Item], None]) -> None:
        """Give the items to the threads, and read no further while enough of them wait."""
        waiting: set[Future[None]] = set()
        for item in items:
            waiting.add(pool.submit(self._unless_failed, do, item))
            if len(waiting) >= _MOST_WAITING:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                _raise_first(done)
        _raise_first(wait(waiting).done)

    def _unless_failed(self, do: Callable[[Item], None], item: Item) -> None:
        if not self._failed.is_set():
            do(item)

    def _count(self, what: str, number: int) -> None:
        if number:
            with self._counting:
                self._deleted[what] += number
                self._running.progress[self._bucket] = deleted_sentence(self._deleted)
            self._pace.went_through()

    # --- what there is ----------------------------------------------------------------------------------------

    def _pages(self) -> Iterator[list[Name]]:
        """The versions and delete markers, page by page; only their names are kept."""
        after: dict[str, str] = {}
        while True:
            page = self._call("list_object_versions", MaxKeys=_PAGE, **after)
            self._pace.went_through()
            rows = [(row["Key"], row["VersionId"]) for row in self._deletable(page)]
            if rows:
                yield rows
            if not page.get("IsTruncated"):
                return
            after = _markers(page, KeyMarker="NextKeyMarker", VersionIdMarker="NextVersionIdMarker")

    def _deletable(self, page: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The rows of a page but those of versions that are newer than what is known; a delete marker holds no data."""
        limit = self._running.not_after.get(self._bucket)
        for row in page.get("Versions", ()):
            if limit is not None and row["LastModified"] > limit:
                self._refused.add([Refusal(row["Key"], row["VersionId"], WRITTEN_SINCE)])
            else:
                yield row
        yield from page.get("DeleteMarkers", ())

    def _uploads(self) -> Iterator[Name]:
        """The unfinished uploads. boto3 asks for keys that XML can hold, and decodes them, only in other listings."""
        after: dict[str, str] = {}
        while True:
            page = self._call("list_multipart_uploads", EncodingType="url", **after)
            decode = unquote_plus if page.get("EncodingType") == "url" else str
            yield from ((decode(upload["Key"]), upload["UploadId"]) for upload in page.get("Uploads", ()))
            if not page.get("IsTruncated"):
                return
            after = _markers(page, KeyMarker="NextKeyMarker", UploadIdMarker="NextUploadIdMarker")
            after["KeyMarker"] = decode(after["KeyMarker"])

    def _call(self, operation: str, **more: Any) -> dict[str, Any]:
        """One call about the bucket, made again as long as S3 puts it off."""
        method = getattr(self._client, operation)
        answer: dict[str, Any] = self._pace.call(partial(method, **self._at, **more))
        return answer

    # --- in the threads ---------------------------------------------------------------------------------------

    def _abort(self, upload: Name) -> None:
        key, upload_id = upload
        try:
            self._call("abort_multipart_upload", Key=key, UploadId=upload_id)
        except ClientError as error:
            if error_code(error) != "NoSuchUpload":  # else it was completed or aborted meanwhile
                self._refused.add([_refusal(key, f"upload {upload_id}", error)])
                return
        self._count("uploads", 1)

    def _delete(self, page: list[Name]) -> None:
        for name in page:
            if _NOT_IN_XML.search(name[0]):
                self._delete_alone(name)
        self._delete_together([name for name in page if not _NOT_IN_XML.search(name[0])])

    def _delete_alone(self, name: Name) -> None:
        """The key stands in the address of the request, which can hold any character."""
        key, version_id = name
        try:
            self._call("delete_object", Key=key, VersionId=version_id)
        except ClientError as error:
            self._refused.add([_refusal(key, version_id, error)])
        else:
            self._count("versions", 1)

    def _delete_together(self, left: list[Name]) -> None:
        """What S3 puts off for a while is asked for again, as long as that helps."""
        while left:
            objects = [{"Key": key, "VersionId": version_id} for key, version_id in left]
            answer = self._call("delete_objects", Delete={"Objects": objects, "Quiet": True})
            errors: list[dict[str, str]] = answer.get("Errors", [])
            self._count("versions", len(left) - len(errors))
            put_off = [error for error in errors if error.get("Code") in THROTTLED]
            again = bool(put_off) and self._pace.put_off()
            self._refused.add(map(_refused, [e for e in errors if not (again and e in put_off)]))
            left = _named_by(put_off, left) if again else []

    # --- what was kept ----------------------------------------------------------------------------------------

    def _what_was_kept(self) -> str:
        asked = [one for one in self._refused.refusals.shown() if one.code == "AccessDenied"][:_LOCKS_LOOKED_AT]
        locks = [lock for lock in map(self._lock, asked) if lock]
        return f"{kept_sentences(self._refused.refusals, locks, len(asked))} {deleted_sentence(self._deleted)}."

    def _lock(self, kept: Refusal) -> Lock:
        """Only to explain a refusal, so that an error tells nothing."""
        with suppress(ClientError, BotoCoreError, ResponseParserError):
            head = self._client.head_object(**self._at, Key=kept.key, VersionId=kept.version_id)
            until = head.get("ObjectLockRetainUntilDate")
            return Lock(
                head.get("ObjectLockMode", ""),
                _iso(until) if until else "",
                head.get("ObjectLockLegalHoldStatus") == "ON",
            )
        return Lock()


def _raise_first(done: Iterable[Future[None]]) -> None:
    for one in done:
        one.result()


def _markers(page: dict[str, Any], **markers: str) -> dict[str, str]:
    """Where the next page begins. Without that what is behind it would be passed over in silence."""
    try:
        return {name: page[told] for name, told in markers.items()}
    except KeyError as error:
        raise ResponseParserError(f"a listing goes on and does not say where: {error.args[0]} is missing") from error


def _refusal(key: str, version_id: str, error: ClientError) -> Refusal:
    return Refusal(key, version_id, error_code(error), str(error.response["Error"].get("Message", "")))


def _refused(error: dict[str, str]) -> Refusal:
    """One of the errors in an answer to DeleteObjects."""
    return Refusal(error["Key"], error.get("VersionId", ""), error.get("Code", "unknown"), error.get("Message", ""))


def _named_by(errors: Iterable[dict[str, str]], asked: Iterable[Name]) -> list[Name]:
    """The versions that the errors are about; one without a version ID is about all of its key."""
    named = {(error["Key"], error.get("VersionId")) for error in errors}
    return [name for name in asked if name in named or (name[0], None) in named]


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
