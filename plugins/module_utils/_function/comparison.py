# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Two buckets compared slice by slice, so that one of any size fits into invocations that end after minutes.

A slice goes through the listings of both ends from one key to another; or deals rows of their inventory reports into
parts, or goes through some of these; or examines some of the differences that were found. What it found is kept when it
has ended, under names that a repeated slice gives again; the state, by which it counts, is written last. The result is
that of a comparison in one go.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from .._aws.canary import Side
from .._aws.comparison import INVENTORY, LISTING, Comparison, Count, Settings, cutoff_of
from .._aws.examination import Budget, Examiner
from .._aws.inventory_reports import InventoryReports, Plan, ReportFailed, rows_of
from .._aws.spool import Spool, SpoolFailed
from .._aws.version_listing import ListingFailed, VersionListing, separate
from .._core.causes import Finding, Scope
from .._core.explain import Explainer, Solved
from .._core.inventory import Report, judged_from
from .._core.march import Difference, Match, NotComparable
from .._core.model import End
from .._core.packing import (
    packed_difference,
    packed_moment,
    packed_sample,
    packed_tally,
    unpacked_difference,
    unpacked_moment,
    unpacked_sample,
    unpacked_tally,
)
from .._core.recovery import Tally
from .._core.sample import Sample
from .comparison_state import CHOOSING, DEALING, EXAMINING, MARCHING, MERGING, OVER, State
from .parts import Dealer, PartOfReport, versions_of
from .sliced_run import Counted, Handed, Listing, Rows, SlicedRun
from .work import Work

MOST_ATTEMPTS = 5
"""So often a slice is begun, each time for half as long, until it is given up."""
_NOT_ENDED = (
    "a slice of the comparison was begun {times} times and never came to its end, after the key '{key}' of "
    "{bucket}. Raise the function's `timeout_seconds` or `memory_mb`, or compare this pair by verify.yml."
)


class Slices:
    """The comparisons of one pair, one way after the other."""

    def __init__(
        self,
        ways: Sequence[tuple[Scope, Scope | None]],
        side_of: Callable[[End], Side],
        work: Work,
        settings: Settings,
        rpo_seconds: int,
        budget: Budget,
        seconds: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
        inventory: InventoryReports | None = None,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            inventory: chooses reports to compare in place of the listings; None: listings are compared.
            budget: of all ways together; what was used of it is kept between slices.
            seconds: how long a slice may take from now on.
        """
        self._ways = list(ways)
        self._side_of = side_of
        self._work = work
        self._settings = settings
        self._rpo_seconds = rpo_seconds
        self._budget = budget
        self._seconds = seconds
        self._clock = clock
        self._inventory = inventory

    # --- what a caller asks -----------------------------------------------------------------------------------

    def advance(self) -> dict[str, Any]:
        """One slice.

        Returns:
            `done`: all ways are over; `slice`: which one of its way this was; `engine`; `compared`: rows so far.
        """
        states = [self._state(number) for number in range(len(self._ways))]
        self._budget.used = sum(state.head_requests for state in states)
        slice_number, engine = 0, LISTING
        for number, state in enumerate(states):
            if state.phase != OVER:
                slice_number = state.slice
                states[number] = self._slice(number, state)
                engine = states[number].engine
                break
        return {
            "done": all(state.phase == OVER for state in states),
            "slice": slice_number,
            "engine": engine,
            "compared": sum(sum(count[:2]) for state in states for count in state.counts),
        }

    def comparisons(self) -> list[Comparison]:
        """What each way found. One that was not brought to its end is not complete."""
        return [self._comparison(number, self._state(number)) for number in range(len(self._ways))]

    def findings(self) -> Iterator[dict[str, Any]]:
        """All findings, as the result of a verify tells them."""
        for number in range(len(self._ways)):
            for name in self._state(number).findings:
                yield from self._work.lines(name)

    def sample(self) -> list[Match]:
        """The versions that were drawn of the first way."""
        return self._sample(self._state(0)).chosen if self._ways else []

    # --- a slice ----------------------------------------------------------------------------------------------

    def _slice(self, number: int, state: State) -> State:
        """Take one slice, and keep what it found; the state is written last."""
        began, attempts = self._clock(), self._begin(number, state)
        if attempts >= MOST_ATTEMPTS:
            bucket = self._ways[number][0].source.bucket
            state.failed(_NOT_ENDED.format(times=attempts, key=state.after or "", bucket=bucket))
        else:
            limit = began + self._seconds() / 2**attempts
            if state.phase == CHOOSING:
                self._choose(number, state)
            take = {MARCHING: self._march, DEALING: self._deal, MERGING: self._merge, EXAMINING: self._examine}
            with Rows() as findings:
                take[state.phase](number, state, findings, lambda: self._clock() >= limit)
                self._keep_findings(number, state, findings)
        state.seconds += self._clock() - began
        state.slice += 1
        self._work.put(f"state-{number}", state.plain())
        return state

    def _begin(self, number: int, state: State) -> int:
        """How often this very slice was begun before and did not end."""
        before = self._attempts(number, state)
        self._work.put(f"begun-{number}", {"slice": state.slice, "times": before + 1})
        return before

    def _attempts(self, number: int, state: State) -> int:
        """How often this very slice was begun so far."""
        said = self._work.get(f"begun-{number}") or {"slice": -1, "times": 0}
        return int(said["times"]) if said["slice"] == state.slice else 0

    def _keep_findings(self, number: int, state: State, findings: Rows) -> None:
        if findings.count:
            name = f"findings-{number}-{state.slice:05}"
            self._work.put_lines(name, findings)
            state.findings.append(name)

    def _march(self, number: int, state: State, findings: Rows, enough: Callable[[], bool]) -> None:
        sides = self._sides(number)
        prefixes = self._settings.prefixes
        with (
            VersionListing(sides[0], prefixes, after=state.after) as left,
            VersionListing(sides[1], prefixes, after=state.after) as right,
            Spool() as spool,
        ):
            spool.counts = state.counts_by_rank()
            run = self._run(sides, (left, right), spool, state, findings, enough)
            if self._run_through(run, number, state):
                self._keep_differences(number, state, spool)
                state.after = run.stopped_after
                state.phase = MARCHING if run.stopped_after is not None else self._after_march(state)

    def _run_through(self, run: SlicedRun, number: int, state: State) -> bool:
        """Compare; whether nothing failed."""
        forward, backward = self._ways[number]
        try:
            run.march(lambda now: Explainer(forward, backward, now, self._rpo_seconds))
        except (ListingFailed, NotComparable, SpoolFailed) as error:
            state.failed(str(error))
        self._take_over(run, state)
        return state.phase != OVER

    def _after_march(self, state: State) -> str:
        return EXAMINING if state.spooled else OVER

    def _run(
        self,
        sides: tuple[Side, Side],
        listings: tuple[Listing, Listing],
        spool: Spool,
        state: State,
        findings: Rows,
        enough: Callable[[], bool],
    ) -> SlicedRun:
        """A comparison that goes on where the slice before ended."""
        run = SlicedRun(sides, listings, spool, self._settings, self._budget, lambda found: None, None, None)
        run.enough = enough
        run.counted = (Counted(state.counts[0]), Counted(state.counts[1]))
        run.tally, run.sample = self._tally(state), self._sample(state)
        run.matched, run.in_flight, run.canaries = state.matched, state.in_flight, state.canaries
        run.began = unpacked_moment(state.began) if state.began is not None else None
        run.oldest_arrived = unpacked_moment(state.oldest_arrived) if state.oldest_arrived is not None else None
        run.sink = lambda found: findings.add(self._row(found, run.began))
        return run

    def _row(self, finding: Finding, began: Any) -> dict[str, Any]:
        return finding.as_result(cutoff_of(began))

    def _take_over(self, run: SlicedRun, state: State) -> None:
        """Into the state what a slice of the listings found."""
        state.began = packed_moment(run.began) if run.began else None
        state.counts = [counted.numbers(run.stopped_after) for counted in run.counted]
        state.matched, state.in_flight, state.canaries = run.matched, run.in_flight, run.canaries
        state.oldest_arrived = packed_moment(run.oldest_arrived) if run.oldest_arrived else None
        state.tally, state.sample = packed_tally(run.tally), packed_sample(run.sample)

    def _keep_differences(self, number: int, state: State, spool: Spool) -> None:
        for rank in spool.ranks():
            name = f"differences-{number}-{int(rank)}-{state.slice:05}"
            before = sum(count for other, _name, count in state.spooled if other == rank)
            self._work.put_lines(name, map(packed_difference, spool.of(rank)))
            state.spooled.append([int(rank), name, spool.counts[rank] - before])
        state.spooled.sort()

    # --- reports ----------------------------------------------------------------------------------------------

    def _choose(self, number: int, state: State) -> None:
        """Whether listings or reports are compared."""
        plan = self._inventory.plan(self._sides(number), self._prefixes) if self._inventory else ""
        state.phase = MARCHING
        if isinstance(plan, Plan):
            state.phase, state.engine, state.parts = DEALING, INVENTORY, plan.parts
            state.reports = [report.packed() for report in plan.reports]
            plan = plan.notice
        state.notices += [plan] if plan else []

    @property
    def _prefixes(self) -> tuple[str, ...]:
        return separate(self._settings.prefixes)

    def _deal(self, number: int, state: State, findings: Rows, enough: Callable[[], bool]) -> None:
        """Deal rows into parts, until there was enough or the disk is full. One row at least is dealt."""
        # A slice that was killed may have kept parts to which the repeated, shorter one has nothing to deal.
        name = f"dealt-{number}-{state.slice:05}-{self._attempts(number, state)}"
        with Dealer(state.parts) as dealer:
            try:
                self._deal_files(number, state, dealer, lambda: enough() or dealer.full)
            except ReportFailed as error:
                state.failed(str(error))
                return
            dealer.keep(self._work, name)
        state.dealt_by.append(name)
        state.phase = DEALING if state.at[0] < len(state.reports) else MERGING

    def _deal_files(self, number: int, state: State, dealer: Dealer, enough: Callable[[], bool]) -> None:
        sides, prefixes = self._sides(number), self._prefixes
        for end, report in enumerate(map(Report.unpacked, state.reports)):
            while state.at[0] == end and state.at[1] < len(report.files):
                file = report.files[state.at[1]]
                for row in rows_of(sides[end], report, file, skip=state.at[2]):
                    state.at[2] += 1
                    if row[0].startswith(prefixes):
                        dealer.deal(end, row)
                        state.dealt[end] += 1
                    if enough():
                        return
                state.at = [end, state.at[1] + 1, 0]
            if state.at[0] == end:
                state.at = [end + 1, 0, 0]

    def _merge(self, number: int, state: State, findings: Rows, enough: Callable[[], bool]) -> None:
        """Compare part by part. One part at least is compared, and each of them whole."""
        with Spool() as spool:
            spool.counts = state.counts_by_rank()
            try:
                self._merge_parts(number, state, spool, findings, enough)
            except ValueError as error:
                state.failed(f"a row of the inventory reports cannot be read ({error}). Run again with the next ones")
                return
            self._keep_differences(number, state, spool)
        if state.phase == MERGING and state.part == state.parts:
            state.phase = self._after_march(state)
            if [sum(count[:2]) for count in state.counts] != state.dealt:
                state.failed("what was dealt of the inventory reports was not there any more. Run again")

    def _merge_parts(self, number: int, state: State, spool: Spool, findings: Rows, enough: Callable[[], bool]) -> None:
        sides, began = self._sides(number), judged_from([Report.unpacked(one) for one in state.reports])
        while state.part < state.parts:
            left, right = (self._part(state, end, began) for end in (0, 1))
            run = self._run(sides, (left, right), spool, state, findings, lambda: False)
            if not self._run_through(run, number, state):
                return
            state.part += 1
            if enough():
                return

    def _part(self, state: State, end: int, began: datetime) -> PartOfReport:
        return PartOfReport(began, versions_of(self._work, state.dealt_by, end, state.part))

    def _examine(self, number: int, state: State, findings: Rows, enough: Callable[[], bool]) -> None:
        sides, began = self._sides(number), unpacked_moment(state.began or 0)
        examiner = Examiner(*sides, self._explainer(number, state), self._budget)
        tally, solved = self._tally(state), Counter({Solved(name): count for name, count in state.solved.items()})
        handed = Handed(self._differences(state), enough)
        for answer in examiner.examine(handed):
            if isinstance(answer, Solved):
                solved[answer] += 1
            else:
                tally.add(answer)
                findings.add(self._row(answer, began))
        state.tally, state.solved = packed_tally(tally), {one.value: count for one, count in solved.items()}
        state.examined += handed.count
        state.head_requests += examiner.requests
        state.notices = list(dict.fromkeys([*state.notices, *examiner.notices]))
        if state.examined == sum(count for _rank, _name, count in state.spooled):
            self._end(state, sides, bool(solved[Solved.GONE]))

    def _end(self, state: State, sides: tuple[Side, Side], gone: bool) -> None:
        """HeadObject says 404, too, when all of the bucket is gone, so both are asked for a first page once more."""
        state.phase = OVER
        try:
            for side in sides if gone else ():
                with VersionListing(side, self._settings.prefixes) as listing:
                    listing.wait()
        except ListingFailed as error:
            state.failed(str(error))

    def _differences(self, state: State) -> Iterator[Difference]:
        """Those that were not examined yet."""
        skip = state.examined
        for _rank, name, count in state.spooled:
            if skip >= count:
                skip -= count
                continue
            for index, row in enumerate(self._work.lines(name)):
                if index >= skip:
                    yield unpacked_difference(row)
            skip = 0

    def _explainer(self, number: int, state: State) -> Explainer:
        forward, backward = self._ways[number]
        explainer = Explainer(forward, backward, unpacked_moment(state.began or 0), self._rpo_seconds)
        oldest = unpacked_moment(state.oldest_arrived) if state.oldest_arrived is not None else None
        return explainer.arrived_from(None if backward else oldest)

    # --- the state --------------------------------------------------------------------------------------------

    def _sides(self, number: int) -> tuple[Side, Side]:
        forward, _backward = self._ways[number]
        return self._side_of(forward.source), self._side_of(forward.destination)

    def _state(self, number: int) -> State:
        said = self._work.get(f"state-{number}")
        return State(**said) if said else State()

    def _tally(self, state: State) -> Tally:
        accepted = self._settings.accepted
        return unpacked_tally(state.tally, accepted) if state.tally else Tally(accepted)

    def _sample(self, state: State) -> Sample:
        size, seed = self._settings.sample_size, self._settings.sample_seed
        return unpacked_sample(state.sample, size, seed) if state.sample else Sample(size, seed)

    def _comparison(self, number: int, state: State) -> Comparison:
        forward, _backward = self._ways[number]
        over = state.phase == OVER
        began = unpacked_moment(state.began) if state.began is not None else None
        arrived = unpacked_moment(state.oldest_arrived) if state.oldest_arrived is not None else None
        return Comparison(
            source=forward.source,
            destination=forward.destination,
            complete=over and not state.reason,
            reason=state.reason or ("" if over else "the run ended before both listings were compared"),
            began=began,
            cutoff=cutoff_of(began) if began else None,
            seconds=state.seconds,
            source_count=Count(*state.counts[0]),
            destination_count=Count(*state.counts[1]),
            matched=state.matched,
            in_flight=state.in_flight,
            canaries=state.canaries,
            head_requests=state.head_requests,
            max_head_requests=self._budget.max_requests,
            solved={Solved(name): count for name, count in state.solved.items()},
            oldest_arrived=arrived,
            tally=self._tally(state),
            sample=self._sample(state),
            notices=tuple(state.notices),
            engine=state.engine,
        )
