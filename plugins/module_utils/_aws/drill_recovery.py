# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The recovery itself, after the declared failure. It knows STS and S3 of the recovery Region, and nothing else.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .._core.causes import KMS_ENCRYPTIONS
from .._core.checks import Status
from .._core.evidence_words import number_of, size
from .._core.recovery_drill import SMALL_BYTES, Body
from .._core.recovery_judgement import DrillCheck, Part, precise
from .canary import Side
from .drill_identity import SignIn
from .drill_objects import Differs, Written, listed, put, read, together, why
from .gateway import AwsFailure
from .sdk_errors import DENIED, NO_ANSWER, ClientError, error_code

_NOT_THERE = ("NoSuchKey", "404", *DENIED)
"""How S3 answers to who asks for a deleted object: with 403 to who may not list all of the bucket."""


class NotRecovered(Exception):
    """A step of the recovery did not do what it should; the message says in what."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """What is recovered.

    Attributes:
        replicas: the objects by which the size classes are measured, the smallest first.
        older, newer: the two versions of one object that was overwritten.
        fresh: the key of an object that is new at the recovery end.
    """

    replicas: Sequence[Written]
    older: Written
    newer: Written
    fresh: str


class Recovery:
    """Reads and writes at the recovery end, as an identity that may do so there alone."""

    def __init__(
        self,
        sign_in: SignIn,
        end: Side,
        stem: str,
        subjects: Subjects,
        options: Mapping[str, str],
        clock: Callable[[], float],
        step: Callable[[str], Any],
    ) -> None:
        """A recovery that has not begun.

        Args:
            stem: how all keys of the drill begin.
            options: with what objects are written there, such as their encryption.
            step: a context in which the step of that name is timed.
        """
        self._sign_in, self._end, self._stem = sign_in, end, stem
        self._subjects, self._options = subjects, dict(options)
        self._clock, self._step = clock, step
        self._arrived = [one for one in subjects.replicas if one.seen is not None]
        self.first_read: float | None = None
        self.first_write: float | None = None
        self.there: set[tuple[str, str]] | None = None
        """The keys and version IDs that were there at once after the failure; None: nobody knows."""
        self.checks: list[DrillCheck] = []

    def run(self, role: str, application: str | None) -> None:
        """All steps, each whatever became of the others."""
        with self._trying("sign_in"):
            self._end = self._sign_in.at(self._end, role)
            self._passed("sign_in", f"The role {role} signed in at STS of {self._end.end.region}.")
        if not self.checks or self.checks[-1].status is not Status.PASSED:
            return
        for name, work in (
            ("list", self._list),
            ("read", self._read),
            ("write_there", self._write),
            ("read_all", self._read_all),
            ("restore_version", self._restore_version),
            ("overwrite", self._overwrite),
            ("undelete", self._undelete),
        ):
            with self._trying(name):
                self._passed(name, work())
        if application is None:
            text = "No replica was read as the application's role. Name it as `application_role_arn` to prove that it "
            text += "may decrypt in the recovery Region."
            self._tell("application", Status.SKIPPED, text)
            return
        with self._trying("application"):
            self._passed("application", self._read_as(application))

    # --- steps --------------------------------------------------------------------------------------------------

    def _list(self) -> str:
        self.there = {(row.key, row.version) for row in listed(self._end, self._stem)}
        missing = [one for one in self._arrived if (one.key, one.version) not in self.there]
        if missing:
            raise NotRecovered(f"{missing[0].key} ({missing[0].version}) was seen before, and the listing lacks it")
        return f"The listing of {self._end.end.bucket} shows {number_of(len(self.there), 'version')} of the drill."

    def _read(self) -> str:
        one = self._smallest()
        read(self._end, one.key, one.body, one.version)
        self.first_read = self._clock()
        return f"A replica of {size(one.body.size)} was read, and is what was written."

    def _write(self) -> str:
        body = self._put(self._subjects.fresh, "fresh")
        read(self._end, self._subjects.fresh, body)
        self.first_write = self._clock()
        return f"A new object was written to {self._end.end.bucket} and read back."

    def _read_all(self) -> str:
        others = [one for one in self._arrived if one is not self._smallest()]
        began = self._clock()
        together(lambda one: read(self._end, one.key, one.body, one.version), others)
        total, took = sum(one.body.size for one in others), precise(self._clock() - began)
        return f"{number_of(len(others), 'more replica')} ({size(total)}) read in {took}, each as it was written."

    def _restore_version(self) -> str:
        older, newer = self._subjects.older, self._subjects.newer
        if older.seen is None or newer.seen is None:
            raise NotRecovered("not both versions of the overwritten object had arrived")
        read(self._end, newer.key, newer.body)
        read(self._end, older.key, older.body, older.version)
        put(self._end, older.key, older.body, self._options)
        read(self._end, older.key, older.body)
        return "The version before an overwriting was read by its ID, and made current again."

    def _overwrite(self) -> str:
        one = self._smallest()
        body = self._put(one.key, "overwritten")
        read(self._end, one.key, body)
        read(self._end, one.key, one.body, one.version)
        return "An object was overwritten; its version from before is still there, and still the same."

    def _undelete(self) -> str:
        one = self._arrived[1] if len(self._arrived) > 1 else self._smallest()
        marker = self._end.client.delete_object(**self._end.bucket, Key=one.key).get("VersionId")
        if not marker:
            raise NotRecovered("S3 put no delete marker, so versioning is not enabled there")
        self._cannot_be_read(one.key)
        self._end.client.delete_object(**self._end.bucket, Key=one.key, VersionId=marker)
        read(self._end, one.key, one.body, None if one is not self._smallest() else one.version)
        return "An object was deleted, and came back when its delete marker was removed."

    def _cannot_be_read(self, key: str) -> None:
        try:
            self._end.client.get_object(**self._end.bucket, Key=key)
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                return
            raise
        raise NotRecovered("a deleted object could still be read")

    def _read_as(self, application: str) -> str:
        one = self._smallest()
        answer = read(self._sign_in.at(self._end, application), one.key, one.body, one.version)
        key = answer.get("SSEKMSKeyId")
        if answer.get("ServerSideEncryption") in KMS_ENCRYPTIONS and key:
            wanted = self._end.end.kms_key_arn
            if wanted and key != wanted:
                raise NotRecovered(f"the replica is encrypted with {key}, and the pair declares {wanted}")
            return f"The role {application} read a replica, and could decrypt it with {key}."
        return (
            f"The role {application} read a replica. It is not encrypted with a key of KMS, so there was no other need."
        )

    # --- around them --------------------------------------------------------------------------------------------

    def _smallest(self) -> Written:
        if not self._arrived:
            raise NotRecovered("no object had arrived before the failure")
        return self._arrived[0]

    def _put(self, key: str, what: str) -> Body:
        body = Body(f"{self._subjects.older.body.seed}/{what}", SMALL_BYTES)
        put(self._end, key, body, self._options)
        return body

    @contextmanager
    def _trying(self, name: str) -> Iterator[None]:
        """Times a step; what goes wrong in it is what the drill is there to find out."""
        try:
            with self._step(name):
                yield
        except NO_ANSWER as error:
            text = f"{name}: {self._end.end.region} did not answer: {why(error)}"
            self._tell(name, Status.UNKNOWN, text)
        except ClientError as error:
            text = f"{name}: AWS refused {error.operation_name} in {self._end.end.region} ({why(error)}). Whoever "
            text += "recovers there would be refused as well: look at the policies of role, bucket and key."
            self._tell(name, Status.BROKEN, text)
        except (NotRecovered, Differs, AwsFailure) as failure:
            self._tell(name, Status.BROKEN, f"{name}: {failure}.".replace("..", "."))

    def _passed(self, name: str, text: str) -> None:
        self._tell(name, Status.PASSED, text)

    def _tell(self, name: str, status: Status, text: str) -> None:
        self.checks.append(DrillCheck(Part.RECOVERY, name, self._end.end.bucket, status, text))
