# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The same in several Regions, where the loss of one must not keep the others from it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.gateway import AwsFailure
from .._core.model import Account, Accounts, Pair, Refused
from .clients import Clients, Credentials
from .reconcile import DidNotSettle

_OF_ONE_REGION = (AwsFailure, Refused, DidNotSettle)


def signed_in(module: AnsibleAWSModule, clients: Clients, regions: Sequence[str]) -> Account:
    """The account of the task's credentials, as the first Region that answers tells it.

    Raises:
        AwsFailure: none of them does; what the first one said.
    """

    def ask(region: str) -> Account:
        return (clients if region == regions[0] else Clients(module, home_region=region)).caller()

    return _of_the_first_that_answers(regions, ask)


def owners_of_sources(
    clients: Clients, pair: Pair, credentials: Mapping[str, Credentials], regions: Sequence[str]
) -> Accounts:
    """Whose each bucket is that the pair replicates from and that has credentials of its own.

    Where the pair declares an `account_id`, it is believed, and nothing is asked.

    Raises:
        AwsFailure: no Region can tell it of one of them; what the first one said.
    """
    return {
        end.bucket: _of_the_first_that_answers(regions, partial(clients.account_of, end, credentials[end.bucket]))
        for end in (link.source for link in pair.links())
        if end.bucket in credentials and end.account_id is None
    }


def _of_the_first_that_answers(regions: Sequence[str], ask: Callable[[str], Account]) -> Account:
    failures = []
    for region in regions:
        try:
            return ask(region)
        except AwsFailure as failure:
            failures.append(failure)
    raise failures[0]


def in_each_region(regions: Sequence[str], change: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """What `reconcile` returns, of all Regions together; they are worked on at the same time.

    Raises:
        AwsFailure: it failed in one or more of them. It was done in the others, and the message says so.
    """
    with ThreadPoolExecutor(max_workers=len(regions)) as pool:
        running = {region: pool.submit(change, region) for region in regions}
    failures = {region: job.exception() for region, job in running.items() if job.exception()}
    for failure in failures.values():
        if not isinstance(failure, _OF_ONE_REGION):
            raise failure
    if failures:
        raise AwsFailure(_said(failures, [region for region in regions if region not in failures]))
    results = [job.result() for job in running.values()]
    return {
        "changed": any(result["changed"] for result in results),
        "steps": [step for result in results for step in result["steps"]],
        "diff": [one for result in results for one in result["diff"]],
    }


def _said(failures: dict[str, Any], well: list[str]) -> str:
    failed = " ".join(f"{region}: {failure}" for region, failure in failures.items())
    rest = f"{', '.join(well)} {'is' if len(well) == 1 else 'are'} as wished" if well else "No Region is as wished"
    return f"{failed} {rest}; run again for {', '.join(failures)}."
