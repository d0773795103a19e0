# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""An S3 endpoint on 127.0.0.1 that lists two buckets of any size as fast as a client can read, and deletes from them.

It answers ListObjectVersions, ListObjectsV2, HeadObject, DeleteObjects and ListMultipartUploads, in the path style, and
checks no signature. See README.md here.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import bisect
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from email.utils import format_datetime, formatdate
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from .synthetic_buckets import (
    BLOCK_KEYS,
    LAYOUTS,
    Blocks,
    Bucket,
    Listing,
    OneKey,
    Row,
    Shape,
    buckets_of,
    number_of,
    url_encoded,
)

CONTROL = "/-/"
"""Below this path the endpoint tells of itself: no bucket can have such a name."""
_NAMESPACE_NAME = "http://s3.amazonaws.com/doc/2006-03-01/"
_NAMESPACE = f'xmlns="{_NAMESPACE_NAME}"'
_MOST_KEYS = 1000
_REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error",
    501: "Not Implemented", 503: "Slow Down",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Faults:
    """What makes the endpoint worse than a local one.

    Attributes:
        latency_ms: how long each answer is held back.
        error_every: each request of that number is answered with 500; 0: none.
        rate: requests a second, above which the answer is 503 SlowDown; 0: any number.
        busy_every: each deletion of that number is put off by a SlowDown within the answer to DeleteObjects; 0: none.
    """

    latency_ms: float = 0
    error_every: int = 0
    rate: float = 0
    busy_every: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of S3; `operation` is what the request was counted as."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def query(self) -> dict[str, str]:
        """The parameters, each once."""
        found = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[-1] for name, values in found.items()}

    @property
    def bucket_and_key(self) -> tuple[str, str]:
        """What a path-style path names."""
        bucket, _slash, key = urlsplit(self.target).path.removeprefix("/").partition("/")
        return bucket, unquote(key)


class S3Error(Exception):
    """An error as S3 answers it."""

    def __init__(self, status: int, code: str, message: str = "", **headers: str) -> None:
        super().__init__(code)
        self.status = status
        self.body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{escape(message)}</Message>'
            "<RequestId>SYNTHETIC0000000</RequestId><HostId>synthetic</HostId></Error>"
        ).encode()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Store:
    """Answers requests from two computed buckets; no sockets in here."""

    def __init__(self, shape: Shape, faults: Faults | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.shape = shape
        self.counts: Counter[str] = Counter()
        self._faults = faults or Faults()
        self._clock = clock
        self._buckets = buckets_of(shape)
        self._blocks = {name: Blocks(bucket) for name, bucket in self._buckets.items()}
        self._gone: dict[tuple[str, int], set[int]] = {}  # by bucket and block, the indices of deleted rows
        self._requests = self._deletions = 0
        self._credit, self._credited = 1.0, clock()

    def answer(self, request: Request) -> Answer:
        """The answer to one request, which is counted."""
        if request.target.startswith(CONTROL):
            return self._control(request)
        operation, respond = self._operation(request)
        self.counts[operation] += 1
        try:
            self._fail_if_due()
            return respond(request, operation)
        except S3Error as error:
            self.counts[f"answered {error.status}"] += 1
            return Answer(error.status, error.body, {"Content-Type": "application/xml", **error.headers}, operation)

    def _operation(self, request: Request) -> tuple[str, Callable[[Request, str], Answer]]:
        query, (bucket, key) = request.query, request.bucket_and_key
        if request.method == "HEAD" and key:
            return "HeadObject", self._head
        if request.method == "GET" and bucket and not key and "versions" in query:
            return "ListObjectVersions", self._list_versions
        if request.method == "GET" and bucket and not key and query.get("list-type") == "2":
            return "ListObjectsV2", self._list_objects
        if request.method == "GET" and bucket and not key and "uploads" in query:
            return "ListMultipartUploads", self._list_uploads
        if request.method == "POST" and bucket and not key and "delete" in query:
            return "DeleteObjects", self._delete_objects
        return "other", _not_implemented

    def _control(self, request: Request) -> Answer:
        if request.method == "POST" and request.target == CONTROL + "reset":
            self.counts.clear()
        told: dict[str, Any] = {"counts": dict(self.counts), "shape": asdict(self.shape)}
        return Answer(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _fail_if_due(self) -> None:
        self._requests += 1
        every, rate = self._faults.error_every, self._faults.rate
        if every and self._requests % every == 0:
            raise S3Error(500, "InternalError", "We encountered an internal error. Please try again.")
        if rate:
            now = self._clock()
            # A tenth of a second's worth may come at once, as nobody's requests come evenly.
            self._credit = min(max(1.0, rate / 10), self._credit + (now - self._credited) * rate)
            self._credited = now
            if self._credit < 1:
                raise S3Error(503, "SlowDown", "Please reduce your request rate.")
            self._credit -= 1

    def _bucket(self, request: Request) -> Bucket:
        name = request.bucket_and_key[0]
        if name not in self._buckets:
            raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist")
        return self._buckets[name]

    # --- HeadObject ---------------------------------------------------------------------------------------------

    def _head(self, request: Request, operation: str) -> Answer:
        bucket, key, version_id = self._bucket(request), request.bucket_and_key[1], request.query.get("versionId")
        row = bucket.find(key, version_id) if version_id else self._current(bucket, key)
        if row is None:
            raise S3Error(404, "NoSuchVersion" if version_id else "NoSuchKey")
        modified = format_datetime(datetime.fromisoformat(row.modified), usegmt=True)
        if row.is_marker:
            raise S3Error(
                405 if version_id else 404, "MethodNotAllowed", x_amz_delete_marker="true", Last_Modified=modified
            )
        headers = {
            "Last-Modified": modified,
            "ETag": f'"{row.etag}"',
            "Content-Length": str(row.size),
            "Content-Type": "binary/octet-stream",
            "Accept-Ranges": "bytes",
            "x-amz-version-id": row.version_id,
            "x-amz-server-side-encryption": "AES256",
        }
        if status := bucket.replication_status(number_of(row.version_id) or 0):
            headers["x-amz-replication-status"] = status
        if request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            headers |= {"x-amz-checksum-crc64nvme": row.checksum, "x-amz-checksum-type": "FULL_OBJECT"}
        return Answer(200, headers=headers, operation=operation)

    def _current(self, bucket: Bucket, key: str) -> Row | None:
        at = _keys_up_to(bucket, key) - 1
        rows = bucket.rows(at) if at >= 0 and bucket.key(at) == key else []
        return next((row for row in rows if row.is_latest), None)

    # --- deletion -----------------------------------------------------------------------------------------------

    def _list_uploads(self, request: Request, operation: str) -> Answer:
        """There are none."""
        name = escape(self._bucket(request).name)
        body = f"<Bucket>{name}</Bucket><MaxUploads>1000</MaxUploads><IsTruncated>false</IsTruncated>"
        return Answer(200, _element("ListMultipartUploadsResult", body), _XML, operation)

    def _delete_objects(self, request: Request, operation: str) -> Answer:
        """Quiet: only what was not deleted is told. What does not exist counts as deleted, as with S3."""
        bucket, errors, every = self._bucket(request), [], self._faults.busy_every
        for one in ElementTree.fromstring(request.body).iterfind(f"{{{_NAMESPACE_NAME}}}Object"):
            key, version_id = (one.findtext(f"{{{_NAMESPACE_NAME}}}{name}") or "" for name in ("Key", "VersionId"))
            self._deletions += 1
            if every and self._deletions % every == 0:
                name = f"<Key>{escape(key)}</Key><VersionId>{escape(version_id)}</VersionId>"
                errors.append(f"<Error>{name}<Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>")
            else:
                self._delete(bucket, key, version_id)
        return Answer(200, _element("DeleteResult", "".join(errors)), _XML, operation)

    def _delete(self, bucket: Bucket, key: str, version_id: str) -> None:
        block, place, _version = self._after(bucket, key, version_id)
        rendered = self._blocks[bucket.name].get(block, Listing.VERSIONS, encoded=True)
        at = rendered.first[place]
        while rendered.name(bucket, block, at)[1] != version_id:
            at += 1
        self._gone.setdefault((bucket.name, block), set()).add(at)

    # --- listings -----------------------------------------------------------------------------------------------

    def _list_versions(self, request: Request, operation: str) -> Answer:
        bucket, query = self._bucket(request), request.query
        marker, version_marker = query.get("key-marker", ""), query.get("version-id-marker", "")
        begin = self._after(bucket, marker, version_marker)
        page = self._page(bucket, query, Listing.VERSIONS, begin)
        write = _writer(query)
        after = ""
        if page.last:
            key, version_id = page.last
            after = (
                f"<NextKeyMarker>{write(key)}</NextKeyMarker><NextVersionIdMarker>{version_id}</NextVersionIdMarker>"
            )
        head = (
            f"<KeyMarker>{write(marker)}</KeyMarker><VersionIdMarker>{escape(version_marker)}</VersionIdMarker>{after}"
        )
        return Answer(200, _document("ListVersionsResult", bucket, query, head, page), _XML, operation)

    def _list_objects(self, request: Request, operation: str) -> Answer:
        bucket, query = self._bucket(request), request.query
        token = query.get("continuation-token")
        after = base64.urlsafe_b64decode(token).decode() if token else query.get("start-after", "")
        page = self._page(bucket, query, Listing.OBJECTS, self._after(bucket, after, ""))
        head = f"<KeyCount>{page.rows}</KeyCount>"
        if token:
            head += f"<ContinuationToken>{token}</ContinuationToken>"
        if page.last:
            following = base64.urlsafe_b64encode(page.last[0].encode()).decode()
            head += f"<NextContinuationToken>{following}</NextContinuationToken>"
        return Answer(200, _document("ListBucketResult", bucket, query, head, page), _XML, operation)

    def _after(self, bucket: Bucket, key: str, version_id: str) -> tuple[int, int, str]:
        """Behind a marker: a block, a place in it, and the version of the key there that is to be passed over."""
        if not version_id:
            return *divmod(_keys_up_to(bucket, key) if key else 0, BLOCK_KEYS), ""
        here = bucket.number_here(version_id) if isinstance(bucket, OneKey) else number_of(version_id)
        row = bucket.find(key, version_id)
        if row is None or here is None:
            raise S3Error(400, "InvalidArgument", "Invalid version id specified")
        return *divmod(here, BLOCK_KEYS), version_id

    def _page(self, bucket: Bucket, query: Mapping[str, str], listing: Listing, begin: tuple[int, int, str]) -> _Page:
        if query.get("delimiter"):
            raise S3Error(501, "NotImplemented", "This endpoint knows no delimiter")
        prefix, encoded = query.get("prefix", ""), query.get("encoding-type") == "url"
        wanted = min(int(query.get("max-keys") or _MOST_KEYS), _MOST_KEYS)
        blocks = self._blocks[bucket.name]

        def index(block: int, place: int, version_id: str = "") -> tuple[int, int]:
            """The place of the first row there, or of the row behind a version."""
            if block >= bucket.blocks:
                return block, 0
            rendered = blocks.get(block, listing, encoded)
            at = rendered.first[place]
            while version_id and rendered.name(bucket, block, at)[1] != version_id:
                at += 1
            return block, at + bool(version_id)

        first, end = (index(*divmod(number, BLOCK_KEYS)) for number in _keys_with(bucket, prefix))
        block, at = max(index(*begin), first)
        page = _Page()
        while (block, at) < end:
            rendered = blocks.get(block, listing, encoded)
            stop = end[1] if block == end[0] else len(rendered.rows)
            if at < stop and page.rows == wanted:
                page.truncated = True
                break
            at, there = self._there(bucket, listing, block, at, stop)
            taken = min(wanted - page.rows, there - at)
            if taken > 0:
                page.add(rendered.cut(block, at, at + taken), taken)
                page.last = rendered.name(bucket, block, at + taken - 1)
                at += taken
            if at >= stop:
                block, at = block + 1, 0
        if not page.truncated:
            page.last = None
        return page

    def _there(self, bucket: Bucket, listing: Listing, block: int, at: int, stop: int) -> tuple[int, int]:
        """The next rows of a block that are not deleted: the index of the first one, and the one behind the last.

        Only ListObjectVersions knows of deletions.
        """
        gone = self._gone.get((bucket.name, block))
        if not gone or listing is not Listing.VERSIONS:
            return at, stop
        while at in gone:
            at += 1
        return at, min([stop, *(one for one in gone if one > at)])


@dataclass(slots=True)
class _Page:
    """A part of a listing; `last` is the name of its last row, if more follow."""

    pieces: list[bytes] = field(default_factory=list)
    rows: int = 0
    truncated: bool = False
    last: tuple[str, str] | None = None

    def add(self, piece: bytes, rows: int) -> None:
        """Append rows."""
        self.pieces.append(piece)
        self.rows += rows


_XML = {"Content-Type": "application/xml"}


def _document(name: str, bucket: Bucket, query: Mapping[str, str], head: str, page: _Page) -> bytes:
    encoding = "<EncodingType>url</EncodingType>" if query.get("encoding-type") == "url" else ""
    opening = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} {_NAMESPACE}><Name>{bucket.name}</Name>'
        f"<Prefix>{_writer(query)(query.get('prefix', ''))}</Prefix>{head}"
        f"<MaxKeys>{query.get('max-keys') or _MOST_KEYS}</MaxKeys>{encoding}"
        f"<IsTruncated>{'true' if page.truncated else 'false'}</IsTruncated>"
    )
    return b"".join([opening.encode(), *page.pieces, f"</{name}>".encode()])


def _element(name: str, content: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} {_NAMESPACE}>{content}</{name}>'.encode()


def _writer(query: Mapping[str, str]) -> Callable[[str], str]:
    return url_encoded if query.get("encoding-type") == "url" else escape


def _keys_up_to(bucket: Bucket, key: str) -> int:
    """How many keys are not behind this one, which need not exist."""
    return bisect.bisect_right(range(bucket.shape.keys), key, key=bucket.key)


def _keys_with(bucket: Bucket, prefix: str) -> tuple[int, int]:
    """The number of the first key with a prefix, and of the first one behind them."""
    numbers = range(bucket.shape.keys)
    return (
        bisect.bisect_left(numbers, prefix, key=bucket.key),
        bisect.bisect_right(numbers, prefix, key=lambda number: bucket.key(number)[: len(prefix)]),
    )


def _not_implemented(request: Request, operation: str) -> Answer:
    raise S3Error(501, "NotImplemented", f"This endpoint has no answer to {request.method} {request.target}")


# --- HTTP ------------------------------------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """One connection; requests on it are answered one after the other."""

    def __init__(self, store: Store, latency_seconds: float) -> None:
        self._store = store
        self._latency_seconds = latency_seconds
        self._received = bytearray()
        self._answering = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for an answer any more."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        self._received += data
        self._answer_next()

    def _answer_next(self) -> None:
        request = None if self._answering else self._next_request()
        if request is None:
            return
        self._answering = True
        answer = _as_http(self._store.answer(request), request.method)
        if self._latency_seconds and not request.target.startswith(CONTROL):
            asyncio.get_running_loop().call_later(self._latency_seconds, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: list[bytes]) -> None:
        if self._transport is None:
            return
        self._transport.writelines(answer)
        self._answering = False
        self._answer_next()

    def _next_request(self) -> Request | None:
        """The first request that is here to its end."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self._received[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)}
        begin = end + 4
        end = begin + int(headers.get("content-length", 0))
        if len(self._received) < end:
            return None
        body = bytes(self._received[begin:end])
        del self._received[:end]
        method, target, _protocol = first.split(" ", 2)
        return Request(method, target, headers, body)


def _as_http(answer: Answer, method: str) -> list[bytes]:
    headers = {
        "Date": formatdate(usegmt=True),
        "Server": "AmazonS3",
        "x-amz-request-id": "SYNTHETIC0000000",
        "Content-Length": str(len(answer.body)),
        **answer.headers,
    }
    status = f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}"
    head = "\r\n".join([status, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode("latin-1")
    return [head] if method == "HEAD" else [head, answer.body]


async def start(store: Store, faults: Faults, port: int = 0) -> asyncio.Server:
    """Listen on 127.0.0.1; port 0: on any that is free."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Connection(store, faults.latency_ms / 1000), "127.0.0.1", port)


def url_of(server: asyncio.Server) -> str:
    """Where it listens."""
    host, port = server.sockets[0].getsockname()
    return f"http://{host}:{port}"


class SyntheticS3:
    """The endpoint in a thread of this process, as a context manager."""

    def __init__(self, shape: Shape, faults: Faults | None = None) -> None:
        self.store = Store(shape, faults)
        self.url = ""
        self._faults = faults or Faults()
        self._listens = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="synthetic S3", daemon=True)

    def __enter__(self) -> SyntheticS3:
        self._thread.start()
        self._listens.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        server = self._loop.run_until_complete(start(self.store, self._faults))
        self.url = url_of(server)
        self._listens.set()
        self._loop.run_forever()
        server.close()
        self._loop.close()


# --- on its own -------------------------------------------------------------------------------------------------------


def arguments() -> argparse.ArgumentParser:
    """An option for each field of a shape and of the faults."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthetic_s3", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    kinds: dict[str, Any] = {"int": int, "float": float, "str": str}
    for one in (*fields(Shape), *fields(Faults)):
        option = "--" + one.name.replace("_", "-")
        if one.type == "bool":
            parser.add_argument(option, action="store_true")
        else:
            choices = sorted(LAYOUTS) if one.name == "layout" else None
            kind = kinds[str(one.type)]
            parser.add_argument(option, type=kind, default=one.default, choices=choices, help=f"default {one.default}")
    return parser


async def serve(shape: Shape, faults: Faults, port: int) -> None:
    """Serve until somebody ends the process; the first line of output is the address."""
    server = await start(Store(shape, faults), faults, port)
    print(url_of(server), flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve what the options describe."""
    options = vars(arguments().parse_args())
    shape = Shape(**{one.name: options[one.name] for one in fields(Shape)})
    faults = Faults(**{one.name: options[one.name] for one in fields(Faults)})
    if not all(math.isfinite(value) for value in (faults.latency_ms, faults.rate)):
        raise SystemExit("latency and rate must be numbers")
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(shape, faults, options["port"]))


if __name__ == "__main__":
    main()
