# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The steps that failover and failback share: fence, drain, flip, check, announce. Each may be done twice without harm.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

from .._aws.canary import Side as Bucket
from .._aws.comparison import Settings, compare
from .._aws.end_check import NotVerified, Written, has_left, read_newest, remove_canary, write_canary
from .._aws.examination import Budget
from .._aws.gateway import AwsFailure, asking
from .._aws.last_known import last_points, last_verified
from .._aws.routes import RouteControl, route_control
from .._aws.row import Client
from .._core.batch_role import batch_role_arn
from .._core.causes import Scope
from .._core.content import Method
from .._core.explain import Explainer
from .._core.fence import check_policy_size, fence_removal, fence_sid, is_fenced, principals_of
from .._core.fence import fence as fence_wish
from .._core.journal import Side, iso
from .._core.loss import Loss, Standing, known_by_metrics, with_last_verify
from .._core.model import Direction, Refused, is_seen
from .._core.plan import Observed, Wish
from .._core.replication import bucket_address, pair_addresses
from .._core.routes import Dial, Route, changed_routes, switched
from .._core.scopes import scope_addresses, scopes_of
from .pointing import Pointing
from .reconcile import DidNotSettle, reconcile
from .site import PATIENT_SECONDS, Meanwhile, Site, caller_arn

FENCE_SECONDS = 5.0
"""After a fence is read back, so long requests are let end that S3 took before it saw the fence everywhere."""
RPO_SECONDS = 900
"""Only tells whether what is on its way is called pending or late."""
_HEAD_REQUESTS, _HEAD_REQUESTS_PER_SECOND = 10_000, 200
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 15.0
_CANARY_SECONDS = 30.0

NOTHING_CHANGED: dict[str, Any] = {"changed": False, "steps": [], "diff": []}


class NotDrained(AwsFailure):
    """Something was still on its way when time was up. `result` is what."""

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.result = result


class NotFlipped(AwsFailure):
    """Clients were not sent to the other end, or not by everything. `result` says whether routes were submitted."""

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.result = result


# --- fence ---------------------------------------------------------------------------------------------------


def spared(site: Site, exempt: Iterable[str]) -> list[str]:
    """Who may write in spite of a fence, besides replication: who is exempt, this task, and the jobs of a backfill."""
    pair, region = site.pair, site.new.region
    whose = {account.id: account for account in (site.account(side) for side in Side) if account.ours}
    callers = [caller_arn(site.clients, region, account) for account in whose.values()]
    tasks = [principal for caller in callers for principal in principals_of(caller)]
    jobs = [batch_role_arn(pair, end, site.accounts) for end in (pair.primary, pair.dr)]
    return [*exempt, *tasks, *jobs]


def fence(site: Site, side: Side, exempt: Iterable[str], sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Keep writers from an end, but replication and who is exempt; in check mode say by which steps.

    Raises:
        Refused: the policy may not be read, or would become longer than S3 takes.
        AwsFailure: it cannot be written.
    """
    end = site.end(side)
    address = bucket_address(end, site.accounts, "bucket_policy")
    spared = sorted(set(exempt))

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        there = observed[address]
        if not is_seen(there):
            raise Refused(
                f"{address}: the fence is a statement of it, and these credentials may not read what else it says. "
                "Allow s3:GetBucketPolicy and s3:PutBucketPolicy; or stop the writers yourself and set `fence: false`."
            )
        wish = fence_wish(site.pair, end, site.accounts, spared)
        check_policy_size(end.bucket, wish[address], there)
        return wish, {}

    change = reconcile(site.module, site.gateway, [], goal, [address])
    if not site.is_predicting:
        sleep(FENCE_SECONDS)
    return {**_place(site, side), "exempt": spared, **change}


def lift(site: Site, side: Side) -> dict[str, Any]:
    """Let writers to an end again; in check mode say by which steps."""
    end = site.end(side)
    address = bucket_address(end, site.accounts, "bucket_policy")
    change = reconcile(
        site.module, site.gateway, [address], lambda observed: ({}, fence_removal(site.pair, end, site.accounts))
    )
    return {**_place(site, side), **change}


def why_closed(site: Site, side: Side) -> str:
    """That the fence of an end stands; empty: it does not.

    Raises:
        AwsFailure: the policy may not be read, or not in time.
    """
    end = site.end(side)
    address = bucket_address(end, site.accounts, "bucket_policy")
    observed = Meanwhile(lambda: site.gateway.observe([address]), PATIENT_SECONDS).answer()
    if not is_fenced(site.pair, end, site.accounts, observed):
        return ""
    return f"the fence {fence_sid(site.pair.name, end.bucket)} stands in the policy of {end.bucket} ({end.region})"


def open_end(site: Site, side: Side) -> dict[str, Any]:
    """Lift the fence of the end that clients are sent to, in a limited time. It stops nothing: `left` says why not."""
    try:
        return {**Meanwhile(lambda: lift(site, side), PATIENT_SECONDS).answer(), "left": ""}
    except (AwsFailure, DidNotSettle, Refused) as failure:
        return {**_place(site, side), **NOTHING_CHANGED, "left": str(failure)}


def _place(site: Site, side: Side) -> dict[str, Any]:
    end = site.end(side)
    return {"bucket": end.bucket, "region": end.region, "sid": fence_sid(site.pair.name, end.bucket)}


# --- drain ---------------------------------------------------------------------------------------------------


class Drain:
    """Compares the two ends, again and again, until nothing is on its way from one of them."""

    def __init__(self, site: Site, source: Side) -> None:
        self._site = site
        self._way = (site.end(source).bucket, site.end(source.other).bucket)
        self._scopes: Mapping[tuple[str, str], Scope] = {}
        """What replicates since when does not change meanwhile, so it is read once."""

    def look(self) -> Standing:
        """One comparison."""
        site, pair, standing = self._site, self._site.pair, Standing(*self._way)
        if not self._scopes:
            wanted = [*pair_addresses(pair, site.accounts), *scope_addresses(pair, site.accounts)]
            self._scopes = scopes_of(pair, site.accounts, site.gateway.observe(wanted, wanted))
        forward = self._scopes[pair.primary.bucket, pair.dr.bucket]
        backward = self._scopes.get((pair.dr.bucket, pair.primary.bucket))
        comparison = compare(
            site.bucket(Side.PRIMARY),
            site.bucket(Side.DR),
            lambda now: Explainer(forward, backward, now, RPO_SECONDS),
            Settings(content=Method.NONE),
            Budget(_HEAD_REQUESTS, _HEAD_REQUESTS_PER_SECOND),
            standing.add,
        )
        standing.cutoff, standing.reason = comparison.cutoff, comparison.reason
        standing.in_flight = comparison.in_flight
        return standing

    def until_nothing_moves(
        self,
        seconds: float,
        heard: Callable[[Standing], None] = lambda standing: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> dict[str, Any]:
        """Look until all that was written before has arrived, or can no longer be expected to.

        Raises:
            NotDrained: the time is up; it says what is left.
        """
        began, pause, looks = clock(), _FIRST_PAUSE_SECONDS, 0
        while True:
            standing = self.look()
            looks += 1
            heard(standing)
            if standing.is_drained:
                return self._drained(standing, looks, clock() - began)
            if clock() - began + pause > seconds:
                raise self._not_drained(standing, looks, clock() - began)
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _drained(self, standing: Standing, looks: int, took: float) -> dict[str, Any]:
        behind = standing.left_behind
        return {
            "recovery_point": iso(standing.cutoff) if standing.cutoff else None,
            "looks": looks,
            "seconds": round(took, 3),
            "objects": behind.versions,
            "bytes": behind.size,
            "left_behind": standing.as_result()["stuck"],
            "loss": standing.loss(behind).as_result(),
        }

    def _not_drained(self, standing: Standing, looks: int, took: float) -> NotDrained:
        source, destination = self._way
        if standing.complete:
            left = ", ".join(f"{count} {cause.value}" for cause, count in standing.moving.items())
            said = f"there are still {left or f'{standing.in_flight} too young to be judged'}"
        else:
            said = f"the comparison was not complete: {standing.reason}"
        return NotDrained(
            f"{source} is not drained to {destination} after {took:.0f} s: {said}. Run again to wait on, with a "
            "longer deadline if need be. A fence stands until the run goes on or is abandoned.",
            {**standing.as_result(), "looks": looks, "seconds": round(took, 3)},
        )


def look(site: Site, source: Side) -> Standing:
    """One comparison of the two ends, for the direction away from one of them."""
    return Drain(site, source).look()


def drain(
    site: Site, source: Side, seconds: float, heard: Callable[[Standing], None] = lambda standing: None
) -> dict[str, Any]:
    """Wait until nothing is on its way from an end. See `Drain.until_nothing_moves`."""
    return Drain(site, source).until_nothing_moves(seconds, heard)


# --- flip ----------------------------------------------------------------------------------------------------


def routes_to_change(site: Site, mrap: str) -> tuple[Route, ...]:
    """The routes of the access point that are not as wished; nothing is changed.

    Raises:
        Refused: an end's bucket is not part of the access point.
        AwsFailure: there is no such access point, or nobody answers.
    """
    return changed_routes(switched(site.new.bucket, [site.old.bucket]), _control(site, mrap).read())


def _control(site: Site, mrap: str) -> RouteControl:
    avoid = [site.old.region] if site.hurry is not None or site.old.region not in site.living else []
    return route_control(site.clients, site.account(site.to), mrap, avoid, site.new.region)


def told_by_pointer(site: Site, path: str) -> dict[str, str | None]:
    """Which end is active by the pointers of the Regions that answer; in a hurry, by that of the new end alone.

    Raises:
        AwsFailure, Refused: one may not be read, or is no pointer of the pair.
    """
    asked = (site.living - {site.old.region}) | {site.new.region} if site.hurry is not None else site.living
    pointing = Pointing(site.module, site.gateway, site.clients.caller(), site.pair, path)
    return pointing.told(sorted(asked))


def is_flipped(site: Site, mrap: str, pointer_path: str) -> bool:
    """Whether clients are sent to the new end, by the routes and the pointer as they are read now.

    Raises:
        AwsFailure, Refused: they cannot be read.
    """
    if pointer_path and set(told_by_pointer(site, pointer_path).values()) != {site.to.value}:
        return False
    return bool(pointer_path or mrap) and not (mrap and routes_to_change(site, mrap))


def is_untouched(site: Site, mrap: str, pointer_path: str) -> bool:
    """Whether routes and pointers, read now, send nobody to the new end.

    Raises:
        AwsFailure, Refused: they cannot be read.
    """
    if pointer_path and site.to.value in told_by_pointer(site, pointer_path).values():
        return False
    back = switched(site.old.bucket, [site.new.bucket])
    return not mrap or not changed_routes(back, _control(site, mrap).read())


def flip(site: Site, mrap: str, pointer_path: str, run: str, now: datetime) -> dict[str, Any]:
    """Send clients to the new end: by the routes of an access point, by the pointer, or both.

    The routes are submitted, then the pointer is written, and then the routes are awaited.

    Args:
        mrap, pointer_path: empty: there is none.

    Raises:
        NotFlipped, Refused: it could not be done.
    """
    dials = switched(site.new.bucket, [site.old.bucket])
    control = _control(site, mrap) if mrap else None
    try:
        if control:
            control.set(dials, wait=False)
        pointer = _point(site, pointer_path, run, now) if pointer_path else None
        routes = _awaited(control, dials) if control else None
    except AwsFailure as failure:
        raise NotFlipped(str(failure), {"routes_submitted": bool(control and control.submitted)}) from failure
    change = pointer.pop("result") if pointer else NOTHING_CHANGED
    changed = change["changed"] or bool(routes and routes["changed"])
    return {**change, "changed": changed, "routes": routes, "pointer": pointer}


def _awaited(control: RouteControl, dials: Sequence[Dial]) -> dict[str, Any]:
    done = control.set(dials)
    return {
        "changed": control.submitted,
        "after": [asdict(one) for one in done.after],
        "control_region": done.control_region,
        "seconds": done.seconds,
    }


def _point(site: Site, path: str, run: str, now: datetime) -> dict[str, Any]:
    account = site.clients.caller()
    pointing = Pointing(site.module, site.gateway, account, site.pair, path)
    hurry = {} if site.hurry is None or site.old.region == site.new.region else {site.old.region: site.hurry}
    done = pointing.point_to(site.to.value, iso(now), run, site.living, hurry)
    return {"written": list(done.written), "owed": dict(done.owed), "result": done.result}


# --- check ---------------------------------------------------------------------------------------------------


def check_end(site: Site, side: Side) -> dict[str, Any]:
    """Read the newest objects of an end, and write, read and remove one.

    In a hurry, objects that these credentials may not read are told and stop nothing: what is written is read, too.

    Raises:
        NotVerified: it cannot be used, or our fence keeps its clients from writing; with the reason.
    """
    bucket = site.bucket(side)
    seen = {**what_is_read(site, side), "fence_unknown": _check_open(site, side)}
    prefix = next((rule.prefix for rule in site.pair.rules if rule.enabled), "")
    try:
        written = write_canary(bucket, prefix)
    except AwsFailure as failure:
        raise NotVerified(str(failure), seen) from failure
    verified_at = iso(datetime.now(UTC))
    copies: list[Bucket] = []
    if site.pair.direction is Direction.TWO_WAY and not site.lost:
        if not has_left(bucket, written, _CANARY_SECONDS if site.hurry is None else site.hurry):
            left = f"{bucket.end.bucket}/{written.key} ({written.version}): left to arrive"
            return {**seen, "canary": written.key, "verified_at": verified_at, "left_behind": [left]}
        copies = [site.bucket(side.other)]
    left_behind = [one for place in (bucket, *copies) for one in _removed(site, place, written)]
    return {**seen, "canary": written.key, "verified_at": verified_at, "left_behind": left_behind}


def _check_open(site: Site, side: Side) -> str:
    """Why it is not known whether our fence stands around an end; empty: it does not.

    The canary does not tell: who writes it is spared by the fence.
    """
    try:
        closed = why_closed(site, side)
    except AwsFailure as failure:
        return str(failure)
    if closed:
        raise NotVerified(f"{closed}, and keeps clients from writing there. Run again, which lifts it.", {})
    return ""


def what_is_read(site: Site, side: Side) -> dict[str, Any]:
    """What `read_newest` tells of an end. In a hurry its refusal is told as `refused` and stops nothing.

    Raises:
        NotVerified: none of the newest objects can be read.
    """
    try:
        return read_newest(site.bucket(side))
    except NotVerified as failure:
        if site.hurry is None:
            raise
        return {**failure.result, "refused": str(failure)}


def _removed(site: Site, place: Bucket, written: Written) -> list[str]:
    try:
        return site.asked(place.end.region, lambda: remove_canary(place, written))
    except AwsFailure as failure:
        return [f"{place.end.bucket}/{written.key} ({written.version}): {failure}"]


# --- announce ------------------------------------------------------------------------------------------------


def announce(site: Site, topics: Sequence[str], subject: str, text: str) -> dict[str, Any]:
    """Tell the topics whose Region is not lost. What goes wrong with one is told and stops nothing."""
    told, untold = [], []
    for topic in topics:
        _arn, _partition, _service, region, account, _name = topic.split(":", 5)
        if region == site.old.region and region not in site.living:
            untold.append({"topic": topic, "why": f"{region} does not answer"})
            continue
        try:
            site.asked(region, partial(_publish, site.clients("sns", region, account), topic, subject, text))
        except AwsFailure as failure:
            untold.append({"topic": topic, "why": str(failure)})
        else:
            told.append(topic)
    return {"told": told, "untold": untold}


def _publish(sns: Client, topic: str, subject: str, text: str) -> None:
    with asking(f"topic {topic}", "sns:Publish"):
        sns.publish(TopicArn=topic, Subject=subject[:100], Message=text)


# --- what the surviving Region knows -------------------------------------------------------------------------


def last_known(site: Site, declared: datetime, status_path: str = "") -> Loss:
    """What is lost by what the Region of the new end knows; what it does not know is unknown, and nothing fails.

    Args:
        status_path: where s3_dr_status tells of the last verify; empty: nowhere.
    """
    link = next((one for one in site.pair.links() if one.source.bucket == site.old.bucket), None)
    region = site.new.region
    if link is None:
        why = f"Nothing replicates from {site.old.bucket} to {site.new.bucket}: the pair is one-way."
        return Loss(None, None, None, "none", why)
    if not site.account(site.to.other).ours:
        why = f"These credentials may not read the metrics of account {site.account(site.to.other).id}."
        return Loss(None, None, None, "none", why)
    rules = [one for one in link.rules if one.enabled and link.destination_of(one).bucket == site.new.bucket]
    try:
        cloudwatch = site.clients("cloudwatch", region, site.account(site.to.other).id)
        loss = known_by_metrics(last_points(cloudwatch, link, rules, declared), declared, region)
    except AwsFailure as failure:
        loss = Loss(None, None, None, "none", str(failure))
    if not status_path:
        return loss
    try:
        ssm = site.clients("ssm", region, site.clients.caller().id)
        return with_last_verify(loss, last_verified(ssm, f"{status_path}/{site.pair.name}"), declared)
    except AwsFailure:
        return loss
