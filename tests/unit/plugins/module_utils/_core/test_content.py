# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What is said of the content: the very words, never more than was seen; and which checksums can be computed."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Head
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Area, Status
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.content import (
    Method,
    Proof,
    Reason,
    bound,
    check,
    checksums_agree,
    expected,
    hasher,
    percent,
    statement,
)

BODY = b"123456789"
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
CRC32 = base64.b64encode(bytes.fromhex("cbf43926")).decode()
"""The check value that the definition of CRC-32 gives for `123456789`."""
SHA256 = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
DRAWN = "Samples are drawn from the 41233 versions that both ends hold."


def sampled(
    versions: int,
    *,
    population: int = 41233,
    defects: int = 0,
    vanished: int = 0,
    left_out: Mapping[Reason, int] | None = None,
    method: Method = Method.SAMPLE,
) -> Proof:
    """A proof of so many versions."""
    left_out = left_out or {}
    chosen = versions + vanished + sum(left_out.values())
    return Proof(method, population, chosen, versions, vanished, 4711, defects, left_out)


def census(versions: int, *, vanished: int = 0, left_out: Mapping[Reason, int] | None = None, **more: object) -> Proof:
    """A proof in which every version was chosen."""
    proof = sampled(versions, vanished=vanished, left_out=left_out, **more)
    return replace(proof, population=proof.sampled)


LEFT = {Reason.TRANSFER: 30, Reason.ARCHIVED: 20}
SAID = [
    (census(12), "All 12 versions were read: no defect."),
    (census(1), "The only version was read: no defect."),
    (census(11, vanished=1), "All 11 versions that are still there were read: no defect."),
    (
        census(11, left_out={Reason.ARCHIVED: 1}),
        "No defect in 11 versions; 1 was left out (1 archived), so nothing is said of that one.",
    ),
    (census(12, defects=2), "2 of 12 versions differ."),
    (sampled(300), f"No defect in 300 samples: below 1 % defective with 95 % confidence. {DRAWN}"),
    (sampled(300, vanished=4), f"No defect in 300 samples: below 1 % defective with 95 % confidence. {DRAWN}"),
    (sampled(100), f"No defect in 100 samples: below 3 % defective with 95 % confidence. {DRAWN}"),
    (
        sampled(250, left_out=LEFT),
        (
            "No defect in 250 samples; 50 were left out (30 above the transfer budget, 20 archived), so nothing is "
            f"said of those: of versions like those read, below 1.2 % are defective with 95 % confidence. {DRAWN}"
        ),
    ),
    (
        sampled(250, left_out={Reason.UNREADABLE: 2}),
        "No defect in 250 samples; 2 were left out (2 that could not be read), so nothing is said of those. " + DRAWN,
    ),
    (sampled(300, defects=2), f"2 of 300 samples differ. {DRAWN}"),
    (
        sampled(250, defects=1, left_out=LEFT),
        (
            "1 of 250 samples differ; 50 were left out (30 above the transfer budget, 20 archived), so nothing is "
            f"said of those. {DRAWN}"
        ),
    ),
    (
        sampled(0, left_out={Reason.ARCHIVED: 300}),
        "Nothing was read of 300 samples: 300 were left out (300 archived).",
    ),
    (
        sampled(0, vanished=2, left_out={Reason.DENIED: 1}),
        (
            "Nothing was read of 3 samples: 1 was left out (1 not readable by these credentials) and 2 were deleted "
            "meanwhile."
        ),
    ),
    (sampled(0), "No version was chosen to be read, so nothing is said of their content."),
    (Proof(Method.SAMPLE, 0), "No object is held by both ends, so there is no content to compare."),
    (Proof(Method.ETAG, 12), "12 versions agree in size and ETag by the listings; no byte was read."),
    (Proof(Method.NONE, 12), "12 versions agree in size by the listings; no content was compared."),
    (
        sampled(300, method=Method.CHECKSUM),
        (
            f"The checksums of 300 samples agree: below 1 % differ with 95 % confidence. {DRAWN} "
            "These are the checksums that S3 keeps; no byte was read."
        ),
    ),
    (
        sampled(250, method=Method.CHECKSUM, left_out={Reason.NOT_COMPARABLE: 50}),
        (
            "The checksums of 250 samples agree; 50 were left out (50 without comparable checksums), so nothing is "
            f"said of those: of versions like those compared, below 1.2 % differ with 95 % confidence. {DRAWN} "
            "These are the checksums that S3 keeps; no byte was read."
        ),
    ),
    (
        census(12, method=Method.CHECKSUM),
        "The checksums of all 12 versions agree. These are the checksums that S3 keeps; no byte was read.",
    ),
    (
        census(11, method=Method.CHECKSUM, left_out={Reason.NOT_COMPARABLE: 1}),
        (
            "The checksums of 11 versions agree; 1 was left out (1 without comparable checksums), so nothing is "
            "said of that one. These are the checksums that S3 keeps; no byte was read."
        ),
    ),
    (
        sampled(300, method=Method.CHECKSUM, defects=2),
        f"The checksums of 2 of 300 samples differ. {DRAWN} These are the checksums that S3 keeps; no byte was read.",
    ),
]


@pytest.mark.parametrize(("proof", "words"), SAID, ids=[words[:60] for _proof, words in SAID])
def test_what_is_said(proof: Proof, words: str) -> None:
    assert statement(proof) == words


# --- statistics -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "shown"),
    [
        (1, "95 %"), (2, "80 %"), (12, "25 %"), (59, "5 %"), (100, "3 %"), (250, "1.2 %"), (298, "1.2 %"), (299, "1 %"),
        (300, "1 %"), (2994, "0.12 %"), (2995, "0.1 %"), (299_572, "0.001 %"),
    ],
)  # fmt: skip
def test_the_bound_that_is_shown(samples: int, shown: str) -> None:
    assert percent(bound(samples)) == shown


@given(st.integers(1, 5000))
def test_the_bound_is_never_smaller_than_the_true_one_and_near_it(samples: int) -> None:
    shown = Fraction(bound(samples))
    assert (1 - shown) ** samples <= Fraction(5, 100)
    assert float(shown) <= 1.34 * (1 - 0.05 ** (1 / samples))


@given(st.integers(1, 5000))
def test_the_statement_tells_the_bound(samples: int) -> None:
    (told,) = re.findall(r"below ([\d.]+) % defective with 95 % confidence", statement(sampled(samples)))
    assert (1 - Fraction(told) / 100) ** samples <= Fraction(5, 100)


@given(st.data())
def test_it_holds_for_small_populations_that_are_not_put_back(data: st.DataObject) -> None:
    population = data.draw(st.integers(2, 400))
    samples = data.draw(st.integers(1, population - 1))
    defective = data.draw(st.integers(1, population))
    if Decimal(defective) / population < bound(samples):
        return
    unseen = Fraction(comb(population - defective, samples), comb(population, samples))
    assert unseen <= Fraction(5, 100)


def test_a_bound_is_said_only_of_what_was_inferred() -> None:
    for proof in (census(12), sampled(300, defects=1), sampled(0, left_out={Reason.ARCHIVED: 3})):
        assert "confidence" not in statement(proof)


# --- what is judged -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proof", "status"),
    [
        (sampled(300), Status.PASSED),
        (census(12), Status.PASSED),
        (sampled(250, left_out=LEFT), Status.PASSED),
        (sampled(300, defects=1), Status.BROKEN),
        (sampled(1, defects=1, left_out={Reason.DENIED: 9}), Status.BROKEN),
        (sampled(299, left_out={Reason.DENIED: 1}), Status.UNKNOWN),
        (sampled(299, left_out={Reason.UNREADABLE: 1}), Status.UNKNOWN),
        (sampled(0, left_out={Reason.ARCHIVED: 3}), Status.UNKNOWN),
        (sampled(0, vanished=3), Status.UNKNOWN),
        (sampled(0), Status.UNKNOWN),
        (sampled(0, method=Method.CHECKSUM, left_out={Reason.NOT_COMPARABLE: 3}), Status.UNKNOWN),
        (Proof(Method.SAMPLE, 0), Status.SKIPPED),
        (Proof(Method.ETAG, 12), Status.PASSED),
        (Proof(Method.ETAG, 0), Status.SKIPPED),
        (Proof(Method.NONE, 12), Status.SKIPPED),
    ],
)
def test_how_the_check_ends(proof: Proof, status: Status) -> None:
    found = check(proof, "orders", "orders-dr", {})
    assert (found.area, found.name, found.subject, found.status) == (
        Area.CONTENT,
        "content",
        "orders -> orders-dr",
        status,
    )
    assert statement(proof) in found.message


def test_a_check_that_proves_nothing_says_the_next_step() -> None:
    message = check(sampled(0, left_out={Reason.TRANSFER: 3}), "orders", "orders-dr", {}).message
    assert message.endswith("Raise `max_transfer_bytes`.")


def test_a_refusal_is_named_once_with_the_permissions() -> None:
    proof = sampled(1, left_out={Reason.DENIED: 200})
    message = check(proof, "orders", "orders-dr", {"orders-dr": "AccessDenied: no"}).message
    assert message.count("orders-dr (AccessDenied: no)") == 1
    assert "s3:GetObjectVersion" in message
    assert "kms:Decrypt" in message


def test_the_result_is_plain_values() -> None:
    proof = sampled(250, left_out={Reason.ARCHIVED: 20, Reason.TRANSFER: 30, Reason.KEY: 0})
    assert proof.as_result() == {
        "method": "sample",
        "population": 41233,
        "sampled": proof.sampled,
        "versions": 250,
        "vanished": 0,
        "bytes_read": 4711,
        "defects": 0,
        "left_out": {"above_transfer_budget": 30, "archived": 20},
        "statement": statement(proof),
    }


# --- checksums ------------------------------------------------------------------------------------------------


def a_head(**changes: object) -> Head:
    """What a source of one part, encrypted by S3, tells."""
    return replace(Head(True, size=9, etag=MD5, encryption="AES256"), **changes)


def told_by(head: Head) -> str | None:
    """What the bytes are checked against."""
    found = expected(head)
    return found.told_by if found else None


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (a_head(), "ETag"),
        (a_head(encryption=None), "ETag"),
        (a_head(encryption="aws:kms"), None),
        (a_head(encryption="aws:kms:dsse"), None),
        (a_head(customer_key=True, encryption=None), None),
        (a_head(etag=MD5 + "-2"), None),
        (a_head(checksums=(("CRC64NVME", "AAAAAAAAAAA="),), checksum_type="FULL_OBJECT"), "ETag"),
        (a_head(checksums=(("CRC32", CRC32),), checksum_type="FULL_OBJECT"), "CRC32 checksum"),
        (a_head(checksums=(("CRC32", CRC32), ("SHA256", SHA256)), checksum_type="FULL_OBJECT"), "SHA256 checksum"),
        (a_head(checksums=(("CRC32", CRC32),)), "CRC32 checksum"),
        (a_head(etag="", checksums=(("CRC32", CRC32),), checksum_type="COMPOSITE"), None),
        (a_head(etag="", checksums=(("CRC32", CRC32 + "-2"),)), None),
        (a_head(etag="", checksums=(("CRC32", "AAA="),), checksum_type="FULL_OBJECT"), None),
        (a_head(etag="", checksums=(("CRC32", "no base64"),), checksum_type="FULL_OBJECT"), None),
        (a_head(etag="", checksums=(("CRC32C", "AAAAAA=="),), checksum_type="FULL_OBJECT"), None),
    ],
)
def test_what_the_bytes_are_checked_against(head: Head, told: str | None) -> None:
    assert told_by(head) == told


@pytest.mark.parametrize("algorithm", ["SHA512", "SHA256", "SHA1", "MD5", "CRC32"])
def test_each_checksum_is_computed_chunk_by_chunk(algorithm: str) -> None:
    computed = hasher(algorithm)
    for position in range(len(BODY)):
        computed.update(BODY[position : position + 1])
    whole = bytes.fromhex("cbf43926") if algorithm == "CRC32" else hashlib.new(algorithm, BODY).digest()
    assert computed.digest() == whole


@pytest.mark.parametrize(
    ("here", "there", "agree"),
    [
        ({}, {}, True),
        ({}, {"CRC32": "other"}, False),
        ({}, {"size": 8}, False),
        ({"CRC32": None}, {}, None),
        ({}, {"CRC32": None, "SHA256": SHA256}, None),
        ({"type": "COMPOSITE"}, {}, None),
        ({"type": "COMPOSITE", "CRC32": "a-2"}, {"type": "COMPOSITE", "CRC32": "a-2"}, True),
        ({"type": "COMPOSITE", "CRC32": "a-2"}, {"type": "COMPOSITE", "CRC32": "b-3"}, None),
        ({"type": None, "CRC32": "a-2"}, {"type": None, "CRC32": "b-3"}, None),
        ({"type": None}, {"type": None, "CRC32": "other"}, False),
        ({"CRC32": None}, {"CRC32": None}, None),
    ],
)
def test_stored_checksums_are_compared_only_where_they_can_be(
    here: dict[str, object], there: dict[str, object], agree: bool | None
) -> None:
    def head(told: dict[str, object]) -> Head:
        stored = {"CRC32": CRC32, "type": "FULL_OBJECT", "size": 9, **told}
        kind, size = stored.pop("type"), stored.pop("size")
        sums = tuple((name, value) for name, value in stored.items() if value is not None)
        return a_head(size=size, checksums=sums, checksum_type=kind if sums else None)

    assert checksums_agree(head(here), head(there)) is agree
