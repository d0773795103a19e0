# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A fire drill of a pair's alarms: look, provoke, wait for the messages, restore, and prove that objects arrive again.

All that it makes has names that any later run knows, so one that was killed is cleared away by the next.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from .._core.alarm_drill import (
    FAILURE,
    UNKNOWN,
    Proof,
    check_policy_sizes,
    data_point_check,
    denial_wish,
    drill_flights,
    drill_notes,
    drill_places,
    explain_silence,
    leftover_addresses,
    leftover_flights,
    listening_wish,
    must_be_calm,
    out_of_reach,
    outcome_check,
    proofs_of,
    queue_address,
    told_by,
    twin_wish,
    verdict,
    wait_of,
    was_alarmed,
)
from .._core.alarms import metric_dimensions
from .._core.checks import Area, Check, Status, problems
from .._core.drill_names import drill_key, drill_token, is_drill_queue, queue_name, twin_prefix
from .._core.merging import is_ours
from .._core.model import Accounts, Address, Pair, Refused, Step
from .._core.monitoring import Place, Watching, alarm_places, topics_to_read, unobserved_checks, watchings
from .._core.plan import Wish, applied, plan
from .._core.proofs import Flight
from .._core.render import as_results
from .._core.verdict import IN_VERIFY, not_arrived
from .alarm_facts import each as each_client
from .alarm_facts import read_alarms, read_topics
from .alarm_rows import alarms_named
from .canary import Route, Side, each, prove
from .gateway import AwsFailure, Gateway, asking
from .row import ClientFor
from .sdk_errors import DENIED, NO_ANSWER, ClientError, error_code, in_short

_FIRST_PAUSE_SECONDS, _LATER_PAUSE_SECONDS = 1.0, 5.0
_EAGER_SECONDS = 60.0
_CONFIRMATION_SECONDS = 60.0
_ATTEMPTS = 4
_NAMES_AT_ONCE = 100
_KEPT = timedelta(days=455)
"""How far back CloudWatch keeps data points."""
_DAY = 86400
_DELETION_SECONDS = 70.0
"""SQS may show a queue for a minute after it was deleted."""
_HIDDEN_SECONDS = 43200
"""What was received stays hidden longer than any drill lasts, so that nothing comes twice."""


@dataclass(slots=True)
class _Canary:
    """One that is to fail. `written` and `failed` are moments of this machine's clock."""

    flight: Flight
    route: Route
    key: str
    version: str = ""
    written: float = 0.0
    failed: float | None = None
    trouble: str | None = None

    @property
    def decided(self) -> bool:
        return self.failed is not None or self.trouble is not None


class AlarmDrill:
    """One drill of one pair."""

    def __init__(
        self,
        gateway: Gateway,
        client_for: ClientFor,
        pair: Pair,
        accounts: Accounts,
        deadline_seconds: float = 900.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        shielded: Callable[[], AbstractContextManager[object]] = nullcontext,
        alone: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """A drill that looks at nothing yet.

        Args:
            shielded: entered while AWS is restored, so that no signal ends that.
            alone: entered while the policy of a bucket is read and written, which other drills may write as well.
        """
        self._gateway = gateway
        self._client_for = client_for
        self._pair = pair
        self._accounts = accounts
        self._deadline = deadline_seconds
        self._sleep = sleep
        self._clock = clock
        self._shielded = shielded
        self._alone = alone
        self._places = drill_places(pair, accounts)
        self._flights = drill_flights(pair, accounts)
        self._watched: list[Watching] = []
        self._queues: dict[Place, str] = {}
        self._canaries: list[_Canary] = []
        self._twins_begun = 0.0
        self._hiccups: dict[str, str] = {}
        self.checks: list[Check] = []
        self.proofs: list[Proof] = []
        self.steps: list[Step] = []
        self.cleared: list[str] = []
        """What a former drill had left behind."""
        self.left_behind: list[str] = []
        self.flown: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.rehearsed = False
        self._stuck: list[str] = []

    # --- the whole ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Everything, in the order that leaves nothing behind."""
        self.clear()
        self.look()
        if any(proof.trouble and proof.status != UNKNOWN for proof in self.proofs):
            self.notes.append("Nothing was provoked, since what is wrong can be seen without it.")
            return
        if all(proof.done for proof in self.proofs):
            return
        self._plan()
        self._wait_until_calm()
        self._restored_afterwards(self._rehearse)
        self.rehearsed = True
        judged = {proof.watching.check: outcome_check(proof) for proof in self.proofs}
        self.checks = [judged.get(check, check) for check in self.checks]
        self._prove_again()
        self._see_queues_gone()

    def predict(self) -> None:
        """What can be seen without a change; the steps are those that a run would make for a while."""
        self.clear(pretend=True)
        self.look()
        self._plan()
        self.checks += self._data_point_checks()
        self.notes.append("Nothing was provoked in check mode, so nothing is proven yet.")

    @property
    def left_in_the_way(self) -> bool:
        """Whether something is left but canaries: one may be locked or still on its way, and harms nobody."""
        return bool(set(self._stuck) - {self._remove_canaries.__name__})

    def result(self) -> dict[str, Any]:
        """What is to be told."""
        rehearsed = self.rehearsed
        outcome = verdict(self.proofs, self.checks, rehearsed)
        said = [proof.trouble for proof in self.proofs if proof.trouble]
        said += [one for one in problems(self.checks) if one not in said]
        return {
            "verdict": outcome,
            "alarms": [proof.as_result() for proof in self.proofs],
            "checks": [check.as_result() for check in self.checks],
            "problems": said,
            "canaries": self.flown,
            "restored": not self.left_behind,
            "left_behind": self.left_behind,
            "cleared": self.cleared,
            "steps": as_results(self.steps),
            "notes": [*drill_notes(self.proofs), *self.notes],
        }

    # --- looking ------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Judge each alarm of the pair by what can be read."""
        pair, accounts = self._pair, self._accounts
        alarms = read_alarms(self._client_for, alarm_places(pair, accounts))
        first = watchings(pair, accounts, alarms, {})
        wanted = [(one.place, topic) for one in first for topic in one.topics]
        topics = read_topics(self._client_for, [*topics_to_read(pair, accounts, alarms), *wanted])
        self._watched = watchings(pair, accounts, alarms, topics)
        self.checks = [*out_of_reach(pair, accounts), *(one.check for one in self._watched)]
        self.checks += unobserved_checks(pair, accounts)
        if not self._watched and not self.checks:
            text = f"The pair '{pair.name}' has no enabled rule with metrics, so no alarm can watch it."
            self.checks.append(Check(Area.MONITORING, "drill", pair.name, Status.AT_RISK, text))
        self.proofs = proofs_of(pair, self._watched, self._flights)

    def _data_point_checks(self) -> list[Check]:
        there = [one for one in self._watched if one.alarm is not None and not one.expression]
        now = datetime.now(UTC)
        metrics = {(one.place, one.metric, one.link, one.rule): one for one in there}
        newest = each_client(lambda one: self._newest(one, now - _KEPT, _DAY), metrics.values())
        return [data_point_check(one, found) for one, found in zip(metrics.values(), newest, strict=True)]

    def _newest(self, one: Watching, since: datetime, period: int) -> datetime | str | None:
        """The newest data point, in periods of so many seconds; a text says why it is not known."""
        try:
            points = self._client_for("cloudwatch", one.place.region, one.place.account).get_metric_statistics(
                Namespace="AWS/S3",
                MetricName=one.metric,
                Dimensions=metric_dimensions(one.rule, one.link),
                StartTime=since,
                EndTime=datetime.now(UTC) + timedelta(minutes=1),
                Period=period,
                Statistics=["SampleCount"],
            )["Datapoints"]
        except ClientError as error:
            if error_code(error) in DENIED:
                return "these credentials may not read it: cloudwatch:GetMetricStatistics is missing"
            return in_short(error)
        except NO_ANSWER as error:
            return in_short(error)
        return max((point["Timestamp"] for point in points), default=None)

    # --- what a former drill left behind ------------------------------------------------------------------------

    def clear(self, *, pretend: bool = False) -> None:
        """Remove what a former drill of the pair, which was killed, has left behind."""
        unwanted = {**leftover_addresses(self._pair, self._accounts), **self._twins()}
        observed = self._gateway.observe(unwanted)
        steps = plan({}, observed, unwanted)
        self.steps += steps
        subscriptions = self._subscriptions()
        versions = [(side, version) for side, key in self._keys() for version in self._versions(side, key)]
        self.cleared = [
            *(str(step.address) for step in steps),
            *(f"sns_subscription {arn} ({place.region})" for place, arn in subscriptions),
            *(f"canary {key} ({version}) in {side.end.bucket}" for side, (key, version) in versions),
        ]
        if not pretend and self.cleared:
            self._restored_afterwards(lambda: None)
            self._see_queues_gone()
            if self.left_in_the_way:
                raise AwsFailure(
                    f"pair '{self._pair.name}': what a former drill left behind cannot be removed, so none is begun. "
                    + " ".join(self.left_behind)
                )

    def _twins(self) -> dict[Address, dict[str, Any]]:
        found: dict[Address, dict[str, Any]] = {}
        for place in self._places:
            client = self._client_for("cloudwatch", place.region, place.account)
            with asking(f"the alarms of pair '{self._pair.name}' in {place.region}", "cloudwatch:DescribeAlarms"):
                for name in alarms_named(client, twin_prefix(self._pair.name)):
                    found[Address("metric_alarm", name, place.region, place.account)] = {}
        return found

    def _subscriptions(self) -> list[tuple[Place, str]]:
        """All of the drill's queue, by whatever topic. One that is not confirmed yet has no ARN, and goes by itself."""
        found = []
        for place in self._places:
            pages = self._client_for("sns", place.region, place.account).get_paginator("list_subscriptions").paginate()
            with asking(f"the subscriptions in {place.region}", "sns:ListSubscriptions"):
                found += [
                    (place, one["SubscriptionArn"])
                    for page in pages
                    for one in page["Subscriptions"]
                    if self._is_our_queue(one["Endpoint"]) and one["SubscriptionArn"].startswith("arn:")
                ]
        return found

    def _is_our_queue(self, endpoint: str) -> bool:
        return is_drill_queue(endpoint) and endpoint.rpartition(":")[2] == queue_name(self._pair.name)

    def _keys(self) -> list[tuple[Side, str]]:
        """Wherever a canary of the drill may be."""
        found: dict[tuple[str, str], tuple[Side, str]] = {}
        for flight in leftover_flights(self._pair, self._accounts):
            key = drill_key(self._pair.name, flight.rule)
            for side in self._route(flight).sides:
                found[side.end.bucket, key] = (side, key)
        return list(found.values())

    def _route(self, flight: Flight) -> Route:
        return Route.of(flight, self._accounts, self._client_for)

    def _versions(self, side: Side, key: str) -> list[tuple[str, str]]:
        with asking(f"the canaries in bucket '{side.end.bucket}'", "s3:ListBucketVersions"):
            try:
                answer = side.client.list_object_versions(**side.bucket, Prefix=key)
            except ClientError as error:
                if error_code(error) == "NoSuchBucket":
                    return []
                raise
        rows = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
        return [(key, row["VersionId"]) for row in rows if row["Key"] == key]

    # --- what is put for a while --------------------------------------------------------------------------------

    def _wishes(self) -> tuple[Wish, Wish, Wish]:
        """The listening, the twins, the denial."""
        waiting = [proof for proof in self.proofs if not proof.done]
        failing = {(proof.watching.link, proof.watching.rule) for proof in waiting if proof.by == FAILURE}
        flights = [flight for flight in self._flights if (flight.link, flight.rule) in failing]
        return (
            listening_wish(self._pair, [proof.watching for proof in waiting]),
            twin_wish(self._pair, [proof.watching for proof in waiting if proof.by != FAILURE]),
            denial_wish(self._pair, self._accounts, flights),
        )

    def _plan(self) -> None:
        """The steps of all, and whether they are possible, before anything is changed."""
        wish = {address: ours for part in self._wishes() for address, ours in part.items()}
        observed = applied(self.steps, self._gateway.observe(wish))
        for at in wish:
            if at.kind == "sqs_queue" and observed[at] is not None and not is_ours(observed[at]):
                raise Refused(f"{at}: a queue of this name is somebody else's. Delete it, or rename the pair.")
            # A queue takes its policy along, and its subscriptions have no address among the steps that clear it away.
            if at.kind in ("sns_subscription", "sqs_queue_policy"):
                observed[at] = None
        check_policy_sizes({at: ours for at, ours in wish.items() if at.kind == "bucket_policy"}, observed)
        self.steps += plan(wish, observed)

    def _put(self, wish: Wish) -> None:
        """Another drill may write the same bucket's policy at this moment, and is then waited for.

        A queue that is seen is a former drill's that SQS is about to delete, so one is made in any case.
        """
        for left in reversed(range(_ATTEMPTS)):
            try:
                with self._alone():
                    there = self._gateway.observe(wish)
                    there |= {address: None for address in wish if address.kind == "sqs_queue"}
                    self._gateway.carry_out(plan(wish, there))
            except AwsFailure:
                if not left:
                    raise
                self._sleep(_FIRST_PAUSE_SECONDS)
            else:
                return

    def _rehearse(self) -> None:
        self._put(self._wishes()[0])
        self._wait_until_confirmed()
        self._wait_until_calm()  # once more: SQS may have let wait for a minute
        _listening, twins, denial = self._wishes()
        self._put(denial)
        self._twins_begun = self._clock()
        self._put(twins)
        self._write_canaries()
        self._wait(denial)

    def _wait_until_calm(self) -> None:
        """An alarm that is in ALARM cannot be seen to fire. One that tells of the drill before is soon OK again."""
        failing = [proof for proof in self.proofs if not proof.done]
        started = self._clock()
        while True:
            wanted = {(one.watching.place, name) for one in failing for name in must_be_calm(one)}
            with asking("the state of the alarms", "cloudwatch:DescribeAlarms"):
                states = self._states(wanted)
            loud = {address for address, state in states.items() if state == "ALARM"}
            failing = [one for one in failing if any((one.watching.place, name) in loud for name in must_be_calm(one))]
            if not failing or self._clock() - started >= self._deadline:
                break
            self._sleep(_LATER_PAUSE_SECONDS)
        for proof in failing:
            here = {name for place, name in loud if place == proof.watching.place}
            proof.fails(UNKNOWN, was_alarmed(proof, here & must_be_calm(proof)))

    def _states(self, wanted: Iterable[tuple[Place, str]]) -> dict[tuple[Place, str], str]:
        """The state of each alarm, by its place and name."""
        by_place: dict[Place, list[str]] = {}
        for place, name in sorted(wanted):
            by_place.setdefault(place, []).append(name)
        found = {}
        for place, names in by_place.items():
            client = self._client_for("cloudwatch", place.region, place.account)
            for start in range(0, len(names), _NAMES_AT_ONCE):
                answer = client.describe_alarms(
                    AlarmNames=names[start : start + _NAMES_AT_ONCE], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
                )
                for one in (*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])):
                    found[place, one["AlarmName"]] = one["StateValue"]
        return found

    def _wait_until_confirmed(self) -> None:
        """SNS confirms a queue of the same account by itself."""
        wanted = {topic for proof in self.proofs if not proof.done for topic in proof.watching.topics}
        started = self._clock()
        while True:
            confirmed = {arn.rpartition(":")[0] for _place, arn in self._subscriptions()}
            if wanted <= confirmed:
                return
            if self._clock() - started >= _CONFIRMATION_SECONDS:
                raise AwsFailure(
                    f"pair '{self._pair.name}': SNS did not confirm the subscription of the drill's queue to "
                    f"{', '.join(sorted(wanted - confirmed))} within {_CONFIRMATION_SECONDS:.0f} s. Run again."
                )
            self._sleep(_FIRST_PAUSE_SECONDS)

    # --- canaries that fail -------------------------------------------------------------------------------------

    def _write_canaries(self) -> None:
        failing = {(one.watching.link, one.watching.rule) for one in self.proofs if one.by == FAILURE and not one.done}
        for flight in self._flights:
            if (flight.link, flight.rule) in failing:
                canary = _Canary(flight, self._route(flight), drill_key(self._pair.name, flight.rule))
                self._canaries.append(canary)
                self._write(canary)

    def _write(self, canary: _Canary) -> None:
        source = canary.route.source
        options = canary.route.write_options()
        try:
            answer = source.client.put_object(**source.bucket, Key=canary.key, Body=b"s3-dr alarm drill\n", **options)
        except (ClientError, *NO_ANSWER) as error:
            canary.trouble = f"writing the canary to {source.end.bucket} failed: {in_short(error)}"
            return
        canary.version, canary.written = str(answer.get("VersionId") or "null"), self._clock()
        if canary.version == "null":
            canary.trouble = f"versioning of bucket {source.end.bucket} is not enabled"

    def _look_at_canaries(self) -> None:
        for canary in self._canaries:
            if not canary.decided:
                self._look_at_canary(canary)
            if canary.decided:
                self._tell_proofs(canary)

    def _look_at_canary(self, canary: _Canary) -> None:
        source = canary.route.source
        with self._tolerating("s3:GetObjectVersion", f"the canary in bucket '{source.end.bucket}'"):
            head = source.client.head_object(**source.bucket, Key=canary.key, VersionId=canary.version)
            status = head.get("ReplicationStatus")
            if status == "FAILED":
                canary.failed = self._clock()
            elif status is None:
                canary.trouble = "no enabled rule of the bucket matched the canary"
            elif status != "PENDING":  # it arrived: AWS does not see the denial everywhere yet
                self._write(canary)

    def _tell_proofs(self, canary: _Canary) -> None:
        for proof in self._proofs_of(canary):
            if canary.trouble:
                name = f"The alarm '{proof.watching.name}' ({proof.watching.place.region})"
                proof.fails(UNKNOWN, f"{name} was not made to fire: {canary.trouble}. Correct that, and run again.")
            elif canary.failed is not None and proof.to_failed is None:
                seconds = round(canary.failed - canary.written, 3)  # it is looked at in turns, as the alarms are
                proof.to_failed = seconds if proof.to_alarm is None else min(seconds, proof.to_alarm)

    def _proofs_of(self, canary: _Canary) -> list[Proof]:
        flight = canary.flight
        return [
            one
            for one in self.proofs
            if one.by == FAILURE and (one.watching.link, one.watching.rule) == (flight.link, flight.rule)
        ]

    # --- waiting ------------------------------------------------------------------------------------------------

    def _wait(self, denial: Wish) -> None:
        """Until all is proven or time is up. The denial goes as soon as S3 has given up every canary.

        What composite alarms wait before they tell is added to the time.
        """
        started, denied = self._clock(), bool(denial)
        deadline = self._deadline + max((wait_of(proof) for proof in self.proofs if proof.by == FAILURE), default=0.0)
        while True:
            round_began = self._clock()
            self._look_at_canaries()
            if denied and all(canary.decided for canary in self._canaries):
                self._remove_denials()
                denied = False
            self._look_at_alarms()
            self._receive()
            if all(proof.done for proof in self.proofs) and not denied:  # a canary on its way would be left behind
                return
            waited = self._clock() - started
            if waited >= deadline:
                self._explain(waited)
                return
            pause = _FIRST_PAUSE_SECONDS if waited < _EAGER_SECONDS else _LATER_PAUSE_SECONDS
            self._sleep(max(0.0, pause - (self._clock() - round_began)))

    def _since_provoked(self, proof: Proof, moment: float) -> float:
        if proof.by != FAILURE:
            return moment - self._twins_begun
        written = [canary.written for canary in self._canaries if proof in self._proofs_of(canary)]
        return moment - max(written, default=moment)

    def _look_at_alarms(self) -> None:
        waiting = [proof for proof in self.proofs if not proof.done and proof.to_alarm is None]
        with self._tolerating("cloudwatch:DescribeAlarms", "the state of the alarms"):
            states = self._states({(proof.watching.place, proof.looked_at) for proof in waiting})
            moment = self._clock()
            for proof in waiting:
                if states.get((proof.watching.place, proof.looked_at)) == "ALARM":
                    proof.alarmed(self._since_provoked(proof, moment))

    def _receive(self) -> None:
        for place in sorted({proof.watching.place for proof in self.proofs if not proof.done}):
            with self._tolerating("sqs:GetQueueUrl, sqs:ReceiveMessage", f"the queue of the drill in {place.region}"):
                self._receive_at(place)

    def _receive_at(self, place: Place) -> None:
        client = self._client_for("sqs", place.region, place.account)
        if place not in self._queues:
            self._queues[place] = client.get_queue_url(
                QueueName=queue_name(self._pair.name), QueueOwnerAWSAccountId=place.account
            )["QueueUrl"]
        while messages := client.receive_message(
            QueueUrl=self._queues[place],
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            VisibilityTimeout=_HIDDEN_SECONDS,
        ).get("Messages", []):
            moment = self._clock()
            for told in filter(None, (told_by(message["Body"]) for message in messages)):
                for proof in self.proofs:
                    if proof.watching.place == place:
                        proof.hears(told, self._since_provoked(proof, moment))
            if all(proof.done for proof in self.proofs if proof.watching.place == place):
                return

    @contextmanager
    def _tolerating(self, permission: str, what: str) -> Iterator[None]:
        """What AWS refuses for good ends the drill; anything else may pass, and is told if it does not."""
        try:
            yield
            self._hiccups.pop(what, None)
        except ClientError as error:
            if error_code(error) in DENIED:
                with asking(what, permission):
                    raise
            self._hiccups[what] = in_short(error)
        except NO_ANSWER as error:
            self._hiccups[what] = in_short(error)

    def _explain(self, waited: float) -> None:
        """Say of what is not proven which link of the chain did not hold."""
        since = datetime.now(UTC) - timedelta(seconds=waited) - timedelta(minutes=5)
        for proof in self.proofs:
            if not proof.done:
                newest = None if proof.to_alarm is not None else self._newest(proof.watching, since, 60)
                explain_silence(proof, waited, newest)
        self.notes += [f"At the end there was no answer about {what}: {why}." for what, why in self._hiccups.items()]

    # --- restoring ----------------------------------------------------------------------------------------------

    def _restored_afterwards(self, work: Callable[[], None]) -> None:
        """Whatever becomes of the work, all that was put is taken away, and what cannot be is told."""
        try:
            work()
        finally:
            with self._shielded(), ExitStack() as stack:
                self.left_behind, self._stuck = [], []
                # The last that is pushed is done first, and each is done whatever becomes of the others.
                stack.callback(self._attempt, self._remove_queues, "sqs delete-queue for each queue that is named")
                stack.callback(self._attempt, self._unsubscribe, "sns unsubscribe for each subscription of the queue")
                stack.callback(
                    self._attempt, self._remove_twins, "cloudwatch delete-alarms for each alarm that is named"
                )
                stack.callback(
                    self._attempt, self._remove_canaries, "s3api delete-object --version-id for each version"
                )
                stack.callback(self._attempt, self._remove_denials, "s3api put-bucket-policy without that statement")

    def _attempt(self, remove: Callable[[], None], by_hand: str) -> None:
        """Remove one sort of thing; what cannot be removed is told with the way to do it by hand."""
        for left in reversed(range(_ATTEMPTS)):
            try:
                remove()
            except Exception as error:  # whatever it is: the rest is removed nevertheless
                if not left:
                    self._stuck.append(remove.__name__)
                    self.left_behind.append(
                        f"{self._what_is(remove)} of the drill may still be there ({in_short(error)}). Run the module "
                        f"with `state: absent`, or remove it by hand: aws {by_hand}."
                    )
                else:
                    self._sleep(_FIRST_PAUSE_SECONDS)
            else:
                return

    def _what_is(self, remove: Callable[[], None]) -> str:
        pair, key = self._pair.name, drill_token(self._pair.name)
        sids = sorted(
            f"{statement['Sid']} in the policy of {at.name}"
            for at, ours in leftover_addresses(self._pair, self._accounts).items()
            for statement in ours.get("Statement", ())
        )
        regions = ", ".join(place.region for place in self._places)
        return {
            self._remove_denials.__name__: f"The statement {', '.join(sids)}",
            self._remove_canaries.__name__: f"Canaries below the rules' prefixes, .s3-dr-canary/{key}",
            self._remove_twins.__name__: f"Alarms {twin_prefix(pair)}* ({regions})",
            self._unsubscribe.__name__: f"The subscription of the queue {queue_name(pair)} ({regions})",
            self._remove_queues.__name__: f"The queue {queue_name(pair)} ({regions})",
        }[remove.__name__]

    def _remove(self, unwanted: Wish) -> None:
        """Until AWS says that it is gone: another drill may have written it back with its own part of a policy."""
        for _attempt in range(_ATTEMPTS):
            steps = plan({}, self._gateway.observe(unwanted), unwanted)
            if not steps:
                return
            self._gateway.carry_out(steps)
            if steps[0].address.kind != "bucket_policy":
                return

    def _remove_denials(self) -> None:
        leftover = leftover_addresses(self._pair, self._accounts)
        with self._alone():
            self._remove({at: ours for at, ours in leftover.items() if at.kind == "bucket_policy"})

    def _remove_twins(self) -> None:
        self._remove(self._twins())

    def _see_queues_gone(self) -> None:
        """Until SQS shows none any more, or another run would take what it sees for something left behind."""
        if self._remove_queues.__name__ in self._stuck:
            return
        queues, started = [queue_address(self._pair, place) for place in self._places], self._clock()
        with suppress(AwsFailure):
            while any(self._gateway.observe(queues).values()) and self._clock() - started < _DELETION_SECONDS:
                self._sleep(_FIRST_PAUSE_SECONDS)

    def _remove_queues(self) -> None:
        self._remove({queue_address(self._pair, place): {} for place in self._places})

    def _unsubscribe(self) -> None:
        for place, arn in self._subscriptions():
            with asking(f"the subscription {arn}", "sns:Unsubscribe"):
                self._client_for("sns", place.region, place.account).unsubscribe(SubscriptionArn=arn)

    def _remove_canaries(self) -> None:
        """Each version of the drill's own keys, by its ID; one that S3 has not given up yet is left to arrive."""
        for side, key in self._keys():
            for _key, version in self._versions(side, key):
                if self._is_pending(side, key, version):
                    said = f"The canary {key} ({version}) in {side.end.bucket} is still PENDING and is left to arrive."
                    if not any(said in one for one in self.left_behind):
                        self.left_behind.append(f"{said} Run the module with `state: absent` later.")
                    continue
                with asking(f"the canary {key} ({version}) in bucket '{side.end.bucket}'", "s3:DeleteObjectVersion"):
                    side.client.delete_object(**side.bucket, Key=key, VersionId=version)

    def _is_pending(self, side: Side, key: str, version: str) -> bool:
        try:
            head = side.client.head_object(**side.bucket, Key=key, VersionId=version)
        except (ClientError, *NO_ANSWER):
            return False
        return bool(head.get("ReplicationStatus") == "PENDING")

    def _prove_again(self) -> None:
        """One canary through each rule, to see that objects arrive as before."""
        token, flights = drill_token(self._pair.name), [canary.flight for canary in self._canaries]
        routes = [self._route(flight) for flight in flights]
        fly = partial(prove, deadline_seconds=self._deadline, sleep=self._sleep, clock=self._clock, token=token)
        try:
            self.flown = [canary.as_result() for canary in each(fly, routes)]
        except BaseException:
            self._restored_afterwards(lambda: None)
            raise
        self.left_behind += [text for one in self.flown for text in one["left_behind"]]
        for one in self.flown:
            where = f"{one['source']} -> {one['destination']} ({one['rule']})"
            text = " ".join(not_arrived([one], IN_VERIFY)) or f"{where}: a canary arrived again after the drill."
            status = Status.PASSED if one["status"] == "replicated" else Status.BROKEN
            self.checks.append(Check(Area.CANARY, "arrives again", where, status, text))
