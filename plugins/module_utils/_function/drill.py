# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The scheduled drill of one pair, step by step. Each step may be repeated, and keeps what it found in the work store.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from .._aws.canary import FLYING, Canary, Route, Side, each, land, look, send
from .._aws.comparison import Comparison
from .._aws.comparison import Settings as ComparisonSettings
from .._aws.content_proof import prove_content
from .._aws.evidence_store import EvidenceStore
from .._aws.examination import Budget
from .._aws.gateway import AwsFailure, Gateway
from .._aws.inventory_reports import InventoryReports
from .._aws.monitoring_look import look_at_monitoring
from .._aws.verify_result import SAMPLED, Seen, Shown, comparable, judge_configuration, result_of
from .._core.causes import Cause, Scope
from .._core.checks import Area, Check, Status
from .._core.drill_machine import LOOK_SECONDS
from .._core.judgement import (
    canary_checks,
    comparison_checks,
    gone_checks,
    no_canary_check,
    nothing_there_checks,
    unreachable_check,
)
from .._core.model import Address, Document, End, Pair
from .._core.proofs import RESERVED_PREFIX, flights_of_rules, unproven
from .._core.readiness import readiness_addresses
from .._core.replication import pair_addresses
from .._core.scopes import scope_addresses, scopes_of
from .comparison import Slices
from .restore import Place, chosen, restore, restore_check
from .sessions import Sessions
from .settings import Settings
from .work import Work

RESTORE_SAMPLE = 50
"""Of so many versions that both ends hold, the smallest are restored."""
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 3.0

BEGUN, CANARIES, RESTORED, RESULT = "begun", "canaries", "restored", "result"
"""The names in the work store."""


@dataclass(frozen=True, slots=True)
class World:
    """What the steps of a run share.

    Attributes:
        work: by the name of the pair, where its steps keep what they found.
        seconds: how long this invocation may still take.
        clock: seconds since 1970: it is compared between invocations.
    """

    settings: Settings
    sessions: Sessions
    evidence: EvidenceStore
    work: Callable[[str], Work]
    seconds: Callable[[], float]
    run: str
    execution: str
    created: str
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class PairDrill:
    """The steps of one pair in one run."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._pair = world.settings.pair(name)
        self._options = world.settings.options(name)
        self._wishes = world.settings.wishes()
        self._work = world.work(name)
        self._accounts = world.sessions.accounts_of(self._pair, self._options)

    # --- begin ------------------------------------------------------------------------------------------------

    def begin(self) -> dict[str, Any]:
        """Read all documents, and say in the evidence that a run has begun.

        Returns:
            `run`, the name of the evidence; `gone`, whether a bucket is not there; `problems`.
        """
        pair, world = self._pair, self._world
        run = world.evidence.begin(pair.name, world.run, world.created, world.execution)
        begun: dict[str, Any] = {"run": run, "observed": [], "failure": None}
        try:
            observed = Gateway(world.sessions).observe(wanted := self._wanted(), wanted)
            begun["observed"] = [_packed(address, document) for address, document in observed.items()]
        except AwsFailure as failure:
            begun["failure"] = str(failure)
        self._work.put(BEGUN, begun)
        gone = gone_checks(pair, self._accounts, self._seen().observed) if begun["observed"] else []
        return {"run": run, "gone": bool(gone), "problems": [check.message for check in gone]}

    def _wanted(self) -> list[Address]:
        pair, accounts = self._pair, self._accounts
        return [*self._ours(), *readiness_addresses(pair, accounts), *scope_addresses(pair, accounts)]

    def _ours(self) -> list[Address]:
        return pair_addresses(self._pair, self._accounts)

    @cached_property
    def _begun(self) -> Mapping[str, Any]:
        begun: Mapping[str, Any] = self._work.get(BEGUN)
        return begun

    def _seen(self) -> Seen:
        """What the documents say: judged anew in each step, since it follows from what was read."""
        seen = Seen(observed=dict(map(_unpacked, self._begun["observed"])))
        if self._begun["failure"]:
            seen.checks.append(unreachable_check(self._pair, self._begun["failure"]))
        seen.scopes = tuple(scopes_of(self._pair, self._accounts, seen.observed).values())
        if seen.observed:
            judge_configuration(seen, self._pair, self._accounts, self._ours())
        return seen

    # --- canaries ---------------------------------------------------------------------------------------------

    def send_canaries(self) -> dict[str, Any]:
        """Write a canary for each rule, direction and encryption.

        Returns:
            `flying`: how many are on their way.
        """
        sent = self._work.get(CANARIES)
        if sent is None:
            gone = gone_checks(self._pair, self._accounts, self._seen().observed)
            tokens = {} if gone else self._tokens()
            canaries = each(lambda route: send(route, tokens[route]), tokens)
            sent = {"at": self._world.clock(), "canaries": [one.as_result() for one in canaries]}
            self._work.put(CANARIES, sent)
        return {"flying": sum(one["status"] == FLYING for one in sent["canaries"])}

    def _tokens(self) -> dict[Route, str]:
        """The way of each canary, with how its key ends: the same whenever the step is repeated."""
        flights = flights_of_rules(self._pair, self._accounts)
        routes = [Route.of(flight, self._accounts, self._world.sessions) for flight in flights]
        return {route: self._token(number) for number, route in enumerate(routes)}

    def _token(self, number: int) -> str:
        name = f"{self._world.execution}/{self._world.run}/{self._pair.name}/{number}"
        return hashlib.sha256(name.encode()).hexdigest()[:32]

    def poll_canaries(self) -> dict[str, Any]:
        """Look at the canaries for a while.

        Returns:
            `done`: none is on its way any more; `waited`: seconds since they were sent.
        """
        sent, world = self._work.get(CANARIES), self._world
        canaries = [Canary(**{**one, "left_behind": tuple(one["left_behind"])}) for one in sent["canaries"]]
        until, pause = world.clock() + LOOK_SECONDS, _FIRST_PAUSE_SECONDS
        while True:
            canaries = self._looked_at(canaries, sent["at"])
            flying = any(one.status == FLYING for one in canaries)
            if not flying or world.clock() + pause > until or pause > world.seconds():
                break
            world.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        self._work.put(CANARIES, {**sent, "canaries": [one.as_result() for one in canaries]})
        return {"done": not flying, "waited": round(world.clock() - sent["at"])}

    def _looked_at(self, canaries: Sequence[Canary], sent_at: float) -> list[Canary]:
        routes = {f"{route.rule.prefix}{RESERVED_PREFIX}{token}": route for route, token in self._tokens().items()}
        return [self._look(routes[one.key], one, sent_at) if one.status == FLYING else one for one in canaries]

    def _look(self, route: Route, canary: Canary, sent_at: float) -> Canary:
        outcome, waiting_for = look(route, canary)
        flown = self._world.clock() - sent_at
        if outcome is None and flown > self._wishes.deadline_seconds:
            outcome = {"status": "late", "reason": waiting_for}
        return canary if outcome is None else land(route, canary, outcome, flown)

    # --- comparison -------------------------------------------------------------------------------------------

    def compare(self) -> dict[str, Any]:
        """One slice of the comparison. What it answers is what `Slices.advance` says."""
        return self._slices().advance()

    def _slices(self) -> Slices:
        wishes = self._wishes
        settings = ComparisonSettings(
            accepted=wishes.accepted,
            content=wishes.content,
            prefixes=wishes.prefixes or ("",),
            sample_size=max(wishes.sample_size if wishes.content in SAMPLED else 0, RESTORE_SAMPLE),
            sample_seed=self._begun["run"],
        )
        return Slices(
            self._ways(),
            self._side,
            self._work,
            settings,
            wishes.rpo_seconds,
            Budget(wishes.max_head_requests, wishes.head_requests_per_second),
            self._world.seconds,
            inventory=self._inventory(),
        )

    def _inventory(self) -> InventoryReports | None:
        wished = self._world.settings.inventory
        return InventoryReports(self._world.sessions, **wished) if wished else None

    def _ways(self) -> list[tuple[Scope, Scope | None]]:
        return comparable(self._pair, self._seen().scopes)

    def _side(self, end: End) -> Side:
        account = self._accounts[end.bucket].id
        return Side(end, account, self._world.sessions("s3", end.region, account))

    # --- restore ----------------------------------------------------------------------------------------------

    def restore(self) -> dict[str, Any]:
        """Restore a few versions with what the DR Region holds, and nothing else.

        Returns:
            `restored` and `failed`: how many versions.
        """
        settings = self._world.settings
        matches = [match for match in self._slices().sample() if match.right.size is not None]
        dr = self._side(self._pair.dr)
        own = self._world.sessions.own("s3")
        bucket = Side(End(settings.recovery_bucket, settings.region), settings.account.id, own)
        found = restore(dr, chosen(match.right for match in matches), Place(bucket, self._work.prefix + "restored/"))
        self._work.put(RESTORED, restore_check(dr, found).as_result())
        failed = sum(one.reason is not None for one in found)
        return {"restored": len(found) - failed, "failed": failed}

    # --- judgement --------------------------------------------------------------------------------------------

    def evaluate(self) -> dict[str, Any]:
        """Put together what was seen, and judge it.

        Returns:
            `verdict`, and the first `problems`.
        """
        seen, slices = self._seen(), self._slices()
        for (forward, _backward), comparison in zip(self._ways(), slices.comparisons(), strict=False):
            self._add_comparison(seen, forward, comparison, slices)
        self._add_canaries(seen)
        seen.checks.append(_check_of(self._work.get(RESTORED) or _not_restored(self._pair)))
        look_at_monitoring(seen, self._pair, self._accounts, self._world.sessions)
        result = result_of(seen, Shown(0, self._wishes.accepted), self._pair, self._wishes)
        result |= self._findings(slices)
        self._work.put(RESULT, result)
        return {"verdict": result["verdict"], "problems": [one[:200] for one in result["problems"][:10]]}

    def _add_comparison(self, seen: Seen, forward: Scope, comparison: Comparison, slices: Slices) -> None:
        if comparison.began:
            seen.aws_now = min(filter(None, (seen.aws_now, comparison.began)))
        told: dict[str, Any] = {**comparison.as_result(), "content": None}
        seen.comparisons.append(comparison)
        seen.told.append(told)
        seen.notes += comparison.notices
        if self._wishes.prefixes:
            seen.checks += nothing_there_checks(told, self._wishes.prefixes)
        if comparison.complete:
            told["content"] = self._prove_content(seen, forward, comparison)
        told["causes"] = comparison.tally.by_cause()
        seen.checks += comparison_checks(told, comparison.tally)

    def _prove_content(self, seen: Seen, forward: Scope, comparison: Comparison) -> dict[str, Any]:
        wishes, sample = self._wishes, comparison.sample
        chosen = sample.chosen if wishes.content in SAMPLED else []  # else it was drawn for the restore alone
        budget = Budget(max(0, wishes.max_head_requests - comparison.head_requests), wishes.head_requests_per_second)
        sides = self._side(forward.source), self._side(forward.destination)
        proven = prove_content(wishes.content, chosen, sample.population, *sides, budget, wishes.max_transfer_bytes)
        for finding in proven.findings:
            comparison.tally.add(finding)
        seen.checks += proven.checks
        return {**proven.proof.as_result(), "seed": self._begun["run"]}

    def _add_canaries(self, seen: Seen) -> None:
        sent = self._work.get(CANARIES) or {"canaries": []}
        seen.canaries = [_ended(one) for one in sent["canaries"]]
        if seen.canaries:
            seen.checks += canary_checks(seen.canaries)
        else:
            seen.checks.append(no_canary_check(self._pair, ", since a bucket is not there or no rule is enabled"))
        for sentence in unproven(self._pair, self._accounts):
            seen.checks.append(Check(Area.CANARY, "arrives", self._pair.name, Status.SKIPPED, sentence))

    def _findings(self, slices: Slices) -> dict[str, Any]:
        """The first findings that the result shows, and how many there are in all."""
        accepted, most = {cause.value for cause in self._wishes.accepted}, self._wishes.max_findings
        unexpected: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        total = 0
        for row in slices.findings():
            total += 1
            expected = row["cause"] in accepted or row["cause"] == Cause.PENDING.value
            shelf = others if expected else unexpected
            if len(shelf) < most:
                shelf.append(row)
        return {"findings": [*unexpected, *others][:most], "findings_total": total}

    # --- evidence ---------------------------------------------------------------------------------------------

    def write_evidence(self) -> dict[str, Any]:
        """Write what was found, the manifest last.

        Returns:
            `prefix` of its files and `manifest_sha256`.
        """
        result, run = self._work.get(RESULT), self._begun["run"]
        world = self._world
        ended = world.evidence.finish(
            self._pair.name, run, result, world.created, self._slices().findings(), world.execution
        )
        return {"prefix": f"pairs/{self._pair.name}/{run}/", "manifest_sha256": ended.manifest_sha256}

    def result(self) -> dict[str, Any]:
        """What was found, as it was kept."""
        found: dict[str, Any] = self._work.get(RESULT)
        return found


def _ended(canary: Mapping[str, Any]) -> dict[str, Any]:
    """A canary of which nobody saw the end is late."""
    unseen = {"status": "late", "reason": "the run ended before it was looked at"}
    return {**canary, **(unseen if canary["status"] == FLYING else {})}


def _packed(address: Address, document: Document | None) -> list[Any]:
    return [address.kind, address.name, address.region, address.account, _plain(document)]


def _unpacked(row: Sequence[Any]) -> tuple[Address, Document | None]:
    kind, name, region, account, document = row
    return Address(kind, name, region, account), _typed(document)


_MOMENT = "datetime"
"""The one key of the object that stands for a time, which JSON does not know."""


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_MOMENT: value.isoformat()}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def _typed(value: Any) -> Any:
    if isinstance(value, list):
        return [_typed(one) for one in value]
    if isinstance(value, dict):
        if set(value) == {_MOMENT}:
            return datetime.fromisoformat(value[_MOMENT])
        return {key: _typed(one) for key, one in value.items()}
    return value


def _check_of(said: Mapping[str, str]) -> Check:
    return Check(Area(said["area"]), said["name"], said["subject"], Status(said["status"]), said["message"])


def _not_restored(pair: Pair) -> dict[str, str]:
    said = f"{pair.dr.bucket} in {pair.dr.region}: no restore was tried in this run."
    return Check(Area.RECOVERY_POINT, "restore", pair.dr.bucket, Status.SKIPPED, said).as_result()
