# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The journal of a pair as an object of a bucket, written only on top of what was read.

Source: S3 User Guide, "How to prevent object overwrites with conditional writes": `If-None-Match: *` and `If-Match`
answer 412 PreconditionFailed, or 409 ConditionalRequestConflict when two such writes meet.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .._core.journal import Journal, JournalBroken, Run, as_text, from_text, run_as_text
from .._core.recovery_bucket import JOURNALS
from .gateway import AwsFailure, asking
from .row import Client
from .sdk_errors import ClientError, error_code

_OVERTAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_NOTHING = ("NoSuchKey", "404")
_TRIES = 5


class Overtaken(AwsFailure):
    """Somebody else has written the journal since it was read. Whoever hears it must not go on."""


class JournalStore:
    """One pair's journal in one bucket. Several threads may use it."""

    def __init__(self, client: Client, bucket: str, owner: str, pair: str) -> None:
        self._client = client
        self._place = {"Bucket": bucket, "ExpectedBucketOwner": owner}
        self._pair = pair
        self._key = f"{JOURNALS}{pair}/state.json"
        self._etag: str | None = None
        self._here: Journal | None = None
        """What was read or written last."""
        self._unconfirmed: list[str] = []
        self._one = threading.RLock()
        self.name = f"the journal s3://{bucket}/{self._key}"

    def read(self) -> Journal | None:
        """What is there; None: nothing yet.

        Raises:
            AwsFailure: the bucket is not there or may not be read, or what is there is no journal.
        """
        with self._one, self._speaking("s3:GetObject"):
            journal, self._etag = self._read()
            self._here = journal
            self._unconfirmed.clear()
        return journal

    def save(self, journal: Journal) -> None:
        """Write it on top of what was read or written last.

        An answer can be lost after S3 took the write, by the network or by a signal. Then the next attempt finds what
        we wrote ourselves, and goes on from there.

        Raises:
            Overtaken: somebody else wrote meanwhile, and every later write says so again until it is read anew.
            AwsFailure: the bucket is not there or may not be written.
        """
        text = as_text(journal)
        with self._one, self._speaking("s3:PutObject"):
            self._unconfirmed.append(text)
            for _try in range(_TRIES):
                if self._has_written(text):
                    self._unconfirmed.clear()
                    self._here = journal
                    return
            raise Overtaken(f"{self.name}: somebody else keeps writing it, so this run ends here. Run again.")

    def _has_written(self, text: str) -> bool:
        """False: what is there is what we knew, or an earlier write of ours whose answer was lost."""
        condition = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
        try:
            self._etag = self._put(self._key, text, **condition)["ETag"]
        except ClientError as error:
            if error_code(error) not in (*_OVERTAKEN, *_NOTHING):
                raise
            there, etag = self._read()
            found = as_text(there) if there else None
            if etag != self._etag and found not in self._unconfirmed:
                raise Overtaken(
                    f"{self.name}: somebody else has written it since it was read, so this run ends here. Look at it "
                    "with failover_status.yml."
                ) from error
            self._etag = etag
            return found == text
        return True

    def keep_run(self, run: Run) -> None:
        """Keep a run that is over under its own name."""
        with self._speaking("s3:PutObject"):
            self._put(f"{JOURNALS}{self._pair}/runs/{run.id}.json", run_as_text(self._pair, run))

    def copy_here(self, journal: Journal) -> None:
        """Put a copy here of a journal whose home is elsewhere, unless a newer one is here already.

        What was read here before need not be read again, unless somebody else has written since.
        """
        with self._one:
            if self._here is not None and self._here.serial < journal.serial:
                with suppress(Overtaken):
                    self.save(journal)
                    return
            there = self.read()
            if there is None or there.serial < journal.serial:
                self.save(journal)

    def _read(self) -> tuple[Journal | None, str | None]:
        try:
            answer = self._client.get_object(**self._place, Key=self._key)
        except ClientError as error:
            if error_code(error) not in _NOTHING:
                raise
            return None, None
        return from_text(answer["Body"].read().decode("utf-8", "replace")), answer["ETag"]

    @contextmanager
    def _speaking(self, permission: str) -> Iterator[None]:
        """Errors become failures that name the journal and the next step."""
        try:
            with asking(self.name, permission):
                yield
        except JournalBroken as broken:
            raise AwsFailure(
                f"{self.name}: {broken}. Look at the older versions of that object, and restore the last good one."
            ) from broken
        except AwsFailure as failure:
            if isinstance(failure.__cause__, ClientError) and error_code(failure.__cause__) == "NoSuchBucket":
                raise AwsFailure(
                    f"{self.name}: there is no bucket {self._place['Bucket']}. setup.yml makes it, and so does "
                    "s3_dr_recovery_bucket; or name another bucket of that Region that is there as `recovery_bucket`."
                ) from failure
            raise

    def _put(self, key: str, text: str, **condition: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.put_object(
            **self._place, Key=key, Body=text.encode(), ContentType="application/json", **condition
        )
        return answer
