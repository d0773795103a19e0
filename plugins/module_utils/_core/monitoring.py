# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Whether somebody would be told: for each rule an alarm on its latency, its failures and its silence that can fire.

Any alarm counts, whoever made it. What decides is what CloudWatch matches: the Region, all three dimensions, a
statistic that the metric has, and an action that is reached.

Sources: S3 User Guide, "Using S3 Replication metrics" and "Metrics and dimensions" (Regions, dimensions, statistics,
units); CloudWatch User Guide, "Notifying users on alarm changes" (topic policy, encrypted topics), "Best practice
alarm recommendations" (Maximum of failures), "Cross-account cross-Region CloudWatch console" (no alarm on another
Region's metrics); SNS Developer Guide, "Example cases for access control" (a topic's default policy).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .alarms import REPLICATION_METRICS, alarm_prefix, metric_dimensions, metric_region
from .checks import Area, Check, Status
from .denials import compare, conditions, listed, mapping, names_action, plain, texts
from .drill_names import is_drill_queue, is_twin
from .model import Accounts, Document, Link, Observation, Pair, Rule


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where alarms stand: they watch metrics of their own account and Region alone."""

    account: str
    region: str


Alarms: TypeAlias = "Mapping[Place, Sequence[Document] | str]"
"""What DescribeAlarms tells of the alarms that are about replication, composite ones among them; a text says why it is
not known."""

Topics: TypeAlias = "Mapping[str, Document | str | None]"
"""By ARN: `Policy`, `Subscriptions` and, of an encrypted topic, `KmsMasterKeyId`. None: there is no such topic; a text
says why it is not known."""


@dataclass(frozen=True, slots=True)
class _Watch:
    """One kind of alarm that each rule needs.

    Attributes:
        metrics: any of them will do; all are published in the same Region.
        statistics: those with which the alarm works; empty: any, since it fires by missing data.
    """

    name: str
    metrics: tuple[str, ...]
    statistics: tuple[str, ...]
    purpose: str


_LATENCY = _Watch("latency alarm", ("ReplicationLatency",), ("Maximum",), "objects take too long to arrive")
_FAILURE = _Watch(
    "failure alarm",
    ("OperationsFailedReplication",),
    ("Sum", "Maximum", "Average"),  # Average is the rate of failures, and AWS's own recommendation is Maximum
    "objects fail to replicate, which S3 does not retry",
)
# The failure metric is absent while nothing replicates, so its silence means nothing.
_HEARTBEAT = _Watch(
    "heartbeat alarm",
    tuple(metric for metric in REPLICATION_METRICS if metric not in _FAILURE.metrics),
    (),
    "the metrics stop, after which no other alarm can fire",
)
_PENDING = _Watch(
    "pending alarm",
    ("BytesPendingReplication", "OperationsPendingReplication"),
    ("Maximum", "Average"),
    "more waits than replication can carry",
)
"""Nobody needs it; where there is one it must be able to fire."""
_WATCHES = (_LATENCY, _FAILURE, _HEARTBEAT)
_UNITS = {"ReplicationLatency": "Seconds", "BytesPendingReplication": "Bytes"}
_ABOVE = ("GreaterThanThreshold", "GreaterThanOrEqualToThreshold")
_MAKE = "Make it by crossregion.s3_dr.s3_replication_alarms."
_BEST_FIRST = (Status.PASSED, Status.WARNING, Status.UNKNOWN, Status.AT_RISK)


@dataclass(frozen=True, slots=True)
class _Finding:
    """What is to be said of one alarm or action; the text goes on after its name."""

    status: Status
    text: str = ""


# --- what is read --------------------------------------------------------------------------------------------


def alarm_places(pair: Pair, accounts: Accounts) -> list[Place]:
    """Where alarms of the pair's rules may stand, or may have been put by mistake: the Regions of both buckets."""
    places = {
        Place(accounts[link.source.bucket].id, region): None
        for link, rule in _watched(pair, accounts)
        for region in (link.source.region, link.destination_of(rule).region)
    }
    return list(places)


def is_about_replication(alarm: Document) -> bool:
    """Whether a metric alarm watches a replication metric of S3, by itself or in an expression."""
    return any(_may_watch(alarm, metric) for metric in REPLICATION_METRICS)


def names_alarm(composite: Document, name: str) -> bool:
    """Whether the rule of a composite alarm names the alarm, by its name or its ARN."""
    named = rf"(?:[(\"']|:alarm:)\s*{re.escape(name)}\s*[)\"']"
    return re.search(named, str(composite.get("AlarmRule", ""))) is not None


def topics_to_read(pair: Pair, accounts: Accounts, alarms: Alarms) -> list[tuple[Place, str]]:
    """The topics that alarms of the pair notify in their own Region, each with where it is asked for."""
    found: dict[str, Place] = {}
    for link, rule in _watched(pair, accounts):
        for watch in _WATCHES:
            place = _place(watch, link, rule, accounts)
            here = _alarms_at(place, alarms)
            for alarm in _matching(watch, link, rule, here):
                for one in (alarm, *_composites(alarm, here)):
                    for action in texts(one.get("AlarmActions") or []):
                        if _is_topic(action) and action.split(":")[3] == place.region:
                            found.setdefault(action, place)
    return [(place, topic) for topic, place in found.items()]


# --- all checks ----------------------------------------------------------------------------------------------


def monitoring_checks(pair: Pair, accounts: Accounts, alarms: Alarms, topics: Topics) -> list[Check]:
    """Three checks for each enabled rule and direction with metrics, and one for each without.

    Args:
        alarms: of the places of `alarm_places`.
        topics: those of `topics_to_read`.
    """
    known = {_dimensions(rule, link) for link in pair.links() for rule in link.rules}
    checks = [_foreign_check(link, accounts) for link in pair.links() if not accounts[link.source.bucket].ours]
    for link, rule in _enabled(pair, accounts):
        if rule.observation is Observation.NONE:
            checks.append(_unobserved_check(link, rule))
        else:
            checks += [_watch_check(watch, link, rule, accounts, alarms, topics, known) for watch in _WATCHES]
    return checks


def unobserved_checks(pair: Pair, accounts: Accounts) -> list[Check]:
    """One for each enabled rule of which AWS publishes nothing, so that no alarm is missed by it."""
    return [
        _unobserved_check(link, rule) for link, rule in _enabled(pair, accounts) if rule.observation is Observation.NONE
    ]


def _enabled(pair: Pair, accounts: Accounts) -> Iterator[tuple[Link, Rule]]:
    """The enabled rules whose metrics are published in an account of which the task has credentials."""
    for link in pair.links():
        if accounts[link.source.bucket].ours:
            yield from ((link, rule) for rule in link.rules if rule.enabled)


def _watched(pair: Pair, accounts: Accounts) -> Iterator[tuple[Link, Rule]]:
    return ((link, rule) for link, rule in _enabled(pair, accounts) if rule.observation is not Observation.NONE)


def _subject(link: Link, rule: Rule) -> str:
    return f"{link.source.bucket} -> {link.destination_of(rule).bucket} ({rule.id})"


def _rule_words(link: Link, rule: Rule) -> str:
    return f"the rule '{rule.id}' from {link.source.bucket} to {link.destination_of(rule).bucket}"


def _foreign_check(link: Link, accounts: Accounts) -> Check:
    message = (
        f"The alarms of what {link.source.bucket} replicates could not be looked at: they stand in account "
        f"{accounts[link.source.bucket].id}, of which this task has no credentials. Let its owner look."
    )
    subject = f"{link.source.bucket} -> {link.destination.bucket}"
    return Check(Area.MONITORING, "alarms", subject, Status.UNKNOWN, message)


def _unobserved_check(link: Link, rule: Rule) -> Check:
    message = (
        f"AWS publishes no metrics for {_rule_words(link, rule)}, so no alarm can watch it. Set its `observation` to "
        "metrics."
    )
    return Check(Area.MONITORING, "metrics", _subject(link, rule), Status.AT_RISK, message)


def _watch_check(
    watch: _Watch,
    link: Link,
    rule: Rule,
    accounts: Accounts,
    alarms: Alarms,
    topics: Topics,
    known: set[frozenset[tuple[str, str]]],
) -> Check:
    """The best that any alarm does: one that can fire is enough."""
    place = _place(watch, link, rule, accounts)
    here = alarms.get(place, "it was not looked at")
    if isinstance(here, str):
        message = f"Whether an alarm in {place.region} watches {_rule_words(link, rule)} is not known: {here}."
        return Check(Area.MONITORING, watch.name, _subject(link, rule), Status.UNKNOWN, message)
    found = sorted(_matching(watch, link, rule, here), key=lambda alarm: str(alarm.get("AlarmName")))
    if not found:
        message = _absent(watch, link, rule, place, alarms, known)
        return Check(Area.MONITORING, watch.name, _subject(link, rule), Status.AT_RISK, message)
    judged = [(alarm, _judged(alarm, watch, place, here, topics)) for alarm in found]
    alarm, best = min(judged, key=lambda one: _BEST_FIRST.index(one[1].status))
    message = f"The alarm '{alarm.get('AlarmName')}' ({place.region}) of {_rule_words(link, rule)} {best.text}"
    return Check(Area.MONITORING, watch.name, _subject(link, rule), best.status, message)


def _place(watch: _Watch, link: Link, rule: Rule, accounts: Accounts) -> Place:
    """Where AWS publishes what is watched."""
    return Place(accounts[link.source.bucket].id, metric_region(watch.metrics[0], rule, link))


def _alarms_at(place: Place, alarms: Alarms) -> Sequence[Document]:
    found = alarms.get(place, ())
    return () if isinstance(found, str) else found


# --- which alarms watch a rule -------------------------------------------------------------------------------


def _matching(watch: _Watch, link: Link, rule: Rule, here: Iterable[Document]) -> list[Document]:
    """The alarms that watch one of the metrics with exactly its dimensions, or may do so in an expression."""
    wanted = _dimensions(rule, link)
    found = [alarm for alarm in here if any(_watches(alarm, metric, wanted) for metric in watch.metrics)]
    return _candidates(watch, found)


def _candidates(watch: _Watch, found: Iterable[Document]) -> list[Document]:
    """Those that may have been meant: of alarms that may be on any metric, those that fire by its silence.

    What a drill left behind when it was killed fires at anything, and only looks like an alarm.
    """
    meant = [alarm for alarm in found if not is_twin(str(alarm.get("AlarmName")))]
    return [alarm for alarm in meant if watch.statistics or alarm.get("TreatMissingData") == "breaching"]


def _dimensions(rule: Rule, link: Link) -> frozenset[tuple[str, str]]:
    return _pairs(metric_dimensions(rule, link))


def _pairs(dimensions: Iterable[Mapping[str, object]]) -> frozenset[tuple[str, str]]:
    return frozenset((str(one.get("Name")), str(one.get("Value"))) for one in dimensions)


def _watches(alarm: Document, metric: str, wanted: frozenset[tuple[str, str]]) -> bool:
    if not listed(alarm, "Metrics"):
        return _may_watch(alarm, metric) and _pairs(listed(alarm, "Dimensions")) == wanted
    return any(
        _is_query_of(query, metric) or (_is_metric(_metric_of(query), metric) and _query_dimensions(query) == wanted)
        for query in listed(alarm, "Metrics")
    )


def _may_watch(alarm: Document, metric: str) -> bool:
    """Whether the alarm is about the metric, with whatever dimensions."""
    queries = listed(alarm, "Metrics")
    if not queries:
        return _is_metric(alarm, metric)
    return any(_is_metric(_metric_of(query), metric) or _is_query_of(query, metric) for query in queries)


def _is_metric(document: Document, metric: str) -> bool:
    return document.get("Namespace") == "AWS/S3" and document.get("MetricName") == metric


def _metric_of(query: Document) -> Document:
    return mapping(mapping(query.get("MetricStat")).get("Metric"))


def _query_dimensions(query: Document) -> frozenset[tuple[str, str]]:
    return _pairs(listed(_metric_of(query), "Dimensions"))


def _is_query_of(query: Document, metric: str) -> bool:
    """Whether it is a Metrics Insights query of the metric, such as `SELECT MAX(ReplicationLatency) FROM "AWS/S3"`."""
    text = str(query.get("Expression") or "")
    return metric in text and "AWS/S3" in text


def _composites(alarm: Document, here: Iterable[Document]) -> list[Document]:
    name = str(alarm.get("AlarmName"))
    return [one for one in here if "AlarmRule" in one and names_alarm(one, name)]


# --- each alarm, for a drill ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Watching:
    """One alarm that a rule needs, or that this collection made for it.

    Attributes:
        kind: such as `latency alarm`.
        name: of the alarm; empty where none is there.
        alarm: as CloudWatch describes it.
        teller: the alarm whose actions tell of it: itself, or the composite alarm that fires with it.
        check: whether it can fire and reach somebody, as far as that can be read.
        topics: those that the teller notifies in its own Region and account.
        others: what else it acts by.
    """

    kind: str
    link: Link
    rule: Rule
    place: Place
    metric: str
    check: Check
    name: str = ""
    alarm: Document | None = None
    teller: Document | None = None
    topics: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def by_failure(self) -> bool:
        """Whether it fires when an object fails."""
        return self.metric in _FAILURE.metrics

    @property
    def expression(self) -> bool:
        """Whether it watches an expression, in place of the metric itself."""
        return bool(listed(self.alarm, "Metrics"))


def watchings(pair: Pair, accounts: Accounts, alarms: Alarms, topics: Topics) -> list[Watching]:
    """The pair's own alarms, each; and for what none of them does, the best that anybody's does."""
    known = {_dimensions(rule, link) for link in pair.links() for rule in link.rules}
    found: list[Watching] = []
    for link, rule in _watched(pair, accounts):
        ours = [
            _own_watching(alarm, place, link, rule, accounts, alarms, topics)
            for place, alarm in _own_alarms(pair, link, rule, accounts, alarms)
        ]
        done = {one.kind for one in ours}
        found += ours
        for watch in _WATCHES:
            if watch.name not in done:
                found.append(_best_watching(watch, link, rule, accounts, alarms, topics, known))
    return found


def _own_alarms(pair: Pair, link: Link, rule: Rule, accounts: Accounts, alarms: Alarms) -> list[tuple[Place, Document]]:
    """By their names, wherever they stand. The last part has no slash, so that no rule's names cover another's."""
    start = f"{alarm_prefix(pair.name)}{link.source.bucket}/{rule.id}/"
    places = (place for place in sorted(alarms) if place.account == accounts[link.source.bucket].id)
    every = [(place, alarm, str(alarm.get("AlarmName"))) for place in places for alarm in _alarms_at(place, alarms)]
    return [
        (place, alarm)
        for place, alarm, name in sorted(every, key=lambda one: (one[0], one[2]))
        if name.startswith(start) and "/" not in name[len(start) :]
    ]


def _watch_of(alarm: Document) -> _Watch:
    metric = str(alarm.get("MetricName"))
    if alarm.get("TreatMissingData") == "breaching" and metric in _HEARTBEAT.metrics:
        return _HEARTBEAT
    return next((one for one in (_LATENCY, _FAILURE, _PENDING) if metric in one.metrics), _HEARTBEAT)


def _own_watching(
    alarm: Document, place: Place, link: Link, rule: Rule, accounts: Accounts, alarms: Alarms, topics: Topics
) -> Watching:
    watch = _watch_of(alarm)
    right = _place(watch, link, rule, accounts)
    metric = str(alarm.get("MetricName") or watch.metrics[0])
    if place != right:
        text = (
            f"The alarm '{alarm.get('AlarmName')}' stands in {place.region}, and AWS publishes {metric} of "
            f"{_rule_words(link, rule)} in {right.region}, so it never fires as meant. Move it there."
        )
    elif not any(_watches(alarm, one, _dimensions(rule, link)) for one in watch.metrics):
        text = _wrong_dimensions(alarm, place, right, link, rule)
    else:
        return _watching(watch, alarm, place, link, rule, alarms, topics)
    check = Check(Area.MONITORING, watch.name, str(alarm.get("AlarmName")), Status.AT_RISK, text)
    return Watching(watch.name, link, rule, place, metric, check, str(alarm.get("AlarmName")), alarm)


def _best_watching(
    watch: _Watch,
    link: Link,
    rule: Rule,
    accounts: Accounts,
    alarms: Alarms,
    topics: Topics,
    known: set[frozenset[tuple[str, str]]],
) -> Watching:
    place = _place(watch, link, rule, accounts)
    found = [
        _watching(watch, alarm, place, link, rule, alarms, topics)
        for alarm in _matching(watch, link, rule, _alarms_at(place, alarms))
    ]
    if found:
        return min(found, key=lambda one: (_BEST_FIRST.index(one.check.status), one.name))
    check = _watch_check(watch, link, rule, accounts, alarms, topics, known)
    return Watching(watch.name, link, rule, place, watch.metrics[0], check)


def _watching(
    watch: _Watch, alarm: Document, place: Place, link: Link, rule: Rule, alarms: Alarms, topics: Topics
) -> Watching:
    here, name = _alarms_at(place, alarms), str(alarm.get("AlarmName"))
    finding = _judged(alarm, watch, place, here, topics)
    text = f"The alarm '{name}' ({place.region}) of {_rule_words(link, rule)} {finding.text}"
    teller = _teller(alarm, place, here, topics)
    actions = texts(teller.get("AlarmActions") or [])
    heard = [one for one in actions if _is_topic(one) and one.split(":")[3:5] == [place.region, place.account]]
    return Watching(
        watch.name,
        link,
        rule,
        place,
        str(alarm.get("MetricName") or watch.metrics[0]),
        Check(Area.MONITORING, watch.name, name, finding.status, text),
        name,
        alarm,
        teller,
        tuple(dict.fromkeys(heard)),
        tuple(one for one in actions if not _is_topic(one)),
    )


def _teller(alarm: Document, place: Place, here: Iterable[Document], topics: Topics) -> Document:
    """The alarm itself, unless it reaches nobody and a composite alarm does."""
    if _reached(alarm, place, topics).status is not Status.AT_RISK:
        return alarm
    composites = [one for one in _composites(alarm, here) if fires_by(one, alarm)]
    reaching = (one for one in composites if _reached(one, place, topics).status is not Status.AT_RISK)
    return next(reaching, alarm)


# --- why none does -------------------------------------------------------------------------------------------


def _absent(
    watch: _Watch,
    link: Link,
    rule: Rule,
    place: Place,
    alarms: Alarms,
    known: set[frozenset[tuple[str, str]]],
) -> str:
    """The sentence about an alarm that is not there, or that stands where it never fires."""
    metric = watch.metrics[0] if len(watch.metrics) == 1 else "the metrics"
    elsewhere = [one for one in sorted(alarms) if one.account == place.account and one != place]
    for other in elsewhere:
        for alarm in _matching(watch, link, rule, _alarms_at(other, alarms)):
            return (
                f"The alarm '{alarm.get('AlarmName')}' stands in {other.region}, and AWS publishes {metric} of "
                f"{_rule_words(link, rule)} in {place.region}, so it never fires as meant. Move it there."
            )
    for other in (place, *elsewhere):
        for alarm in _candidates(watch, _alarms_at(other, alarms)):
            if _is_near(alarm, watch, link, rule, known):
                return _wrong_dimensions(alarm, other, place, link, rule)
    return (
        f"No alarm in {place.region} watches {metric} of {_rule_words(link, rule)}"
        + ("" if watch.statistics else " and treats missing data as breaching")
        + f", so nobody is told when {watch.purpose}. {_MAKE}"
    )


def _is_near(alarm: Document, watch: _Watch, link: Link, rule: Rule, known: set[frozenset[tuple[str, str]]]) -> bool:
    """Whether an alarm seems meant for the rule but has other dimensions. That of another rule is not."""
    if listed(alarm, "Metrics") or not any(_is_metric(alarm, metric) for metric in watch.metrics):
        return False
    given = _pairs(listed(alarm, "Dimensions"))
    if given in known:
        return False
    names, wanted = {name for name, _value in given}, _dimensions(rule, link)
    if {name for name, _value in wanted} <= names and ("RuleId", rule.id) not in given:
        return False
    values = {value for _name, value in given}
    return not values.isdisjoint({link.source.bucket, rule.id})


def _wrong_dimensions(alarm: Document, there: Place, place: Place, link: Link, rule: Rule) -> str:
    given = json.dumps(dict(sorted(_pairs(listed(alarm, "Dimensions")))))
    wanted = json.dumps(dict(sorted(_dimensions(rule, link))))
    move = "" if there == place else f" in {place.region}"
    return (
        f"The alarm '{alarm.get('AlarmName')}' ({there.region}) has the dimensions {given}, and CloudWatch matches "
        f"nothing but all three, so it never watches {_rule_words(link, rule)}. Give it {wanted}{move}."
    )


# --- whether an alarm can fire -------------------------------------------------------------------------------


def _judged(alarm: Document, watch: _Watch, place: Place, here: Iterable[Document], topics: Topics) -> _Finding:
    flaw = _flaw(alarm, watch)
    if flaw:
        return _Finding(Status.AT_RISK, flaw)
    reached = _reached(alarm, place, topics)
    if reached.status is Status.AT_RISK:
        found = [_by_composite(alarm, one, place, topics) for one in _composites(alarm, here)]
        said = [reached, *found] if alarm.get("AlarmActions") else [*found, reached]
        return min(said, key=lambda finding: _BEST_FIRST.index(finding.status))
    if listed(alarm, "Metrics") and reached.status is Status.PASSED:
        text = "watches an expression, which was not examined. See that it fires when " + watch.purpose + "."
        return _Finding(Status.WARNING, text)
    return reached


def _by_composite(alarm: Document, composite: Document, place: Place, topics: Topics) -> _Finding:
    """What a composite alarm that names the alarm does for it."""
    name, its = composite.get("AlarmName"), _reached(composite, place, topics)
    if its.status is Status.AT_RISK:
        return _Finding(Status.AT_RISK, f"has no action that works, and its composite alarm '{name}' {its.text}")
    if not fires_by(composite, alarm):
        text = f"tells by the composite alarm '{name}', whose rule was not examined."
        return _Finding(Status.WARNING, f"{text} See that it fires by this alarm alone.")
    return _Finding(its.status, f"tells by the composite alarm '{name}', which {its.text}")


def fires_by(composite: Document, alarm: Document) -> bool:
    """Whether the composite alarm fires when this alarm does, for certain: its rule is ALARM(...) OR ALARM(...)."""
    rule = str(composite.get("AlarmRule", ""))
    if not _PLAIN_RULE.fullmatch(rule):
        return False
    named = [one.strip("\"'") for one in _NAMED.findall(rule)]
    return str(alarm.get("AlarmName")) in [one.partition(":alarm:")[2] or one for one in named]


_ONE = r"""\s*ALARM\s*\(\s*(?:"[^"]+"|'[^']+'|[^\s()"']+)\s*\)\s*"""
_PLAIN_RULE = re.compile(rf"{_ONE}(?:\bOR\b{_ONE})*")
_NAMED = re.compile(r"""ALARM\s*\(\s*("[^"]+"|'[^']+'|[^\s()"']+)\s*\)""")


def _flaw(alarm: Document, watch: _Watch) -> str | None:
    """Why an alarm in the right place never fires when it should, and what to do."""
    if listed(alarm, "Metrics"):
        return None
    metric = str(alarm.get("MetricName"))
    unit = _UNITS.get(metric, "Count")
    if alarm.get("Unit", unit) != unit:
        return f"watches values in {alarm['Unit']}, and AWS publishes {metric} in {unit}. Leave its unit out."
    statistic = str(alarm.get("Statistic") or alarm.get("ExtendedStatistic"))
    if watch.statistics and statistic not in watch.statistics:
        return f"watches the {statistic} of {metric}, which tells nothing. Use {watch.statistics[0]}."
    comparison = alarm.get("ComparisonOperator")
    if watch.statistics and comparison not in _ABOVE:
        return f"compares by {comparison}, so it does not fire when {watch.purpose}. Use {_ABOVE[0]}."
    return None


def _reached(alarm: Document, place: Place, topics: Topics) -> _Finding:
    """The best that any of its actions does."""
    if not alarm.get("ActionsEnabled", True):
        return _Finding(Status.AT_RISK, "tells nobody, since its actions are disabled. Enable them.")
    actions = texts(alarm.get("AlarmActions") or [])
    if not actions:
        return _Finding(
            Status.AT_RISK, f"tells nobody, since it has no alarm action. Notify a topic in {place.region}."
        )
    found = [_action(action, str(alarm.get("AlarmName")), place, topics) for action in actions]
    return min(found, key=lambda finding: _BEST_FIRST.index(finding.status))


def _is_topic(action: str) -> bool:
    return action.split(":")[2:3] == ["sns"]


def _action(action: str, alarm: str, place: Place, topics: Topics) -> _Finding:
    """Whether one action is reached. One that is no topic, as an OpsItem or a function, counts as reached."""
    if not _is_topic(action):
        return _Finding(Status.PASSED, f"can fire: it acts by {action}.")
    region = action.split(":")[3]
    if region != place.region:
        text = f"notifies {action}, which is in {region}: an alarm reaches topics of its own Region only. Name one in "
        return _Finding(Status.AT_RISK, f"{text}{place.region}.")
    if action.endswith(".fifo"):
        return _Finding(Status.AT_RISK, f"notifies {action}, a FIFO topic, which alarms cannot. Name a standard topic.")
    topic = topics.get(action, "it was not looked at")
    if topic is None:
        return _Finding(Status.AT_RISK, f"notifies {action}, which does not exist. Make the topic, or name another.")
    if isinstance(topic, str):
        return _Finding(Status.UNKNOWN, f"notifies {action}, and whether that reaches anybody is not known: {topic}.")
    return _topic_finding(action, topic, alarm, place)


def _topic_finding(arn: str, topic: Document, alarm: str, place: Place) -> _Finding:
    subscriptions = [one for one in listed(topic, "Subscriptions") if not is_drill_queue(str(one.get("Endpoint")))]
    if not any(str(one.get("SubscriptionArn")).startswith("arn:") for one in subscriptions):
        waiting = f"{len(subscriptions)} not confirmed" if subscriptions else "none at all"
        text = f"notifies {arn}, which has no confirmed subscription ({waiting}). Subscribe somebody, and confirm it."
        return _Finding(Status.AT_RISK, text)
    key = str(topic.get("KmsMasterKeyId") or "")
    if key.endswith("alias/aws/sns"):
        text = f"notifies {arn}, which is encrypted with the key alias/aws/sns, and CloudWatch may not use that. "
        return _Finding(Status.AT_RISK, f"{text}Encrypt it with a customer managed key.")
    allowed = may_publish(mapping(topic.get("Policy")), arn, alarm, place)
    if allowed is None:
        text = f"notifies {arn}, and whether its policy lets CloudWatch publish hangs on conditions that are not known "
        return _Finding(Status.UNKNOWN, f"{text}here. See that it does.")
    if not allowed:
        text = f"notifies {arn}, whose policy does not let CloudWatch publish. Allow SNS:Publish there to "
        return _Finding(Status.AT_RISK, f"{text}cloudwatch.amazonaws.com.")
    if key:
        text = f"can fire, if the key {key} of {arn} lets cloudwatch.amazonaws.com use kms:Decrypt and "
        return _Finding(Status.WARNING, f"{text}kms:GenerateDataKey*, which was not examined.")
    return _Finding(Status.PASSED, f"can fire: it notifies {arn}.")


# --- the policy of a topic -----------------------------------------------------------------------------------

_SERVICE = "cloudwatch.amazonaws.com"


def may_publish(policy: Document, topic: str, alarm: str, place: Place) -> bool | None:
    """Whether a topic's policy lets CloudWatch publish for the alarm; None: that hangs on what is not known here.

    The default policy of a topic lets everybody publish on behalf of the topic's owner (`AWS:SourceOwner`).
    """
    partition = topic.split(":")[1]
    answers = {
        "aws:sourceaccount": place.account,
        "aws:sourceowner": place.account,
        "aws:sourcearn": f"arn:{partition}:cloudwatch:{place.region}:{place.account}:alarm:{alarm}",
        "aws:principalservicename": _SERVICE,
        "aws:principalisawsservice": "true",
        "aws:securetransport": "true",
    }
    statements = [one for one in listed(policy, "Statement") if names_action(one, "sns:Publish")]
    allowing = [_applies(one, answers) for one in statements if one.get("Effect") == "Allow"]
    denying = [_applies(one, answers) for one in statements if one.get("Effect") == "Deny"]
    if True in denying:
        return False
    if None in denying or (True not in allowing and None in allowing):
        return None
    return True in allowing


def _applies(statement: Document, answers: Mapping[str, str]) -> bool | None:
    """Whether a statement is about what CloudWatch asks, None when that is not known."""
    if "NotPrincipal" in statement:
        return None
    principal = statement.get("Principal")
    named = mapping(principal)
    if principal != "*" and "*" not in texts(named.get("AWS")) and _SERVICE not in texts(named.get("Service")):
        return False
    held = [
        compare(plain(operator), answers[key.lower()], values) if key.lower() in answers else None
        for operator, key, values in conditions(statement)
    ]
    if False in held:
        return False
    return None if None in held else True
