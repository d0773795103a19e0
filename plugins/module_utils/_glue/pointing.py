# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The pointer of a pair in both Regions, where the loss of one must not keep the other from being written.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.gateway import AwsFailure, Gateway
from .._core.model import Account, Address, Pair, Refused
from .._core.plan import Observed, Wish
from .._core.pointer import (
    kept_wish,
    pointer_address,
    pointer_regions,
    pointer_wish,
    removal_wish,
    told_by,
)
from .by_region import in_each_region
from .reconcile import DidNotSettle, reconcile
from .site import Meanwhile

Told: TypeAlias = "Mapping[str, Any]"
"""What a pointer says."""

Asked: TypeAlias = "Told | AwsFailure | Refused | None"
"""The same of one Region: None where there is no pointer, or why it is not known."""


@dataclass(frozen=True, slots=True)
class Pointed:
    """What became of a switch.

    Attributes:
        written: the Regions whose pointer says it now, changed or not.
        owed: the Regions that have it to come, with the reason.
        result: `changed`, `steps` and `diff` of the Regions that were written.
    """

    written: tuple[str, ...]
    owed: Mapping[str, str]
    result: dict[str, Any]


class Pointing:
    """Declares, removes and switches the pointer of one pair."""

    def __init__(self, module: AnsibleAWSModule, gateway: Gateway, account: Account, pair: Pair, path: str) -> None:
        self._module = module
        self._gateway = gateway
        self._account = account
        self._pair = pair
        self._path = path
        self._regions = pointer_regions(pair)
        self.wished: dict[str, Told] = {}
        """What the pointer of each Region says, or in check mode would say."""

    def told(self, regions: Iterable[str]) -> dict[str, str | None]:
        """Which end is active by the pointer of each Region, `primary` or `dr`; None: there is no pointer.

        Raises:
            AwsFailure, Refused: it may not be read, or is no pointer of the pair.
        """
        found: dict[str, str | None] = {}
        for region in regions:
            told = self._told_in(region)
            if isinstance(told, Exception):
                raise told
            found[region] = str(told["active"]) if told else None
        return found

    def declare(self) -> dict[str, Any]:
        """Make the pointer where it is missing, and let a Region that missed a switch say what the other one says.

        Raises:
            AwsFailure: a Region did not answer. What could be done in the other one is done.
        """
        with ThreadPoolExecutor(max_workers=len(self._regions)) as pool:
            told = dict(zip(self._regions, pool.map(self._told_in, self._regions), strict=True))
        return in_each_region(self._regions, lambda region: self._declare_in(region, told))

    def _told_in(self, region: str) -> Asked:
        address = self._address(region)
        try:
            return told_by(self._pair.name, address, self._gateway.observe([address])[address])
        except (AwsFailure, Refused) as failure:
            return failure

    def _declare_in(self, region: str, told: Mapping[str, Asked]) -> dict[str, Any]:
        here = told[region]
        if isinstance(here, Exception):
            raise here
        unknown = [other for other, one in told.items() if isinstance(one, Exception)]
        if here is None and unknown:
            raise Refused(
                f"{self._address(region)}: it is not there, and what it should say is not known as long as the one in "
                f"{', '.join(unknown)} cannot be read: the pair may have been switched"
            )
        known = [one for one in told.values() if not isinstance(one, Exception)]
        wish = kept_wish(self._pair, self._path, self._account, region, known)
        return self._reconcile(region, wish)

    def forget(self) -> dict[str, Any]:
        """Remove the pointer in both Regions.

        Raises:
            AwsFailure: it failed in one of them. It was done in the other.
        """
        return in_each_region(self._regions, self._forget_in)

    def _forget_in(self, region: str) -> dict[str, Any]:
        address = self._address(region)

        def goal(observed: Observed) -> tuple[Wish, Wish]:
            return {}, removal_wish(self._pair.name, self._path, self._account, region, observed[address])

        return reconcile(self._module, self._gateway, [address], goal)

    def point_to(
        self,
        active: str,
        since: str,
        run: str,
        regions: Iterable[str] | None = None,
        hurry: Mapping[str, float] | None = None,
    ) -> Pointed:
        """Let the pointer say that an end is active. A Region that does not take it is owed and stops nothing.

        Args:
            active: `primary` or `dr`.
            since: when it is switched, in UTC, like 2026-11-23T14:03:22Z.
            run: the ID of the failover or failback.
            regions: those of the pair that may be asked; the others are owed. None: all.
            hurry: the Regions that are owed if they have not taken it in so many seconds.

        Raises:
            AwsFailure: no Region took it.
        """
        asked = self._regions if regions is None else tuple(one for one in self._regions if one in set(regions))
        write = partial(self._point_in, active, since, run, hurry or {})
        with ThreadPoolExecutor(max_workers=max(1, len(asked))) as pool:
            found = dict(zip(asked, pool.map(write, asked), strict=True))
        owed = {region: "it is lost" for region in self._regions if region not in asked}
        owed |= {region: str(one) for region, one in found.items() if isinstance(one, Exception)}
        results = [one for one in found.values() if isinstance(one, dict)]
        if not results:
            reasons = " ".join(f"{region}: {why}" for region, why in owed.items())
            raise AwsFailure(f"pointer {self._path}/{self._pair.name}: no Region took the switch. {reasons}")
        return Pointed(tuple(region for region in asked if region not in owed), owed, _together(results))

    def _point_in(
        self, active: str, since: str, run: str, hurry: Mapping[str, float], region: str
    ) -> dict[str, Any] | Exception:
        wish = pointer_wish(
            self._pair, active, since=since, run=run, path=self._path, account=self._account, region=region
        )
        over = threading.Event()
        try:
            if region in hurry:
                return Meanwhile(lambda: self._reconcile(region, wish, over), hurry[region]).answer()
            return self._reconcile(region, wish)
        except (AwsFailure, Refused, DidNotSettle) as failure:
            over.set()
            return failure

    def _reconcile(self, region: str, wish: Wish, over: threading.Event | None = None) -> dict[str, Any]:
        """Make the pointer of a Region as wished, unless it is over: nobody waits for it any more."""
        address = self._address(region)

        def goal(observed: Observed) -> tuple[Wish, Wish]:
            if over is not None and over.is_set():
                raise AwsFailure(f"{address}: it was read too late to be written")
            told_by(self._pair.name, address, observed[address])
            return wish, {}

        result = reconcile(self._module, self._gateway, [address], goal)
        self.wished[region] = wish[address]["Value"]
        return result

    def _address(self, region: str) -> Address:
        return pointer_address(self._pair.name, self._path, self._account, region)


def _together(results: Iterable[dict[str, Any]]) -> dict[str, Any]:
    found = list(results)
    return {
        "changed": any(one["changed"] for one in found),
        "steps": [step for one in found for step in one["steps"]],
        "diff": [part for one in found for part in one["diff"]],
    }
