# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""One dashboard of all pairs: what is wrong first, then each pair with its directions, its storage and its cost.

Sources: S3 User Guide, "Using S3 Replication metrics" and "Metrics and dimensions" (Regions, statistics, storage
types); CloudWatch User Guide, "Using math expressions" (PERIOD, DIFF, IF, TIME_SERIES).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .alarms import AlarmSettings, alarms_wish, metric_dimensions, metric_region, suppressor_name
from .dashboard_body import GRID, MAX_ALARMS_OF_A_WIDGET, console
from .model import (
    STORAGE_CLASSES,
    Account,
    Address,
    Direction,
    Document,
    End,
    InvalidInput,
    Link,
    Observation,
    Pair,
    Rule,
)

MARK = "Made by crossregion.s3_dr"
"""What the text of our dashboard says, and what nobody else's does."""

RUNBOOK = "https://github.com/crossregion/s3_dr/blob/main/docs/troubleshooting.md"

_Widget: TypeAlias = "dict[str, Any]"
_RULES_OF_A_WIDGET = 50
"""As many lines as a person can still tell apart by pointing at them; further rules get a row of their own."""
_HEADER_HEIGHT = 4
_DAY = 86400
_DAYS_OF_A_MONTH = 30
_GIB = 1024**3

STORAGE_TYPES: Mapping[str, tuple[str, ...]] = {
    "STANDARD": ("StandardStorage",),
    "STANDARD_IA": ("StandardIAStorage",),
    "ONEZONE_IA": ("OneZoneIAStorage",),
    "INTELLIGENT_TIERING": ("IntelligentTieringFAStorage", "IntelligentTieringIAStorage"),
    "GLACIER_IR": ("GlacierInstantRetrievalStorage",),
    "GLACIER": ("GlacierStorage",),
    "DEEP_ARCHIVE": ("DeepArchiveStorage",),
    "REDUCED_REDUNDANCY": ("ReducedRedundancyStorage",),
}
"""What CloudWatch calls the storage of each class."""


# --- prices --------------------------------------------------------------------------------------------------

_PRICES = ("transfer_gb", "rtc_gb", "put_1000", "metric_month", "alarm_month", "composite_alarm_month")


@dataclass(frozen=True, slots=True)
class Prices:
    """What things cost, in US dollars: an estimate, since prices differ by Region and change.

    Attributes:
        date: when they were looked up.
        storage_gb_month: by storage class.
        unconfirmed: the names of those that nobody could look up again.
    """

    date: str
    storage_gb_month: Mapping[str, float]
    transfer_gb: float
    rtc_gb: float
    put_1000: float
    metric_month: float
    alarm_month: float
    composite_alarm_month: float
    unconfirmed: tuple[str, ...] = ()


def prices_from(table: Mapping[str, Any]) -> Prices:
    """Prices as the variables file has them: each with `usd`, its `source`, and whether it is `confirmed`.

    Raises:
        InvalidInput: something is missing or no number.
    """
    storage = table.get("storage_gb_month", {})
    if not isinstance(storage, Mapping):
        raise InvalidInput(
            "prices: `storage_gb_month` is no mapping. Write each storage class with its price below it."
        )
    entries = {
        **{name: table.get(name) for name in _PRICES},
        **{f"storage_gb_month.{name}": one for name, one in storage.items()},
    }
    found: dict[str, float] = {}
    for name, entry in entries.items():
        usd = entry.get("usd") if isinstance(entry, Mapping) else None
        if isinstance(usd, bool) or not isinstance(usd, int | float) or usd < 0:
            raise InvalidInput(f"prices: `{name}` has no amount `usd`. Write it like {{usd: 0.02, confirmed: false}}.")
        found[name] = float(usd)
    unconfirmed = tuple(name for name, entry in entries.items() if not (entry or {}).get("confirmed", False))
    by_class = {name: found.pop(f"storage_gb_month.{name}") for name in storage}
    return Prices(str(table.get("date", "unknown")), by_class, **found, unconfirmed=unconfirmed)


# --- settings ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """The user's choices.

    Attributes:
        name: the dashboard's, so that its text says whose it is.
        alarms: the alarms that the pairs have; None: none are shown.
        latency_seconds: the target that is drawn into the latencies.
        request_metrics_filter_id: the ID of the buckets' request metrics configuration; None: they have none.
        storage_classes: classes that buckets hold beside the ones in their declaration, by lifecycle rules.
        prices: None: no cost is estimated.
        runbook_url: where a person reads what to do.
    """

    name: str = "s3-dr"
    alarms: AlarmSettings | None = None
    latency_seconds: int = 900
    request_metrics_filter_id: str | None = None
    storage_classes: tuple[str, ...] = ()
    prices: Prices | None = None
    runbook_url: str = RUNBOOK

    def __post_init__(self) -> None:
        unknown = sorted(set(self.storage_classes) - set(STORAGE_CLASSES))
        if unknown:
            raise InvalidInput(
                f"storage class '{unknown[0]}': S3 has none of this name. Choose of {', '.join(STORAGE_CLASSES)}."
            )
        if self.latency_seconds < 1:
            raise InvalidInput(f"latency_seconds is {self.latency_seconds}. Use a target of at least 1 second.")
        if not self.runbook_url.startswith(("https://", "http://")) or re.search(r"[\s()<>]", self.runbook_url):
            raise InvalidInput(
                f"runbook_url: '{self.runbook_url}' is no URL. Write it like https://example.com/runbook."
            )


# --- text ----------------------------------------------------------------------------------------------------

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&])")


def escaped(text: str) -> str:
    """The text as Markdown that reads just so: names are the user's, and a rule's ID may be any ASCII."""
    return _MARKDOWN.sub(r"\\\1", text)


def _label(text: str) -> str:
    """The text as a line's label, in which `${...}` would be a property of the line."""
    return text.replace("${", "$ {")


# --- the grid ------------------------------------------------------------------------------------------------


@dataclass
class _Page:
    """Widgets from top to bottom."""

    widgets: list[_Widget] = field(default_factory=list)
    bottom: int = 0

    def row(self, height: int, widgets: Sequence[Document]) -> None:
        """One row; its widgets share the width of the grid."""
        left = 0
        for number, widget in enumerate(widgets):
            right = GRID * (number + 1) // len(widgets)
            place = {"x": left, "y": self.bottom, "width": right - left, "height": height}
            self.widgets.append({"type": widget["type"], **place, "properties": widget["properties"]})
            left = right
        self.bottom += height if widgets else 0


def _text(markdown: str) -> Document:
    return {"type": "text", "properties": {"markdown": markdown}}


def _graph(title: str, region: str, metrics: list[Any], **more: Any) -> Document:
    """A graph over time of each minute."""
    common = {"title": _label(title), "region": region, "view": "timeSeries", "period": 60}
    return {"type": "metric", "properties": {**common, "metrics": metrics, **more}}


# --- the whole -----------------------------------------------------------------------------------------------


def dashboard_body(pairs: Sequence[Pair], account: Account, settings: DashboardSettings) -> Document:
    """The body of the dashboard of all pairs.

    Raises:
        InvalidInput: there is no pair, or two have the same name.
    """
    names = [pair.name for pair in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"pair '{twice[0]}' is declared twice. Give each pair a name of its own.")
    if not pairs:
        raise InvalidInput("a dashboard needs at least one pair. Declare one, or remove the dashboard.")
    page = _Page()
    alarms = {pair.name: _alarms_of(pair, account, settings) for pair in pairs}
    page.row(_HEADER_HEIGHT, [_text(_header(pairs, account, settings))])
    every = [address for wish in alarms.values() for address in wish]
    _add_health(page, sorted(every, key=_acts_for_others, reverse=True), account)
    for pair in pairs:
        _add_pair(page, pair, alarms[pair.name], account, settings)
    return {"widgets": page.widgets}


def _alarms_of(pair: Pair, account: Account, settings: DashboardSettings) -> list[Address]:
    """The pair's alarms. The one that drills set says nothing about health."""
    if settings.alarms is None:
        return []
    wish = [one for one in alarms_wish(pair, settings.alarms, account) if one.name != suppressor_name(pair.name)]
    return sorted(wish, key=lambda one: (one.region, one.name))


def _acts_for_others(alarm: Address) -> bool:
    return alarm.kind == "composite_alarm"


def _header(pairs: Sequence[Pair], account: Account, settings: DashboardSettings) -> str:
    regions = sorted({end.region for pair in pairs for end in pair.ends()})
    alarms = " | ".join(
        f"[{region}]({console(account, region)}/cloudwatch/home?region={region}#alarmsV2:)" for region in regions
    )
    count = "1 pair" if len(pairs) == 1 else f"{len(pairs)} pairs"
    lines = [
        f"# S3 disaster recovery: {count}",
        f"**Alarms** {alarms} | [**What to do**]({settings.runbook_url}) | Latency target {settings.latency_seconds} s",
        "Latency and what is pending are measured in the destination's Region, failures in the source's.",
    ]
    if settings.alarms is None:
        lines[-1] += " No alarms are shown."
    if settings.request_metrics_filter_id is None:
        lines[-1] += " Request errors are not shown: the buckets have no request metrics configuration."
    if settings.prices:
        lines.append(_about_prices(settings.prices, _classes_of_all(pairs, settings)))
    lines.append(f"*{MARK} as dashboard `{settings.name}`; the next run undoes what is changed by hand.*")
    return "\n\n".join(lines)


def _classes_of_all(pairs: Iterable[Pair], settings: DashboardSettings) -> set[str]:
    return {name for pair in pairs for end in pair.ends() for name in _classes_of(pair, end, settings)}


def _about_prices(prices: Prices, classes: set[str]) -> str:
    used = {f"storage_gb_month.{name}" for name in classes} | set(_PRICES)
    doubtful = [f"`{name}`" for name in prices.unconfirmed if name in used]
    doubt = f" Not confirmed: {', '.join(doubtful)}." if doubtful else ""
    unpriced = _unpriced([name for name in STORAGE_CLASSES if name in classes], prices)
    if unpriced:
        doubt += f" No price known, and not counted: {', '.join(f'`{name}`' for name in unpriced)}."
    return f"**Costs are an estimate**, not a bill, from prices of us-east-1 as of {escaped(prices.date)}.{doubt}"


def _add_health(page: _Page, alarms: list[Address], account: Account) -> None:
    for first in range(0, len(alarms), MAX_ALARMS_OF_A_WIDGET):
        some = alarms[first : first + MAX_ALARMS_OF_A_WIDGET]
        title = "Health: all alarms" + (f" (from {first + 1} on)" if first else "")
        arns = [f"arn:{account.partition}:cloudwatch:{one.region}:{one.account}:alarm:{one.name}" for one in some]
        height = 1 + -(-len(some) // 6)  # six alarms stand side by side
        page.row(max(3, height), [{"type": "alarm", "properties": {"title": title, "alarms": arns}}])


# --- a pair --------------------------------------------------------------------------------------------------


def _add_pair(page: _Page, pair: Pair, alarms: list[Address], account: Account, settings: DashboardSettings) -> None:
    silent = _silent_rules(pair)
    page.row(3 if silent else 2, [_text(_about_pair(pair, silent, account))])
    for link in pair.links():
        rules = [rule for rule in link.rules if _has_metrics(rule)]
        for first in range(0, len(rules), _RULES_OF_A_WIDGET):
            page.row(6, _of_direction(link, rules[first : first + _RULES_OF_A_WIDGET], settings))
    ends = [end for end in pair.ends() if end.account_id in (None, account.id)]
    if ends:
        last = [_storage(pair, ends, settings), _objects(pair, ends)]
        if settings.request_metrics_filter_id is not None:
            last.append(_request_errors(pair, ends, settings.request_metrics_filter_id))
        if settings.prices is not None:
            last.append(_cost(pair, ends, alarms, settings, settings.prices))
        page.row(6, last)


def _has_metrics(rule: Rule) -> bool:
    return rule.enabled and rule.observation is not Observation.NONE


def _silent_rules(pair: Pair) -> list[str]:
    """Why rules have no line in the graphs, which without this would seem to be quiet."""
    return [
        f"Rule {escaped(rule.id)} is not drawn: "
        + ("it is disabled." if not rule.enabled else "AWS publishes no metrics for it, as its observation is none.")
        for rule in pair.rules
        if not _has_metrics(rule)
    ]


def _about_pair(pair: Pair, silent: list[str], account: Account) -> str:
    arrow = "to and from" if pair.direction is Direction.TWO_WAY else "to"
    ends = [f"{_bucket_link(end, account)} ({end.region})" for end in pair.ends()]
    further = f", further {', '.join(ends[2:])}" if len(ends) > 2 else ""
    foreign = [end.bucket for end in pair.ends() if end.account_id not in (None, account.id)]
    beyond = f" The storage of {', '.join(foreign)} is another account's and not shown." if foreign else ""
    lines = [f"## {escaped(pair.name)}", f"{ends[0]} {arrow} {ends[1]}{further}.{beyond}"]
    if silent:
        lines.append(" ".join(silent))
    return "\n\n".join(lines)


def _bucket_link(end: End, account: Account) -> str:
    """A bucket's name has nothing that Markdown could mistake but dots and dashes, which mean nothing within a line."""
    return f"[{end.bucket}]({console(account, end.region)}/s3/buckets/{end.bucket}?region={end.region})"


# --- a direction ---------------------------------------------------------------------------------------------


def _of_direction(link: Link, rules: Sequence[Rule], settings: DashboardSettings) -> list[Document]:
    latency_region = metric_region("ReplicationLatency", rules[0], link)  # lines of another Region name their own
    same_region = link.source.region == link.destination.region
    way = f"{link.pair} to {link.destination.bucket if same_region else link.destination.region}"
    target = {"label": f"target {settings.latency_seconds} s", "value": settings.latency_seconds, "color": "#d13212"}
    return [
        _graph(
            f"Latency (s): {way}",
            latency_region,
            [_line("ReplicationLatency", rule, link, latency_region) for rule in rules],
            stat="Maximum",
            yAxis={"left": {"min": 0}},
            annotations={"horizontal": [target]},
        ),
        _pending(link, rules, way),
        _graph(
            f"Failed operations: {way}",
            link.source.region,
            [_line("OperationsFailedReplication", rule, link, link.source.region) for rule in rules],
            stat="Sum",
            yAxis={"left": {"min": 0}},
        ),
        _throughput(link, rules, way),
    ]


def _line(metric: str, rule: Rule, link: Link, home: str, label: str = "", **options: Any) -> list[Any]:
    region = metric_region(metric, rule, link)
    dimensions = [text for one in metric_dimensions(rule, link) for text in (one["Name"], one["Value"])]
    elsewhere = {} if region == home else {"region": region}
    return ["AWS/S3", metric, *dimensions, {"label": _label(label or rule.id), **elsewhere, **options}]


def _pending(link: Link, rules: Sequence[Rule], way: str) -> Document:
    home = metric_region("BytesPendingReplication", rules[0], link)
    lines = [_line("BytesPendingReplication", rule, link, home, f"{rule.id} bytes") for rule in rules]
    lines += [
        _line("OperationsPendingReplication", rule, link, home, f"{rule.id} operations (right)", yAxis="right")
        for rule in rules
    ]
    axis = {"left": {"min": 0, "label": "bytes"}, "right": {"min": 0, "label": "operations"}}
    return _graph(f"Pending: {way}", home, lines, stat="Maximum", yAxis=axis)


def _throughput(link: Link, rules: Sequence[Rule], way: str) -> Document:
    """`OperationsFailedReplication` counts every operation as a sample. A dashboard lengthens the period by itself."""
    metrics: list[Any] = []
    for number, rule in enumerate(rules, 1):
        name = f"m{number}"
        rate = {"expression": f"{name}/PERIOD({name})*60", "label": _label(rule.id), "id": f"e{number}"}
        metrics.append([rate])
        hidden = _line("OperationsFailedReplication", rule, link, link.source.region, id=name, visible=False)
        metrics.append(hidden)
    return _graph(
        f"Operations a minute: {way}",
        link.source.region,
        metrics,
        stat="SampleCount",
        yAxis={"left": {"min": 0}},
    )


# --- both ends -----------------------------------------------------------------------------------------------


def _daily(title: str, region: str, metrics: list[Any], **more: Any) -> Document:
    """S3 measures storage once a day, so the range of a minute's graphs would show nothing."""
    return _graph(title, region, metrics, stat="Average", **{"period": _DAY, "start": "-P14D", **more})


def _of_bucket(metric: str, end: End, storage_type: str, home: str, **options: Any) -> list[Any]:
    elsewhere = {} if end.region == home else {"region": end.region}
    return ["AWS/S3", metric, "BucketName", end.bucket, "StorageType", storage_type, {**options, **elsewhere}]


def _classes_of(pair: Pair, end: End, settings: DashboardSettings) -> list[str]:
    """The storage classes that the bucket is known to hold: STANDARD, those of replicas, and what the settings add."""
    arriving = [one for link in pair.links() for one in link.destinations() if one.bucket == end.bucket]
    named = {one.storage_class for one in arriving if one.storage_class} | {"STANDARD"} | set(settings.storage_classes)
    return [name for name in STORAGE_CLASSES if name in named]


def _storage(pair: Pair, ends: Sequence[End], settings: DashboardSettings) -> Document:
    home = ends[0].region
    metrics = [
        _of_bucket("BucketSizeBytes", end, kind, home, label=f"{end.bucket} {kind.removesuffix('Storage')}")
        for end in ends
        for name in _classes_of(pair, end, settings)
        for kind in STORAGE_TYPES[name]
    ]
    return _daily(f"Storage (bytes, daily): {pair.name}", home, metrics, yAxis={"left": {"min": 0}})


def _objects(pair: Pair, ends: Sequence[End]) -> Document:
    home = ends[0].region
    metrics = [_of_bucket("NumberOfObjects", end, "AllStorageTypes", home, label=end.bucket) for end in ends]
    return _daily(f"Objects with all versions (daily): {pair.name}", home, metrics, yAxis={"left": {"min": 0}})


def _request_errors(pair: Pair, ends: Sequence[End], filter_id: str) -> Document:
    home = ends[0].region
    metrics = []
    for end in ends:
        for metric in ("4xxErrors", "5xxErrors"):
            elsewhere = {} if end.region == home else {"region": end.region}
            names = ["AWS/S3", metric, "BucketName", end.bucket, "FilterId", filter_id]
            metrics.append([*names, {"label": f"{end.bucket} {metric[:3]}", **elsewhere}])
    return _graph(f"Request errors: {pair.name}", home, metrics, stat="Sum", yAxis={"left": {"min": 0}})


# --- cost ----------------------------------------------------------------------------------------------------


def _cost(
    pair: Pair, ends: Sequence[End], alarms: Sequence[Address], settings: DashboardSettings, prices: Prices
) -> Document:
    """What a month costs as of the last day's storage. Each expression stays within one Region."""
    home = ends[0].region
    shown: list[Any] = []
    used: list[Any] = []
    for number, end in enumerate(ends):
        elsewhere = {} if end.region == home else {"region": end.region}
        sizes: dict[str, float | None] = {}
        for name in _classes_of(pair, end, settings):
            for kind in STORAGE_TYPES[name]:
                size = f"b{number}x{len(sizes)}"
                used.append(_of_bucket("BucketSizeBytes", end, kind, home, id=size, visible=False))
                sizes[size] = prices.storage_gb_month.get(name)
        priced = [f"{size}*{_number(price)}" for size, price in sizes.items() if price is not None]
        unpriced = _unpriced(_classes_of(pair, end, settings), prices)
        label = f"Storage {end.bucket}" + (f" without {', '.join(unpriced)}" if unpriced else "")
        if priced:
            stored = f"{_sum_of(priced)}/{_GIB}"
            shown.append([{"expression": stored, "id": f"s{number}", "label": label, **elsewhere}])
        if end.bucket == pair.primary.bucket:
            continue
        objects = f"n{number}"
        used.append(_of_bucket("NumberOfObjects", end, "AllStorageTypes", home, id=objects, visible=False))
        per_gib = prices.transfer_gb + (prices.rtc_gb if _has_rtc(pair, end) else 0)
        costs = [
            f"{_growth(_sum_of(sizes))}*{_number(per_gib * _DAYS_OF_A_MONTH)}/{_GIB}",
            f"{_growth(objects)}*{_number(prices.put_1000 * _DAYS_OF_A_MONTH)}/1000",
        ]
        label = f"Replication to {end.bucket} at the last day's growth"
        shown.append([{"expression": "+".join(costs), "id": f"r{number}", "label": label, **elsewhere}])
    fixed = f"TIME_SERIES({_number(_fixed(pair, alarms, prices))})"
    shown.append([{"expression": fixed, "id": "f0", "label": "Replication metrics and alarms"}])
    title = f"Estimated cost (USD a month, prices of {prices.date}): {pair.name}"
    return _daily(title, home, [*shown, *used], view="singleValue", start="-P7D")


def _sum_of(terms: Iterable[str]) -> str:
    """A class that the bucket does not hold has no data, which `+` would make the sum's."""
    terms = list(terms)
    return terms[0] if len(terms) == 1 else f"SUM([{','.join(terms)}])"


def _growth(series: str) -> str:
    """What came within a day; what went costs nothing."""
    return f"IF(DIFF({series})>0,DIFF({series}),0)"


def _unpriced(classes: Iterable[str], prices: Prices) -> list[str]:
    return [name for name in classes if name not in prices.storage_gb_month]


def _has_rtc(pair: Pair, end: End) -> bool:
    return any(
        rule.enabled and rule.observation is Observation.METRICS_AND_RTC
        for link in pair.links()
        for rule in link.rules
        if end.bucket in (link.destination_of(rule).bucket, link.source.bucket)
    )


def _fixed(pair: Pair, alarms: Iterable[Address], prices: Prices) -> float:
    rules = sum(1 for link in pair.links() for rule in link.rules if _has_metrics(rule))
    metrics = rules * 4 * prices.metric_month
    of_kind = {"composite_alarm": prices.composite_alarm_month}
    return metrics + sum(of_kind.get(alarm.kind, prices.alarm_month) for alarm in alarms)


def _number(value: float) -> str:
    """A number as metric math takes it: never in powers of ten."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
