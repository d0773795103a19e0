# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Where a journey takes place: the pair, whose its ends are, and which of its Regions answer.

When a Region is lost, nothing here waits for it longer than a few seconds, and nothing is signed in there.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.canary import Side as Bucket
from .._aws.gateway import AwsFailure, Gateway, asking
from .._aws.row import Client
from .._aws.s3_rows import NO_BUCKET
from .._aws.sdk_errors import NO_ANSWER, THROTTLED, ClientError, error_code, in_short
from .._core.journal import Side
from .._core.model import Account, Accounts, End, Pair, Refused, Rule
from .clients import Clients, Credentials
from .pair_options import credentials_from

LOOK_SECONDS = 3.0
"""So long an end that may be lost is given to answer."""
PATIENT_SECONDS = 20.0
"""The same for one that a planned journey needs."""

T = TypeVar("T")


class Meanwhile(Generic[T]):
    """One call that goes on beside the others. Nobody waits for it longer than its time, not even when Python exits."""

    def __init__(self, call: Callable[[], T], seconds: float = LOOK_SECONDS) -> None:
        self._found: Future[T] = Future()
        self._until = time.monotonic() + seconds
        self._seconds = seconds
        threading.Thread(target=self._ask, args=(call,), name="meanwhile", daemon=True).start()

    def _ask(self, call: Callable[[], T]) -> None:
        try:
            self._found.set_result(call())
        except BaseException as error:  # whatever it is: who waits must hear of it
            self._found.set_exception(error)

    def answer(self) -> T:
        """What it returned.

        Raises:
            AwsFailure: it has not, in its time. And what it raised itself.
        """
        try:
            return self._found.result(timeout=max(0.0, self._until - time.monotonic()))
        except TimeoutError:
            raise AwsFailure(f"there was no answer within {self._seconds:.0f} s.") from None


@dataclass(frozen=True, slots=True)
class Site:
    """The pair of a journey, and the way to AWS.

    Attributes:
        to: the end that is to be active.
        living: the Regions that answer.
        lost: why the other end does not answer, or is not there; empty: it is.
        hurry: so many seconds the Region of the old end is given to answer; None: as long as it takes.
    """

    module: AnsibleAWSModule
    gateway: Gateway
    clients: Clients
    pair: Pair
    accounts: Accounts
    to: Side
    living: frozenset[str]
    lost: str = field(default="")
    hurry: float | None = field(default=None)

    @property
    def new(self) -> End:
        """The end that is to be active."""
        return self.end(self.to)

    @property
    def old(self) -> End:
        """The other one."""
        return self.end(self.to.other)

    def end(self, side: Side) -> End:
        """The end of that side."""
        return end_of(self.pair, side)

    def account(self, side: Side) -> Account:
        """Whose that end is."""
        return self.accounts[self.end(side).bucket]

    def bucket(self, side: Side) -> Bucket:
        """The bucket of that side, with a client for it."""
        end, account = self.end(side), self.account(side)
        return Bucket(end, account.id, self.clients("s3", end.region, account.id))

    def asked(self, region: str, call: Callable[[], T]) -> T:
        """What a call to a Region returns. In a hurry, that of the old end is not waited for any longer.

        Raises:
            AwsFailure: it has not answered in its time. And what the call raised itself.
        """
        if self.hurry is None or region != self.old.region or region == self.new.region:
            return call()
        return Meanwhile(call, self.hurry).answer()

    @property
    def is_predicting(self) -> bool:
        """Whether nothing may be changed."""
        return bool(self.module.check_mode)


def end_of(pair: Pair, side: Side) -> End:
    """The end of that side."""
    return pair.primary if side is Side.PRIMARY else pair.dr


def sign_in(
    module: AnsibleAWSModule, gateway: Gateway, clients: Clients, pair: Pair, to: Side, seconds: float = LOOK_SECONDS
) -> tuple[Site, Meanwhile[str]]:
    """The site, and a look at the other end that is still on its way: see `looked_at`.

    Whatever the credentials are, they are signed in at the Region of the new end.

    Args:
        seconds: how long the other end is given to answer.

    Raises:
        InvalidInput, AwsFailure: the credentials of an end are not its own, or are not accepted.
    """
    new, old = end_of(pair, to), end_of(pair, to.other)
    credentials = _of_the_ends(credentials_from(module.params), new, old)
    accounts = clients.accounts_of(_as_if_all_in(new.region, pair, new, old), credentials)
    site = Site(module, gateway, clients, pair, accounts, to, frozenset({new.region}))
    client = clients("s3", old.region, accounts[old.bucket].id)
    return site, Meanwhile(lambda: _why_gone(client, old, accounts[old.bucket]), seconds)


def _as_if_all_in(region: str, pair: Pair, new: End, old: End) -> Pair:
    """The pair as far as signing in goes, with all ends in the Region that is left: its STS is asked for them all.

    The new end comes last: where both have credentials of one account, the Region is reached by its own.
    """
    first, second = (End(end.bucket, region, account_id=end.account_id) for end in (old, new))
    return Pair(pair.name, first, second, (Rule("all"),), allow_same_region=True)


def _of_the_ends(credentials: Mapping[str, Credentials], *ends: End) -> dict[str, Credentials]:
    return {end.bucket: credentials[end.bucket] for end in ends if end.bucket in credentials}


def _why_gone(client: Client, end: End, account: Account) -> str:
    """Why the bucket is not there; empty if it is, or if it is there for others.

    Raises:
        AwsFailure: S3 answers, and does not serve.
    """
    try:
        client.head_bucket(Bucket=end.bucket, ExpectedBucketOwner=account.id)
    except ClientError as error:
        if error_code(error) in THROTTLED:
            raise AwsFailure(f"its S3 only says {error_code(error)}.") from error
        return f"there is no bucket {end.bucket}" if error_code(error) in NO_BUCKET else ""
    return ""


def looked_at(site: Site, look: Meanwhile[str]) -> Site:
    """The site, with what the look at the other end told."""
    try:
        gone = look.answer()
    except AwsFailure as failure:
        return replace(site, lost=f"{site.old.region} does not answer: {failure}")
    except NO_ANSWER as error:
        return replace(site, lost=f"{site.old.region} does not answer: {in_short(error)}")
    return replace(site, living=site.living | {site.old.region}, lost=gone)


def require_both(site: Site) -> Site:
    """The site of a journey that needs both ends, signed in to every bucket of the pair.

    Raises:
        Refused: the other end is not there; with the way to go on.
    """
    if site.lost:
        raise Refused(
            f"pair '{site.pair.name}': a planned failover needs both ends, and {site.old.bucket} is not there: "
            f"{site.lost.rstrip('.')}. If it is lost, set `mode: unplanned`."
        )
    accounts = site.clients.accounts_of(site.pair, credentials_from(site.module.params))
    return replace(site, accounts=accounts)


def caller_arn(clients: Clients, region: str, account: Account) -> str:
    """Who the credentials of an account are, as STS of a Region tells it."""
    with asking(f"the caller's identity in {region}", "no permission"):
        answer: dict[str, Any] = clients("sts", region, account.id).get_caller_identity()
    return str(answer["Arn"])
