# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a backfill costs and how long it takes: an estimate, with the prices and assumptions that it is made from.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .model import STORAGE_CLASSES, InvalidInput

_S3_PRICING = "S3 pricing, https://aws.amazon.com/s3/pricing/"

KNOWN_PRICES: Mapping[str, Any] = {
    "date": "2026-11-23",
    "job": {"usd": 0.25, "confirmed": True, "source": _S3_PRICING},
    "million_objects": {"usd": 1.0, "confirmed": True, "source": _S3_PRICING},
    "million_listed": {"usd": 0.015, "confirmed": True, "source": _S3_PRICING},
    "put_1000": {
        "STANDARD": {"usd": 0.005, "confirmed": True, "source": _S3_PRICING},
        "STANDARD_IA": {"usd": 0.01, "confirmed": False, "source": "not looked up again"},
    },
    "transfer_gb": {"usd": 0.02, "confirmed": False, "source": "tests of Infracost, without a date"},
}
"""US dollars in us-east-1, and from there to us-west-2. `confirmed`: AWS's own page said so at that date."""

_SINGLE = ("job", "million_objects", "million_listed", "transfer_gb")
_GIB = 2**30
_MILLION = 1_000_000

OBJECTS_PER_SECOND = 1000
GIGABITS_PER_SECOND = 1
"""Neither is promised. The second is the default quota of replication traffic that S3 RTC names."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What things cost, in US dollars.

    Attributes:
        put_1000: by the storage class in which replicas arrive.
        unconfirmed: the names of those that nobody could look up again.
    """

    date: str
    job: float
    million_objects: float
    million_listed: float
    transfer_gb: float
    put_1000: Mapping[str, float]
    unconfirmed: tuple[str, ...] = ()


def prices_of(given: Mapping[str, Any]) -> Prices:
    """The known prices, with those that the user gives in their place.

    Raises:
        InvalidInput: there is no such price, or one is no amount.
    """
    unknown = sorted(set(given) - set(KNOWN_PRICES))
    if unknown:
        raise InvalidInput(f"prices: there is no price {', '.join(unknown)}. Known are {', '.join(KNOWN_PRICES)}.")
    by_class = given.get("put_1000", {})
    if not isinstance(by_class, Mapping) or set(by_class) - set(STORAGE_CLASSES):
        raise InvalidInput("prices: below `put_1000` stands a price for each storage class, as STANDARD. Write it so.")
    table = {**KNOWN_PRICES, **given, "put_1000": {**KNOWN_PRICES["put_1000"], **by_class}}
    entries = {name: table[name] for name in _SINGLE} | {
        f"put_1000.{name}": entry for name, entry in table["put_1000"].items()
    }
    usd = {name: _amount(name, entry) for name, entry in entries.items()}
    return Prices(
        date=str(table["date"]),
        **{name: usd[name] for name in _SINGLE},
        put_1000={name: usd[f"put_1000.{name}"] for name in table["put_1000"]},
        unconfirmed=tuple(name for name, entry in entries.items() if not entry.get("confirmed", False)),
    )


def _amount(name: str, entry: Any) -> float:
    usd = entry.get("usd") if isinstance(entry, Mapping) else None
    if isinstance(usd, bool) or not isinstance(usd, int | float) or usd < 0:
        raise InvalidInput(f"prices: `{name}` has no amount `usd`. Write it like {{usd: 0.02, confirmed: true}}.")
    return float(usd)


@dataclass(frozen=True, slots=True)
class Way:
    """To one bucket.

    Attributes:
        arrives_in: the storage class of the replicas.
        crosses_regions: whether AWS charges for the transfer.
    """

    arrives_in: str = "STANDARD"
    crosses_regions: bool = True


@dataclass(frozen=True, slots=True)
class Work:
    """What a job has to do.

    Attributes:
        versions: that it brings.
        size: in bytes.
        in_sync: that it goes over besides, since its filter takes them, too; at most.
        in_sync_size: of those, in bytes.
        listed: versions of the source through which S3 looks for those that the filter takes; 0: it is given a list.
        listed_in_part: S3 looks through more than that, and nobody knows how many.
        way: to the bucket that lacks the versions.
        further: to the other buckets to which a rule leads. What they lack is not known.
    """

    versions: int
    size: int
    in_sync: int = 0
    in_sync_size: int = 0
    listed: int = 0
    listed_in_part: bool = False
    way: Way = Way()
    further: tuple[Way, ...] = ()


def estimate(work: Work, prices: Prices) -> dict[str, Any]:
    """`usd` by component and in total, `hours`, and what both are made from. Nothing to bring costs nothing."""
    arrivals = _arrivals(work)
    usd = {
        "job": prices.job if work.versions else 0.0,
        "objects": _tasks(work) * prices.million_objects / _MILLION,
        "manifest": work.listed * prices.million_listed / _MILLION if work.versions else 0.0,
        "put": sum(versions * prices.put_1000[_known(way, prices)] / 1000 for way, versions, _size in arrivals),
        "transfer": sum(size / _GIB * prices.transfer_gb for way, _versions, size in arrivals if way.crosses_regions),
    }
    used = [*_used(work), *(f"put_1000.{_known(way, prices)}" for way, _versions, _size in arrivals)]
    return {
        "usd": {**{name: round(cost, 4) for name, cost in usd.items()}, "total": round(sum(usd.values()), 4)},
        "hours": round(_seconds(work) / 3600, 2),
        "prices_date": prices.date,
        "unconfirmed_prices": [name for name in prices.unconfirmed if name in used],
        "assumptions": _assumptions(work, prices),
    }


def _arrivals(work: Work) -> list[tuple[Way, int, int]]:
    """How many versions and bytes arrive by each way; at most, where nobody has looked."""
    if not work.versions:
        return []
    most = (work.versions + work.in_sync, work.size + work.in_sync_size)
    return [(work.way, work.versions, work.size), *((way, *most) for way in work.further)]


def _known(way: Way, prices: Prices) -> str:
    """The storage class by whose price a PUT is counted."""
    return way.arrives_in if way.arrives_in in prices.put_1000 else "STANDARD"


def _used(work: Work) -> list[str]:
    listed = ["million_listed"] if work.listed else []
    return ["job", "million_objects", *listed, *(["transfer_gb"] if _crossing(work) else [])]


def _crossing(work: Work) -> bool:
    return any(way.crosses_regions for way in (work.way, *work.further))


def _tasks(work: Work) -> int:
    """Without versions to bring there is no job."""
    return work.versions + work.in_sync if work.versions else 0


def _seconds(work: Work) -> float:
    by_number = _tasks(work) / OBJECTS_PER_SECOND
    by_size = max((size for _way, _versions, size in _arrivals(work)), default=0) * 8 / (GIGABITS_PER_SECOND * 1e9)
    return max(by_number, by_size)


def _assumptions(work: Work, prices: Prices) -> list[str]:
    speed = f"{OBJECTS_PER_SECOND} objects and {GIGABITS_PER_SECOND} gigabit a second"
    said = [
        f"The time assumes {speed}. AWS promises neither, and a job may wait for others.",
        "Prices differ by Region. Requests to KMS and the storage of the replicas are not counted.",
    ]
    classes = dict.fromkeys(way.arrives_in for way in (work.way, *work.further))
    said += [
        f"No price is known of a PUT into {name}, so that of STANDARD was taken."
        for name in classes
        if name not in prices.put_1000
    ]
    if work.in_sync:
        said.append(
            f"{work.in_sync} versions that are there already may be tasks of the job, too. Whether AWS charges for "
            "them is not known, so they are counted as tasks, and neither as PUT nor as transfer to this bucket."
        )
    if work.listed_in_part:
        said.append(
            f"S3 goes through all versions of the source bucket, and only {work.listed} of them were counted, below "
            f"the prefix. Each further million costs {prices.million_listed} US dollars. With `select: findings` S3 "
            "goes through none."
        )
    if work.further:
        said.append(
            f"A job works by all rules, and they lead to {len(work.further) + 1} buckets. What the others lack is not "
            "known, so PUT and transfer are counted as if they lacked every version that may be a task, which is the "
            "most that it can cost."
        )
    return said
