# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a fire drill of a pair's alarms puts into AWS for a while, what it waits for, and what it has proven.

Failures are published in the source's Region, and there a real one is provoked: the policy of the destination denies
the replication role one key, that of the drill's own canary. Everything else is published in the destination's Region
whatever the pair does, and there is no harm to provoke: a twin of the alarm, which any data point fires, proves its
metric, its action and the delivery, and not its threshold.

Sources: S3 User Guide, "Getting replication status information" (FAILED is final), "Using S3 Replication metrics";
"Bucket policies" (20 KB); CloudWatch User Guide, "Notifying users on alarm changes"; SNS Developer Guide, "Subscribing
an Amazon SQS queue to an Amazon SNS topic" (queue policy, confirmed at once in the same account).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from .alarms import metric_dimensions
from .checks import Area, Check, Status
from .denials import mapping
from .drill_names import denial_sid, drill_key, queue_name, twin_name
from .kinds import KINDS
from .merging import owner_tags
from .model import Accounts, Address, Document, Link, Pair, Refused, Rule
from .monitoring import Place, Watching
from .plan import Observed, Wish
from .policies import VERSION
from .proofs import Flight, flights_of_rules
from .replication import bucket_address, role_arn
from .rules import bucket_arn

MAX_POLICY_BYTES = 20 * 1024
"""S3's limit for the policy of a bucket."""
_DENIED = ("s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags")
_COPIED = ("Namespace", "MetricName", "Dimensions", "Statistic", "ExtendedStatistic", "Unit", "Period")
"""What a twin has of its alarm, so that both look at the same numbers."""

PROVEN, FAILED, UNKNOWN = "proven", "failed", "unknown"
FAILURE, TWIN = "failure", "twin"


# --- what is there for a while -------------------------------------------------------------------------------


def drill_flights(pair: Pair, accounts: Accounts) -> list[Flight]:
    """The way of each rule's canary, where the task may write and remove it at both ends."""
    return [flight for flight in flights_of_rules(pair, accounts) if flight.kms_key_arn is None]


def leftover_flights(pair: Pair, accounts: Accounts) -> list[Flight]:
    """The ways by which a former drill may have sent a canary: also of rules that somebody has disabled since."""
    rules = tuple(replace(rule, enabled=True) for rule in pair.rules)
    return drill_flights(replace(pair, rules=rules), accounts)


def drill_places(pair: Pair, accounts: Accounts) -> list[Place]:
    """Where a drill may have put something, whatever became of the rules since."""
    places = {
        Place(accounts[link.source.bucket].id, end.region): None
        for link in pair.links()
        if accounts[link.source.bucket].ours
        for end in (link.source, link.destination, *link.destinations())
    }
    return list(places)


def queue_address(pair: Pair, place: Place, kind: str = "sqs_queue") -> Address:
    """The address of the queue that listens in a Region, or of its policy."""
    return Address(kind, queue_name(pair.name), place.region, place.account)


def queue_arn(pair: Pair, place: Place, partition: str) -> str:
    """The ARN that the queue has, known before it exists."""
    return f"arn:{partition}:sqs:{place.region}:{place.account}:{queue_name(pair.name)}"


def listening_wish(pair: Pair, watched: Iterable[Watching]) -> dict[Address, Document]:
    """A queue in each Region where an alarm tells a topic, open to those topics and subscribed to them."""
    heard: dict[Place, set[str]] = {}
    for one in watched:
        if one.topics:
            heard.setdefault(one.place, set()).update(one.topics)
    wish: dict[Address, Document] = {}
    for place, topics in sorted(heard.items()):
        queue = queue_arn(pair, place, min(topics).split(":")[1])
        wish[queue_address(pair, place)] = {"Tags": owner_tags()}
        wish[queue_address(pair, place, "sqs_queue_policy")] = _queue_policy(queue, sorted(topics))
        for topic in sorted(topics):
            name = f"{topic.rpartition(':')[2]}:sqs:{queue}"
            subscription = Address("sns_subscription", name, place.region, place.account)
            wish[subscription] = {"Protocol": "sqs", "Endpoint": queue}
    return wish


def _queue_policy(queue: str, topics: Sequence[str]) -> Document:
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": "S3DrAlarmDrill",
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnEquals": {"aws:SourceArn": list(topics)}},
            }
        ],
    }


def denial_wish(pair: Pair, accounts: Accounts, flights: Iterable[Flight]) -> dict[Address, Document]:
    """Statements that deny the replication role the drill's own canaries and no other key."""
    resources: dict[tuple[Address, str, str], list[str]] = {}
    for flight in flights:
        end = flight.link.destination_of(flight.rule)
        at = bucket_address(end, accounts, "bucket_policy")
        whose = (at, denial_sid(flight.link), role_arn(flight.link, accounts))
        # A policy variable would begin with the dollar sign; any one character stands for it.
        key = drill_key(pair.name, flight.rule).replace("$", "?")
        resources.setdefault(whose, []).append(f"{bucket_arn(end, accounts[end.bucket].partition)}/{key}")
    statements: dict[Address, list[Document]] = {}
    for (at, sid, role), names in sorted(resources.items()):
        denial = {"Sid": sid, "Effect": "Deny", "Principal": {"AWS": role}, "Action": list(_DENIED)}
        statements.setdefault(at, []).append({**denial, "Resource": sorted(set(names))})
    return {at: {"Version": VERSION, "Statement": found} for at, found in statements.items()}


def check_policy_sizes(wish: Wish, observed: Observed) -> None:
    """Raise Refused when a bucket's policy would become longer than S3 takes."""
    for at, ours in wish.items():
        size = len(json.dumps(KINDS[at.kind].put(ours, observed[at])).encode())
        if size > MAX_POLICY_BYTES:
            raise Refused(
                f"{at}: with the statement of the drill it would have {size} bytes, and S3 takes {MAX_POLICY_BYTES}. "
                "Shorten the policy, or give the module fewer `rules` at a time."
            )


def twin_wish(pair: Pair, watched: Iterable[Watching]) -> dict[Address, Document]:
    """For each alarm that nothing can be provoked for, one that any data point of the same metric fires."""
    wish: dict[Address, Document] = {}
    for one in watched:
        if one.alarm is not None and one.topics:
            at = Address("metric_alarm", twin_name(pair.name, one.name), one.place.region, one.place.account)
            wish[at] = {
                **{name: one.alarm[name] for name in _COPIED if name in one.alarm},
                "AlarmDescription": f"DRILL, nothing is wrong: it proves that who is told by '{one.name}' hears of it. "
                "It goes by itself.",
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "Threshold": 0.0,
                "EvaluationPeriods": 1,
                "DatapointsToAlarm": 1,
                "TreatMissingData": "missing",
                "ActionsEnabled": True,
                "AlarmActions": list(one.topics),
                "OKActions": [],
                "InsufficientDataActions": [],
            }
    return wish


def leftover_addresses(pair: Pair, accounts: Accounts) -> dict[Address, Document]:
    """Our part of what a drill of the pair may have left behind, but for twins, which are listed by their names.

    Subscriptions have no address that is known before they are looked for, and a queue takes its policy along.
    """
    denials: dict[Address, list[Document]] = {}
    for link in pair.links():
        for end in link.destinations():
            if accounts[end.bucket].ours:
                denials.setdefault(bucket_address(end, accounts, "bucket_policy"), []).append({"Sid": denial_sid(link)})
    found: dict[Address, Document] = {at: {"Statement": sids} for at, sids in denials.items()}
    found |= {queue_address(pair, place): {} for place in drill_places(pair, accounts)}
    return found


# --- what is waited for --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """What the message of an alarm says."""

    topic: str
    alarm: str
    state: str
    changed: str | None


def told_by(body: str) -> Told | None:
    """The message of an alarm in the body of a queue's message; None for anything else."""
    envelope = _parsed(body)
    message = _parsed(envelope.get("Message"))
    if "AlarmName" not in message:
        return None
    changed = message.get("StateChangeTime")
    return Told(
        str(envelope.get("TopicArn", "")),
        str(message["AlarmName"]),
        str(message.get("NewStateValue", "")),
        None if changed is None else str(changed),
    )


def _parsed(text: object) -> Mapping[str, Any]:
    try:
        return mapping(json.loads(str(text)))
    except ValueError:
        return {}


@dataclass(slots=True)
class Proof:
    """One alarm on its way to be proven. All times are in seconds since what provokes it was done.

    Attributes:
        looked_at: the alarm whose state is watched.
        sender: the alarm that is named in the message.
        heard: the topics by which the message has come.
        changed: when the alarm changed its state, as its message says.
        trouble: why it is not proven; the first reason counts.
    """

    watching: Watching
    by: str
    looked_at: str
    sender: str
    to_failed: float | None = None
    to_alarm: float | None = None
    to_message: float | None = None
    heard: set[str] = field(default_factory=set)
    changed: str | None = None
    status: str = UNKNOWN
    trouble: str | None = None

    @property
    def done(self) -> bool:
        """Whether nothing more is to be waited for."""
        return self.status == PROVEN or self.trouble is not None

    def fails(self, status: str, trouble: str) -> None:
        """It is not proven, for this reason, if there is none yet."""
        if not self.done:
            self.status, self.trouble = status, trouble

    def alarmed(self, seconds: float) -> None:
        """The alarm is in ALARM."""
        if self.to_alarm is None:
            self.to_alarm = round(seconds, 3)
        self._judge()

    def hears(self, told: Told, seconds: float) -> None:
        """A message came; whether it is the one that is waited for."""
        if self.trouble or told.alarm != self.sender or told.state != "ALARM" or told.topic not in self.watching.topics:
            return
        if self.to_alarm is None and self.sender == self.looked_at:
            self.to_alarm = round(seconds, 3)
        self.heard.add(told.topic)
        self.changed = self.changed or told.changed
        if self.to_message is None and self.heard >= set(self.watching.topics):
            self.to_message = round(seconds, 3)
        self._judge()

    def _judge(self) -> None:
        """A composite alarm that fires for another rule's alarm proves the delivery, and this one must fire as well."""
        if not self.trouble and self.to_alarm is not None and self.to_message is not None:
            self.status = PROVEN
            if self.sender == self.looked_at:  # it is looked at in turns, and what came after was seen earlier then
                self.to_alarm = min(self.to_alarm, self.to_message)
            if self.to_failed is not None:
                self.to_failed = min(self.to_failed, self.to_alarm)

    @property
    def mute(self) -> list[str]:
        """The topics by which nothing has come."""
        return sorted(set(self.watching.topics) - self.heard)

    def as_result(self) -> dict[str, Any]:
        """Plain values."""
        one = self.watching
        return {
            "alarm": one.name,
            "region": one.place.region,
            "metric": one.metric,
            "rule": one.rule.id,
            "source": one.link.source.bucket,
            "destination": one.link.destination_of(one.rule).bucket,
            "proven_by": self.by,
            "sender": self.sender,
            "status": self.status,
            "state_changed": self.changed,
            "seconds": {
                "to_failed": self.to_failed,
                "to_alarm": self.to_alarm,
                "to_message": self.to_message,
            },
            "problem": self.trouble,
        }


def proofs_of(pair: Pair, watched: Iterable[Watching], flights: Sequence[Flight]) -> list[Proof]:
    """One for each alarm; those that cannot be proven say at once why."""
    flying = {(flight.link, flight.rule) for flight in flights}
    proofs = []
    for one in watched:
        if one.by_failure:
            sender = str((one.teller or {}).get("AlarmName", one.name))
            proof = Proof(one, FAILURE, one.name, sender)
        else:
            twin = twin_name(pair.name, one.name)
            proof = Proof(one, TWIN, twin, twin)
        reason = _why_not(one, flying)
        if one.check.status is Status.AT_RISK:
            proof.fails(FAILED, one.check.message)
        elif reason:
            proof.fails(UNKNOWN, reason)
        proofs.append(proof)
    return proofs


def _why_not(one: Watching, flying: Iterable[tuple[Link, Rule]]) -> str | None:
    if one.alarm is None:
        return one.check.message
    name = f"The alarm '{one.name}' ({one.place.region})"
    if one.expression and not one.by_failure:
        return f"{name} watches an expression, of which no twin can be made. Provoke it by hand."
    if not one.topics:
        acts = ", ".join(one.others) or "topics of another account"
        return f"{name} acts by {acts}, where no queue of this drill can listen. Let it notify a topic as well."
    if one.by_failure and (one.link, one.rule) not in flying:
        destination = one.link.destination_of(one.rule).bucket
        return (
            f"{name} was not made to fire: this task has no credentials of the account of {destination}, or of a "
            "bucket to which the canary would go as well, so it can neither let the canary fail nor remove it. Let "
            "the owner run the drill."
        )
    if one.by_failure and (other := _covered_by(one.link, one.rule)):
        return (
            f"{name} cannot fire: every object of the rule '{one.rule.id}' is replicated by the rule '{other.id}', "
            "which has a higher priority for the same destination. Give it a prefix of its own."
        )
    return None


def _covered_by(link: Link, rule: Rule) -> Rule | None:
    """The rule that takes all that this one would, so that nothing is ever counted for this one."""
    to = link.destination_of(rule).bucket
    for other in link.rules:
        beside = other.enabled and other.id != rule.id and link.destination_of(other).bucket == to
        wider = rule.prefix.startswith(other.prefix) and set(other.tags) <= set(rule.tags)
        if beside and wider and other.priority > rule.priority:
            return other
    return None


# --- what it comes to ----------------------------------------------------------------------------------------


def out_of_reach(pair: Pair, accounts: Accounts) -> list[Check]:
    """The directions whose alarms stand in an account of which the task has no credentials."""
    return [
        Check(
            Area.MONITORING,
            "drill",
            f"{link.source.bucket} -> {link.destination.bucket}",
            Status.UNKNOWN,
            f"The alarms of what {link.source.bucket} replicates were not drilled: they stand in account "
            f"{accounts[link.source.bucket].id}, of which this task has no credentials. Let its owner run the drill.",
        )
        for link in pair.links()
        if not accounts[link.source.bucket].ours
    ]


def data_point_check(one: Watching, newest: datetime | str | None) -> Check:
    """Whether the metric has ever had a data point, as far back as CloudWatch keeps them: 15 months.

    Args:
        newest: the time of the newest; None: there is none; a text says why it is not known.
    """
    what = f"{one.metric} of the rule '{one.rule.id}' from {one.link.source.bucket} ({one.place.region})"
    if isinstance(newest, str):
        status, text = Status.UNKNOWN, f"Whether {what} has ever had a data point is not known: {newest}."
    elif newest is not None:
        status, text = (
            Status.PASSED,
            f"{what} had its newest data point in the period from {newest:%Y-%m-%d %H:%M} UTC.",
        )
    elif one.by_failure:
        status = Status.WARNING
        text = f"{what} has no data point yet; AWS publishes it only when objects replicate. A drill makes one fail."
    else:
        status, text = Status.AT_RISK, f"{what} has never had a data point. {_NO_DATA}"
    return Check(Area.MONITORING, "data point", one.name, status, text)


_NO_DATA = (
    "AWS publishes it also while nothing replicates, some 15 minutes after the rule is made: see that the rule is "
    "enabled and has metrics in S3, and run again."
)


def explain_silence(proof: Proof, seconds: float, newest: datetime | str | None) -> None:
    """Why a proof is not done when time is up: the first link of the chain that did not hold.

    Args:
        newest: the time of the metric's newest data point since the drill began, as in `data_point_check`.
    """
    one, waited = proof.watching, f"within {seconds:.0f} s"
    name = f"The alarm '{one.name}' ({one.place.region})"
    if proof.by == FAILURE and proof.to_failed is None:
        proof.fails(UNKNOWN, f"{name} was not made to fire: S3 did not give up the canary {waited}. {_LONGER}")
    elif proof.to_alarm is None and newest is None:
        proof.fails(
            FAILED,
            f"{name} did not fire {waited}, and AWS published no data point of {one.metric} with its dimensions "
            f"{json.dumps({d['Name']: d['Value'] for d in metric_dimensions(one.rule, one.link)})}. {_PUBLISH}",
        )
    elif proof.to_alarm is None and isinstance(newest, str):
        proof.fails(
            FAILED,
            f"{name} did not fire {waited}. Whether {one.metric} has data points is not known: {newest}. {_PUBLISH}",
        )
    elif proof.to_alarm is None:
        proof.fails(
            FAILED,
            f"{name} did not fire {waited}, though its metric has data points. Look at its statistic, its period and "
            "how many data points it wants.",
        )
    elif proof.sender != proof.looked_at:
        proof.fails(
            FAILED,
            f"{name} fired, and {waited} its composite alarm '{proof.sender}' told nobody by "
            f"{', '.join(proof.mute) or 'its topics'}. Where it has a suppressor, it waits {wait_of(proof):.0f} s for "
            "that before it tells, and tells nothing when all is well again by then. Look at that wait, and at the "
            "topic's policy and key.",
        )
    else:
        proof.fails(
            FAILED,
            f"{name} fired, and {waited} no message came by {', '.join(proof.mute) or 'its topics'}. Look at the "
            "topic: its policy, and where it is encrypted whether the key lets cloudwatch.amazonaws.com and "
            "sns.amazonaws.com use it.",
        )


def outcome_check(proof: Proof) -> Check:
    """What the drill says of an alarm, in place of what could be read of it."""
    one = proof.watching
    if proof.status == PROVEN:
        how = "by a real failure" if proof.by == FAILURE else "by a twin on its metric"
        text = (
            f"The alarm '{one.name}' ({one.place.region}) was made to fire {how}, and its message came by "
            f"{', '.join(one.topics)} after {proof.to_message} s."
        )
        return Check(Area.MONITORING, one.kind, one.name, Status.PASSED, text)
    status = Status.AT_RISK if proof.status == FAILED else Status.UNKNOWN
    return Check(Area.MONITORING, one.kind, one.check.subject, status, proof.trouble or one.check.message)


_LONGER = "Run again with a longer `deadline_seconds`."
_PUBLISH = (
    "Metrics come up to 15 minutes after a rule is made, and then each minute as well as AWS can. Look whether the "
    "rule has metrics in S3; run again with a longer `deadline_seconds`."
)


def teller_of(proof: Proof) -> str:
    """The alarm by which people hear of the one that is proven: itself, or the composite alarm that fires with it."""
    return str((proof.watching.teller or {}).get("AlarmName", proof.watching.name))


def wait_of(proof: Proof) -> float:
    """How long a composite alarm waits for its suppressor before it tells, in seconds."""
    return float((proof.watching.teller or {}).get("ActionsSuppressorWaitPeriod") or 0)


def must_be_calm(proof: Proof) -> set[str]:
    """The alarms that may not be in ALARM before: its own, its sender, and what keeps that from telling anybody."""
    suppressor = str((proof.watching.teller or {}).get("ActionsSuppressor") or "")
    own = (proof.looked_at, proof.sender) if proof.by == FAILURE else ()  # a twin does not exist yet
    return {name for name in (*own, suppressor.partition(":alarm:")[2] or suppressor) if name}


def was_alarmed(proof: Proof, loud: Iterable[str]) -> str:
    """Alarms were in ALARM before anything was provoked, and stayed so."""
    one, loud = proof.watching, set(loud)
    if not loud & {proof.looked_at, proof.sender}:
        return (
            f"The composite alarm '{teller_of(proof)}' ({one.place.region}) is suppressed by "
            f"{', '.join(sorted(loud))}, so it tells nobody. Run the drill again when that is over."
        )
    return (
        f"The alarm '{min(loud)}' ({one.place.region}) is in ALARM already, so nothing can be seen of it firing. "
        "Repair what it tells of, wait until it is OK, and run the drill again."
    )


def verdict(proofs: Iterable[Proof], checks: Iterable[Check], rehearsed: bool) -> str:
    """`proven` when every alarm is; what is known to fail comes before what is not known."""
    found = {proof.status for proof in proofs if rehearsed or proof.trouble}
    bad = {check.status for check in checks}
    if FAILED in found or bad & {Status.AT_RISK, Status.BROKEN}:
        return FAILED
    if UNKNOWN in found or Status.UNKNOWN in bad or not (found and rehearsed):
        return UNKNOWN
    return PROVEN


def drill_notes(proofs: Iterable[Proof]) -> list[str]:
    """What a drill does not prove, and what else it set off."""
    proofs = list(proofs)
    notes = []
    if any(proof.by == TWIN and proof.status == PROVEN for proof in proofs):
        notes.append(
            "Of the alarms that were proven by a twin, the metric, the dimensions, the action and the delivery are "
            "proven. Their own thresholds, and of a heartbeat the silence, were not provoked."
        )
    unfired = {
        (teller_of(proof), proof.watching.place)
        for proof in proofs
        if proof.by == TWIN and proof.status == PROVEN and teller_of(proof) != proof.watching.name
    }
    unfired -= {(proof.sender, proof.watching.place) for proof in proofs if proof.by == FAILURE and proof.heard}
    notes += [
        f"The composite alarm '{name}' ({place.region}) itself did not fire: of what it tells by, only the topics are "
        "proven."
        for name, place in sorted(unfired)
    ]
    notes += [
        f"'{proof.sender}' also acted by {', '.join(proof.watching.others)}. Close what that has opened."
        for proof in proofs
        if proof.by == FAILURE and proof.to_alarm is not None and proof.watching.others
    ]
    return list(dict.fromkeys(notes))
