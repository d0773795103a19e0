# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What is known of the bytes of the versions that both ends hold, and how to say it without saying more.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from .causes import Head
from .checks import Area, Check, Status
from .explain import same_content


class Method(StrEnum):
    """How deep the content is looked at; each includes those before it."""

    NONE = "none"
    ETAG = "etag"
    CHECKSUM = "checksum"
    SAMPLE = "sample"


class Reason(StrEnum):
    """Why a version of the sample was left out."""

    TRANSFER = "above_transfer_budget"
    REQUESTS = "above_request_budget"
    ARCHIVED = "archived"
    KEY = "key_not_usable"
    NOT_COMPARABLE = "not_comparable"
    DENIED = "denied"
    UNREADABLE = "unreadable"


_WORDS = {
    Reason.TRANSFER: "above the transfer budget",
    Reason.REQUESTS: "above the request budget",
    Reason.ARCHIVED: "archived",
    Reason.KEY: "with a key that cannot be used here",
    Reason.NOT_COMPARABLE: "without comparable checksums",
    Reason.DENIED: "not readable by these credentials",
    Reason.UNREADABLE: "that could not be read",
}
_NEXT_STEPS = {
    Reason.TRANSFER: "Raise `max_transfer_bytes`.",
    Reason.REQUESTS: "Raise `max_head_requests`.",
    Reason.ARCHIVED: "Restore some in both buckets to have them read.",
    Reason.KEY: "Look at the state of the KMS keys; what is encrypted by SSE-C, only the holder of its key can read.",
    Reason.NOT_COMPARABLE: "Set `content: sample` to have bytes read.",
    Reason.DENIED: "",  # the refusal itself says which permission
    Reason.UNREADABLE: "Look at the connection to both Regions, then run again.",
}
_TROUBLE = (Reason.DENIED, Reason.UNREADABLE)
"""What keeps a proof from being one, however much of the rest was proven."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found out about the content.

    Attributes:
        population: objects' versions that both ends hold.
        sampled: how many of them were chosen; each was proved, left out, or deleted meanwhile.
        versions: how many were proved, alike or not.
        vanished: how many were deleted at an end meanwhile, which says nothing of their content.
        bytes_read: at both ends, including what had to be read again.
        defects: how many of `versions` differ.
        left_out: reasons, and how many versions were left out for each.
    """

    method: Method
    population: int
    sampled: int = 0
    versions: int = 0
    vanished: int = 0
    bytes_read: int = 0
    defects: int = 0
    left_out: Mapping[Reason, int] = field(default_factory=dict)

    @property
    def is_census(self) -> bool:
        """Whether every version was chosen, so that there is nothing to infer."""
        return self.sampled == self.population

    def as_result(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "method": self.method.value,
            "population": self.population,
            "sampled": self.sampled,
            "versions": self.versions,
            "vanished": self.vanished,
            "bytes_read": self.bytes_read,
            "defects": self.defects,
            "left_out": {reason.value: self.left_out[reason] for reason in Reason if self.left_out.get(reason)},
            "statement": statement(self),
        }


# --- statistics -----------------------------------------------------------------------------------------------

_DOUBT = Decimal("0.05")
_NICE = tuple(Decimal(digits) for digits in ("1", "1.2", "1.5", "2", "2.5", "3", "4", "5", "6", "7", "8", "9", "9.5"))
_BOUNDS = tuple(digits.scaleb(power) for power in range(-9, 0) for digits in _NICE)
"""The shares that are shown, ascending. The last is what one sample proves: below 95 %."""


def bound(samples: int) -> Decimal:
    """The share below which defects are with 95 % confidence, after so many samples without one; rounded up.

    Were the share p or more, no defect would show in n samples with a chance of at most (1 - p)^n. So it is below
    every p for which that is at most 5 %: the least is 1 - 0.05^(1/n), the least that is shown is the next nice number.
    Sampling from a finite number without putting back only makes that chance smaller.

    Args:
        samples: at least 1.
    """
    return next((share for share in _BOUNDS if (1 - share) ** samples <= _DOUBT), _BOUNDS[-1])


def percent(share: Decimal) -> str:
    """A share such as 0.012 as `1.2 %`."""
    return f"{(share * 100).normalize():f} %"


# --- what is said ---------------------------------------------------------------------------------------------


def statement(proof: Proof) -> str:
    """What the proof says of all versions together, and never of a single one."""
    if not proof.population:
        return "No object is held by both ends, so there is no content to compare."
    if proof.method is Method.NONE:
        return f"{_count(proof.population, 'version')} agree in size by the listings; no content was compared."
    if proof.method is Method.ETAG:
        return f"{_count(proof.population, 'version')} agree in size and ETag by the listings; no byte was read."
    if not proof.versions:
        return _nothing(proof)
    sentences = [_defects(proof) if proof.defects else _no_defect(proof)]
    if not proof.is_census:
        sentences.append(f"Samples are drawn from the {proof.population} versions that both ends hold.")
    if proof.method is Method.CHECKSUM:
        sentences.append("These are the checksums that S3 keeps; no byte was read.")
    return " ".join(sentences)


def _nothing(proof: Proof) -> str:
    deed = "read" if proof.method is Method.SAMPLE else "compared"
    if not proof.sampled:
        return f"No version was chosen to be {deed}, so nothing is said of their content."
    fates = [_left_out(proof)] if _left(proof) else []
    if proof.vanished:
        fates.append(f"{_count(proof.vanished, 'was', 'were')} deleted meanwhile")
    return f"Nothing was {deed} of {_count(proof.sampled, _noun(proof))}: {' and '.join(fates)}."


def _defects(proof: Proof) -> str:
    of = "the checksums of " if proof.method is Method.CHECKSUM else ""
    told = f"{of}{proof.defects} of {_count(proof.versions, _noun(proof))} differ"
    return f"{told[0].upper()}{told[1:]}{_except(proof)}."


def _no_defect(proof: Proof) -> str:
    if proof.is_census:
        return f"{_whole(proof)}{_except(proof)}."
    compared = proof.method is Method.CHECKSUM
    samples = _count(proof.versions, "sample")
    told = f"The checksums of {samples} agree" if compared else f"No defect in {samples}"
    share = percent(bound(proof.versions))
    if not _left(proof):
        return f"{told}: below {share} {'differ' if compared else 'defective'} with 95 % confidence."
    if proof.left_out.get(Reason.UNREADABLE):  # which may be just those that are defective
        return f"{told}{_except(proof)}."
    like = "those compared, below {} differ" if compared else "those read, below {} are defective"
    return f"{told}{_except(proof)}: of versions like {like.format(share)} with 95 % confidence."


def _whole(proof: Proof) -> str:
    """Of all versions, of which some may have been left out."""
    there = " that are still there" if proof.vanished else ""
    versions = _count(proof.versions, "version")
    if not _left(proof):
        versions = "the only version" if proof.versions == 1 else f"all {versions}"
    if proof.method is Method.CHECKSUM:
        return f"The checksums of {versions}{there} agree"
    if _left(proof):
        return f"No defect in {versions}"
    return f"{versions[0].upper()}{versions[1:]}{there} {'was' if proof.versions == 1 else 'were'} read: no defect"


def _except(proof: Proof) -> str:
    left = _left(proof)
    return f"; {_left_out(proof)}, so nothing is said of {'that one' if left == 1 else 'those'}" if left else ""


def _left_out(proof: Proof) -> str:
    reasons = ", ".join(f"{proof.left_out[reason]} {_WORDS[reason]}" for reason in Reason if proof.left_out.get(reason))
    return f"{_count(_left(proof), 'was', 'were')} left out ({reasons})"


def _left(proof: Proof) -> int:
    return sum(proof.left_out.values())


def _noun(proof: Proof) -> str:
    return "version" if proof.is_census else "sample"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


# --- what is judged -------------------------------------------------------------------------------------------


def check(proof: Proof, source: str, destination: str, refusals: Mapping[str, str]) -> Check:
    """The proof as one thing that verify looked at.

    Args:
        refusals: buckets, and the first answer by which AWS refused to let a version be looked at.
    """
    status, subject = _status(proof), f"{source} -> {destination}"
    sentences = [f"{subject}: {statement(proof)}"]
    if status is Status.BROKEN:
        sentences.append("Compare by hand the versions that the findings name before you trust either end.")
    if status is Status.UNKNOWN:
        sentences += [
            f"The credentials may not look at all versions in {bucket} ({said}): allow s3:GetObjectVersion, and "
            "kms:Decrypt where a KMS key encrypts them."
            for bucket, said in sorted(refusals.items())
        ]
        sentences += [_NEXT_STEPS[reason] for reason in Reason if proof.left_out.get(reason) and _NEXT_STEPS[reason]]
    return Check(Area.CONTENT, "content", subject, status, " ".join(sentences))


def _status(proof: Proof) -> Status:
    if proof.defects:
        return Status.BROKEN
    if proof.method is Method.NONE or not proof.population:
        return Status.SKIPPED
    if proof.method is Method.ETAG:
        return Status.PASSED
    if not proof.versions or any(proof.left_out.get(reason) for reason in _TROUBLE):
        return Status.UNKNOWN
    return Status.PASSED


# --- checksums ------------------------------------------------------------------------------------------------


class Hasher(Protocol):
    """What computes a checksum chunk by chunk."""

    def update(self, data: bytes, /) -> None:
        """Go on with the next chunk."""

    def digest(self) -> bytes:
        """The checksum of all chunks."""


class _Crc32:
    """CRC-32 as S3 stores it: four bytes, the highest first."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_STRONGEST_FIRST = ("SHA512", "SHA256", "SHA1", "MD5", "CRC32")
"""The checksums of S3 that the standard library computes."""
_MD5 = re.compile(r"[0-9a-f]{32}")
_NOT_BY_KMS = (None, "AES256")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the bytes of a version must come to.

    Attributes:
        told_by: what says so, such as `SHA256 checksum`.
    """

    algorithm: str
    value: bytes
    told_by: str


def hasher(algorithm: str) -> Hasher:
    """A new computation of one of the checksums that `expected` names, or of SHA256."""
    return _Crc32() if algorithm == "CRC32" else hashlib.new(algorithm, usedforsecurity=False)


def expected(head: Head) -> Expected | None:
    """What the source's own answer says of its bytes; None: nothing that can be computed here.

    Source: S3 User Guide, "Checking object integrity" (full-object checksums), and API Reference, "Object" (the ETag is
    the MD5 of what was written in one part, unless KMS or a customer's key encrypts it).
    """
    whole = _of_the_whole_object(head)
    for algorithm in _STRONGEST_FIRST:
        value = _decoded(whole.get(algorithm, ""))
        if len(value) == len(hasher(algorithm).digest()):
            return Expected(algorithm, value, f"{algorithm} checksum")
    if head.encryption in _NOT_BY_KMS and not head.customer_key and _MD5.fullmatch(head.etag):
        return Expected("MD5", bytes.fromhex(head.etag), "ETag")
    return None


def checksums_agree(here: Head, there: Head) -> bool | None:
    """Whether the stored checksums say the same; None: they cannot be compared.

    Composite checksums that differ prove nothing: AWS does not promise that a replica has the parts of its source.
    """
    if here.size != there.size:
        return False
    if here.checksum_type != there.checksum_type or not dict(here.checksums).keys() & dict(there.checksums).keys():
        return None
    alike = same_content(here, there)
    whole = _of_the_whole_object(here).keys() & _of_the_whole_object(there).keys()
    return alike if alike or whole else None


def _of_the_whole_object(head: Head) -> dict[str, str]:
    """Its checksums that do not depend on parts: those that do end with how many parts there are."""
    if head.checksum_type not in (None, "FULL_OBJECT"):
        return {}
    return {algorithm: value for algorithm, value in head.checksums if "-" not in value}


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return b""
