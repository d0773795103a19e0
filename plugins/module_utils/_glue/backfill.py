# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""One backfill of one direction of a pair by S3 Batch Replication: looked at, priced, made, waited for, judged.

AWS keeps the job. So a run that was ended is none the worse: the next one finds the job, and waits for it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.batch_jobs import BatchJobs
from .._aws.batch_papers import VersionList, read_failures
from .._aws.canary import Side
from .._aws.comparison import Comparison, Progress, Settings, compare
from .._aws.examination import Budget
from .._aws.gateway import AwsFailure, Gateway
from .._core.batch_checks import (
    check_places,
    check_ready,
    closing_wish,
    destination_from,
    further_ends,
    gap_of,
    job_diff,
    job_step,
    link_from,
    needed_addresses,
    recovery_key,
    useful_addresses,
    why_gap_stays,
)
from .._core.batch_job import (
    Order,
    failed_to_begin,
    found_nothing,
    job_result,
    problem_of,
    tasks_of,
    told,
)
from .._core.batch_prices import Way, Work, estimate
from .._core.batch_role import batch_role_arn, batch_role_wish
from .._core.batch_selection import Missing, Select, Sorting, Status
from .._core.causes import Finding
from .._core.content import Method
from .._core.explain import Explainer
from .._core.model import Accounts, Address, End, Pair, Refused
from .._core.plan import Observed
from .._core.recovery_bucket import bucket_name
from .._core.replication import role_address
from .._core.scopes import scopes_of
from .backfill_findings import read_findings
from .backfill_options import BackfillWishes
from .clients import Clients
from .progress_file import ProgressFile
from .reconcile import NotProven, reconcile

HEAD_REQUESTS_PER_SECOND = 200
_RPO_SECONDS = 900
"""Only tells what is pending from what is late, and a job brings neither."""
_EXAMPLES = 5
"""Failed tasks that are told of each code."""
_FIRST_TRIES = 3
_ROLE_SETTLES_SECONDS = 10.0
"""IAM takes a while until every service sees a role that was made a moment ago."""
_LONGEST_UNWAITED_SECONDS = 120.0


class TooDear(Refused):
    """The backfill would cost more than it may. `result` is what the task returns with the failure."""

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.result = result


@dataclass(slots=True)
class Looked:
    """What the destination lacks, as it was found.

    Attributes:
        comparison: None: a file told it.
        listing: the versions that a job without a filter is given.
    """

    sorting: Sorting
    comparison: Comparison | None
    listing: VersionList


class Backfill:
    """Brings what one end of a pair lacks, by a job in the account and Region of the end that holds it.

    Attributes:
        job_id: the job that the run made or found, as soon as it is known: it goes on whatever becomes of the run.
    """

    def __init__(
        self,
        module: AnsibleAWSModule,
        gateway: Gateway,
        clients: Clients,
        pair: Pair,
        accounts: Accounts,
        source: End,
        wishes: BackfillWishes,
        progress: ProgressFile | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is asked of AWS yet.

        Args:
            source: the end that holds the versions, `pair.primary` or `pair.dr`.

        Raises:
            InvalidInput: the pair has no such direction, or a place is wrong.
        """
        self._module = module
        self._gateway = gateway
        self._clients = clients
        self._pair = pair
        self._accounts = accounts
        self._wishes = wishes
        self._progress = progress or ProgressFile(None)
        self._sleep = sleep
        self._clock = clock
        self._link = link_from(pair, source)
        self._destination = destination_from(self._link, wishes.destination)
        account = accounts[source.bucket]
        self._recovery = End(bucket_name(wishes.recovery_bucket, account.id, source.region), source.region)
        check_places(self._link, self._destination, accounts, self._recovery.bucket)
        self._order = Order(
            pair.name, self._link.source, self._destination, account, wishes.selection, self._recovery.bucket
        )
        self._deadline = 0.0
        self._observed: Observed = {}
        self.job_id: str | None = None
        self._result: dict[str, Any] = {
            "changed": False,
            "steps": [],
            "diff": [],
            "plan": None,
            "left_out": [],
            "job": None,
            "attached": False,
            "failures": [],
            "notes": [],
        }

    def run(self) -> dict[str, Any]:
        """Bring what is missing, or in check mode say what it would take.

        Returns:
            `changed`, `plan`, `left_out`, `job`, `attached`, `failures`, `steps`, `diff`, `notes`: see the module.

        Raises:
            InvalidInput: the file of findings cannot be read.
            Refused: replication is not set up, or it would cost more than it may.
            AwsFailure: something cannot be read or made.
            NotProven: a job ended, and not everything was replicated.
        """
        self._look_at_configuration()
        with VersionList() as listing:
            looked = Looked(self._read_file(listing), None, listing)
            jobs = self._jobs()
            own = jobs.own(self._order.description)
            last_ended = own.last_ended
            if own.active:
                self._attach(jobs, own.active, looked)
                if self._module.check_mode or not self._wishes.wait or self._has_file:
                    return self._result
                last_ended = own.active
                self._look_at_configuration()
            self._bring(jobs, last_ended, looked)
        return self._result

    def _attach(self, jobs: BatchJobs, job_id: str, looked: Looked) -> None:
        """Go on with a job that wants the same. What it brings was chosen when it was made, and not now."""
        self._result["attached"] = True
        self.job_id = job_id
        if self._module.check_mode or not self._wishes.wait:
            self._result["job"] = job_result(jobs.describe(job_id), self._link.source.region)
            self._result["notes"].append(
                f"The job {job_id} is under way. What is missing beside it is looked for when it has ended: run again."
            )
            return
        self._start_waiting()
        self._follow(jobs, looked)
        tasks = self._result["job"]["tasks"]
        self._result["notes"].append(
            f"The job {job_id} was under way and has ended: {tasks['succeeded']} of {tasks['total']} tasks succeeded."
        )

    @property
    def _has_file(self) -> bool:
        return self._wishes.findings_file is not None

    def _start_waiting(self) -> None:
        """What came before, as a comparison of hours, is no waiting."""
        seconds = self._wishes.wait_timeout if self._wishes.wait else _LONGEST_UNWAITED_SECONDS
        self._deadline = self._clock() + seconds

    # --- what is there ----------------------------------------------------------------------------------------

    def _look_at_configuration(self) -> None:
        needed = needed_addresses(self._link, self._accounts, self._recovery.bucket)
        useful = useful_addresses(self._pair, self._link, self._accounts, self._recovery.bucket)
        self._observed = self._gateway.observe(needed, useful)
        check_ready(self._link, self._destination, self._accounts, self._observed, self._recovery.bucket)

    def _jobs(self) -> BatchJobs:
        account, region = self._order.account.id, self._link.source.region
        return BatchJobs(self._clients("s3control", region, account), account, region, self._sleep, self._clock)

    def _side(self, end: End) -> Side:
        account = self._order.account.id if end == self._recovery else self._accounts[end.bucket].id
        return Side(end, account, self._clients("s3", end.region, account))

    def _way(self, missing: Missing) -> bool:
        return (missing.source, missing.destination) == (self._link.source.bucket, self._destination.bucket)

    def _read_file(self, listing: VersionList) -> Sorting:
        """What the findings of a verify say, if a file of them was named."""
        sorting = Sorting(self._wishes.selection)
        if self._wishes.findings_file is not None:
            for missing in read_findings(self._wishes.findings_file):
                if self._way(missing) and sorting.wants(missing):
                    listing.add(missing.source, missing.key, missing.version_id)
            self._order = replace(self._order, file_digest=listing.digest)
        return sorting

    def _compare(self, sorting: Sorting, listing: VersionList | None) -> Comparison:
        """Look through both ends for what the destination lacks. A job without a filter is given just that."""
        scopes = scopes_of(self._pair, self._accounts, self._observed)
        way = (self._link.source.bucket, self._destination.bucket)

        def found(finding: Finding) -> None:
            missing = Missing.of(finding)
            if finding.missing and self._way(missing) and sorting.wants(missing) and listing is not None:
                listing.add(missing.source, missing.key, missing.version_id)

        comparison = compare(
            self._side(self._link.source),
            self._side(self._destination),
            lambda now: Explainer(scopes[way], scopes.get(way[::-1]), now, _RPO_SECONDS),
            Settings(content=Method.NONE, prefixes=(self._wishes.selection.prefix,)),
            Budget(self._wishes.max_head_requests, HEAD_REQUESTS_PER_SECOND),
            found,
            self._report_comparison,
        )
        self._result["notes"] += comparison.notices
        if not comparison.complete:
            raise AwsFailure(f"What {self._destination.bucket} lacks cannot be told: {comparison.reason}")
        return comparison

    def _report_comparison(self, progress: Progress) -> None:
        self._progress.report(progress.source_rows)

    # --- what it takes ----------------------------------------------------------------------------------------

    def _bring(self, jobs: BatchJobs, last_ended: str | None, looked: Looked) -> None:
        """Price what is missing, and have it replicated unless this is check mode."""
        exact = self._wishes.selection.select is Select.FINDINGS
        if not self._has_file:
            looked.comparison = self._compare(looked.sorting, looked.listing if exact else None)
        self._result["plan"] = self._plan(looked)
        self._result["left_out"] = looked.sorting.left_out_result()
        if looked.sorting.versions == 0:
            if looked.comparison:
                self._close_gap(looked.sorting, looked.comparison)
            return
        self._check_budget()
        change = self._make_role()
        step = Address("batch_job", self._order.description, self._link.source.region, self._order.account.id)
        job = told(self._order, looked.sorting.versions)
        self._result |= {
            "changed": True,
            "steps": [*change["steps"], job_step(step, job)],
            "diff": [*change["diff"], job_diff(step, job)],
        }
        if not self._module.check_mode:
            self._start_waiting()
            self._create(jobs, last_ended, looked.listing if exact else None, new_role=change["changed"])
            self._follow(jobs, looked)
        elif self._wishes.wait and self._closes_gap and looked.comparison:
            self._close_gap(looked.sorting.after_success(), looked.comparison)

    def _plan(self, looked: Looked) -> dict[str, Any]:
        sorting, comparison = looked.sorting, looked.comparison
        filtered = comparison if sorting.selection.select is Select.FILTER else None
        further = tuple(self._priced_way(end) for end in further_ends(self._link, self._destination))
        there_too = bool(further) or bool({Status.COMPLETED, Status.REPLICA} & set(sorting.selection.statuses))
        in_sync = filtered if there_too else None
        work = Work(
            versions=sorting.versions,
            size=sorting.size,
            in_sync=in_sync.matched if in_sync else 0,
            in_sync_size=max(0, in_sync.source_count.size - sorting.size) if in_sync else 0,
            listed=filtered.source_count.versions if filtered else 0,
            listed_in_part=bool(filtered and sorting.selection.prefix),
            way=self._priced_way(self._destination),
            further=further,
        )
        return {
            "source": self._link.source.bucket,
            "destination": self._destination.bucket,
            "select": sorting.selection.select.value,
            "versions": sorting.versions,
            "delete_markers": sorting.delete_markers,
            "bytes": sorting.size,
            "unexamined": sorting.unexamined,
            "in_flight": comparison.in_flight if comparison else None,
            **estimate(work, self._wishes.prices),
        }

    def _priced_way(self, end: End) -> Way:
        return Way(end.storage_class or "STANDARD", self._link.source.region != end.region)

    def _check_budget(self) -> None:
        plan, budget = self._result["plan"], self._wishes.budget_usd
        cost = plan["usd"]["total"]
        if budget is None or cost <= budget:
            return
        raise TooDear(
            f"pair '{self._pair.name}': to backfill {plan['versions']} versions with {plan['bytes']} bytes from "
            f"{plan['source']} to {plan['destination']} costs about {cost:.2f} US dollars, more than the "
            f"{budget:.2f} of `budget_usd`. Raise that, narrow it by `created_after`, or set `select: "
            "findings`, whose list costs nothing.",
            {**self._result, "changed": False},
        )

    # --- the job ----------------------------------------------------------------------------------------------

    def _make_role(self) -> dict[str, Any]:
        key = recovery_key(self._link, self._accounts, self._observed, self._recovery.bucket)
        wish = batch_role_wish(self._pair, self._link.source, self._accounts, self._recovery.bucket, key)
        return reconcile(self._module, self._gateway, wish, lambda observed: (wish, {}))

    def _create(self, jobs: BatchJobs, last_ended: str | None, listing: VersionList | None, *, new_role: bool) -> None:
        """Make the job. One that fails before its first task is made again while its role may be too new for it."""
        order = self._order
        manifest = listing.upload(self._side(self._recovery), order.list_key(listing.digest)) if listing else None
        for tries_left in reversed(range(_FIRST_TRIES)):
            request = order.request(
                role_arn=batch_role_arn(self._pair, self._link.source, self._accounts),
                priority=self._wishes.priority,
                token=order.token(last_ended),
                manifest=manifest,
                kms_key_arn=recovery_key(self._link, self._accounts, self._observed, self._recovery.bucket),
            )
            self.job_id = last_ended = jobs.create(request, self._deadline)
            if not (new_role and tries_left and self._wishes.wait):
                return
            if not failed_to_begin(self._wait(jobs)):
                return
            self._sleep(_ROLE_SETTLES_SECONDS)

    def _watch(self, job: Mapping[str, Any]) -> None:
        tasks = tasks_of(job)
        self._progress.report(tasks["succeeded"] + tasks["failed"], tasks["total"] or None, "replicated")

    def _follow(self, jobs: BatchJobs, looked: Looked) -> None:
        """Wait for the job, judge it, and look again where its end does not prove that all is there."""
        region = self._link.source.region
        if not self._wishes.wait:
            self._result["job"] = job_result(jobs.describe(str(self.job_id)), region)
            return
        job = self._wait(jobs)
        self._result["job"] = job_result(job, region)
        if found_nothing(job):
            self._result["changed"] = any(step["kind"] != "batch_job" for step in self._result["steps"])
            self._result["notes"].append(f"The job {self.job_id} found no version that its filter takes.")
        self._judge(job)
        untried = looked.sorting.versions - tasks_of(job)["total"]
        if self._has_file:
            self._check_brought(untried, job, looked.sorting.versions)
        elif looked.comparison and (untried > 0 or self._closes_gap):
            after = Sorting(self._wishes.selection)
            comparison = self._compare(after, None)
            self._check_brought(after.versions if untried > 0 else 0, job, looked.sorting.versions)
            self._close_gap(after, comparison)

    @property
    def _closes_gap(self) -> bool:
        return self._wishes.selection.is_whole and gap_of(self._link, self._accounts, self._observed) is not None

    def _check_brought(self, missing: int, job: Mapping[str, Any], planned: int) -> None:
        """A job that ended well may have had fewer tasks than there were versions to bring."""
        if missing <= 0:
            return
        self._result["still_missing"] = missing
        raise NotProven(
            f"pair '{self._pair.name}': the job {self.job_id} ended without a failed task, but had "
            f"{tasks_of(job)['total']} tasks for {planned} versions, and {missing} are still missing in "
            f"{self._destination.bucket}. S3 did not take them by its filter or rules. Run again with `select: "
            "findings`, which names each of them, or look by s3_dr_verify at why they are missing.",
            self._result,
        )

    def _wait(self, jobs: BatchJobs) -> dict[str, Any]:
        """The job when it is over. Whatever ends the waiting, who reads the failure learns of the job."""
        try:
            return jobs.wait(str(self.job_id), self._deadline, self._watch)
        except AwsFailure as failure:
            raise NotProven(str(failure), {**self._result, "job": {"id": self.job_id}}) from failure

    def _judge(self, job: Mapping[str, Any]) -> None:
        problem, said = problem_of(job), []
        if problem is None:
            return
        if tasks_of(job)["failed"]:
            recovery, prefix = self._side(self._recovery), self._order.report_prefix
            try:
                failures, place = read_failures(recovery, prefix, str(self.job_id), _EXAMPLES)
                self._result["failures"] = failures.as_result()
                self._result["job"]["report"] = place
                said = failures.sentences()
            except AwsFailure as failure:
                said = [str(failure)]
        raise NotProven(" ".join([f"pair '{self._pair.name}': {problem}", *said]), self._result)

    # --- times without replication ----------------------------------------------------------------------------

    def _close_gap(self, seen: Sorting, comparison: Comparison) -> None:
        """Take the note of a pause off the replication role, when what was written in it is there."""
        gap = gap_of(self._link, self._accounts, self._observed)
        if gap is None or comparison.cutoff is None:
            return
        why = why_gap_stays(self._link, gap, seen, comparison.cutoff)
        if why is not None:
            self._result["notes"].append(
                f"That {self._link.source.bucket} was paused from {gap[0]} on stays noted: {why}."
            )
            return
        at = role_address(self._link, self._accounts)
        change = reconcile(
            self._module,
            self._gateway,
            [at],
            lambda observed: (closing_wish(self._link, self._accounts, observed), {}),
        )
        for name in ("steps", "diff"):
            self._result[name] = [*self._result[name], *change[name]]
        self._result["changed"] |= change["changed"]
