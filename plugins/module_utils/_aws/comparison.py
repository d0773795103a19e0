# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Two buckets compared, version by version, with a cause for each difference.

First both listings are read side by side: what both ends hold is counted and offered to the sample, what differs goes
to disk. Then, knowing all of it, the differences are looked at once more, those first that matter most.

No clock of this machine is ever asked for a date: AWS's own tells when the listings began.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from .._core.causes import ACCEPTED, UNASKED, Cause, Finding, iso
from .._core.content import Method
from .._core.explain import Explainer, Rank, Solved
from .._core.march import Difference, Match, NotComparable, Outcome, Suspicious, march
from .._core.model import End
from .._core.proofs import is_canary
from .._core.recovery import Tally
from .._core.sample import Sample
from .._core.versions import Version
from .canary import Side
from .examination import Budget, Examiner
from .spool import Spool, SpoolFailed
from .version_listing import ListingFailed, PageReader, VersionListing

LISTING, INVENTORY = "listing", "inventory"
"""The engines: both buckets are listed now, or S3 Inventory listed them before."""
PROGRESS_EVERY = 1000
"""Outcomes between two words on progress."""
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user wishes of a comparison.

    Attributes:
        accepted: the causes that fail no run.
        content: with `none` only sizes are compared; else versions of one size with other ETags are looked at, too.
        prefixes: below which keys; the whole bucket by default.
        sample_size: how many of the versions that both ends hold are drawn for the proof of their content.
        sample_seed: draws others when it is another.
    """

    accepted: Collection[Cause] = ACCEPTED
    content: Method = Method.ETAG
    prefixes: Sequence[str] = ("",)
    sample_size: int = 0
    sample_seed: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is.

    Attributes:
        source, destination: the buckets.
        source_rows, destination_rows: versions and delete markers read so far.
        spooled: differences to be looked at once more.
        examined: of those, how many were; None: the listings are still being read.
    """

    source: str
    destination: str
    source_rows: int
    destination_rows: int
    spooled: int
    examined: int | None = None

    @property
    def compared(self) -> int:
        """Versions and delete markers read so far at both ends."""
        return self.source_rows + self.destination_rows


Sink: TypeAlias = "Callable[[Finding], None]"
ProgressSink: TypeAlias = "Callable[[Progress], None]"
ExplainerAt: TypeAlias = "Callable[[datetime], Explainer]"
"""Makes an explainer that knows what time it is by AWS's clock."""


@dataclass(frozen=True, slots=True)
class Count:
    """What one end was seen to hold; `size` in bytes."""

    versions: int = 0
    delete_markers: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found. Where it is not complete, its numbers are those up to its end, and prove nothing.

    Attributes:
        complete: both listings were read to their ends, and every difference was given to the explainer.
        reason: why it is not complete.
        began: when the first of both listings began, by AWS's clock; None: one of them never did.
        cutoff: the last second of which every version was judged: what was written later is in flight.
        seconds: how long it took.
        matched: versions that both ends hold, without canaries.
        in_flight: differences in versions that are too young to be judged.
        canaries: versions under the reserved prefix, which come and go.
        head_requests: HeadObject and GetObjectTagging calls.
        solved: differences that were none after the second look.
        oldest_arrived: when the oldest object was written that both ends hold.
        notices: what was refused or failed while looking, each said once.
        engine: whether listings or reports were compared.
    """

    source: End
    destination: End
    complete: bool
    reason: str
    began: datetime | None
    cutoff: datetime | None
    seconds: float
    source_count: Count
    destination_count: Count
    matched: int
    in_flight: int
    canaries: int
    head_requests: int
    max_head_requests: int
    solved: Mapping[Solved, int]
    oldest_arrived: datetime | None
    tally: Tally
    sample: Sample
    notices: tuple[str, ...]
    engine: str = LISTING

    @property
    def unexamined(self) -> int:
        """Differences whose cause could not be found out."""
        return self.tally.versions[Cause.UNEXAMINED]

    def as_result(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "source": self.source.bucket,
            "source_region": self.source.region,
            "destination": self.destination.bucket,
            "destination_region": self.destination.region,
            "engine": self.engine,
            "complete": self.complete,
            "reason": self.reason,
            "began": iso(self.began.replace(microsecond=0)) if self.began else None,
            "seconds": round(self.seconds, 3),
            "source_versions": self.source_count.versions,
            "source_delete_markers": self.source_count.delete_markers,
            "source_bytes": self.source_count.size,
            "destination_versions": self.destination_count.versions,
            "destination_delete_markers": self.destination_count.delete_markers,
            "destination_bytes": self.destination_count.size,
            "matched": self.matched,
            "in_flight": self.in_flight,
            "canaries": self.canaries,
            "head_requests": self.head_requests,
            "max_head_requests": self.max_head_requests,
            "unexamined": self.unexamined,
            "solved": {solved.value: self.solved.get(solved, 0) for solved in Solved},
            "causes": self.tally.by_cause(),
            "oldest_arrived": iso(self.oldest_arrived) if self.oldest_arrived else None,
        }


def compare(
    left: Side,
    right: Side,
    explainer_at: ExplainerAt,
    settings: Settings,
    budget: Budget,
    sink: Sink,
    progress: ProgressSink | None = None,
    read: PageReader | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Comparison:
    """Compare two buckets. Trouble with AWS or the disk makes the comparison incomplete; it is not raised.

    Args:
        explainer_at: makes what explains the differences, as soon as AWS has told what time it is.
        budget: shared by all comparisons that run at the same time.
        sink: is given each finding, in this thread. What it raises ends the comparison.
        read: how a page of versions is read; by boto3 unless said otherwise.
        clock: only for how long it takes.
    """
    started, reason = clock(), ""
    with (
        VersionListing(left, settings.prefixes, read) as source,
        VersionListing(right, settings.prefixes, read) as destination,
        Spool() as spool,
    ):
        run = Run((left, right), (source, destination), spool, settings, budget, sink, progress, read)
        try:
            run.march(explainer_at)
            run.examine()
        except (ListingFailed, NotComparable, SpoolFailed) as error:
            reason = str(error)
    return run.result(reason, clock() - started)


def suspicious(content: Method) -> Suspicious:
    """When two rows of the same version do not look like the same content."""
    if content is Method.NONE:
        return lambda left, right: left.size != right.size
    return lambda left, right: left.size != right.size or left.etag != right.etag


def cutoff_of(began: datetime) -> datetime:
    """The last second of which a listing that began then shows every version.

    S3 tells times to the second: a version of the very second in which the listing began may be on it or not, so that
    second is not judged, and the one before it is the last.
    """
    return began.replace(microsecond=0) - _SECOND


@dataclass(slots=True)
class Run:
    """One comparison while it goes on."""

    sides: tuple[Side, Side]
    listings: tuple[VersionListing, VersionListing]
    spool: Spool
    settings: Settings
    budget: Budget
    sink: Sink
    progress: ProgressSink | None
    read: PageReader | None
    tally: Tally = field(init=False)
    sample: Sample = field(init=False)
    explainer: Explainer | None = None
    examiner: Examiner | None = None
    began: datetime | None = None
    canary_prefixes: frozenset[str] = frozenset()
    matched: int = 0
    in_flight: int = 0
    canaries: int = 0
    solved: Counter[Solved] = field(default_factory=Counter)
    oldest_arrived: datetime | None = None

    def __post_init__(self) -> None:
        self.tally = Tally(self.settings.accepted)
        self.sample = Sample(self.settings.sample_size, self.settings.sample_seed)

    # --- both listings, side by side ----------------------------------------------------------------------------

    def march(self, explainer_at: ExplainerAt) -> None:
        """Count what both ends hold, and put what differs on disk."""
        for listing in self.listings:
            listing.start()
        began = min([listing.began for listing in self.listings])
        self.began = self.began or began
        explainer = explainer_at(self.began)
        self.canary_prefixes = explainer.rule_prefixes()
        cutoff = cutoff_of(self.began)
        for number, outcome in enumerate(self._outcomes(), 1):
            self._receive(outcome, explainer, cutoff)
            if number % PROGRESS_EVERY == 0:
                self._tell(None)
        self._tell(0)
        # A version that both ends of a two-way pair hold does not tell from which one it came, and so not since when
        # either direction works. Only where one direction is all there is, the oldest one tells.
        self.explainer = explainer.arrived_from(None if explainer.backward else self.oldest_arrived)

    def _outcomes(self) -> Iterator[Outcome]:
        left, right = self.rows()
        names = (self.sides[0].end.bucket, self.sides[1].end.bucket)
        return march(left, right, suspicious(self.settings.content), names, ended=self.ended)

    def rows(self) -> tuple[Iterator[Version], Iterator[Version]]:
        """What both listings tell."""
        left, right = self.listings
        return left.rows(), right.rows()

    def counts(self) -> tuple[Count, Count]:
        """What was read of both listings so far."""
        left, right = (Count(one.versions, one.delete_markers, one.size) for one in self.listings)
        return left, right

    def ended(self, key: str) -> bool:
        """Whether to stop after a key: a comparison in one go never does."""
        return False

    def _receive(self, outcome: Outcome, explainer: Explainer, cutoff: datetime) -> None:
        version = outcome.left if isinstance(outcome, Match) else outcome.version
        if is_canary(version.key, self.canary_prefixes):
            self.canaries += 1
        elif isinstance(outcome, Match):
            self._match(outcome)
        elif _youngest(outcome) >= cutoff + _SECOND:
            self.in_flight += 1
        else:
            rank = explainer.rank(outcome)
            if rank is Rank.KMS_CONTENT and outcome.other is not None:  # as good as equal, so far
                self._match(Match(version, outcome.other))
            self._put(outcome, rank, explainer)

    def _match(self, match: Match) -> None:
        self.matched += 1
        self.sample.offer(match)
        version = match.left
        if not version.is_delete_marker and (self.oldest_arrived is None or version.modified < self.oldest_arrived):
            self.oldest_arrived = version.modified

    def _put(self, difference: Difference, rank: Rank, explainer: Explainer) -> None:
        """Keep a difference. All ETags of a KMS pair may differ: no more of those are kept than can be looked at."""
        if rank is Rank.KMS_CONTENT and self.spool.counts[rank] >= self.budget.max_requests:
            self._explained(explainer.explain(difference, UNASKED, UNASKED))
        else:
            self.spool.put(rank, difference)

    # --- the second look ----------------------------------------------------------------------------------------

    def examine(self) -> None:
        """Give each difference its cause."""
        if self.explainer is None:
            raise AssertionError("the listings were not compared yet")
        self.examiner = Examiner(*self.sides, self.explainer, self.budget)
        with closing(self.examiner.examine(self.spool.take())) as answers:
            for number, explained in enumerate(answers, 1):
                self._explained(explained)
                if number % PROGRESS_EVERY == 0:
                    self._tell(number)
        if self.solved[Solved.GONE]:
            self._check_buckets()
        self._tell(self.spool.counts.total())

    def _explained(self, explained: Finding | Solved) -> None:
        if isinstance(explained, Solved):
            self.solved[explained] += 1
        else:
            self.tally.add(explained)
            self.sink(explained)

    def _check_buckets(self) -> None:
        """Ask for a first page once more. HeadObject says 404, too, when all of the bucket is gone."""
        for side in self.sides:
            with VersionListing(side, self.settings.prefixes, self.read) as listing:
                listing.wait()

    def _tell(self, examined: int | None) -> None:
        if self.progress is None:
            return
        left, right = self.listings
        self.progress(
            Progress(
                self.sides[0].end.bucket,
                self.sides[1].end.bucket,
                left.versions + left.delete_markers,
                right.versions + right.delete_markers,
                self.spool.counts.total(),
                examined,
            )
        )

    # --- the result ---------------------------------------------------------------------------------------------

    def result(self, reason: str, seconds: float) -> Comparison:
        """What was found, complete if there is no reason why not."""
        left, right = self.counts()
        return Comparison(
            self.sides[0].end,
            self.sides[1].end,
            not reason,
            reason,
            self.began,
            cutoff_of(self.began) if self.began else None,
            seconds,
            left,
            right,
            self.matched,
            self.in_flight,
            self.canaries,
            self.examiner.requests if self.examiner else 0,
            self.budget.max_requests,
            self.solved,
            self.oldest_arrived,
            self.tally,
            self.sample,
            tuple(self.examiner.notices) if self.examiner else (),
        )


def _youngest(difference: Difference) -> datetime:
    """When the newer one of the versions was written in which the ends differ."""
    written = difference.version.modified
    return max(written, difference.other.modified) if difference.other else written
