# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a pair costs in a month: an estimate, item by item, with what each figure rests on, and what other choices cost.

Sources of what is charged: S3 User Guide, "Replicating objects"; S3 pricing; CloudWatch pricing; KMS pricing.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .lifecycle_rules import MINIMUM_DAYS
from .model import STORAGE_CLASSES, End, InvalidInput, Link, Observation, Pair, Rule

_GIB = 2**30
_MILLION = 1_000_000
_METRICS_OF_A_RULE = 4
_ALARMS_OF_A_RULE = 5
COMPARED_CLASSES = ("STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")


# --- prices --------------------------------------------------------------------------------------------------

_SINGLE = (
    "transfer_gb",
    "rtc_gb",
    "metric_month",
    "alarm_month",
    "kms_key_month",
    "kms_10000",
    "batch_job",
    "batch_million",
    "data_events_100000",
)
_BY_CLASS = ("storage_gb_month", "replication_put_1000")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one unit, when it was found, and whether it was found where AWS keeps it up to date."""

    usd: float
    confirmed: bool


@dataclass(frozen=True, slots=True)
class PriceList:
    """All prices, by name; of a storage class as `storage_gb_month.STANDARD`."""

    date: str
    prices: Mapping[str, Price]

    def price(self, name: str) -> Price | None:
        """The price; None: nobody knows it."""
        return self.prices.get(name)


def price_list_from(table: Mapping[str, Any]) -> PriceList:
    """Prices as a variables file has them: each with `usd` and `confirmed`.

    Raises:
        InvalidInput: a price that has no default is missing, or one is no amount.
    """
    entries: dict[str, Any] = {name: table.get(name) for name in _SINGLE}
    for group in _BY_CLASS:
        by_class = table.get(group)
        if not isinstance(by_class, Mapping) or set(by_class) - set(STORAGE_CLASSES):
            raise InvalidInput(f"prices: below `{group}` stands a price for each storage class, as STANDARD.")
        entries |= {f"{group}.{name}": entry for name, entry in by_class.items()}
    return PriceList(str(table.get("date", "unknown")), {name: _price(name, one) for name, one in entries.items()})


def _price(name: str, entry: Any) -> Price:
    usd = entry.get("usd") if isinstance(entry, Mapping) else None
    if isinstance(usd, bool) or not isinstance(usd, int | float) or usd < 0:
        raise InvalidInput(f"prices: `{name}` has no amount `usd`. Write it like {{usd: 0.02, confirmed: false}}.")
    return Price(float(usd), bool(entry.get("confirmed", False)))


# --- usage ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """How much a bucket holds, and how much is written to it.

    Attributes:
        stored: bytes by storage class.
        objects: versions and delete markers; None: not known.
        written, objects_written: what a month brings, bytes and objects; None: not known.
        basis: what these figures rest on, for people.
    """

    stored: Mapping[str, int]
    objects: int | None
    written: int | None
    objects_written: int | None
    basis: str

    @property
    def size(self) -> int:
        """Bytes of all classes."""
        return sum(self.stored.values())


def usage_from(said: Mapping[str, Any], bucket: str) -> Usage:
    """The usage of one bucket as plain values.

    Raises:
        InvalidInput: a figure is none.
    """
    stored = said.get("stored_bytes", {})
    if not isinstance(stored, Mapping) or set(stored) - set(STORAGE_CLASSES):
        raise InvalidInput(f"usage of '{bucket}': `stored_bytes` has bytes by storage class, as {{STANDARD: 1000}}.")
    figures = {name: said.get(name) for name in ("objects", "monthly_bytes", "monthly_objects")}
    for name, value in {**figures, **{f"stored_bytes.{one}": size for one, size in stored.items()}}.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise InvalidInput(f"usage of '{bucket}': {name} is '{value}'. Write a number, 0 or more.")
    return Usage(
        stored={name: int(size) for name, size in stored.items()},
        objects=_whole(figures["objects"]),
        written=_whole(figures["monthly_bytes"]),
        objects_written=_whole(figures["monthly_objects"]),
        basis=str(said.get("basis", "figures that were given")),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


# --- items ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the forecast.

    Attributes:
        usd: None: it cannot be said, `basis` tells why.
        monthly: else it is paid once.
        price: the name of the price.
    """

    item: str
    of: str
    usd: float | None
    basis: str
    price: str
    confirmed: bool
    monthly: bool = True

    def as_result(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "item": self.item,
            "of": self.of,
            "usd": None if self.usd is None else round(self.usd, 2),
            "per": "month" if self.monthly else "once",
            "basis": self.basis,
            "price": self.price,
            "price_confirmed": self.confirmed,
        }


@dataclass(frozen=True, slots=True)
class Extras:
    """What else is paid for.

    Attributes:
        alarms: whether the pair has the alarms of the role `alarms`.
        data_events: whether a trail records the writes to both buckets.
        bucket_keys: whether Bucket Keys save requests to KMS.
    """

    alarms: bool = True
    data_events: bool = False
    bucket_keys: bool = False


class Forecast:
    """The forecast of one pair."""

    def __init__(self, pair: Pair, usage: Mapping[str, Usage], prices: PriceList, extras: Extras) -> None:
        """`usage` is by bucket; one that is missing is not known."""
        self._pair = pair
        self._usage = usage
        self._prices = prices
        self._extras = extras

    def items(self) -> list[Item]:
        """All lines: storage, then what replication costs, then what watches it, then what is paid once."""
        links = self._pair.links()
        return [
            *(item for end in self._pair.ends() for item in self._storage(end)),
            *(item for link in links for item in self._replication(link)),
            *(item for link in links for item in self._watching(link)),
            *self._data_events(),
            *self._keys(),
            *self._backfill(links[0]),
        ]

    def as_result(self) -> dict[str, Any]:
        """`items`, the `usd_month` of those that are known, what is `unknown`, and what other `options` cost."""
        items = self.items()
        found = {
            "pair": self._pair.name,
            "usd_month": round(_monthly(items), 2),
            "items": [item.as_result() for item in items],
            "unknown": [f"{item.item} of {item.of}: {item.basis}" for item in items if item.usd is None],
            "unconfirmed_prices": sorted({item.price for item in items if not item.confirmed and item.usd}),
            "prices_date": self._prices.date,
            "options": self.options(),
        }
        return {**found, "text": _text(found)}

    def options(self) -> list[dict[str, Any]]:
        """What the pair would cost with replication time control or without, and with replicas of each class."""
        found: list[dict[str, Any]] = []
        if self._usage.get(self._pair.primary.bucket) is None:
            return found  # nothing that differs could be said
        for storage_class in COMPARED_CLASSES:
            if self._prices.price(f"storage_gb_month.{storage_class}") is None:
                continue
            for rtc in (False, True):
                items = self._with(storage_class, rtc).items()
                found.append(
                    {
                        "storage_class": storage_class,
                        "rtc": rtc,
                        "usd_month": round(_monthly(items), 2),
                        "note": _note(storage_class, items),
                    }
                )
        return found

    def _with(self, storage_class: str, rtc: bool) -> Forecast:
        """The same pair with all replicas in one class, those that are there as well."""
        observation = Observation.METRICS_AND_RTC if rtc else Observation.METRICS
        rules = tuple(replace(rule, observation=observation) for rule in self._pair.rules)
        pair = replace(self._pair, dr=replace(self._pair.dr, storage_class=storage_class), rules=rules)
        there = self._usage.get(pair.dr.bucket) or self._as_copied(pair.dr.bucket)
        usage = dict(self._usage)
        if there is not None:
            usage[pair.dr.bucket] = replace(there, stored={storage_class: there.size})
        return Forecast(pair, usage, self._prices, self._extras)

    # --- lines ------------------------------------------------------------------------------------------------

    def _storage(self, end: End) -> Iterable[Item]:
        usage = self._usage.get(end.bucket) or self._as_copied(end.bucket)
        if usage is None:
            yield Item("storage", end.bucket, None, _NO_USAGE, "storage_gb_month.STANDARD", False)
            return
        for storage_class, size in usage.stored.items():
            name = f"storage_gb_month.{storage_class}"
            yield self._priced(f"storage {storage_class}", end.bucket, size / _GIB, name, f"{_gb(size)}, {usage.basis}")

    def _as_copied(self, bucket: str) -> Usage | None:
        """Of a DR bucket without figures: what the primary holds, in the class in which replicas arrive."""
        primary = self._usage.get(self._pair.primary.bucket)
        if primary is None or bucket != self._pair.dr.bucket:
            return None
        arrives = self._pair.dr.storage_class
        stored = {arrives: primary.size} if arrives else primary.stored
        return replace(primary, stored=stored, basis=f"as much as {self._pair.primary.bucket}, once all is copied")

    def _replication(self, link: Link) -> Iterable[Item]:
        source = link.source.bucket
        usage = self._usage.get(source)
        for destination, rules in _by_destination(link).items():
            of = f"{source} -> {destination.bucket}"
            share = "as if the rules took everything" if any(rule.prefix or rule.tags for rule in rules) else ""
            if usage is None or usage.written is None or usage.objects_written is None:
                yield Item("replication", of, None, _NO_GROWTH, "transfer_gb", False)
                continue
            basis = ", ".join(filter(None, [f"{_gb(usage.written)} a month", share, usage.basis]))
            if destination.region != link.source.region:
                yield self._priced("transfer", of, usage.written / _GIB, "transfer_gb", basis)
            name = f"replication_put_1000.{destination.storage_class or 'STANDARD'}"
            puts = f"{usage.objects_written:,} objects a month, {usage.basis}"
            yield self._priced("replication requests", of, usage.objects_written / 1000, name, puts)
            if any(rule.observation is Observation.METRICS_AND_RTC for rule in rules):
                yield self._priced("replication time control", of, usage.written / _GIB, "rtc_gb", basis)

    def _watching(self, link: Link) -> Iterable[Item]:
        rules = [rule for rule in link.rules if rule.enabled and rule.observation is not Observation.NONE]
        if not rules:
            return
        of, number = link.source.bucket, len(rules)
        metrics = number * _METRICS_OF_A_RULE
        yield self._priced("replication metrics", of, metrics, "metric_month", f"{metrics} metrics of {number} rules")
        if self._extras.alarms:
            alarms = number * _ALARMS_OF_A_RULE
            yield self._priced("alarms", of, alarms, "alarm_month", f"{alarms} alarms")

    def _data_events(self) -> Iterable[Item]:
        if not self._extras.data_events:
            return
        primary = self._usage.get(self._pair.primary.bucket)
        if primary is None or primary.objects_written is None:
            yield Item("data events", self._pair.name, None, _NO_GROWTH, "data_events_100000", False)
            return
        events = 2 * primary.objects_written
        basis = f"{events:,} writes a month at both ends, {primary.basis}"
        yield self._priced("data events", self._pair.name, events / 100_000, "data_events_100000", basis)

    def _keys(self) -> Iterable[Item]:
        """One request to decrypt and one for a data key for each object, unless Bucket Keys save them."""
        keys = [key for end in self._pair.ends() for key in end.kms_keys()]
        if not keys:
            return
        yield self._priced("KMS keys", self._pair.name, len(keys), "kms_key_month", f"{len(keys)} keys")
        primary = self._usage.get(self._pair.primary.bucket)
        if self._extras.bucket_keys or primary is None or primary.objects_written is None:
            why = "Bucket Keys save most of them" if self._extras.bucket_keys else _NO_GROWTH
            yield Item("KMS requests", self._pair.name, None, why, "kms_10000", False)
            return
        requests = 2 * primary.objects_written
        basis = f"{requests:,} requests a month, as if each object had a key of the pair"
        yield self._priced("KMS requests", self._pair.name, requests / 10_000, "kms_10000", basis)

    def _backfill(self, link: Link) -> Iterable[Item]:
        """What the first copy of all that is there costs, by S3 Batch Replication."""
        of, usage = f"{link.source.bucket} -> {link.destination.bucket}", self._usage.get(link.source.bucket)
        if usage is None or usage.objects is None:
            yield Item("first copy", of, None, _NO_USAGE, "batch_million", False, monthly=False)
            return
        units = {
            "batch_job": 1.0,
            "batch_million": usage.objects / _MILLION,
            "transfer_gb": usage.size / _GIB,
            f"replication_put_1000.{link.destination.storage_class or 'STANDARD'}": usage.objects / 1000,
        }
        known = {name: self._prices.price(name) for name in units}
        missing = [name for name, price in known.items() if price is None]
        usd = None if missing else sum(units[name] * price.usd for name, price in known.items() if price)
        basis = f"a backfill of {usage.objects:,} objects, {_gb(usage.size)}, if nothing is copied yet"
        sure = all(price is not None and price.confirmed for price in known.values())
        yield Item("first copy", of, usd, f"no price {missing[0]}" if missing else basis, "batch_million", sure, False)

    def _priced(self, item: str, of: str, units: float, name: str, basis: str) -> Item:
        price = self._prices.price(name)
        if price is None:
            return Item(item, of, None, f"no price {name} is known", name, False)
        return Item(item, of, units * price.usd, basis, name, price.confirmed)


_NO_USAGE = "neither CloudWatch nor you tell how much the bucket holds"
_NO_GROWTH = "neither CloudWatch nor you tell how much is written in a month"


def _by_destination(link: Link) -> dict[End, list[Rule]]:
    found: dict[End, list[Rule]] = {}
    for rule in link.rules:
        if rule.enabled:
            found.setdefault(link.destination_of(rule), []).append(rule)
    return found


def _monthly(items: Sequence[Item]) -> float:
    return sum(item.usd for item in items if item.usd is not None and item.monthly)


def _note(storage_class: str, items: Sequence[Item]) -> str:
    """What the sum does not say: an item without a price must not make a class look cheap."""
    days = MINIMUM_DAYS.get(storage_class)
    uncounted = dict.fromkeys(item.item for item in items if item.usd is None and item.monthly)
    said = [f"each replica is billed for at least {days} days"] if days else []
    return "; ".join([*said, *([f"not counted: {', '.join(uncounted)}"] if uncounted else [])])


def _gb(size: int) -> str:
    return f"{size / _GIB:,.1f} GiB"


def _text(found: Mapping[str, Any]) -> list[str]:
    """A line for the total, one for each item and one for each other choice."""
    more = ", and what is not known" if found["unknown"] else ""
    lines = [f"{found['pair']}: about {found['usd_month']:,.2f} USD a month{more}, by prices of {found['prices_date']}"]
    for item in found["items"]:
        usd = "not known" if item["usd"] is None else f"{item['usd']:,.2f}"
        mark = "" if item["price_confirmed"] or item["usd"] is None else " (price not confirmed)"
        lines.append(f"{usd:>12} {item['per']:<5}  {item['item']} of {item['of']}: {item['basis']}{mark}")
    for option in found["options"]:
        rtc = "with" if option["rtc"] else "without"
        note = f" ({option['note']})" if option["note"] else ""
        chosen = f"if replicas were in {option['storage_class']}, {rtc} RTC{note}"
        lines.append(f"{option['usd_month']:>12,.2f} month  {chosen}")
    return lines
