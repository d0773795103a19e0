# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""All versions of a bucket as one sorted stream, read ahead by a thread of its own.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from queue import SimpleQueue
from types import TracebackType
from typing import Any, TypeAlias

from .._core.versions import Version, listing_order
from .canary import Side
from .gateway import explain_connection
from .sdk_errors import DENIED, THROTTLED, BotoCoreError, ClientError, ResponseParserError, error_code

PAGES_AHEAD = 4
"""Enough to keep the reader busy while the other end is slower; some 2 MB."""
PATIENCE_SECONDS = 120.0
"""How long a page is asked for again after the SDK's own attempts, while S3 is busy or cannot be reached."""
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_PAGE_ROWS = 1000
_ELSEWHERE = ("301", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
_CREDENTIALS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidClientTokenId")


class ListingFailed(Exception):
    """A bucket could not be listed to its end, so nothing that was read proves anything.

    The message names bucket and Region, the cause and the next step.
    """


class BadPage(Exception):
    """S3's answer is not one that S3 documents; the message says in what."""


class Stopped(Exception):
    """Nobody wants the listing any more."""


@dataclass(frozen=True, slots=True)
class Marker:
    """After which version the next page begins; `version_id` None: after all versions of the key."""

    key: str
    version_id: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of S3.

    Attributes:
        rows: sorted by key, within a key the current version first, then the newest.
        date: when S3 answered, by its own clock, in UTC.
        next: None: it is the last page.
    """

    rows: Sequence[Version]
    date: datetime
    next: Marker | None


PageReader: TypeAlias = "Callable[[Side, str, Marker | None], Page]"
"""Reads the page of a prefix that follows a marker; raises what the SDK raises, or BadPage."""


class VersionListing:
    """The versions of one bucket below some prefixes. Use it as a context manager: that ends its thread.

    Attributes:
        versions, delete_markers, size: what was handed out so far, page by page; `size` in bytes.
    """

    def __init__(
        self,
        side: Side,
        prefixes: Sequence[str] = ("",),
        read: PageReader | None = None,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        after: str | None = None,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            after: begin with the first key that comes after this one.
            read: how a page is read; by boto3 unless said otherwise.
            sleep: how to wait; by default a wait that ends when the listing is closed.
        """
        self.versions = self.delete_markers = self.size = 0
        self._side = side
        self._prefixes = separate(prefixes)
        self._after = after
        self._read = read or read_page
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._clock = clock
        self._began: datetime | None = None
        self._thread: threading.Thread | None = None
        self._room = threading.Semaphore(PAGES_AHEAD)
        self._ready: SimpleQueue[Page | BaseException | None] = SimpleQueue()
        self._peeked: Page | None = None
        self._ended = False
        self._error: BaseException | None = None

    def __enter__(self) -> VersionListing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to read ahead; returns at once."""
        if self._thread is None:
            name = f"versions of {self._side.end.bucket}"
            self._thread = threading.Thread(target=self._produce, name=name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Let the thread end. It is not waited for: a call to a Region that is down may take minutes to fail."""
        self._stopped.set()
        self._room.release()

    @property
    def began(self) -> datetime:
        """The latest moment by S3's clock at which the listing had surely not begun; waits for the first page.

        S3 stamps an answer when it gives it. What was written between the question and the answer may be on the page
        or not, so the time that the answer took is taken off.

        Raises:
            ListingFailed: there is no first page.
        """
        self.wait()
        if self._began is None:
            raise AssertionError("a page came without a date")
        return self._began

    def wait(self) -> None:
        """Wait for the first page.

        Raises:
            ListingFailed: there is none.
        """
        if self._began is None:
            self._peeked = self._take()

    def rows(self) -> Iterator[Version]:
        """All versions, sorted by key.

        Raises:
            ListingFailed: the bucket could not be listed to its end.
        """
        while (page := self._take()) is not None:
            self._count(page)
            yield from page.rows

    def _take(self) -> Page | None:
        """The next page; None: there is none. An error is raised again each time, so nobody waits for nothing."""
        if self._peeked is not None:
            page, self._peeked = self._peeked, None
            return page
        if not self._ended:
            self.start()
            item = self._ready.get()
            if isinstance(item, Page):
                self._room.release()
                return item
            self._ended, self._error = True, item
        if self._error is not None:
            raise self._error
        return None

    def _count(self, page: Page) -> None:
        sizes = [row.size for row in page.rows if row.size is not None]
        self.versions += len(sizes)
        self.delete_markers += len(page.rows) - len(sizes)
        self.size += sum(sizes)

    # --- in the thread ----------------------------------------------------------------------------------------

    def _produce(self) -> None:
        end: BaseException | None = None
        try:
            for prefix in self._prefixes:
                if self._after is not None and self._after.startswith(prefix):
                    self._produce_prefix(prefix, Marker(self._after, None))
                elif self._after is None or prefix > self._after:
                    self._produce_prefix(prefix, None)
        except BaseException as error:  # whatever it is: the consumer must hear of it, or it would wait for ever
            end = error
        self._ready.put(end)

    def _produce_prefix(self, prefix: str, marker: Marker | None) -> None:
        """Read a prefix page by page. boto3's paginator is no help: it takes a lack of markers for the end."""
        while True:
            self._room.acquire()
            if self._stopped.is_set():
                raise Stopped
            page = self._read_patiently(prefix, marker)
            self._ready.put(page)
            if page.next is None:
                return
            if marker is not None and (page.next == marker or page.next.key < marker.key):
                raise ListingFailed(self._says(f"S3 goes on after '{page.next.key}' once more", _REPORT))
            marker = page.next

    def _read_patiently(self, prefix: str, marker: Marker | None) -> Page:
        started, tries, pause = self._clock(), 1, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._read_once(prefix, marker)
            except (ClientError, BotoCoreError, ResponseParserError, BadPage) as error:
                waited = self._clock() - started
                if not self._passes(error):
                    raise ListingFailed(self._explain(error)) from error
                if waited + pause > PATIENCE_SECONDS:
                    tried = f" This answer usually passes by itself; it came {tries} times in {waited:.0f} s."
                    raise ListingFailed(self._explain(error) + tried) from error
            self._sleep(pause)
            if self._stopped.is_set():
                raise Stopped
            tries, pause = tries + 1, min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _read_once(self, prefix: str, marker: Marker | None) -> Page:
        asked = self._clock()
        page = self._read(self._side, prefix, marker)
        if self._began is None:
            self._began = page.date - timedelta(seconds=self._clock() - asked)
        return page

    def _passes(self, error: Exception) -> bool:
        """Whether to ask for the page again. A connection that never stood is not waited for: it is a wrong name."""
        if isinstance(error, ClientError):
            return error_code(error) in THROTTLED
        return self._began is not None and not isinstance(error, BadPage)

    # --- messages -----------------------------------------------------------------------------------------------

    @property
    def _failed(self) -> str:
        return f"The versions of {self._side.end.bucket} in {self._side.end.region} cannot be listed"

    def _says(self, cause: str, next_step: str) -> str:
        return f"{self._failed}: {cause}. {next_step}"

    def _explain(self, error: Exception) -> str:
        if isinstance(error, ClientError):
            return self._explain_answer(error)
        if isinstance(error, (BadPage, ResponseParserError)):
            return self._says(f"S3's answer cannot be read ({error})", _REPORT)
        return f"{self._failed}: {explain_connection(error)}"

    def _explain_answer(self, error: ClientError) -> str:
        code, end = error_code(error), self._side.end
        cause = f"S3 answered {code}: {error.response['Error'].get('Message', '')}".rstrip(".: ")
        if code in DENIED:
            step = (
                f"Allow s3:ListBucketVersions on {end.bucket} to the credentials that this task uses; or correct the "
                f"account, if the bucket does not belong to {self._side.owner}."
            )
        elif code in ("NoSuchBucket", "404"):
            step = f"There is no bucket {end.bucket}: correct its name, or make it again."
        elif code in _ELSEWHERE:
            step = f"The bucket is not in {end.region}: correct the `region` of this end."
        elif code in _CREDENTIALS:
            step = "Renew the AWS credentials that this task uses, then run again."
        elif code in THROTTLED:
            step = "Run again when less asks this bucket, or compare fewer prefixes at once."
        else:
            step = "Correct what the answer names, then run again."
        return self._says(cause, step)


_REPORT = "Run again; if it stays, the store behind AWS_ENDPOINT_URL does not list versions as S3 documents it."


def separate(prefixes: Iterable[str]) -> tuple[str, ...]:
    """The prefixes, sorted and without those that another one covers, so that their listings add up to a sorted one.

    No prefix at all stands for the whole bucket.
    """
    kept: list[str] = []
    for prefix in sorted(prefixes):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return tuple(kept) or ("",)


def read_page(side: Side, prefix: str, marker: Marker | None) -> Page:
    """One page by boto3, which asks S3 to encode the keys for XML and decodes them, as long as nobody else asks for it.

    Raises:
        BadPage: a field that S3 always gives is not there.
    """
    keys: dict[str, str] = {}
    after = {"KeyMarker": marker.key} if marker else {}
    if marker and marker.version_id is not None:
        after["VersionIdMarker"] = marker.version_id
    answer = side.client.list_object_versions(**side.bucket, Prefix=prefix, MaxKeys=_PAGE_ROWS, **after)
    try:
        rows = [_object(row, keys) for row in answer.get("Versions", ())]
        markers = [_delete_marker(row, keys) for row in answer.get("DeleteMarkers", ())]
        date = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)
        return Page(sorted([*rows, *markers], key=listing_order), date, _next(answer))
    except KeyError as error:
        raise BadPage(f"it has no {error.args[0]}") from error
    except (TypeError, ValueError) as error:
        raise BadPage(str(error)) from error


def _next(answer: dict[str, Any]) -> Marker | None:
    """Both markers are needed: by the key alone the rest of its versions would be passed over."""
    return Marker(answer["NextKeyMarker"], answer["NextVersionIdMarker"]) if answer["IsTruncated"] else None


def _object(row: dict[str, Any], keys: dict[str, str]) -> Version:
    """Versions of one key share its text, since many of them may be held at the same time."""
    return Version(
        keys.setdefault(row["Key"], row["Key"]),
        row["VersionId"],
        row["LastModified"].astimezone(UTC),
        row["Size"],
        row.get("ETag", "").strip('"'),
        row.get("StorageClass", "STANDARD"),
        row["IsLatest"],
    )


def _delete_marker(row: dict[str, Any], keys: dict[str, str]) -> Version:
    modified = row["LastModified"].astimezone(UTC)
    return Version(keys.setdefault(row["Key"], row["Key"]), row["VersionId"], modified, is_latest=row["IsLatest"])
