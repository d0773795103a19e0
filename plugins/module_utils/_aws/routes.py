# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The routes of one Multi-Region Access Point, through whichever of the control Regions answers.

Nothing here needs the Region that is lost: routes are kept by five Regions, and each of them takes a change.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from .._core.access_points import MANAGED_IN, arn_of
from .._core.model import Account
from .._core.routes import (
    Dial,
    Route,
    applied_to,
    arn_without_asking,
    as_updates,
    changed_routes,
    check_dials,
    check_mrap,
    control_regions,
    from_answer,
    listed,
    owner_in,
)
from .gateway import AwsFailure, asking, explain_connection
from .row import Client, ClientFor
from .sdk_errors import DENIED, NO_ANSWER, THROTTLED, ClientError, error_code, in_short

T = TypeVar("T")

READ, SUBMIT = "s3:GetMultiRegionAccessPointRoutes", "s3:SubmitMultiRegionAccessPointRoutes"
WAIT_SECONDS = 300.0
"""More than twice what AWS says a change takes."""
_SINGLE_REGION = "MethodNotAllowed"
_BUSY = ("OperationAborted", "Conflict", "ConflictException", "409")
_NEXT_REGION = (*THROTTLED, *(code for code in DENIED if code != _SINGLE_REGION), "502", "504", "RequestTimeout")
"""Answers after which the next Region is asked. A refusal is one, since policies may fence in single Regions."""
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0


class NotShown(AwsFailure):
    """S3 took the change, and has not shown it in time."""


@dataclass(frozen=True, slots=True)
class Rerouted:
    """What became of a wish.

    Attributes:
        changed: whether the routes were not as wished in the beginning.
        control_region: the Region through which it went.
        shown: whether the routes that S3 tells are as wished.
        seconds: from the first call until then.
    """

    changed: bool
    before: tuple[Route, ...]
    after: tuple[Route, ...]
    control_region: str
    shown: bool
    seconds: float


class RouteControl:
    """Reads and submits the routes of one access point.

    Attributes:
        arn: that of the access point.
        submitted: whether a change was sent, even if its answer was lost.
        region: the control Region that answered last.
    """

    def __init__(
        self,
        client_for: ClientFor,
        account: str,
        arn: str,
        regions: Sequence[str],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client_for = client_for
        self.arn = arn
        self._account = account
        self._regions = list(regions)
        self._sleep = sleep
        self._clock = clock
        self.submitted = False
        self.region = self._regions[0]

    def read(self) -> tuple[Route, ...]:
        """The routes as S3 tells them.

        Raises:
            AwsFailure: there is no such access point, or no control Region answers.
        """
        answer = self._ask(
            READ, lambda client: client.get_multi_region_access_point_routes(AccountId=self._account, Mrap=self.arn)
        )
        return from_answer(answer["Routes"])

    def set(self, dials: Sequence[Dial], seconds: float = WAIT_SECONDS, wait: bool = True) -> Rerouted:
        """Make the routes as wished, and wait until S3 tells them so. Another change under way is waited for.

        Args:
            seconds: how long to wait at most, for both.
            wait: False: submit only.

        Raises:
            InvalidInput: no route would be active; nothing was asked.
            Refused: the access point has no such bucket.
            NotShown: S3 took the change, and has not shown it in time.
            AwsFailure: AWS refused it, or no control Region answers.
        """
        check_dials(dials)
        began, pause = self._clock(), _FIRST_PAUSE_SECONDS
        before = routes = self.read()
        taken = False
        while wanted := changed_routes(dials, routes):
            taken = taken or self._submit(wanted)  # a second change would only be refused
            if taken and not wait:
                break
            if self._clock() - began + pause > seconds:
                raise self._too_late(taken, routes, wanted, seconds)
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            routes = self.read()
        changed, after = bool(changed_routes(dials, before)), applied_to(routes, wanted)
        return Rerouted(changed, before, after, self.region, not wanted, round(self._clock() - began, 3))

    def _submit(self, wanted: Sequence[Route]) -> bool:
        """Whether S3 took it; False: another change is under way, so one has to look again."""

        def submit(client: Client) -> bool:
            try:
                client.submit_multi_region_access_point_routes(
                    AccountId=self._account, Mrap=self.arn, RouteUpdates=as_updates(wanted)
                )
            except ClientError as error:
                if error_code(error) not in _BUSY:
                    raise
                return False
            except NO_ANSWER:
                self.submitted = True  # it may have been taken before the answer was lost
                raise
            return True

        taken = self._ask(SUBMIT, submit)
        self.submitted = self.submitted or taken
        return taken

    def _ask(self, permission: str, call: Callable[[Client], T]) -> T:
        """Ask one control Region after the other, beginning with the one that answered last."""
        failures = []
        for region in tuple(self._regions):
            try:
                answer = call(self._client_for("s3control", region, self._account))
            except ClientError as error:
                if error_code(error) not in _NEXT_REGION:
                    raise AwsFailure(self._explain(error, permission)) from error
                failures.append(f"{region}: {in_short(error)}.")
            except NO_ANSWER as error:
                failures.append(f"{region}: {explain_connection(error)}")
            else:
                self.region = region
                return answer
            self._regions.append(self._regions.pop(0))
        raise AwsFailure(
            f"routes of {self.arn}: none of the Regions that take them did. {' '.join(failures)} Run again; if a "
            f"Region refused, allow {permission} there."
        )

    def _explain(self, error: ClientError, permission: str) -> str:
        code = error_code(error)
        said = f"routes of {self.arn}: AWS refused {error.operation_name} ({in_short(error)})."
        if code in (_SINGLE_REGION, "405"):
            return f"{said} An access point of one bucket has nothing to route. Make one with a bucket in each Region."
        if code == "NoSuchMultiRegionAccessPoint":
            return f"{said} Correct `mrap`; it must belong to account {self._account}."
        return f"{said} Correct what the message names, then run again. Needs {permission}."

    def _too_late(self, taken: bool, routes: Sequence[Route], wanted: Sequence[Route], seconds: float) -> AwsFailure:
        still = f"After {seconds:.0f} s it has {listed(routes)}, and not {listed(wanted)}"
        if taken:
            return NotShown(
                f"routes of {self.arn}: {self.region} took the change. {still}. AWS says that it takes up to two "
                "minutes: run again, which waits on, or give a longer `timeout`."
            )
        return AwsFailure(
            f"routes of {self.arn}: another change of them is under way, and S3 takes one at a time. {still}. Find "
            "out who changes them, then run again."
        )


def find_arn(client_for: ClientFor, account: Account, mrap: str, avoid: Collection[str] = ()) -> str:
    """The ARN of an access point. Of an ARN or alias nothing is asked; a name needs the Region of management.

    Raises:
        InvalidInput: it cannot be one.
        AwsFailure: there is none of this name or it has no alias yet, or the Region of management does not answer.
    """
    check_mrap(mrap, avoid)
    known = arn_without_asking(mrap, account)
    if known is not None:
        return known
    what = f"Multi-Region Access Point '{mrap}', whose name only {MANAGED_IN} knows (an ARN or alias needs no look-up)"
    with asking(what, "s3:GetMultiRegionAccessPoint"):
        client = client_for("s3control", MANAGED_IN, account.id)
        point = client.get_multi_region_access_point(AccountId=account.id, Name=mrap)["AccessPoint"]
    if not point.get("Alias"):
        raise AwsFailure(
            f"Multi-Region Access Point '{mrap}' has no alias yet, so it has no routes: its status is "
            f"{point.get('Status', 'not told')}. Wait until that is READY, then run again."
        )
    return arn_of(point["Alias"], account.id, account.partition)


def route_control(
    client_for: ClientFor, account: Account, mrap: str, avoid: Collection[str] = (), first: str | None = None
) -> RouteControl:
    """The control of an access point's routes, without the Regions to avoid.

    Args:
        mrap: its ARN, alias or name.
        first: the Region to ask first, if it is one that takes routes.

    Raises:
        InvalidInput: `mrap` cannot be one, or no Region is left.
        AwsFailure: its name cannot be looked up.
    """
    regions = control_regions(avoid, first)
    owner = owner_in(mrap) or account
    return RouteControl(client_for, owner.id, find_arn(client_for, account, mrap, avoid), regions)
