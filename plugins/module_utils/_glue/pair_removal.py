# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A pair taken down: what is the pair's goes, and the buckets that are named, if nothing is lost with them unasked.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.access_point_use import CONTROL_REGION, PERMISSION, access_points_by_bucket
from .._aws.comparison import cutoff_of
from .._aws.deletion import NotDeleted
from .._aws.gateway import AwsFailure, Gateway, asking
from .._aws.verify_wishes import Wishes
from .._core.causes import ACCEPTED
from .._core.content import Method
from .._core.deletion import deletion_sentence, expected_seconds
from .._core.fence import fence_removal, is_fenced
from .._core.foreign import rules_beside
from .._core.last_copy import Copy, Loss, alone, copies, loss_of
from .._core.merging import statements_of
from .._core.model import Accounts, Address, Direction, Document, End, InvalidInput, Pair
from .._core.plan import Observed, Wish
from .._core.replication import (
    beyond_reach_notes,
    bucket_address,
    bucket_deletion_wish,
    optional_addresses,
    pair_addresses,
    pair_removal_wish,
    roles_kept_notes,
    without_roles_in_use,
)
from .clients import Clients
from .evidence_run import EvidenceRun
from .interruption import Interrupted, interruptible
from .pair_options import credentials_from
from .progress_file import ProgressFile
from .reconcile import reconcile
from .verification import Verification, written_down

ONLY_COMPARE = Wishes(
    rpo_seconds=900,
    prefixes=(),
    accepted=frozenset(ACCEPTED),
    max_head_requests=10_000,
    head_requests_per_second=200,
    max_findings=0,
    content=Method.ETAG,
    sample_size=1,
    max_transfer_bytes=0,
    canary=False,
    deadline_seconds=1,
    warnings=frozenset(),
    fail_on=frozenset(),
)
"""A verify that writes nothing, whose verdict fails nobody: what it compared decides."""


class WouldLose(InvalidInput):
    """A bucket that is named holds the only copy of something. `result` is what the task returns with the failure."""

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.result = result


class Incomplete(AwsFailure):
    """Not all that was to be deleted is. `result` is what the task returns with the failure."""

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.result = result


class Removal:
    """One run of `state: absent`."""

    def __init__(self, module: AnsibleAWSModule, clients: Clients, gateway: Gateway, pair: Pair) -> None:
        self.module = module
        self.clients = clients
        self.gateway = gateway
        self.pair = pair
        self.accounts: Accounts = clients.accounts_of(pair, credentials_from(module.params))
        self.named = [end for end in pair.ends() if end.bucket in module.params["delete_buckets"]]
        self.result: dict[str, Any] = {"notes": [], "deletions": [], "losses": []}

    def run(self) -> dict[str, Any]:
        """Remove what is the pair's, and the buckets that are named."""
        self._check_reach()
        addresses = pair_addresses(self.pair, self.accounts)
        deletions = [address for end in self.named for address in bucket_deletion_wish(end, self.accounts)]
        optional = optional_addresses(addresses)
        try:
            with interruptible():
                change = reconcile(self.module, self.gateway, [*addresses, *deletions], self._goal, optional)
        except Interrupted as signal_name:
            raise AwsFailure(self._cut_short(str(signal_name))) from None
        except AwsFailure as failure:
            raise self._explained(failure) from failure
        return {**change, **self.result}

    def _check_reach(self) -> None:
        beyond = [end.bucket for end in self.named if not self.accounts[end.bucket].ours]
        if beyond:
            raise InvalidInput(
                f"pair '{self.pair.name}': this task has no credentials of the account of {', '.join(beyond)}, so it "
                "cannot delete it. Leave it out of `delete_buckets`, or give that end credentials."
            )

    def _goal(self, observed: Observed) -> tuple[Wish, Wish]:
        unwanted = self._unwanted(observed)
        self.result["notes"] = [*roles_kept_notes(unwanted, observed), *beyond_reach_notes(self.pair, self.accounts)]
        self.result["foreign_rules"] = rules_beside(self.pair, self.accounts, observed)
        there = [end for end in self.named if observed[bucket_address(end, self.accounts)] is not None]
        self._check_access_points(there)
        self._tell_deletions(there, observed)
        self._check_losses(there, observed)
        return {}, without_roles_in_use(unwanted, observed)

    def _unwanted(self, observed: Observed) -> dict[Address, Document]:
        """What goes, with the fences of a failover: nobody could write into a bucket that stays behind one."""
        unwanted = pair_removal_wish(self.pair, self.accounts, observed, [end.bucket for end in self.named])
        for end in self.pair.ends():
            if self.accounts[end.bucket].ours and is_fenced(self.pair, end, self.accounts, observed):
                for address, fence in fence_removal(self.pair, end, self.accounts).items():
                    ours = statements_of(unwanted.get(address))
                    unwanted[address] = {**fence, "Statement": [*ours, *statements_of(fence)]}
        return unwanted

    # --- what goes ------------------------------------------------------------------------------------------------

    def _check_access_points(self, there: list[End]) -> None:
        """S3 deletes no bucket that a Multi-Region Access Point of its account uses; so all else would go in vain."""
        for end in there:
            account = self.accounts[end.bucket]
            if account.partition != "aws":  # others have no Multi-Region Access Points
                continue
            try:
                with asking("the Multi-Region Access Points", PERMISSION):
                    client = self.clients("s3control", CONTROL_REGION, account.id)
                    used_by = access_points_by_bucket(client, account.id).get(end.bucket)
            except AwsFailure as failure:
                self.result["notes"].append(f"Whether one uses {end.bucket} is not known. {failure}")
                continue
            if used_by:
                raise InvalidInput(
                    f"bucket '{end.bucket}': the Multi-Region Access Point {' and '.join(used_by)} uses it, and must "
                    "be deleted before it. Delete that first, or keep the bucket."
                )

    def _tell_deletions(self, there: list[End], observed: Observed) -> None:
        for end in there:
            counts = self._contents(end, observed)
            locked = observed[bucket_address(end, self.accounts, "bucket_object_lock")] is not None
            self.result["notes"].append(deletion_sentence(end.bucket, counts, locked))
            self.result["deletions"].append(
                {"bucket": end.bucket, **counts, "object_lock": locked, "expected_seconds": expected_seconds(counts)}
            )

    def _contents(self, end: End, observed: Observed) -> Mapping[str, Any]:
        found = observed[bucket_address(end, self.accounts, "bucket_contents")]
        return found or {"versions": 0, "bytes": 0, "delete_markers": 0, "uploads": 0}

    # --- what would be lost ---------------------------------------------------------------------------------------

    def _check_losses(self, there: list[End], observed: Observed) -> None:
        """Refuse to delete the only copy of anything, unless it is forced by name.

        Raises:
            WouldLose: names what would be lost. Nothing was changed.
        """
        if not there:
            return
        wanted = copies(self.pair, [end.bucket for end in self.named])
        if not wanted:
            self.result["notes"].append(
                "Both buckets of the pair are named, so that nothing was compared: all of it goes."
            )
            return
        holding = {end.bucket for end in there if self._contents(end, observed)["versions"]}
        accepted = self.module.params["accept_loss"]
        asked = [copy for copy in wanted if copy.bucket in holding and copy.bucket not in accepted]
        for copy in wanted:
            if copy.bucket not in accepted and copy.bucket not in holding:  # empty now, and writable still
                self.gateway.running.not_after[copy.bucket] = datetime.min.replace(tzinfo=UTC)
        losses = self._losses(asked, there, observed) if asked else []
        for copy in wanted:
            if copy.bucket in accepted:
                self.gateway.running.not_after.pop(copy.bucket, None)
        self.result["losses"] = [loss.as_result() for loss in losses]
        self.result["notes"] += [
            f"{copy.bucket} is named in `accept_loss`: what no other bucket holds is lost with it."
            for copy in wanted
            if copy.bucket in holding and copy.bucket in accepted
        ]
        if any(losses):
            sentences = " ".join(loss.sentence() for loss in losses if loss)
            raise WouldLose(f"pair '{self.pair.name}': {sentences}", self.result)

    def _losses(self, asked: list[Copy], there: list[End], observed: Observed) -> list[Loss]:
        buckets = {end.bucket: end for end in self.pair.ends()}
        found = []
        for copy in asked:
            other = buckets.get(copy.other or "")
            if other is not None and observed.get(bucket_address(other, self.accounts), _UNREAD) is None:
                found.append(alone(copy, self._contents(buckets[copy.bucket], observed)))
        compared = [copy for copy in asked if copy not in [loss.copy for loss in found]]
        return [*found, *(self._verified(compared) if compared else [])]

    def _verified(self, wanted: list[Copy]) -> list[Loss]:
        """What a verify says, whose evidence is kept where the user wants it."""
        with self._report_dir() as directory:
            evidence = EvidenceRun.begin(directory, self.pair.name, datetime.now(UTC))
            verify = Verification(
                self.module, self.gateway, self.clients, self.pair, ONLY_COMPARE, evidence, ProgressFile(None)
            )
            try:
                result = written_down(evidence, verify.compare_only())
            finally:
                evidence.close()
            if self.module.params["report_dir"]:
                self.result["notes"].append(f"What both ends held before the deletion is kept in {result['evidence']}.")
            two_way = self.pair.direction is Direction.TWO_WAY
            losses = [
                loss_of(copy, result["comparisons"], _findings(result["findings_file"]), two_way=two_way)
                for copy in wanted
            ]
            self._keep_what_is_newer(result["comparisons"])
            return losses

    def _keep_what_is_newer(self, comparisons: Iterable[Mapping[str, Any]]) -> None:
        """A bucket stays open while it is emptied, and what is written since the comparison may be nowhere else."""
        for one in comparisons:
            if one["began"]:
                began = datetime.fromisoformat(one["began"])
                for bucket in (one["source"], one["destination"]):
                    limit = self.gateway.running.not_after.get(bucket, began)
                    self.gateway.running.not_after[bucket] = min(limit, cutoff_of(began))

    @contextmanager
    def _report_dir(self) -> Iterator[str]:
        if self.module.params["report_dir"]:
            yield self.module.params["report_dir"]
            return
        with tempfile.TemporaryDirectory() as directory:
            yield directory

    # --- what went wrong ------------------------------------------------------------------------------------------

    def _cut_short(self, signal_name: str) -> str:
        next_step = "What is deleted is gone, the rest is still there: run again, and it goes on where it was."
        return " ".join([f"pair '{self.pair.name}': the run was ended by {signal_name}.", *self._progress(), next_step])

    def _progress(self) -> list[str]:
        """How far the deletion of each bucket is, of which nobody else tells."""
        told = {kept.bucket for kept in self.gateway.kept}
        progress = sorted(self.gateway.running.progress.items())
        return [f"{bucket}: {said}." for bucket, said in progress if bucket not in told]

    def _explained(self, failure: AwsFailure) -> Incomplete:
        """The failure with what each bucket kept, and how far the others are: they are emptied at the same time."""
        others = [f"{kept.bucket}: {kept}" for kept in self.gateway.kept if kept is not failure.__cause__]
        files = {kept.bucket: self._write_all(kept) for kept in self.gateway.kept}
        said = [f"The list of all that was kept is in {path}." for path in files.values() if path]
        not_deleted = [
            {
                "bucket": kept.bucket,
                "kept": kept.refused.refusals.total,
                "deleted": kept.deleted,
                "reasons": dict(kept.refused.refusals.counts.most_common()),
                "first": [refusal.as_result() for refusal in kept.refused.refusals.shown()],
                "file": files[kept.bucket],
            }
            for kept in self.gateway.kept
        ]
        message = " ".join([str(failure), *others, *said, *self._progress()])
        return Incomplete(message, {**self.result, "not_deleted": not_deleted})

    def _write_all(self, kept: NotDeleted) -> str | None:
        if not self.module.params["report_dir"]:
            return None
        path = Path(self.module.params["report_dir"], "not_deleted", f"{kept.bucket}.jsonl")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept.refused.write_all(path)
        except OSError as error:
            return f"no file, since it could not be written ({error})"
        return str(path) if kept.refused.all_listed else f"{path}, as far as there was room for it"


_UNREAD: dict[str, Any] = {}
"""Stands for a bucket of an account without credentials: nothing is known of it, so a verify must tell."""


def _findings(path: str) -> Iterator[dict[str, Any]]:
    with Path(path).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
