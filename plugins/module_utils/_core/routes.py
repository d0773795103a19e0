# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The routes of a Multi-Region Access Point: which of its buckets gets requests.

Sources: S3 User Guide, "Amazon S3 Multi-Region Access Points routing states" and "Using failover controls"; S3 API
Reference, "SubmitMultiRegionAccessPointRoutes" (dials, Regions, up to 2 minutes).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from .access_points import MANAGED_IN, arn_of, is_access_point_name
from .model import Account, Document, InvalidInput, Refused, check_bucket_name, check_region

CONTROL_REGIONS = ("us-east-1", "us-west-2", "ap-southeast-2", "ap-northeast-1", "eu-west-1")
"""Only here are routes read and submitted. Everything else of an access point is asked in `MANAGED_IN`."""

EXPECTED_SECONDS = 120
"""AWS says that a change takes up to two minutes."""

_ALIAS = re.compile(r"[a-z][a-z0-9]*\.mrap")
_ARN = re.compile(rf"arn:aws[\w-]*:s3::(?P<account>\d{{12}}):accesspoint/{_ALIAS.pattern}")
_OPEN, _CLOSED = 100, 0


@dataclass(frozen=True, slots=True)
class Route:
    """One bucket of an access point, and whether it gets requests."""

    bucket: str
    region: str
    active: bool


@dataclass(frozen=True, slots=True)
class Dial:
    """What is wished of one route, named by its bucket or by its Region.

    Raises:
        InvalidInput: it names both or none, or what cannot be a name.
    """

    active: bool
    bucket: str | None = None
    region: str | None = None

    def __post_init__(self) -> None:
        if (self.bucket is None) == (self.region is None):
            raise InvalidInput(
                f"route of bucket '{self.bucket or ''}' and Region '{self.region or ''}': an access point has one "
                "bucket a Region, so name one of both."
            )
        if self.bucket is not None:
            check_bucket_name(self.bucket)
        if self.region is not None:
            check_region(self.region, "route")

    def __str__(self) -> str:
        return f"bucket '{self.bucket}'" if self.bucket else f"Region {self.region}"

    def is_of(self, route: Route) -> bool:
        """Whether it speaks of this route."""
        return route.bucket == self.bucket or route.region == self.region


def check_dials(dials: Sequence[Dial]) -> None:
    """Refuse what would leave no bucket that gets requests, before AWS is asked for anything.

    Raises:
        InvalidInput: no dial is active, or one is given twice.
    """
    if not any(dial.active for dial in dials):
        raise InvalidInput(
            "`routes` names none that is active, and S3 keeps at least one that gets requests. Set `active: true` for "
            "the one that is to get them."
        )
    names = [str(dial) for dial in dials]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"`routes` names {', '.join(twice)} twice. Leave one of them out.")


def switched(active: str, passive: Iterable[str]) -> tuple[Dial, ...]:
    """The wish that one bucket gets requests and the others do not; what else the access point has stays."""
    return (Dial(True, bucket=active), *(Dial(False, bucket=bucket) for bucket in passive))


def changed_routes(dials: Iterable[Dial], routes: Sequence[Route]) -> tuple[Route, ...]:
    """The routes that are not as wished, as they should be. Submitted together, no moment is without an active one.

    Raises:
        Refused: the access point has no such route, or it is wished in two ways.
    """
    wished: dict[str, Route] = {}
    for dial in dials:
        route = next((one for one in routes if dial.is_of(one)), None)
        if route is None:
            raise Refused(
                f"{dial} is not part of the access point, which has {listed(routes)}. Its buckets can never be "
                "changed: name one of these, or make another access point."
            )
        asked = replace(route, active=dial.active)
        if wished.setdefault(route.bucket, asked) != asked:
            raise Refused(
                f"`routes` wishes bucket '{route.bucket}' active by one name and passive by the other. Correct it."
            )
    return tuple(route for route in wished.values() if route not in routes)


def applied_to(routes: Iterable[Route], changed: Iterable[Route]) -> tuple[Route, ...]:
    """The routes with those that were changed in their places."""
    by_bucket = {route.bucket: route for route in changed}
    return tuple(by_bucket.get(route.bucket, route) for route in routes)


def listed(routes: Iterable[Route]) -> str:
    """The routes in words."""
    said = [f"{route.bucket} ({route.region}) {'active' if route.active else 'passive'}" for route in routes]
    return ", ".join(said) or "no bucket"


def as_updates(routes: Iterable[Route]) -> list[Document]:
    """The routes as S3 is told them. It takes no dial but 0 and 100."""
    return [{"Bucket": route.bucket, "TrafficDialPercentage": _OPEN if route.active else _CLOSED} for route in routes]


def from_answer(found: Iterable[Document]) -> tuple[Route, ...]:
    """The routes as S3 tells them, in the order of their Regions."""
    routes = [Route(one["Bucket"], one["Region"], one["TrafficDialPercentage"] == _OPEN) for one in found]
    return tuple(sorted(routes, key=lambda route: (route.region, route.bucket)))


def control_regions(avoid: Collection[str] = (), first: str | None = None) -> tuple[str, ...]:
    """The Regions through which routes are asked, in the order in which they are tried.

    Args:
        avoid: Regions that are lost and of which nothing may be asked.
        first: a Region that is known to work; it is tried first if it is one of them.

    Raises:
        InvalidInput: none is left.
    """
    for region in avoid:
        check_region(region, "Region to avoid")
    left = [region for region in CONTROL_REGIONS if region not in avoid]
    if not left:
        raise InvalidInput(
            f"routes can be changed through {', '.join(CONTROL_REGIONS)} only, and all of them are to be avoided. "
            "Leave one out."
        )
    return tuple(sorted(left, key=lambda region: region != first))


# --- which access point --------------------------------------------------------------------------------------


def check_mrap(mrap: str, avoid: Collection[str] = ()) -> None:
    """Refuse what cannot be an access point's ARN, alias or name, and a name that cannot be looked up.

    Raises:
        InvalidInput: it is none, or its Region of management is to be avoided.
    """
    if is_name(mrap) and not is_access_point_name(mrap):
        raise InvalidInput(
            f"Multi-Region Access Point '{mrap}': it is neither an ARN like "
            "arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap, nor an alias like mfzwi23gnjvgw.mrap, nor a name "
            "of 3 to 50 lower-case letters, digits and '-'. Correct it."
        )
    if is_name(mrap) and MANAGED_IN in avoid:
        raise InvalidInput(
            f"Multi-Region Access Point '{mrap}': only {MANAGED_IN} knows which access point has this name, and it is "
            "to be avoided. Give the ARN or the alias, which need no Region to be looked up."
        )


def is_name(mrap: str) -> bool:
    """Whether it is a name, which only the Region of management can make an alias of."""
    return not (_ARN.fullmatch(mrap) or _ALIAS.fullmatch(mrap))


def arn_without_asking(mrap: str, account: Account) -> str | None:
    """The ARN of an ARN or alias; None: it is a name, and must be looked up."""
    if _ARN.fullmatch(mrap):
        return mrap
    return arn_of(mrap, account.id, account.partition) if _ALIAS.fullmatch(mrap) else None


def owner_in(mrap: str) -> Account | None:
    """Whose the access point is; None: it is an alias or name, and one of the caller's account."""
    if not _ARN.fullmatch(mrap):
        return None
    _arn, partition, _service, _region, account, _resource = mrap.split(":", 5)
    return Account(account, partition)
