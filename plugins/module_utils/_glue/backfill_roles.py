# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The roles of a pair's Batch Replication jobs, when they are not needed any more.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.batch_jobs import BatchJobs
from .._aws.gateway import Gateway
from .._core.batch_job import beginning_of
from .._core.batch_role import batch_role_wish
from .._core.model import Accounts, End, Pair, Refused
from .._core.plan import Observed, Wish
from .._core.recovery_bucket import DEFAULT_NAME
from .clients import Clients
from .reconcile import reconcile


def remove_roles(
    module: AnsibleAWSModule, gateway: Gateway, clients: Clients, pair: Pair, accounts: Accounts
) -> dict[str, Any]:
    """Remove the roles of the pair's jobs, of each end that the task has credentials of.

    Raises:
        Refused: a job still works as one of them.
    """
    ends = [end for end in (pair.primary, pair.dr) if accounts[end.bucket].ours]
    # What a role may do plays no part in its removal, and so neither does the name of the recovery bucket.
    unwanted = {end.bucket: batch_role_wish(pair, end, accounts, DEFAULT_NAME) for end in ends}

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        for end in ends:
            if any(observed[address] for address in unwanted[end.bucket]):
                _check_idle(clients, pair, end, accounts[end.bucket].id)
        return {}, _together(unwanted.values())

    return {**reconcile(module, gateway, _together(unwanted.values()), goal), "notes": []}


def _together(wishes: Iterable[Wish]) -> Wish:
    return {address: document for wish in wishes for address, document in wish.items()}


def _check_idle(clients: Clients, pair: Pair, source: End, account: str) -> None:
    jobs = BatchJobs(clients("s3control", source.region, account), account, source.region)
    active = jobs.active(beginning_of(pair.name, source.bucket))
    if active:
        raise Refused(
            f"pair '{pair.name}': the job {', '.join(active)} in {source.region} still replicates versions of "
            f"{source.bucket} as the role that is to be removed. Wait for it, or cancel it by "
            "`aws s3control update-job-status`, then run again."
        )
