# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""One verify of one pair: everything is looked at, then judged, then written down.

Trouble in one part ends that part as unknown, with the reason, and not the run: what could be seen is still told, and
nothing that could not be seen counts as proven.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.canary import Canary, Route, Side, each, fly
from .._aws.comparison import Comparison, Progress, Settings, compare
from .._aws.content_proof import prove_content
from .._aws.examination import Budget
from .._aws.gateway import AwsFailure, Gateway
from .._aws.monitoring_look import look_at_monitoring
from .._aws.sdk_errors import ResponseParserError
from .._aws.verify_result import SAMPLED, Seen, Shown, comparable, cut_short_check, judge_configuration, result_of
from .._aws.verify_wishes import Wishes
from .._core.causes import Cause, Finding, Scope
from .._core.checks import Area, Check, Status
from .._core.explain import Explainer
from .._core.judgement import (
    canary_checks,
    comparison_checks,
    gone_checks,
    no_canary_check,
    nothing_there_checks,
    unreachable_check,
)
from .._core.model import Accounts, End, Pair, Refused
from .._core.proofs import flights_of_rules, unproven
from .._core.readiness import readiness_addresses
from .._core.replication import (
    pair_addresses,
)
from .._core.scopes import scope_addresses, scopes_of
from .clients import Clients
from .evidence_run import FINDINGS, EvidenceRun, NotWritten, unfinished_notes
from .interruption import Interrupted, interruptible
from .pair_options import credentials_from
from .progress_file import ProgressFile

_ENDED = "the run was ended"


_MOST_DIFFERING = 10_000
"""So many versions with other content are remembered, so that their sample is not told twice."""


class Verification:
    """Looks at one pair."""

    def __init__(
        self,
        module: AnsibleAWSModule,
        gateway: Gateway,
        clients: Clients,
        pair: Pair,
        wishes: Wishes,
        evidence: EvidenceRun | None,
        progress: ProgressFile,
    ) -> None:
        self._module = module
        self._gateway = gateway
        self._clients = clients
        self._pair = pair
        self._wishes = wishes
        self._evidence = evidence
        self._progress = progress
        self._accounts: Accounts = {}
        self._budget = Budget(wishes.max_head_requests, wishes.head_requests_per_second)
        self._shown = Shown(wishes.max_findings, wishes.accepted)
        self._stop = threading.Event()
        self._leaps = itertools.count(1)
        self._seen = Seen()
        self._differing: set[tuple[str, str]] = set()
        # S3 does not tell how many versions a bucket holds, so the run before must do.
        self._expected = evidence.rows_compared_before(wishes.prefixes) if evidence else None

    def run(self) -> dict[str, Any]:
        """Look at everything that can be looked at, and judge.

        Returns:
            What the task returns, with the verdict.
        """
        return self._telling(self._look_interruptibly)

    def compare_only(self) -> dict[str, Any]:
        """Compare the versions of all ends, and look at nothing that does not explain a difference.

        A signal is for the caller to answer, who has something else to end.

        Returns:
            What a verify returns; only its comparisons and findings say something.
        """
        return self._telling(self._look_at_versions)

    def _telling(self, look: Callable[[], None]) -> dict[str, Any]:
        """What a look has seen, whatever ended it."""
        try:
            look()
        except (AwsFailure, Refused, ResponseParserError) as failure:
            self._seen.checks.append(unreachable_check(self._pair, str(failure)))
        except NotWritten as failure:
            self._seen.checks.append(cut_short_check(self._pair, str(failure)))
        result = result_of(self._seen, self._shown, self._pair, self._wishes)
        return {**result, "evidence": None, "api_calls": self._clients.api_calls()}

    def _look_interruptibly(self) -> None:
        try:
            with interruptible():
                self._look_at_versions()
                look_at_monitoring(self._seen, self._pair, self._accounts, self._clients)
        except Interrupted as signal_name:
            end = f"the run was ended by {signal_name} before everything was looked at. Run again."
            self._seen.checks.append(cut_short_check(self._pair, end))

    def _look_at_versions(self) -> None:
        self._accounts = self._clients.accounts_of(self._pair, credentials_from(self._module.params))
        self._look_at_configuration()
        with self._canaries_meanwhile():
            self._compare_all()

    # --- configuration ----------------------------------------------------------------------------------------

    def _look_at_configuration(self) -> None:
        """What AWS holds of the pair, and what replication never copies, read at the same time."""
        pair, accounts = self._pair, self._accounts
        ours = pair_addresses(pair, accounts)
        wanted = [*ours, *readiness_addresses(pair, accounts), *scope_addresses(pair, accounts)]
        try:
            self._seen.observed = self._gateway.observe(wanted, wanted)
        except AwsFailure as failure:
            self._seen.checks.append(unreachable_check(pair, str(failure)))
        self._seen.scopes = tuple(scopes_of(pair, accounts, self._seen.observed).values())
        if self._seen.observed:
            judge_configuration(self._seen, pair, accounts, ours)

    # --- versions ---------------------------------------------------------------------------------------------

    def _compare_all(self) -> None:
        """The two ends of the pair, then each further bucket to which a rule leads."""
        for forward, backward in comparable(self._pair, self._seen.scopes):
            self._compare(forward, backward)

    def _compare(self, forward: Scope, backward: Scope | None) -> None:
        wishes, left, right = self._wishes, self._side(forward.source), self._side(forward.destination)
        seed, requests = datetime.now(UTC).isoformat(), self._budget.used  # each run draws another sample
        settings = Settings(
            accepted=wishes.accepted,
            content=wishes.content,
            prefixes=wishes.prefixes or ("",),
            sample_size=wishes.sample_size if wishes.content in SAMPLED else 0,
            sample_seed=seed,
        )

        def explainer_at(now: datetime) -> Explainer:
            self._seen.aws_now = now if self._seen.aws_now is None else min(self._seen.aws_now, now)
            return Explainer(forward, backward, now, wishes.rpo_seconds)

        comparison = compare(left, right, explainer_at, settings, self._budget, self._found, self._report_progress)
        told: dict[str, Any] = {**comparison.as_result(), "content": None}
        self._seen.comparisons.append(comparison)
        self._seen.told.append(told)
        self._seen.notes += comparison.notices
        if wishes.prefixes:
            self._seen.checks += nothing_there_checks(told, wishes.prefixes)
        try:
            if comparison.complete:
                told["content"] = {**self._prove_content(comparison, forward, left, right), "seed": seed}
        finally:  # whatever ends the run now, what was compared is told
            told |= {"causes": comparison.tally.by_cause(), "head_requests": self._budget.used - requests}
            self._seen.checks += comparison_checks(told, comparison.tally)

    def _report_progress(self, progress: Progress) -> None:
        """Both listings of one comparison advance together, so one of them tells; those before it are added."""
        before = sum(one.source_count.versions + one.source_count.delete_markers for one in self._seen.comparisons)
        self._progress.report(before + progress.source_rows, self._expected)

    def _prove_content(self, comparison: Comparison, forward: Scope, left: Side, right: Side) -> dict[str, Any]:
        sample, most = comparison.sample, self._wishes.max_transfer_bytes
        seen = prove_content(self._wishes.content, sample.chosen, sample.population, left, right, self._budget, most)
        for finding in seen.findings:
            if (finding.key, finding.version_id) not in self._differing:  # else the listings told it
                rules = forward.rules_for(finding.key)
                told = replace(finding, rule=rules[0].id if rules else None)
                comparison.tally.add(told)
                self._found(told)
        self._seen.checks += seen.checks
        return seen.proof.as_result()

    def _found(self, finding: Finding) -> None:
        if finding.cause is Cause.CONTENT_DIFFERS and len(self._differing) < _MOST_DIFFERING:
            self._differing.add((finding.key, finding.version_id))
        self._shown.add(finding)
        if self._evidence:
            self._evidence.add_finding(finding.as_result(self._seen.measured_at()))

    def _side(self, end: End) -> Side:
        account = self._accounts[end.bucket].id
        return Side(end, account, self._clients("s3", end.region, account))

    # --- canaries -----------------------------------------------------------------------------------------------

    def _why_no_canaries(self) -> str | None:
        """None: they fly."""
        if self._module.check_mode:
            return " in check mode"
        if gone_checks(self._pair, self._accounts, self._seen.observed):
            return ", since a bucket is not there"
        return None if self._wishes.canary else ""

    @contextmanager
    def _canaries_meanwhile(self) -> Iterator[None]:
        """Canaries fly while versions are compared. When the run is ended they are told to stop waiting.

        Whatever ends it, what became of them is told: a canary that has not arrived stays in the buckets.
        """
        why_not = self._why_no_canaries()
        if why_not is not None:
            unflown = no_canary_check(self._pair, why_not)
            self._seen.checks.append(unflown)
            self._seen.notes.append(unflown.message)
            yield
            return
        for sentence in unproven(self._pair, self._accounts):
            self._seen.checks.append(Check(Area.CANARY, "arrives", self._pair.name, Status.SKIPPED, sentence))
            self._seen.notes.append(sentence)
        routes = [
            Route.of(flight, self._accounts, self._clients) for flight in flights_of_rules(self._pair, self._accounts)
        ]
        with ThreadPoolExecutor(max_workers=1) as pool:
            flying = pool.submit(each, self._fly, routes)
            try:
                yield
                self._land(flying)
            except BaseException:
                self._stop.set()
                self._land(flying)
                raise

    def _land(self, flying: Future[list[Canary]]) -> None:
        """Wait for all canaries, and judge them."""
        self._seen.canaries = [canary.as_result() for canary in flying.result()]
        self._seen.checks += canary_checks(self._seen.canaries)

    def _fly(self, route: Route) -> Canary:
        if self._stop.is_set():
            source, destination = route.source.end.bucket, route.destination.end.bucket
            return Canary(route.rule.id, source, destination, "", route.encryption, "not_written", reason=_ENDED)
        began = time.monotonic()
        canary = fly(route, self._wishes.deadline_seconds, sleep=self._stop.wait, clock=self._clock)
        if not self._stop.is_set() or canary.seconds is None:
            return canary
        reason = _ENDED if canary.status == "late" else canary.reason
        return replace(canary, seconds=round(time.monotonic() - began, 3), reason=reason)

    def _clock(self) -> float:
        """After the end of the run each look at the clock finds that every deadline has passed since the last one."""
        if self._stop.is_set():
            return time.monotonic() + next(self._leaps) * 2 * self._wishes.deadline_seconds
        return time.monotonic()


def written_down(evidence: EvidenceRun, result: dict[str, Any]) -> dict[str, Any]:
    """The result with the place of its evidence, and with what is wrong with the evidence of the runs before.

    Raises:
        NotWritten: the evidence could not be written.
    """
    ended = evidence.finish(result)
    return {
        **result,
        "findings_file": str(ended.directory / FINDINGS),
        "notes": [*result["notes"], *ended.broken, *unfinished_notes(ended)],
        "evidence": str(ended.directory),
    }
