# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The pointer of a pair: a parameter of one name in both Regions that tells clients which bucket is active.

A client reads one parameter in its own Region and knows where to write. A failover sets it, and whatever only declares
the pair leaves the active end as it is. After a failover without the lost Region the two differ; then the one that was
switched last is right.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .journal import Side
from .merging import is_ours, owner_tags
from .model import Account, Address, Document, End, InvalidInput, Pair, Refused
from .operations import check_path
from .plan import Wish

SCHEMA = "crossregion.s3_dr/pointer/1"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def pointer_regions(pair: Pair) -> tuple[str, ...]:
    """Where the pointer is: in the Region of each end."""
    return tuple(dict.fromkeys((pair.primary.region, pair.dr.region)))


def pointer_name(pair: str, path: str) -> str:
    """The name of the parameter, the same in each Region.

    Raises:
        InvalidInput: Parameter Store takes no such path.
    """
    check_path(path)
    return f"{path}/{pair}"


def pointer_address(pair: str, path: str, account: Account, region: str) -> Address:
    """The address of the pointer in a Region."""
    return Address("ssm_parameter", pointer_name(pair, path), region, account.id)


def pointer_value(pair: Pair, active: str, since: str | None = None, run: str | None = None) -> dict[str, Any]:
    """What the parameter says, in the order in which a person reads it.

    Args:
        active: `primary` or `dr`.
        since: when it was switched, in UTC, like 2026-11-23T14:03:22Z; None: never.
        run: the ID of the failover or failback that switched it.
    """
    if since is not None and not _MOMENT.fullmatch(since):
        raise InvalidInput(f"pair '{pair.name}': '{since}' is no time of a switch. Write it like 2026-11-23T14:03:22Z.")
    end = pair.dr if Side(active) is Side.DR else pair.primary
    return {
        "schema": SCHEMA,
        "pair": pair.name,
        "active": Side(active).value,
        **_place(end),
        "primary": _place(pair.primary),
        "dr": _place(pair.dr),
        "since": since,
        "run": run,
    }


def _place(end: End) -> dict[str, str]:
    return {"bucket": end.bucket, "region": end.region}


def pointer_wish(
    pair: Pair, active: str, *, since: str | None, run: str | None, path: str, account: Account, region: str
) -> Wish:
    """The pointer in a Region, pointing to one end."""
    value = pointer_value(pair, active, since, run)
    address = pointer_address(pair.name, path, account, region)
    return {address: {"Type": "String", "Value": value, "Tags": owner_tags()}}


def kept_wish(pair: Pair, path: str, account: Account, region: str, told: Iterable[Mapping[str, Any] | None]) -> Wish:
    """The pointer in a Region, pointing to the end that is active already, and else to the primary.

    Args:
        told: what the pointers of all Regions say; None where there is none.
    """
    last = latest(told)
    active, since, run = (last["active"], last["since"], last["run"]) if last else (Side.PRIMARY, None, None)
    return pointer_wish(pair, active, since=since, run=run, path=path, account=account, region=region)


def latest(told: Iterable[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """What was switched last, of what several Regions say."""
    return max((one for one in told if one), key=lambda one: str(one["since"] or ""), default=None)


def told_by(pair: str, address: Address, document: Document | None) -> Mapping[str, Any] | None:
    """What the parameter says of the pair; None: there is none.

    Raises:
        Refused: it is ours and says something else, as what a verify said of the pair.
    """
    if document is None:
        return None
    value = document.get("Value")
    if isinstance(value, Mapping) and (value.get("schema"), value.get("pair")) == (SCHEMA, pair) and _is_whole(value):
        return value
    if is_ours(document):
        raise Refused(
            f"{address}: it exists already and is no pointer of the pair '{pair}'. Choose another `path`, one that no "
            "other role of this collection has, such as /s3-dr-active."
        )
    return None  # somebody else's, which the plan refuses


def _is_whole(value: Mapping[str, Any]) -> bool:
    """Whether it says all that is needed; somebody may have written it by hand."""
    since = value.get("since")
    said_when = since is None or (isinstance(since, str) and bool(_MOMENT.fullmatch(since)))
    return value.get("active") in tuple(Side) and said_when and "run" in value


def removal_wish(pair: str, path: str, account: Account, region: str, document: Document | None) -> Wish:
    """What goes in a Region; a parameter that is no pointer of the pair stays.

    Raises:
        Refused: it is ours and no pointer of the pair.
    """
    address = pointer_address(pair, path, account, region)
    told_by(pair, address, document)
    return {address: {}}
