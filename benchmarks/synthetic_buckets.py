# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Two buckets of any size that are computed, not stored: a source and its replica with known differences.

Everything about a key follows from its number. A thousand keys in a row, a block, differ from the next thousand only in
the block's number and in which differences they hold. So a block is rendered once, and each page is cut out of it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

BLOCK_KEYS = 1000
BLOCK_DIGITS = 7
_ANY_BLOCK = "~" * BLOCK_DIGITS
"""Stands for the block's number in a rendered block. Nothing else there holds it, and URL encoding leaves it alone."""

SOURCE = "synthetic-source"
REPLICA = "synthetic-replica"
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
_VERSION_ID_TAIL = "kQ4h7sVbXz9LmTe2Rw6Y"[:19]
_ETAG_TAIL = "9f86d081884c7d659a2f"
_OTHER_ETAG_TAIL = "0123456789abcdef0123"

LAYOUTS = {
    "flat": "orders-{block}{rest}",
    "folders": "warehouse/orders/{block}/part-{rest}.parquet",
    "unicode": "Größe & Maß/{block}/<{rest}> + 100 %.json",
    "long": "deep/" * 150 + "{block}/{rest}",
    "one_key": "the-only-key/" + "long/" * 200,
}
"""How keys are named, by their block's number and the three digits within it."""


class Seeded(StrEnum):
    """What is wrong with a key: see Shape."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class Shape:
    """What both buckets hold.

    Each `every` is 0 for never, or 5 or more, and a divisor or a multiple of 1000.

    Attributes:
        keys: how many there are. With the layout `one_key`: how many versions the only key has.
        versions: of each key, without delete markers.
        markers_every: one in so many keys is deleted: its current version is a delete marker.
        missing_every: of one in so many keys the replica lacks the newest version.
        changed_every: of one in so many keys the newest version has the same size and other content in the replica.
        extra_every: one in so many keys is only in the replica, where somebody wrote it.
        all_missing: the replica is empty.
        opposite_order: the replica tells the versions of the only key oldest first.
        size: of each object, in bytes.
    """

    keys: int = 20_000
    versions: int = 1
    layout: str = "folders"
    markers_every: int = 0
    missing_every: int = 0
    changed_every: int = 0
    extra_every: int = 0
    all_missing: bool = False
    opposite_order: bool = False
    size: int = 65_536

    def __post_init__(self) -> None:
        for every in (self.markers_every, self.missing_every, self.changed_every, self.extra_every):
            if every and (every < 5 or (BLOCK_KEYS % every and every % BLOCK_KEYS)):
                raise ValueError(f"{every}: choose 0, a divisor of {BLOCK_KEYS} from 5 on, or a multiple of it")
        if self.layout not in LAYOUTS:
            raise ValueError(f"{self.layout}: choose one of {', '.join(LAYOUTS)}")
        if self.opposite_order and not self.one_key:
            raise ValueError("opposite_order: choose the layout one_key")
        if not 0 < self.keys <= 10 ** (BLOCK_DIGITS + 3):
            raise ValueError(f"{self.keys} keys: choose 1 to {10 ** (BLOCK_DIGITS + 3)}")

    @property
    def one_key(self) -> bool:
        """Whether all versions are of one key."""
        return self.layout == "one_key"

    def seeded(self, number: int) -> Seeded | None:
        """What is wrong with the key of that number."""
        if self.all_missing:
            return Seeded.MISSING
        everies = {
            Seeded.MISSING: self.missing_every,
            Seeded.CHANGED: self.changed_every,
            Seeded.EXTRA: self.extra_every,
        }
        found = (seeded for at, (seeded, every) in enumerate(everies.items(), 1) if every and number % every == at)
        return next(found, None)

    def is_deleted(self, number: int) -> bool:
        """Whether the key's current version is a delete marker."""
        every = self.markers_every
        return bool(every) and number % every == 4 and self.seeded(number) in (None, Seeded.MISSING)

    def kind_of_block(self, block: int) -> tuple[bool, ...]:
        """Blocks of one kind differ only in their number. What comes less often than once in a block tells kinds."""
        everies = (self.markers_every, self.missing_every, self.changed_every, self.extra_every)
        return tuple(every <= BLOCK_KEYS or block * BLOCK_KEYS % every == 0 for every in everies)


@dataclass(frozen=True, slots=True)
class Row:
    """One version or delete marker, with the place of its key in the block.

    Attributes:
        modified: as S3 writes it in a listing.
        etag: without quotation marks; empty for a delete marker.
    """

    place: int
    version_id: str
    modified: str
    etag: str
    size: int
    is_latest: bool

    @property
    def is_marker(self) -> bool:
        """Whether it is a delete marker."""
        return not self.etag

    @property
    def checksum(self) -> str:
        """The stored CRC64NVME: any eight bytes that differ when the content does."""
        return base64.b64encode(hashlib.blake2b(self.etag.encode(), digest_size=8).digest()).decode()


class Bucket:
    """One of both buckets."""

    def __init__(self, shape: Shape, is_replica: bool) -> None:
        self.shape = shape
        self.is_replica = is_replica
        self.name = REPLICA if is_replica else SOURCE
        self.blocks = -(-shape.keys // BLOCK_KEYS)

    def key(self, number: int) -> str:
        """The name of the key of that number; names are sorted as numbers are."""
        block, place = divmod(number, BLOCK_KEYS)
        return self.key_at(f"{block:0{BLOCK_DIGITS}}", place)

    def key_at(self, block: str, place: int) -> str:
        """The name of the key at that place of a block."""
        return LAYOUTS[self.shape.layout].format(block=block, rest=f"{place:03}")

    def rows(self, number: int) -> list[Row]:
        """The versions of a key, newest first."""
        return self._rows(number, f"{number // BLOCK_KEYS:0{BLOCK_DIGITS}}")

    def _rows(self, number: int, block: str) -> list[Row]:
        shape, seeded, place = self.shape, self.shape.seeded(number), number % BLOCK_KEYS
        if seeded is Seeded.EXTRA:
            return [self._object(block, place, 0, 0, True)] if self.is_replica else []
        if self.is_replica and shape.all_missing:
            return []
        deleted = shape.is_deleted(number)
        absent = seeded is Seeded.MISSING and self.is_replica
        rows = [self._marker(block, place)] if deleted else []
        for version in range(int(absent), shape.versions):
            other = version == 0 and seeded is Seeded.CHANGED and self.is_replica
            rows.append(self._object(block, place, version, int(other), not rows))
        return rows

    def _object(self, block: str, place: int, version: int, content: int, is_latest: bool) -> Row:
        tail = _OTHER_ETAG_TAIL if content else _ETAG_TAIL
        return Row(
            place,
            f"v{version:02}{block}{place:03}{_VERSION_ID_TAIL}",
            _time(timedelta(days=100 - version, seconds=place)),
            f"{block}{place:03}{version:02}{tail}",
            self.shape.size,
            is_latest,
        )

    def _marker(self, block: str, place: int) -> Row:
        version_id = f"m00{block}{place:03}{_VERSION_ID_TAIL}"
        return Row(place, version_id, _time(timedelta(days=101, seconds=place)), "", 0, True)

    def rows_of_block(self, block: int) -> tuple[str, list[Row]]:
        """The text that stands for the block's number in its rows, and the rows."""
        numbers = range(block * BLOCK_KEYS, min((block + 1) * BLOCK_KEYS, self.shape.keys))
        return _ANY_BLOCK, [row for number in numbers for row in self._rows(number, _ANY_BLOCK)]

    def kind_of_block(self, block: int) -> tuple[object, ...]:
        """Blocks of the same kind are rendered once."""
        return self.shape.kind_of_block(block), min(self.shape.keys - block * BLOCK_KEYS, BLOCK_KEYS)

    def find(self, key: str, version_id: str) -> Row | None:
        """One version, by its key and ID."""
        number = number_of(version_id)
        if number is None or number >= self.shape.keys or self.key(number) != key:
            return None
        return next((row for row in self.rows(number) if row.version_id == version_id), None)

    def replication_status(self, number: int) -> str | None:
        """What HeadObject says of the objects of a key."""
        seeded = self.shape.seeded(number)
        if seeded is Seeded.EXTRA:
            return None
        if self.is_replica:
            return "REPLICA"
        every = 1 if self.shape.all_missing else self.shape.missing_every
        return ("FAILED", "PENDING", "COMPLETED")[number // every % 3] if seeded is Seeded.MISSING else "COMPLETED"


class OneKey(Bucket):
    """A bucket of one key with many versions, one for each number: the newest has number 0."""

    def __init__(self, shape: Shape, is_replica: bool) -> None:
        super().__init__(shape, is_replica)
        self.reversed = is_replica and shape.opposite_order

    def rows(self, number: int) -> list[Row]:
        """The one version with that number in the order of this end, whichever it is."""
        version = self.shape.keys - 1 - number if self.reversed else number
        block, place = divmod(version, BLOCK_KEYS)
        block_text = f"{block:0{BLOCK_DIGITS}}"
        return [
            Row(
                number % BLOCK_KEYS,
                f"v00{block_text}{place:03}{_VERSION_ID_TAIL}",
                _time(timedelta(seconds=self.shape.keys - version)),
                f"{block_text}{place:03}00{_ETAG_TAIL}",
                self.shape.size,
                version == 0,
            )
        ]

    def rows_of_block(self, block: int) -> tuple[str, list[Row]]:
        """Nothing stands for the block's number: each block is another one."""
        numbers = range(block * BLOCK_KEYS, min((block + 1) * BLOCK_KEYS, self.shape.keys))
        return "", [row for number in numbers for row in self.rows(number)]

    def kind_of_block(self, block: int) -> tuple[object, ...]:
        """Each is of its own kind."""
        return (block,)

    def find(self, key: str, version_id: str) -> Row | None:
        """One version, by its key and ID."""
        number = self.number_here(version_id)
        return self.rows(number)[0] if number is not None and key == self.key(0) else None

    def number_here(self, version_id: str) -> int | None:
        """The version's number in the order of this end."""
        version = number_of(version_id)
        if version is None or version >= self.shape.keys:
            return None
        return self.shape.keys - 1 - version if self.reversed else version


def buckets_of(shape: Shape) -> dict[str, Bucket]:
    """Both buckets by their names."""
    kind = OneKey if shape.one_key else Bucket
    return {bucket.name: bucket for bucket in (kind(shape, False), kind(shape, True))}


def number_of(version_id: str) -> int | None:
    """The number that a version ID holds."""
    digits = version_id[3 : BLOCK_DIGITS + 6]
    return int(digits) if digits.isdecimal() and digits.isascii() else None


def _time(after: timedelta) -> str:
    return f"{_BEGIN + after:%Y-%m-%dT%H:%M:%S}.000Z"


# --- what a comparison must find -----------------------------------------------------------------------------------

_CAUSES = {"FAILED": "failed", "PENDING": "late", "COMPLETED": "version_deleted_at_destination"}


def seeded_differences(shape: Shape) -> Iterator[tuple[str, str, str]]:
    """Key, version ID and cause of each difference, as a comparison must name it.

    The rules replicate delete markers, and all of it was written longer ago than the RPO.
    """
    if shape.one_key:
        return
    source, replica = buckets_of(shape).values()
    for number in range(shape.keys):
        seeded = shape.seeded(number)
        if seeded is None:
            continue
        key, ours = source.key(number), source.rows(number)
        theirs = {row.version_id: row for row in replica.rows(number)}
        if seeded is Seeded.EXTRA:
            yield from ((key, version_id, "foreign_object_at_destination") for version_id in theirs)
        for row in ours:
            if row.version_id not in theirs:
                yield key, row.version_id, _cause_of_missing(source, number, row)
            elif row.etag != theirs[row.version_id].etag:
                yield key, row.version_id, "content_differs"


def _cause_of_missing(source: Bucket, number: int, row: Row) -> str:
    return "late" if row.is_marker else _CAUSES[source.replication_status(number) or ""]


def count_rows(bucket: Bucket) -> int:
    """Versions and delete markers of a bucket."""
    return sum(_rows_of_kind(bucket, bucket.kind_of_block(block), block) for block in range(bucket.blocks))


# --- rendered --------------------------------------------------------------------------------------------------------

_COUNTS: dict[tuple[Shape, str, tuple[object, ...]], int] = {}


def _rows_of_kind(bucket: Bucket, kind: tuple[object, ...], block: int) -> int:
    at = (bucket.shape, bucket.name, kind)
    if at not in _COUNTS:
        _COUNTS[at] = len(bucket.rows_of_block(block)[1])
    return _COUNTS[at]


class Listing(StrEnum):
    """Which of both listings."""

    VERSIONS = "versions"
    OBJECTS = "objects"


@dataclass(frozen=True, slots=True)
class Rendered:
    """The XML of all blocks of one kind.

    Attributes:
        text: of all rows, one after the other.
        starts: where in it each row begins, and behind the last one where it ends.
        rows: what each row tells.
        first: for each place in the block, the index of the first row of its key or of a later one.
        stand_in: what stands for the block's number.
    """

    text: bytes
    starts: Sequence[int]
    rows: Sequence[Row]
    first: Sequence[int]
    stand_in: str

    def cut(self, block: int, begin: int, end: int) -> bytes:
        """The XML of some rows, in the block of that number."""
        piece = self.text[self.starts[begin] : self.starts[end]]
        number = f"{block:0{BLOCK_DIGITS}}"
        return piece.replace(self.stand_in.encode(), number.encode()) if self.stand_in else piece

    def name(self, bucket: Bucket, block: int, index: int) -> tuple[str, str]:
        """Key and version ID of a row, in the block of that number."""
        row, number = self.rows[index], f"{block:0{BLOCK_DIGITS}}"
        version_id = row.version_id.replace(self.stand_in, number) if self.stand_in else row.version_id
        return bucket.key_at(number, row.place), version_id


class Blocks:
    """The blocks of one bucket as XML: of each kind one is kept."""

    def __init__(self, bucket: Bucket, kept: int = 16) -> None:
        self._bucket = bucket
        self._blocks: dict[tuple[object, ...], int] = {}
        self._rendered = lru_cache(kept)(self._render)

    def get(self, block: int, listing: Listing, encoded: bool) -> Rendered:
        """A block as that listing tells it; `encoded`: with keys encoded for URLs."""
        kind = self._bucket.kind_of_block(block)
        return self._rendered(self._blocks.setdefault(kind, block), listing, encoded)

    def _render(self, block: int, listing: Listing, encoded: bool) -> Rendered:
        stand_in, rows = self._bucket.rows_of_block(block)
        row_xml: Callable[[str, Row], str] = _version_xml
        if listing is Listing.OBJECTS:
            rows, row_xml = [row for row in rows if row.is_latest and not row.is_marker], _object_xml
        write = url_encoded if encoded else escape
        pieces = [row_xml(write(self._bucket.key_at(stand_in, row.place)), row).encode() for row in rows]
        starts = [0]
        for piece in pieces:
            starts.append(starts[-1] + len(piece))
        first, index = [], 0
        for place in range(BLOCK_KEYS + 1):
            while index < len(rows) and rows[index].place < place:
                index += 1
            first.append(index)
        return Rendered(b"".join(pieces), starts, rows, first, stand_in)


def url_encoded(key: str) -> str:
    """As S3 does with `encoding-type=url`: a space becomes a plus sign."""
    return quote_plus(key, safe="/")


_OWNER = f"<Owner><ID>{'75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a'}</ID></Owner>"
_CHECKSUM = "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"


def _version_xml(key: str, row: Row) -> str:
    latest = "true" if row.is_latest else "false"
    head = (
        f"<Key>{key}</Key><VersionId>{row.version_id}</VersionId><IsLatest>{latest}</IsLatest>"
        f"<LastModified>{row.modified}</LastModified>"
    )
    if row.is_marker:
        return f"<DeleteMarker>{head}{_OWNER}</DeleteMarker>"
    return (
        f"<Version>{head}<ETag>&quot;{row.etag}&quot;</ETag>{_CHECKSUM}<Size>{row.size}</Size>{_OWNER}"
        "<StorageClass>STANDARD</StorageClass></Version>"
    )


def _object_xml(key: str, row: Row) -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{row.modified}</LastModified><ETag>&quot;{row.etag}&quot;</ETag>"
        f"{_CHECKSUM}<Size>{row.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )
