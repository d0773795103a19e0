# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Compare the content of chosen versions: their stored checksums, or their bytes, read from the destination.

Bytes are streamed: what is held of a version is one chunk, whatever its size.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from .._core.causes import Cause, Finding, Head
from .._core.checks import Check
from .._core.content import Expected, Hasher, Method, Proof, Reason, check, checksums_agree, expected, hasher
from .._core.march import Match
from .._core.versions import NULL
from .canary import Side
from .examination import Budget, head_of
from .sdk_errors import DENIED, BotoCoreError, ClientError, ResponseParserError, error_code

try:
    from botocore.exceptions import FlexibleChecksumError
except ImportError:  # without the SDK nothing can raise it

    class FlexibleChecksumError(Exception):
        """Stands in for the SDK's error when there is no SDK."""


try:
    from botocore.httpsession import URLLib3SSLError as TlsError
except ImportError:  # without the SDK nothing can raise it

    class TlsError(Exception):
        """Stands in for the error of TLS, which the SDK hands on as it is."""


CHUNK_BYTES = 1024 * 1024
_READERS = 4
_ASKERS = 16
_ATTEMPTS = 2
_MOST_FAILURES_IN_A_ROW = 8
"""So many failed connections one after the other mean that an end is down: each further one would only take time."""

_LOST = (BotoCoreError, ResponseParserError, TlsError, OSError)
_GONE = ("NoSuchVersion", "NoSuchKey", "404")
_KEY_MISSING = "InvalidRequest"
"""How S3 answers to who does not send the key of an object that a customer's own key encrypts (SSE-C)."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out of the content, what differs, and what that means for the verdict."""

    proof: Proof
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]


def prove_content(
    method: Method,
    matches: Sequence[Match],
    population: int,
    left: Side,
    right: Side,
    budget: Budget,
    max_transfer_bytes: int,
) -> Evidence:
    """Compare the content of the chosen versions, as deep as the method says.

    Args:
        matches: the versions chosen of those that both ends hold; delete markers among them are passed over.
        population: how many versions of objects both ends hold.
        left: the end whose versions count as the source.
        right: the end that is read.
        budget: for HEAD requests.
        max_transfer_bytes: how much may be read in all, at both ends together.
    """
    prover = _Prover(left, right, budget, _Transfer(max_transfer_bytes))
    chosen = () if method in (Method.NONE, Method.ETAG) else matches
    objects = [match for match in chosen if not match.left.is_delete_marker]
    reads = method is Method.SAMPLE
    look = prover.read_and_compare if reads else prover.compare_checksums
    with ThreadPoolExecutor(max_workers=_READERS if reads else _ASKERS) as pool:
        fates = list(pool.map(lambda match: prover.fate(match, look), objects))
    left_out = Counter(fate.left_out for fate in fates if fate.left_out is not None)
    vanished = sum(fate.vanished for fate in fates)
    findings = tuple(
        _finding(match, left, right, fate.defect) for match, fate in zip(objects, fates, strict=True) if fate.defect
    )
    proof = Proof(
        method,
        population,
        sampled=len(fates),
        versions=len(fates) - vanished - left_out.total(),
        vanished=vanished,
        bytes_read=prover.transfer.used,
        defects=len(findings),
        left_out=dict(left_out),
    )
    return Evidence(proof, findings, (check(proof, left.end.bucket, right.end.bucket, prover.refusals),))


@dataclass(frozen=True, slots=True)
class _Fate:
    """What became of one version: left out, deleted meanwhile, or compared: with a defect, or alike."""

    left_out: Reason | None = None
    vanished: bool = False
    defect: str = ""


class _LeftOut(Exception):
    """The version cannot be compared."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class _Vanished(Exception):
    """The version is not there any more."""


class _Differs(Exception):
    """The bytes of a version are not what they should be. The message says why."""


class _Wordless(Exception):
    """S3 answered 400 to HEAD: a key is missing, or cannot be used, or the credentials have expired."""


class _Transfer:
    """How many bytes may still be read."""

    def __init__(self, limit: int) -> None:
        self.used = 0
        """In the end, how many bytes were read."""
        self._limit = limit
        self._lock = threading.Lock()

    @contextmanager
    def reserve(self, size: int, otherwise: Reason) -> Iterator[_Meter]:
        """Room for so many bytes; what was not read of them is given back.

        Raises:
            _LeftOut: there is no room.
        """
        with self._lock:
            if self.used + size > self._limit:
                raise _LeftOut(otherwise)
            self.used += size
        meter = _Meter()
        try:
            yield meter
        finally:
            with self._lock:
                self.used += meter.read - size


class _Meter:
    """How many bytes of a reservation were read."""

    def __init__(self) -> None:
        self.read = 0


class _Prover:
    """Compares versions of two ends, several at a time."""

    def __init__(self, left: Side, right: Side, budget: Budget, transfer: _Transfer) -> None:
        self.transfer = transfer
        self.refusals: dict[str, str] = {}
        """The first refusal of each bucket."""
        self._left = left
        self._right = right
        self._budget = budget
        self._lock = threading.Lock()
        self._taking = threading.Lock()
        self._failures_in_a_row = 0

    def fate(self, match: Match, look: Callable[[Match], str]) -> _Fate:
        """What a look at one version ends with."""
        with self._lock:
            given_up = self._failures_in_a_row >= _MOST_FAILURES_IN_A_ROW
        if given_up:
            return _Fate(left_out=Reason.UNREADABLE)
        fate = _fate(match, look)
        with self._lock:
            failed = fate.left_out is Reason.UNREADABLE
            self._failures_in_a_row = self._failures_in_a_row + 1 if failed else 0
        return fate

    # --- stored checksums ---------------------------------------------------------------------------------------

    def compare_checksums(self, match: Match) -> str:
        """How the stored checksums of the ends differ; empty: they agree.

        Raises:
            _LeftOut: they cannot be compared.
            _Vanished: an end does not hold the version any more.
        """
        with self._taking:  # else threads could take the last requests one by one, and compare nothing with them
            self._take(2)
        agree = checksums_agree(self._head(self._left, match), self._head(self._right, match))
        if agree is None:
            raise _LeftOut(Reason.NOT_COMPARABLE)
        return "" if agree else "the checksums that S3 stores at the two ends differ"

    def _take(self, requests: int) -> None:
        if not all(self._budget.take() for _request in range(requests)):
            raise _LeftOut(Reason.REQUESTS)

    def _head(self, side: Side, match: Match) -> Head:
        try:
            with self._asking(side):
                answer = side.client.head_object(**_address(side, match), ChecksumMode="ENABLED")
        except _Wordless:
            self._take(1)
            with self._asking(side):  # one byte, since an answer to GET has words
                side.client.get_object(**_address(side, match), Range="bytes=0-0")["Body"].close()
            raise _LeftOut(Reason.UNREADABLE) from None
        _check_listed(match, answer)
        return head_of(answer)

    # --- bytes --------------------------------------------------------------------------------------------------

    def read_and_compare(self, match: Match) -> str:
        """How the destination's bytes differ from what the source tells or, if that does not do, from its bytes.

        Raises:
            _LeftOut: they cannot be read.
            _Vanished: an end does not hold the version any more.
        """
        self._take(1)
        told = expected(self._head(self._left, match))
        sides = (self._right,) if told else (self._right, self._left)
        size, without_room = (match.left.size or 0) * len(sides), Reason.TRANSFER
        for _attempt in range(_ATTEMPTS):
            with self.transfer.reserve(size, without_room) as meter:
                try:
                    return self._compare_bytes(match, sides, told, meter)
                except _LOST:  # a connection can be lost; once more
                    without_room = Reason.UNREADABLE
        raise _LeftOut(Reason.UNREADABLE)

    def _compare_bytes(self, match: Match, sides: tuple[Side, ...], told: Expected | None, meter: _Meter) -> str:
        """Read the sides in step, so that no connection waits for the other one to end."""
        with ExitStack() as streams:
            try:
                readings = [self._open(side, match, told, meter, streams) for side in sides]
                unfinished = list(readings)
                while unfinished:
                    unfinished = [reading for reading in unfinished if reading.goes_on()]
            except _Differs as difference:
                return str(difference)
        digests = [reading.digest() for reading in readings]
        if told and digests[0] != told.value:
            return f"the bytes in {self._right.end.bucket} do not match the {told.told_by} of the source"
        if len(set(digests)) > 1:
            return "the bytes of the two ends differ"
        return ""

    def _open(self, side: Side, match: Match, told: Expected | None, meter: _Meter, streams: ExitStack) -> _Reading:
        """Begin to read a version at one end. The SDK checks the checksum that this end stores, if it can.

        Raises:
            _Differs: it has another size than the source's.
        """
        with self._asking(side):
            answer = side.client.get_object(**_address(side, match), ChecksumMode="ENABLED")
        streams.callback(answer["Body"].close)
        _check_listed(match, answer)
        size = match.left.size or 0
        if answer["ContentLength"] != size:
            raise _Differs(f"{side.end.bucket} holds {answer['ContentLength']} bytes instead of {size}")
        return _Reading(side.end.bucket, answer["Body"], hasher(told.algorithm if told else "SHA256"), meter)

    # --- answers ------------------------------------------------------------------------------------------------

    @contextmanager
    def _asking(self, side: Side) -> Iterator[None]:
        """Around a call for one version: what AWS's refusals mean for it."""
        try:
            yield
        except ClientError as error:
            code = error_code(error)
            if code in _GONE:
                raise _Vanished from error
            if code == "400":
                raise _Wordless from error
            if code in DENIED:
                self.refusals.setdefault(side.end.bucket, str(error))
            raise _LeftOut(_reason(code)) from error


def _fate(match: Match, look: Callable[[Match], str]) -> _Fate:
    try:
        return _Fate(defect=look(match))
    except _LeftOut as left_out:
        return _Fate(left_out=left_out.reason)
    except _Vanished:
        return _Fate(vanished=True)
    except (_Wordless, *_LOST):
        return _Fate(left_out=Reason.UNREADABLE)


def _reason(code: str) -> Reason:
    """Why a version cannot be compared, by the code of AWS's answer."""
    if code in DENIED:
        return Reason.DENIED
    if code == "InvalidObjectState":
        return Reason.ARCHIVED
    if code == _KEY_MISSING or code.startswith("KMS."):
        return Reason.KEY
    return Reason.UNREADABLE


class _Reading:
    """One version at one end, being read."""

    def __init__(self, bucket: str, body: Any, computed: Hasher, meter: _Meter) -> None:
        self._bucket = bucket
        self._body = body
        self._computed = computed
        self._meter = meter

    def goes_on(self) -> bool:
        """Read one more chunk; whether there was one.

        The read that finds nothing is when the SDK compares the length and the stored checksum.

        Raises:
            _Differs: the bytes do not match the checksum that S3 stores with them.
            BotoCoreError: the connection was lost, or fewer bytes came than were announced.
        """
        try:
            chunk = self._body.read(CHUNK_BYTES)
        except FlexibleChecksumError as error:
            raise _Differs(f"the bytes in {self._bucket} do not match the checksum that S3 stores there") from error
        self._meter.read += len(chunk)
        self._computed.update(chunk)
        return bool(chunk)

    def digest(self) -> bytes:
        """The checksum of what was read."""
        return self._computed.digest()


def _address(side: Side, match: Match) -> dict[str, str]:
    return {**side.bucket, "Key": match.left.key, "VersionId": match.left.version_id}


def _check_listed(match: Match, answer: dict[str, Any]) -> None:
    """Make sure that S3 speaks of the version that was listed; times come to the second.

    Raises:
        _Vanished: it is version `null`, and another one than that which was listed.
    """
    listed = match.left.modified.replace(microsecond=0)
    if match.left.version_id == NULL and answer["LastModified"].astimezone(UTC).replace(microsecond=0) != listed:
        raise _Vanished


def _finding(match: Match, left: Side, right: Side, defect: str) -> Finding:
    version = match.left
    return Finding(
        Cause.CONTENT_DIFFERS,
        left.end.bucket,
        right.end.bucket,
        version.key,
        version.version_id,
        version.modified,
        version.size,
        missing=True,
        detail=defect,
    )
