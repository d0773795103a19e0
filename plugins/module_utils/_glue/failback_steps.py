# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What the steps of a failback do that a failover has not: each may be done twice without harm.

A step that fails raises with a `result`, which the journal and the task keep.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from .._aws.canary import Canary, Route, each, fly
from .._aws.comparison import Comparison, Settings, compare
from .._aws.examination import Budget
from .._aws.gateway import AwsFailure
from .._aws.made_anew import is_made_anew
from .._core.batch_prices import Prices
from .._core.batch_selection import Select, Selection, Status
from .._core.causes import NEVER_ACCEPTED, REMEDIES, Cause, Finding
from .._core.content import Method
from .._core.drift import drift_of
from .._core.explain import Explainer
from .._core.failback import FailbackWishes, accepted_for, in_words, new_obstacles
from .._core.fence import is_fenced
from .._core.journal import Side, iso
from .._core.judgement import gone_checks
from .._core.loss import MOVING, Standing
from .._core.model import Refused
from .._core.proofs import flights_of_destinations
from .._core.recovery import is_unexpected
from .._core.replication import pair_addresses
from .._core.scopes import scope_addresses, scopes_of
from .._core.verdict import drift_problem, not_arrived
from .backfill import Backfill
from .backfill_options import BackfillWishes
from .progress_file import ProgressFile
from .reconcile import NotProven
from .site import Site
from .switching import Drain, check_end, drain

RPO_SECONDS = 900
_HEAD_REQUESTS_PER_SECOND = 200
_FINDINGS_TOLD = 20
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 15.0

T = TypeVar("T")

_ADVICE = {
    "late": "Look at the replication latency, then run again.",
    "": "Correct that, then run again. Clients are at the primary already.",
}


class StepFailed(AwsFailure):
    """A step did not come to its end. `result` is what it saw."""

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.result = result


# --- healthy -------------------------------------------------------------------------------------------------


def look_at_health(site: Site, flipped: datetime, known: Mapping[str, Any]) -> dict[str, Any]:
    """Whether both ends are as declared. Nothing is mended here.

    Args:
        flipped: when clients were sent to the DR bucket.
        known: what an earlier look of this run found. Later ones see what this run itself has changed since.

    Raises:
        Refused: something is not as it must be; with the next step.
    """
    pair, accounts = site.pair, site.accounts
    wanted = [*pair_addresses(pair, accounts), *scope_addresses(pair, accounts)]
    observed = site.gateway.observe(wanted, wanted)
    gone = [check.subject for check in gone_checks(pair, accounts, observed)]
    if gone:
        raise Refused(
            f"pair '{pair.name}': {', '.join(gone)} is not there. Run failback.yml with `failback_create_buckets: "
            "true`, or setup.yml, which make it anew; the failback then brings back what it held."
        )
    drift = drift_of(pair, accounts, observed)
    if drift:
        raise Refused(f"{drift_problem(pair, drift)[0]} Then fail back.")
    back = scopes_of(pair, accounts, observed)[pair.dr.bucket, pair.primary.bucket]
    if not any(rule.enabled for rule in back.rules):
        raise Refused(
            f"pair '{pair.name}': no enabled rule replicates from {pair.dr.bucket} to {pair.primary.bucket}. Enable "
            "one in `rules`, run setup.yml, then fail back."
        )
    ends = site.bucket(Side.PRIMARY), site.bucket(Side.DR)
    return {
        "primary_made_anew": bool(known.get("primary_made_anew")) or is_made_anew(*ends, flipped),
        "primary_was_fenced": bool(known.get("primary_was_fenced"))
        or is_fenced(pair, pair.primary, accounts, observed),
        "rules": [rule.id for rule in back.rules if rule.enabled],
    }


# --- drain ---------------------------------------------------------------------------------------------------


def drain_backlog(
    site: Site,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Wait until replication from the DR bucket keeps up. As long as it is in use, something is always on its way.

    Raises:
        StepFailed: something is still late when time is up.
    """
    reverse = Drain(site, Side.DR)
    standing, waited = _look_until(
        reverse.look, lambda seen: seen.complete and not seen.moving[Cause.LATE], seconds, sleep, clock
    )
    seen = {**standing.as_result(), **waited}
    if standing.complete and not standing.moving[Cause.LATE]:
        return seen
    said = standing.reason or f"{standing.moving[Cause.LATE]} versions are late"
    raise StepFailed(
        f"pair '{site.pair.name}': {site.pair.dr.bucket} has not caught up with {site.pair.primary.bucket} after "
        f"{seconds:.0f} s: {said}. Run again to wait on. If they are delete markers that were lost, backfill.yml with "
        "`backfill_source: dr` brings them.",
        seen,
    )


def _look_until(
    look: Callable[[], T],
    is_enough: Callable[[T], bool],
    seconds: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> tuple[T, dict[str, Any]]:
    """The first look that is enough, or the last one when time is up; and how many there were."""
    began, pause, looks = clock(), _FIRST_PAUSE_SECONDS, 0
    while True:
        seen = look()
        looks += 1
        took = clock() - began
        if is_enough(seen) or took + pause > seconds:
            return seen, {"looks": looks, "seconds": round(took, 3)}
        sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def drain_for_good(site: Site, wishes: FailbackWishes) -> dict[str, Any]:
    """Wait until everything that was written before the fence is at the primary.

    Raises:
        NotDrained: it is not, when time is up.
        StepFailed: something cannot arrive.
    """
    drained = drain(site, Side.DR, wishes.drain_seconds)
    _require_all(site, wishes, drained)
    return drained


def drain_to_made_anew(
    site: Site,
    wishes: FailbackWishes,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """The same where the primary was made anew.

    Delete markers that were put while it was not there never arrive, and S3 does not tell which these are. So they are
    not waited for: the next steps put those anew that matter.

    Raises:
        StepFailed: it is not drained when time is up, or something cannot arrive.
    """
    seconds = wishes.drain_seconds
    last, waited = _look_until(
        lambda: _look_at_objects(site, wishes), lambda one: one.is_drained, seconds, sleep, clock
    )
    seen = {**last.as_result(), **waited}
    if not last.is_drained:
        said = (
            last.reason or f"{sum(last.moving.values())} objects are on their way, {last.in_flight} too young to tell"
        )
        raise StepFailed(
            f"pair '{site.pair.name}': {site.pair.dr.bucket} is not drained after {seconds:.0f} s: {said}. Run again "
            "to wait on.",
            seen,
        )
    drained = {"recovery_point": seen["measured_at"], "left_behind": seen["stuck"], **waited}
    _require_all(site, wishes, drained)
    return drained


def _look_at_objects(site: Site, wishes: FailbackWishes) -> Standing:
    """How objects stand on the way to the primary; delete markers are left out."""
    pair = site.pair
    standing = Standing(pair.dr.bucket, pair.primary.bucket)

    def found(finding: Finding) -> None:
        if finding.size is not None:
            standing.add(finding)

    comparison = _compare(site, wishes, accepted_for(wishes, made_anew=True), found)
    standing.cutoff, standing.reason = comparison.cutoff, comparison.reason
    standing.in_flight = comparison.in_flight
    return standing


def _require_all(site: Site, wishes: FailbackWishes, drained: dict[str, Any]) -> None:
    """Refuse to go on when something was left behind that nobody has accepted."""
    stuck = new_obstacles(drained["left_behind"], accepted_for(wishes, made_anew=False), wishes.max_missing)
    if stuck:
        raise StepFailed(
            f"pair '{site.pair.name}': {site.pair.dr.bucket} is drained, and yet {site.pair.primary.bucket} lacks "
            f"{in_words(stuck)}. Run again: they are backfilled.",
            drained,
        )


# --- backfill ------------------------------------------------------------------------------------------------


def backfill(site: Site, wishes: FailbackWishes, prices: Prices, made_anew: bool) -> dict[str, Any]:
    """Have S3 replicate to the primary exactly what it lacks. If it was made anew, replicas come back, too.

    Raises:
        Refused: it would cost more than it may.
        NotProven: more could not be replicated than may stay behind.
    """
    statuses = tuple(Status) if made_anew else (Status.NONE, Status.FAILED)
    options = BackfillWishes(
        selection=Selection(Select.FINDINGS, statuses),
        prices=prices,
        budget_usd=wishes.budget_usd,
        recovery_bucket=wishes.recovery_bucket,
        wait_timeout=wishes.backfill_seconds,
        max_head_requests=wishes.max_head_requests,
    )
    pair, progress = site.pair, ProgressFile.of_the_task()
    job = Backfill(site.module, site.gateway, site.clients, pair, site.accounts, pair.dr, options, progress)
    try:
        done = job.run()
    except NotProven as failure:
        if not _may_stay_behind(failure.result, wishes.max_missing):
            raise
        done = failure.result
    return _backfilled(done)


def _may_stay_behind(result: Mapping[str, Any], max_missing: int) -> bool:
    job = result.get("job") or {}
    failed = job["tasks"]["failed"] if job else 0
    return job.get("status") == "Complete" and 0 < failed + result.get("still_missing", 0) <= max_missing


def _backfilled(done: Mapping[str, Any]) -> dict[str, Any]:
    """What of it the journal keeps."""
    wanted = done["plan"] or {}
    kept = {name: done[name] for name in ("changed", "steps", "diff", "left_out", "job", "failures", "notes")}
    found = {
        "versions": wanted.get("versions", 0),
        "bytes": wanted.get("bytes", 0),
        "usd": (wanted.get("usd") or {}).get("total", 0.0),
        **kept,
    }
    if not done["changed"] and done["job"] is None and not found["versions"]:
        return {"skipped": "nothing is missing at the primary that a job could bring", **found}
    return found


# --- verify --------------------------------------------------------------------------------------------------


def verify_both_ways(site: Site, wishes: FailbackWishes, made_anew: bool) -> dict[str, Any]:
    """Compare both ends, both ways. What is on its way does not matter yet.

    Raises:
        StepFailed: something differs that nobody expects, or it could not all be compared.
    """
    pair, accepted = site.pair, accepted_for(wishes, made_anew)
    findings: list[Finding] = []
    differ: Counter[str] = Counter()

    def found(finding: Finding) -> None:
        lost_marker = made_anew and finding.cause in MOVING and finding.size is None
        if is_unexpected(finding, accepted) and not lost_marker:
            differ[finding.cause.value] += 1
            if len(findings) < _FINDINGS_TOLD:
                findings.append(finding)

    comparison = _compare(site, wishes, accepted, found)
    now = comparison.cutoff or datetime.now(UTC)
    kept = {
        "measured_at": iso(now),
        "matched": comparison.matched,
        "causes": comparison.tally.by_cause(),
        "findings": [finding.as_result(now) for finding in findings],
    }
    if not comparison.complete:
        raise StepFailed(f"pair '{pair.name}': the two ends could not be compared: {comparison.reason}", kept)
    grave = any(Cause(cause) in NEVER_ACCEPTED for cause in differ)
    if grave or differ.total() > wishes.max_missing:
        one = findings[0]
        raise StepFailed(
            f"pair '{pair.name}': the two ends differ in {in_words(differ)}. For example '{one.key}', version "
            f"{one.version_id}: {REMEDIES[one.cause]} What may stay as it is goes into `accepted_causes`; how much may "
            "stay behind, into `max_missing_objects`.",
            kept,
        )
    return kept


def _compare(
    site: Site, wishes: FailbackWishes, accepted: frozenset[Cause], found: Callable[[Finding], None]
) -> Comparison:
    pair, accounts = site.pair, site.accounts
    wanted = [*pair_addresses(pair, accounts), *scope_addresses(pair, accounts)]
    scopes = scopes_of(pair, accounts, site.gateway.observe(wanted, wanted))
    way = (pair.primary.bucket, pair.dr.bucket)
    progress = ProgressFile.of_the_task()
    return compare(
        site.bucket(Side.PRIMARY),
        site.bucket(Side.DR),
        lambda now: Explainer(scopes[way], scopes[way[::-1]], now, RPO_SECONDS),
        Settings(accepted=accepted, content=Method.ETAG),
        Budget(wishes.max_head_requests, _HEAD_REQUESTS_PER_SECOND),
        found,
        lambda seen: progress.report(seen.source_rows),
    )


# --- confirm -------------------------------------------------------------------------------------------------


def confirm(site: Site, seconds: float) -> dict[str, Any]:
    """Read and write at the primary, then send a canary each way.

    Raises:
        NotVerified: the primary cannot be used.
        StepFailed: a canary did not arrive.
    """
    checked = check_end(site, Side.PRIMARY)
    flights = flights_of_destinations(site.pair, site.accounts)
    routes = [Route.of(flight, site.accounts, site.clients) for flight in flights]
    canaries: list[Canary] = each(lambda route: fly(route, seconds), routes)
    told = [canary.as_result() for canary in canaries]
    problems = not_arrived([one for one in told if one["status"] != "replicated"], _ADVICE)
    if problems:
        raise StepFailed(f"pair '{site.pair.name}': {' '.join(problems)}", {**checked, "canaries": told})
    left_behind = [*checked["left_behind"], *(left for one in told for left in one["left_behind"])]
    return {**checked, "left_behind": left_behind, "canaries": told}


def told_since(since: tuple[datetime, datetime]) -> dict[str, str]:
    """The times of a window as the journal keeps them."""
    return {"known_until": iso(since[0]), "since": iso(since[1])}
