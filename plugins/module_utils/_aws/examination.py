# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A second look at differences, version by version, under a budget of requests.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

from .._core.causes import UNASKED, Finding, Head
from .._core.explain import Explainer, Rank, Solved
from .._core.march import Difference, Kind
from .._core.versions import Version
from .canary import Side
from .sdk_errors import DENIED, BotoCoreError, ClientError, ResponseParserError, error_code

THREADS = 16
_IN_FLIGHT = 4 * THREADS
"""Differences that are held while they are examined: enough that no thread waits for another's answer for long."""
_GONE = ("404", "NoSuchVersion", "NoSuchKey")
_NOT_ALLOWED_ON_MARKERS = ("405", "MethodNotAllowed")


class Budget:
    """How many requests may be made, and how fast. One budget may serve several comparisons at the same time."""

    def __init__(
        self,
        max_requests: int,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`per_second` must be more than 0."""
        self.max_requests = max_requests
        self.used = 0
        self._gap = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._next = clock()
        self._lock = threading.Lock()

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left."""
        return self.used >= self.max_requests

    def take(self) -> bool:
        """Wait for the next request's turn; False, at once, if nothing is left."""
        with self._lock:
            if self.exhausted:
                return False
            self.used += 1
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._gap
        if turn > now:
            self._sleep(turn - now)
        return True


class Examiner:
    """Asks S3 about versions in which the ends differ, and has each difference explained.

    Attributes:
        requests: how many it made.
        notices: what was refused or failed, each with how often: the same sentence for all versions of a bucket.
    """

    def __init__(self, left: Side, right: Side, explainer: Explainer, budget: Budget) -> None:
        self._sides = (left, right)
        self._explainer = explainer
        self._budget = budget
        self._lock = threading.Lock()
        self.requests = 0
        self.notices: Counter[str] = Counter()

    def examine(self, differences: Iterable[Difference]) -> Generator[Finding | Solved, None, None]:
        """Explain each difference; those that need no request may overtake others. Memory does not grow with them."""
        running: deque[Future[Finding | Solved]] = deque()
        pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="examine")
        try:
            for difference in differences:
                if self._budget.exhausted or self._explainer.rank(difference) is Rank.SETTLED:
                    yield self._explainer.explain(difference, UNASKED, UNASKED)
                    continue
                running.append(pool.submit(self._examine, difference))
                if len(running) == _IN_FLIGHT:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _examine(self, difference: Difference) -> Finding | Solved:
        holder, other = self._sides if difference.at_left else self._sides[::-1]
        checksums = difference.kind is Kind.DIFFERS
        here, there = self._head(holder, difference.version, checksums), UNASKED
        if self._explainer.asks_tags(difference, here):
            here = self._with_tags(holder, difference.version, here)
        if self._explainer.asks_other_end(difference, here):
            there = self._head(other, difference.other or difference.version, checksums)
        return self._explainer.explain(difference, here, there)

    def _take(self) -> bool:
        if not self._budget.take():
            return False
        with self._lock:
            self.requests += 1
        return True

    def _head(self, side: Side, version: Version, checksums: bool) -> Head:
        """Ask for one version, with its checksums if the credentials may have them."""
        if not self._take():
            return UNASKED
        mode = {"ChecksumMode": "ENABLED"} if checksums else {}
        try:
            answer = side.client.head_object(**side.bucket, Key=version.key, VersionId=version.version_id, **mode)
        except ClientError as error:
            return self._not_told(side, version, checksums, error)
        except (BotoCoreError, ResponseParserError) as error:
            return self._refused(_unreachable(side, error))
        return Head(False) if version.is_delete_marker else head_of(answer)

    def _not_told(self, side: Side, version: Version, checksums: bool, error: ClientError) -> Head:
        code = error_code(error)
        if code in _GONE:
            return Head(False)
        if code in _NOT_ALLOWED_ON_MARKERS and _headers(error).get("x-amz-delete-marker") == "true":
            return _marker(version, _headers(error))
        if code in DENIED and checksums:
            again = self._head(side, version, checksums=False)
            if again.found:
                self._note(_lacks(side, "kms:Decrypt on the keys of", "so S3 tells no checksums of some versions"))
            return again if again is not UNASKED else self._refused(_may_not_head(side))
        if code in DENIED:
            return self._refused(_may_not_head(side))
        return self._refused(_other_answer(side, code, error))

    def _with_tags(self, side: Side, version: Version, here: Head) -> Head:
        """The same with the version's tags, if S3 tells them."""
        if not self._take():
            return here
        try:
            answer = side.client.get_object_tagging(**side.bucket, Key=version.key, VersionId=version.version_id)
        except ClientError as error:
            if error_code(error) in _GONE:
                return Head(False)
            if error_code(error) in DENIED:
                sentence = _lacks(side, "s3:GetObjectVersionTagging on", "so rules with tags cannot be judged")
            else:
                sentence = _other_answer(side, error_code(error), error)
            return replace(here, refused=self._note(sentence))
        except (BotoCoreError, ResponseParserError) as error:
            return replace(here, refused=self._note(_unreachable(side, error)))
        return replace(here, tags=tuple((tag["Key"], tag["Value"]) for tag in answer["TagSet"]))

    def _refused(self, sentence: str) -> Head:
        return Head(None, refused=self._note(sentence))

    def _note(self, sentence: str) -> str:
        with self._lock:
            self.notices[sentence] += 1
        return sentence


def head_of(answer: Mapping[str, Any]) -> Head:
    """What HeadObject told. A multipart upload's ETag ends in the number of its parts."""
    etag = answer.get("ETag", "").strip('"')
    tail = etag.rpartition("-")[2] if "-" in etag else ""
    return Head(
        True,
        status=answer.get("ReplicationStatus"),
        size=answer.get("ContentLength"),
        etag=etag,
        encryption=answer.get("ServerSideEncryption"),
        kms_key=answer.get("SSEKMSKeyId"),
        storage_class=answer.get("StorageClass", "STANDARD"),
        archive_status=answer.get("ArchiveStatus"),
        object_lock="ObjectLockMode" in answer or answer.get("ObjectLockLegalHoldStatus") == "ON",
        customer_key="SSECustomerAlgorithm" in answer,
        parts=answer.get("PartsCount", int(tail) if tail.isdecimal() else None),
        checksums=_checksums(answer),
        checksum_type=answer.get("ChecksumType"),
        modified=answer.get("LastModified"),
    )


def _checksums(answer: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """By their fields' names, since S3 adds algorithms from time to time."""
    found = {name.removeprefix("Checksum"): value for name, value in answer.items() if name.startswith("Checksum")}
    return tuple(sorted((name, str(value)) for name, value in found.items() if name != "Type"))


def _marker(version: Version, headers: Mapping[str, str]) -> Head:
    """S3 answers 405 to the HEAD of a delete marker that is there, and tells when it was put and nothing else."""
    if not version.is_delete_marker:
        return Head(False)  # a `null` object in whose place a marker was put
    modified = headers.get("last-modified")
    return Head(True, modified=parsedate_to_datetime(modified) if modified else None)


def _headers(error: ClientError) -> Mapping[str, str]:
    return dict(error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}))


def _lacks(side: Side, permission: str, consequence: str) -> str:
    return f"The credentials of this task lack {permission} {side.end.bucket}, {consequence}. Allow it, then run again."


def _may_not_head(side: Side) -> str:
    """Without s3:ListBucket S3 says 403 where it would say 404, so both are needed to tell what is not there."""
    return _lacks(side, "s3:GetObjectVersion or s3:ListBucket on", "so its versions cannot be looked at")


def _other_answer(side: Side, code: str, error: ClientError) -> str:
    """S3 answers 400 to the HEAD of an SSE-C object without its key, but also where credentials have expired.

    An answer without a body does not tell these apart, so 400 proves neither that the version is there nor that not.
    """
    if code in ("400", "InvalidRequest"):
        return (
            f"{side.end.bucket}: S3 answered 400 and told nothing of some versions. It does so for objects under a "
            "customer's key (SSE-C), which this task does not have, and for credentials that have expired."
        )
    return f"{side.end.bucket} in {side.end.region}: S3 answered {code} to {error.operation_name}. Run again later."


def _unreachable(side: Side, error: Exception) -> str:
    """Without the SDK's own words, which name the key, so that the same failure is said once."""
    return f"{side.end.bucket} in {side.end.region} could not be reached ({type(error).__name__}). Run again later."
