# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A corrupted byte is found by each route; what cannot be compared is counted; budgets and memory hold."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.httpchecksum import Sha256Checksum, StreamingChecksumBody
from botocore.httpsession import URLLib3SSLError
from botocore.response import StreamingBody
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.content_proof import (
    CHUNK_BYTES,
    Evidence,
    prove_content,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.examination import Budget
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Cause, Finding
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Status
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.content import Method, Proof, Reason
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.march import Match
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, DR, PRIMARY

THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLENTY = 10**12
BODY = b"every byte counts"
WRONG = b"every bite counts"


def base64_of(digest: bytes) -> str:
    """A checksum as S3 tells it."""
    return base64.b64encode(digest).decode()


def md5(body: bytes) -> str:
    """The ETag of what was written in one part."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def spoiled(body: bytes) -> bytes:
    """The same with one wrong bit."""
    return bytes([body[0] ^ 1]) + body[1:]


@dataclass
class Thing:
    """A version at one end; `error` is what S3 answers to HEAD or GET; `cuts` how often the connection is lost."""

    body: bytes
    head: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    cuts: int = 0
    modified: datetime = THEN
    stored_sha256: bytes | None = None


class Raw(io.BytesIO):
    """The bytes of an answer, as they come over the wire."""

    def __init__(self, body: bytes, client: Client) -> None:
        super().__init__(body)
        self._client = client

    def read(self, amt: int | None = -1) -> bytes:
        """The next bytes, with a note of how many were asked for."""
        with self._client.lock:
            self._client.asked.append(-1 if amt is None else amt)
        return super().read(amt)


class Client:
    """An S3 that holds some versions, and bodies that the SDK itself reads."""

    def __init__(self, things: dict[str, Thing]) -> None:
        self.things = things
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[int] = []
        self.raws: list[Raw] = []
        self.lock = threading.Lock()

    def count(self, operation: str) -> int:
        """How often something was called."""
        return sum(called == operation for called, _options in self.calls)

    def _thing(self, operation: str, options: dict[str, Any]) -> Thing:
        with self.lock:
            self.calls.append((operation, options))
        thing = self.things[options["Key"]]
        code = thing.errors.get(operation)
        if code == "timeout":
            raise ConnectTimeoutError(endpoint_url="https://s3")
        if code == "tls":
            raise URLLib3SSLError
        if code:
            raise ClientError({"Error": {"Code": code, "Message": "said so"}}, operation)
        return thing

    def head_object(self, **options: Any) -> dict[str, Any]:
        """What S3 tells of a version."""
        thing = self._thing("HeadObject", options)
        return {
            "ContentLength": len(thing.body),
            "ETag": f'"{md5(thing.body)}"',
            "ServerSideEncryption": "AES256",
            "LastModified": thing.modified,
            **thing.head,
        }

    def get_object(self, **options: Any) -> dict[str, Any]:
        """A version, to be read."""
        thing = self._thing("GetObject", options)
        size, body = len(thing.body), thing.body
        with self.lock:
            if thing.cuts:
                thing.cuts, body = thing.cuts - 1, body[: size // 2]
        raw = Raw(body, self)
        self.raws.append(raw)
        stream = StreamingBody(raw, size)
        if thing.stored_sha256 is not None:
            stream = StreamingChecksumBody(raw, size, Sha256Checksum(), base64_of(thing.stored_sha256))
        return {"ContentLength": size, "LastModified": thing.modified, "Body": stream}


class Ends:
    """Two ends that hold the same keys."""

    def __init__(self, source: dict[str, Thing], replica: dict[str, Thing]) -> None:
        self.source, self.replica = Client(source), Client(replica)
        self.matches = [
            Match(*(Version(key, f"v-{key}", THEN, len(things[key].body)) for things in (source, replica)))
            for key in source
        ]

    def prove(
        self,
        method: Method = Method.SAMPLE,
        *,
        limit: int = PLENTY,
        requests: int = 10**9,
        budget: Budget | None = None,
        matches: Sequence[Match] | None = None,
    ) -> Evidence:
        """The evidence over all of them."""
        matches = self.matches if matches is None else matches
        budget = budget or Budget(requests, per_second=1e9)
        left, right = Side(PRIMARY, ACCOUNT.id, self.source), Side(DR, ACCOUNT.id, self.replica)
        return prove_content(method, matches, len(self.matches), left, right, budget, limit)


MULTIPART = {"ETag": '"0123456789abcdef0123456789abcdef-2"'}
ROUTES = {
    "SHA256": {"ChecksumSHA256": base64_of(hashlib.sha256(BODY).digest()), "ChecksumType": "FULL_OBJECT", **MULTIPART},
    "CRC32": {
        "ChecksumCRC32": base64_of(zlib.crc32(BODY).to_bytes(4, "big")),
        "ChecksumType": "FULL_OBJECT",
        **MULTIPART,
    },
    "ETag": {},
    "multipart": MULTIPART,
    "composite": {"ChecksumSHA256": "AAAA-2", "ChecksumType": "COMPOSITE", **MULTIPART},
    "CRC64NVME": {"ChecksumCRC64NVME": "AAAAAAAAAAA=", "ChecksumType": "FULL_OBJECT", **MULTIPART},
    "KMS": {"ServerSideEncryption": "aws:kms"},
}
READ_BOTH = ("multipart", "composite", "CRC64NVME", "KMS")


def one(source: Thing | None = None, replica: Thing | None = None) -> Ends:
    """Ends that hold one version."""
    return Ends({"k": source or Thing(BODY)}, {"k": replica or Thing(BODY)})


@pytest.mark.parametrize("route", ROUTES)
def test_equal_bytes_are_proven_by_each_route(route: str) -> None:
    ends = one(Thing(BODY, ROUTES[route]))
    evidence = ends.prove()
    both = route in READ_BOTH
    assert (evidence.proof.versions, evidence.proof.defects, evidence.findings) == (1, 0, ())
    assert evidence.proof.bytes_read == len(BODY) * (2 if both else 1)
    assert ends.source.count("GetObject") == int(both)
    assert evidence.checks[0].status is Status.PASSED


@pytest.mark.parametrize("route", ROUTES)
def test_a_wrong_byte_is_found_by_each_route(route: str) -> None:
    evidence = one(Thing(BODY, ROUTES[route]), Thing(WRONG)).prove()
    (finding,) = evidence.findings
    assert finding == Finding(
        Cause.CONTENT_DIFFERS,
        PRIMARY.bucket,
        DR.bucket,
        "k",
        "v-k",
        THEN,
        len(BODY),
        missing=True,
        detail=finding.detail,
    )
    assert ("the two ends differ" if route in READ_BOTH else f"do not match the {route}") in finding.detail
    assert (evidence.proof.versions, evidence.proof.defects) == (1, 1)
    assert evidence.checks[0].status is Status.BROKEN


def test_the_replica_does_not_match_its_own_stored_checksum() -> None:
    replica = Thing(WRONG, stored_sha256=hashlib.sha256(BODY).digest())
    (finding,) = one(Thing(WRONG), replica).prove().findings
    assert finding.detail == f"the bytes in {DR.bucket} do not match the checksum that S3 stores there"


def test_the_replica_matches_its_own_stored_checksum() -> None:
    assert one(replica=Thing(BODY, stored_sha256=hashlib.sha256(BODY).digest())).prove().proof.versions == 1


def test_a_replica_of_another_size_is_not_even_read() -> None:
    ends = one(replica=Thing(BODY + b"!"))
    evidence = ends.prove()
    assert evidence.findings[0].detail == f"{DR.bucket} holds 18 bytes instead of 17"
    assert evidence.proof.bytes_read == 0
    assert ends.replica.raws[0].closed


def test_an_empty_object_is_compared() -> None:
    evidence = one(Thing(b""), Thing(b"")).prove(limit=0)
    assert (evidence.proof.versions, evidence.proof.defects) == (1, 0)


def test_every_call_names_the_version_and_the_owner() -> None:
    ends = one(Thing(BODY, MULTIPART))
    ends.prove()
    for client, end in ((ends.source, PRIMARY), (ends.replica, DR)):
        for _operation, options in client.calls:
            assert options == {
                "Bucket": end.bucket,
                "ExpectedBucketOwner": ACCOUNT.id,
                "Key": "k",
                "VersionId": "v-k",
                "ChecksumMode": "ENABLED",
            }


def test_no_more_than_a_chunk_is_asked_for_at_a_time() -> None:
    body = bytes(3 * CHUNK_BYTES + 5)
    ends = one(Thing(body, MULTIPART), Thing(body))
    assert ends.prove().proof.bytes_read == 2 * len(body)
    for client in (ends.source, ends.replica):
        assert client.asked == [CHUNK_BYTES] * 5
        assert all(raw.closed for raw in client.raws)


# --- stored checksums -------------------------------------------------------------------------------------------

STORED = {"ChecksumCRC32": "AAAAAA==", "ChecksumType": "FULL_OBJECT"}


@pytest.mark.parametrize(
    ("theirs", "proof", "status"),
    [
        (STORED, Proof(Method.CHECKSUM, 1, 1, 1), Status.PASSED),
        ({**STORED, "ChecksumCRC32": "BAAAAA=="}, Proof(Method.CHECKSUM, 1, 1, 1, defects=1), Status.BROKEN),
        ({}, Proof(Method.CHECKSUM, 1, 1, left_out={Reason.NOT_COMPARABLE: 1}), Status.UNKNOWN),
        (
            {**STORED, "ChecksumType": "COMPOSITE"},
            Proof(Method.CHECKSUM, 1, 1, left_out={Reason.NOT_COMPARABLE: 1}),
            Status.UNKNOWN,
        ),
    ],
)
def test_stored_checksums_are_compared_without_reading(theirs: dict[str, Any], proof: Proof, status: Status) -> None:
    ends = one(Thing(BODY, STORED), Thing(BODY, theirs))
    evidence = ends.prove(Method.CHECKSUM)
    assert evidence.proof == proof
    assert len(evidence.findings) == proof.defects
    assert evidence.checks[0].status is status
    assert ends.source.count("GetObject") == ends.replica.count("GetObject") == 0


@pytest.mark.parametrize(("requests", "proven"), [(0, 0), (1, 0), (2, 1), (5, 2), (6, 3)])
def test_the_request_budget_holds_for_checksums(requests: int, proven: int) -> None:
    things = {str(number): Thing(BODY, STORED) for number in range(3)}
    ends = Ends(things, things)
    proof = ends.prove(Method.CHECKSUM, requests=requests).proof
    assert len(ends.source.calls) + len(ends.replica.calls) <= requests
    assert (proof.versions, proof.left_out.get(Reason.REQUESTS, 0)) == (proven, 3 - proven)


class Hesitant(Budget):
    """A budget that lets other threads go on after each request, and notes who took it."""

    def __init__(self) -> None:
        super().__init__(10**9, per_second=1e9)
        self.takers: list[int] = []

    def take(self) -> bool:
        """One request."""
        self.takers.append(threading.get_ident())
        threading.Event().wait(0.001)
        return super().take()


def test_the_last_requests_are_not_taken_one_by_one() -> None:
    things, budget = {str(number): Thing(BODY, STORED) for number in range(20)}, Hesitant()
    Ends(things, things).prove(Method.CHECKSUM, budget=budget)
    assert len(budget.takers) == 40
    assert budget.takers[::2] == budget.takers[1::2]


@pytest.mark.parametrize("method", [Method.NONE, Method.ETAG])
def test_the_listings_are_enough_for_the_shallow_methods(method: Method) -> None:
    ends = one()
    evidence = ends.prove(method)
    assert ends.source.calls == ends.replica.calls == []
    assert evidence.proof == Proof(method, 1)
    assert evidence.checks[0].status is (Status.PASSED if method is Method.ETAG else Status.SKIPPED)


# --- what cannot be compared --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "code", "reason"),
    [
        ("HeadObject", "403", Reason.DENIED),
        ("HeadObject", "503", Reason.UNREADABLE),
        ("HeadObject", "timeout", Reason.UNREADABLE),
        ("GetObject", "AccessDenied", Reason.DENIED),
        ("GetObject", "InvalidObjectState", Reason.ARCHIVED),
        ("GetObject", "InvalidRequest", Reason.KEY),
        ("GetObject", "KMS.DisabledException", Reason.KEY),
        ("GetObject", "SlowDown", Reason.UNREADABLE),
        ("GetObject", "timeout", Reason.UNREADABLE),
        ("GetObject", "tls", Reason.UNREADABLE),
    ],
)
def test_what_cannot_be_read_is_left_out(operation: str, code: str, reason: Reason) -> None:
    broken = Thing(BODY, errors={operation: code})
    evidence = one(broken if operation == "HeadObject" else None, broken).prove()
    assert evidence.proof == Proof(Method.SAMPLE, 1, 1, left_out={reason: 1})
    assert evidence.checks[0].status is Status.UNKNOWN


@pytest.mark.parametrize(("operation", "code"), [("HeadObject", "404"), ("GetObject", "NoSuchVersion")])
def test_what_was_deleted_meanwhile_is_not_counted(operation: str, code: str) -> None:
    things = {"gone": Thing(BODY, errors={operation: code}), "there": Thing(BODY)}
    evidence = Ends(things, things).prove()
    assert evidence.proof == Proof(Method.SAMPLE, 2, 2, 1, vanished=1, bytes_read=len(BODY))
    assert evidence.checks[0].status is Status.PASSED


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"GetObject": "InvalidRequest"}, Reason.KEY),
        ({"GetObject": "KMS.DisabledException"}, Reason.KEY),
        ({"GetObject": "ExpiredToken"}, Reason.UNREADABLE),
        ({"GetObject": "timeout"}, Reason.UNREADABLE),
        ({}, Reason.UNREADABLE),
    ],
)
def test_a_head_without_words_is_followed_by_a_get_that_has_them(words: dict[str, str], reason: Reason) -> None:
    ends = one(Thing(BODY, errors={"HeadObject": "400", **words}))
    assert ends.prove().proof.left_out == {reason: 1}
    ((_operation, options),) = [call for call in ends.source.calls if call[0] == "GetObject"]
    assert options["Range"] == "bytes=0-0"
    assert all(raw.closed for raw in ends.source.raws)


def test_the_request_budget_holds_for_that_get_too() -> None:
    ends = one(Thing(BODY, errors={"HeadObject": "400"}))
    assert ends.prove(requests=1).proof.left_out == {Reason.REQUESTS: 1}
    assert ends.source.count("GetObject") == 0


@pytest.mark.parametrize("end", ["source", "replica"])
def test_another_version_null_than_the_listed_one_says_nothing(end: str) -> None:
    ends = one(
        *(Thing(BODY, modified=THEN.replace(minute=9) if end == this else THEN) for this in ("source", "replica"))
    )
    null = replace(ends.matches[0].left, version_id="null")
    assert ends.prove(matches=[Match(null, null)]).proof == Proof(Method.SAMPLE, 1, 1, vanished=1)


def test_the_listed_version_null_is_compared() -> None:
    ends = one()
    null = replace(ends.matches[0].left, version_id="null", modified=THEN.replace(microsecond=7))
    assert ends.prove(matches=[Match(null, null)]).proof.versions == 1


def test_an_archived_source_that_would_have_to_be_read_is_left_out() -> None:
    source = Thing(BODY, MULTIPART, {"GetObject": "InvalidObjectState"})
    ends = one(source)
    assert ends.prove().proof == Proof(Method.SAMPLE, 1, 1, left_out={Reason.ARCHIVED: 1})
    assert ends.replica.raws[0].closed


def test_a_refusal_is_told_once_and_makes_the_outcome_unknown() -> None:
    denied = {str(number): Thing(BODY, errors={"GetObject": "AccessDenied"}) for number in range(20)}
    source = {key: Thing(BODY) for key in [*denied, "free"]}
    evidence = Ends(source, {**denied, "free": Thing(BODY)}).prove()
    assert (evidence.proof.versions, evidence.proof.left_out) == (1, {Reason.DENIED: 20})
    (found,) = evidence.checks
    assert found.status is Status.UNKNOWN
    assert found.message.count("said so") == 1
    assert DR.bucket in found.message
    assert "s3:GetObjectVersion" in found.message


def test_a_lost_connection_is_tried_once_more() -> None:
    ends = one(replica=Thing(BODY, cuts=1))
    evidence = ends.prove()
    assert (evidence.proof.versions, evidence.proof.defects) == (1, 0)
    assert evidence.proof.bytes_read == len(BODY) // 2 + len(BODY)
    assert ends.replica.count("GetObject") == 2


def test_a_connection_that_is_lost_twice_is_no_defect() -> None:
    evidence = one(replica=Thing(BODY, cuts=2)).prove()
    assert (evidence.proof.left_out, evidence.findings) == ({Reason.UNREADABLE: 1}, ())
    assert evidence.checks[0].status is Status.UNKNOWN


def test_reading_again_must_fit_into_the_transfer_budget_too() -> None:
    ends = one(replica=Thing(BODY, cuts=1))
    evidence = ends.prove(limit=len(BODY))
    assert evidence.proof.left_out == {Reason.UNREADABLE: 1}
    assert evidence.proof.bytes_read == len(BODY) // 2


def test_an_end_that_is_down_is_not_asked_for_every_sample() -> None:
    down = {str(number): Thing(BODY, errors={"GetObject": "timeout"}) for number in range(200)}
    ends = Ends({key: Thing(BODY) for key in down}, down)
    assert ends.prove().proof.left_out == {Reason.UNREADABLE: 200}
    assert ends.replica.count("GetObject") <= 2 * (8 + 4)


def test_what_fits_is_read_even_after_what_does_not() -> None:
    things = {"large": Thing(bytes(100)), "small": Thing(bytes(10))}
    evidence = Ends(things, things).prove(limit=99)
    assert evidence.proof == Proof(Method.SAMPLE, 2, 2, 1, bytes_read=10, left_out={Reason.TRANSFER: 1})


def test_both_ends_count_where_both_must_be_read() -> None:
    assert one(Thing(BODY, MULTIPART)).prove(limit=2 * len(BODY) - 1).proof.left_out == {Reason.TRANSFER: 1}
    assert one(Thing(BODY, MULTIPART)).prove(limit=2 * len(BODY)).proof.versions == 1


def test_delete_markers_have_no_content() -> None:
    marker = Version("k", "v-m", THEN)
    ends = one()
    evidence = ends.prove(matches=[*ends.matches, Match(marker, marker)])
    assert evidence.proof.sampled == 1


# --- laws -----------------------------------------------------------------------------------------------------------

CODES = ("AccessDenied", "InvalidObjectState", "NoSuchVersion", "KMS.DisabledException", "InvalidRequest", "SlowDown")
things = st.builds(
    Thing,
    st.binary(max_size=40),
    st.sampled_from([{}, MULTIPART, {"ServerSideEncryption": "aws:kms"}]),
    st.dictionaries(st.sampled_from(["HeadObject", "GetObject"]), st.sampled_from(CODES), max_size=1),
    st.integers(0, 2),
)


@given(
    st.lists(st.tuples(things, things, st.booleans()), max_size=30),
    st.integers(0, 400),
    st.integers(0, 60),
    st.sampled_from([Method.CHECKSUM, Method.SAMPLE]),
)
def test_every_sample_has_one_fate_and_no_budget_is_exceeded(
    drawn: list[tuple[Thing, Thing, bool]], limit: int, requests: int, method: Method
) -> None:
    source = {str(number): thing for number, (thing, _other, _corrupt) in enumerate(drawn)}
    corrupt = {str(number) for number, (thing, _other, wrong) in enumerate(drawn) if wrong and thing.body}
    replica = {
        str(number): replace(other, body=spoiled(thing.body) if str(number) in corrupt else thing.body)
        for number, (thing, other, _corrupt) in enumerate(drawn)
    }
    ends = Ends(source, replica)
    proof = ends.prove(method, limit=limit, requests=requests).proof
    assert proof.versions + proof.vanished + sum(proof.left_out.values()) == proof.sampled == len(drawn)
    assert proof.bytes_read <= limit
    assert ends.source.count("HeadObject") + ends.replica.count("HeadObject") <= requests
    assert proof.defects <= proof.versions


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.sampled_from(list(READ_BOTH)), st.booleans())))
def test_exactly_the_corrupted_ones_are_found(drawn: list[tuple[bytes, str, bool]]) -> None:
    source = {str(number): Thing(body, ROUTES[route]) for number, (body, route, _corrupt) in enumerate(drawn)}
    corrupt = {str(number) for number, (_body, _route, wrong) in enumerate(drawn) if wrong}
    replica = {key: Thing(spoiled(thing.body) if key in corrupt else thing.body) for key, thing in source.items()}
    evidence = Ends(source, replica).prove()
    assert {finding.key for finding in evidence.findings} == corrupt
    assert evidence.proof.versions == len(drawn)
