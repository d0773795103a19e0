# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""An event source of ansible-rulebook: failures of S3 replication, from SQS queues, one event for each pair.

A storm of failures must not become a storm of verifies, and no failure may go unsaid. So failures of a pair are counted
together: the first event of a pair goes out after `batch_seconds`, the next ones at least `interval_seconds` apart,
each with all that came in between. The message that began a count stays in SQS until its event is out, so that a source
that is ended in between finds it again; those after it only raise numbers and are deleted at once.
"""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: replication_events
author: Contributors to the crossregion.s3_dr project (@crossregion)
short_description: Receive failures of S3 replication, one event for each pair
description:
  - Receives the C(s3:Replication:*) events of S3 from SQS queues of several Regions, and gives the rulebook one event
    for each pair that has failures, however many there are.
  - A message is deleted from its queue after the event that tells of it went out, or when an event that waits already
    counts it. A message that cannot be read becomes an event of its own, with its text, and is deleted too, so that it
    does not come back for ever.
  - Errors of the network and of SQS are logged, and tried again after 1 to 60 seconds. What only a change of the
    settings can cure, such as a queue that does not exist, ends the source if it is the first answer of SQS.
  - Credentials, profile and endpoint are found as boto3 finds them, for example by E(AWS_PROFILE). They need
    C(sqs:ReceiveMessage), C(sqs:DeleteMessage) and, for a queue given by its name, C(sqs:GetQueueUrl).
  - Two opening braces of Jinja in a text of S3, such as the key of an object, are written as C(%7B{), since the text of
    an event gets into a playbook's variables, where Ansible would execute it.
requirements:
  - boto3
options:
  queues:
    description:
      - The queues. Each has a C(region), and a C(name) or a C(url).
    type: list
    elements: dict
    required: true
  events:
    description:
      - Which of S3's events count. Messages of other ones are deleted.
    type: list
    elements: str
    default: [OperationFailedReplication, OperationMissedThreshold, OperationNotTracked]
  batch_seconds:
    description:
      - How long failures are gathered before the first event of a pair.
    type: float
    default: 10
  interval_seconds:
    description:
      - How far apart the events of a pair are at least. Failures in between are told by the next event.
    type: float
    default: 900
  max_failures:
    description:
      - How many failures an event tells one by one. All are counted.
    type: int
    default: 20
  wait_seconds:
    description:
      - How long one call waits for messages, up to 20. Fewer seconds end the source sooner and make more calls.
    type: int
    default: 20
"""

EXAMPLES = r"""
- crossregion.s3_dr.replication_events:
    queues:
      - name: s3-dr-events
        region: us-east-1
      - name: s3-dr-events
        region: us-west-2
    interval_seconds: 1800

# An event for a pair
#   subject: pair
#   pair: orders
#   count: 250
#   events: {OperationFailedReplication: 250}
#   reasons: {AssumeRoleNotPermitted: 250}
#   buckets: [example-orders]
#   failures:        # the first max_failures of them
#     - event: OperationFailedReplication
#       pair: orders
#       bucket: example-orders
#       region: us-east-1
#       key: 2026/order 1.txt
#       version_id: 3HL4kqtJlcpXroDTDmJ-rmSpXd3dIbrHY
#       size: 1024
#       rule: s3-dr-orders
#       destination: example-orders-dr
#       reason: AssumeRoleNotPermitted
#       cause: S3 cannot assume the replication role ...
#       remedy: See that the role exists ...
#       time: 2026-01-31T12:00:00.000Z
#   left_out: 230
#   first_time: 2026-01-31T12:00:00.000Z
#   last_time: 2026-01-31T12:00:09.000Z
#
# Failures told by a notification that belongs to no pair: the same with `subject: foreign`, without `pair`.
#
# A message that cannot be read
#   subject: unreadable
#   queue: s3-dr-events
#   region: us-east-1
#   message_id: 5fea7756-0ea4-451a-a703-a558b933e274
#   problem: the message is no JSON ...
#   body: ...        # up to 2000 characters of it
"""

import asyncio
import logging
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected

# ansible-rulebook loads this file by its path, and need not know where collections are.
_COLLECTIONS = Path(__file__).resolve().parents[7] if len(Path(__file__).resolve().parents) > 7 else None
if _COLLECTIONS and str(_COLLECTIONS) not in sys.path:
    sys.path.append(str(_COLLECTIONS))

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.events import (
    FAILED,
    MISSED,
    NOT_TRACKED,
    failures_of,
)

LOG = logging.getLogger("crossregion.s3_dr.replication_events")
MOST_VISIBILITY_SECONDS = 12 * 60 * 60
LONGEST_PAUSE = 60.0
BODY_SAID = 2000
NEW_ATTEMPT_HELPS = ("Throttl", "OverLimit", "TooManyRequests", "SlowDown", "RequestTimeout", "ServiceUnavailable")
TEMPLATE_START = re.compile(r"\{(?=[{%#])")


class SettingsError(Exception):
    """The source cannot work as it is set."""


@dataclass(frozen=True)
class Settings:
    """The options of DOCUMENTATION, checked."""

    queues: list[dict[str, str]]
    events: frozenset[str] = frozenset({FAILED, MISSED, NOT_TRACKED})
    batch_seconds: float = 10
    interval_seconds: float = 900
    max_failures: int = 20
    wait_seconds: int = 20

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> Settings:
        """Take what ansible-rulebook hands over.

        Raises:
            SettingsError: an option is wrong; the message names it.
        """
        if unknown := sorted(args.keys() - cls.__dataclass_fields__.keys() - {"feedback", "eda_feedback_queue"}):
            raise SettingsError(
                f"unknown options: {', '.join(unknown)}. There are {', '.join(cls.__dataclass_fields__)}."
            )
        queues = args.get("queues")
        if not isinstance(queues, list) or not queues:
            raise SettingsError("`queues` must be a list of {region, name} or {region, url}.")
        for queue in queues:
            if (
                not isinstance(queue, Mapping)
                or not queue.get("region")
                or bool(queue.get("name")) == bool(queue.get("url"))
            ):
                raise SettingsError(
                    f"each of `queues` needs a `region`, and a `name` or a `url`; this one is {queue!r}."
                )
        numbers = {name: cls.number(args, name, kind) for name, kind in NUMBERS.items() if args.get(name) is not None}
        if numbers.get("wait_seconds", 0) > 20:
            raise SettingsError("`wait_seconds` is at most 20; SQS waits no longer.")
        events = args.get("events")
        if events is not None and (not isinstance(events, list) or not events):
            raise SettingsError("`events` must be a list of names such as OperationFailedReplication.")
        chosen: dict[str, Any] = {"events": frozenset(map(str, events))} if events else {}
        return cls(queues=[dict(queue) for queue in queues], **chosen, **numbers)

    @staticmethod
    def number(args: Mapping[str, Any], name: str, kind: Callable[[Any], float]) -> Any:
        """A number that is not negative."""
        try:
            value = kind(args[name])
        except (TypeError, ValueError):
            raise SettingsError(f"`{name}` must be a number; it is {args[name]!r}.") from None
        if value < 0:
            raise SettingsError(f"`{name}` must not be negative; it is {value}.")
        return value

    def visibility_seconds(self) -> int:
        """How long SQS hides a message that waits for its event."""
        return min(round(self.batch_seconds + self.interval_seconds) + 60, MOST_VISIBILITY_SECONDS)


NUMBERS: dict[str, Callable[[Any], float]] = {
    "batch_seconds": float,
    "interval_seconds": float,
    "max_failures": int,
    "wait_seconds": int,
}


class Queue:
    """One queue of SQS. Its methods wait for AWS, so they run in a thread."""

    def __init__(self, place: Mapping[str, str], settings: Settings) -> None:
        self.region = place["region"]
        self.title = f"{place.get('name') or place['url']} in {self.region}"
        self.name = place.get("name")
        self.url = place.get("url")
        self.settings = settings
        self.client: Any = None

    def receive(self) -> list[dict[str, Any]]:
        """Wait for messages."""
        if self.client is None:
            retries = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=10, read_timeout=40)
            self.client = boto3.session.Session().client("sqs", region_name=self.region, config=retries)
        if self.url is None:
            self.url = self.client.get_queue_url(QueueName=self.name)["QueueUrl"]
        answer = self.client.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=self.settings.wait_seconds,
            VisibilityTimeout=self.settings.visibility_seconds(),
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def delete(self, handles: list[str]) -> None:
        """Delete the messages of one call, so 10 at most. What cannot be deleted comes back and is told once more."""
        entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)]
        try:
            answer = self.client.delete_message_batch(QueueUrl=self.url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            LOG.error("queue %s: messages will come back, they could not be deleted: %s", self.title, error)
        else:
            for failed in answer.get("Failed", []):
                LOG.error("queue %s: a message will come back: %s", self.title, failed.get("Message") or failed["Code"])


@dataclass(eq=False)
class Kept:
    """A message that stays in SQS until each event that it began is out."""

    queue: Queue
    handle: str
    begun: int = 0


@dataclass
class Count:
    """The failures of a pair since its last event."""

    pair: str | None
    began: float
    kept: Kept
    most: int
    events: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    buckets: set[str] = field(default_factory=set)
    failures: list[dict[str, Any]] = field(default_factory=list)
    times: set[str] = field(default_factory=set)

    def add(self, failure: Any) -> None:
        """Count one more."""
        self.events[failure.event] += 1
        self.buckets.add(failure.bucket)
        if failure.reason:
            self.reasons[failure.reason] += 1
        if failure.time:
            self.times = {min(self.times | {failure.time}), max(self.times | {failure.time})}
        if len(self.failures) < self.most:
            self.failures.append(failure.as_result())

    def event(self) -> dict[str, Any]:
        """What the rulebook gets."""
        count = self.events.total()
        event = {
            "count": count,
            "events": dict(self.events),
            "reasons": dict(self.reasons),
            "buckets": sorted(self.buckets),
            "failures": self.failures,
            "left_out": count - len(self.failures),
            "first_time": min(self.times, default=""),
            "last_time": max(self.times, default=""),
        }
        return harmless(
            {"subject": "foreign"} | event if self.pair is None else {"subject": "pair", "pair": self.pair} | event
        )


class Source:
    """Receives from all queues at once, counts, and tells."""

    def __init__(
        self, events: asyncio.Queue[Any], settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.events = events
        self.settings = settings
        self.clock = clock
        self.queues = [Queue(place, settings) for place in settings.queues]
        self.threads = ThreadPoolExecutor(len(self.queues) + 1, thread_name_prefix="replication_events")
        self.counts: dict[str | None, Count] = {}
        self.told: dict[str | None, float] = {}
        self.counted = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled, or until the settings turn out to be wrong."""
        tasks = [asyncio.ensure_future(self.tell()), *(asyncio.ensure_future(self.poll(one)) for one in self.queues)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            self.threads.shutdown(wait=False, cancel_futures=True)

    async def poll(self, queue: Queue) -> None:
        """Receive from one queue for ever, however often that fails."""
        answered, pause = False, 0.0
        while True:
            try:
                messages = await self.in_thread(queue.receive)
            except (BotoCoreError, ClientError) as error:
                if not answered and not new_attempt_helps(error):
                    problem = f"queue {queue.title}: {str(error).rstrip('.')}."
                    remedy = "Correct `queues` or the credentials; the role `events` makes queues."
                    raise SettingsError(f"{problem} {remedy}") from error
                pause = min(max(1.0, pause * 2), LONGEST_PAUSE)
                LOG.warning("queue %s: next attempt in %.0f s: %s", queue.title, pause, error)
                await asyncio.sleep(pause * random.uniform(0.5, 1))
                continue
            answered, pause = True, 0.0
            done = [message["ReceiptHandle"] for message in messages if await self.is_done(queue, message)]
            if done:
                await self.in_thread(queue.delete, done)

    async def is_done(self, queue: Queue, message: Mapping[str, Any]) -> bool:
        """Count what a message says. False: it has to stay in SQS for the time being."""
        try:
            found = failures_of(message["Body"])
        except Exception as error:  # whatever a message holds, it must neither stop the source nor be lost unsaid
            await self.events.put(unreadable(queue, message, error))
            return True
        kept = Kept(queue, message["ReceiptHandle"])
        for failure in found:
            if failure.event in self.settings.events:
                self.count_of(failure.pair, kept).add(failure)
        if kept.begun:
            self.counted.set()
        return not kept.begun

    def count_of(self, pair: str | None, kept: Kept) -> Count:
        """The count that waits for this pair; a new one is begun by the message."""
        if pair not in self.counts:
            kept.begun += 1
            self.counts[pair] = Count(pair, self.clock(), kept, self.settings.max_failures)
        return self.counts[pair]

    async def tell(self) -> None:
        """Give the rulebook each count when its time has come."""
        while True:
            self.counted.clear()
            wait = min((self.due(count) for count in self.counts.values()), default=None)
            if wait is None or wait > self.clock():
                await self.sleep_until(wait)
                continue
            for count in [count for count in self.counts.values() if self.due(count) <= self.clock()]:
                del self.counts[count.pair]  # what comes from now on belongs to the next event
                await self.events.put(count.event())
                self.told[count.pair] = self.clock()
                count.kept.begun -= 1
                if not count.kept.begun:
                    await self.in_thread(count.kept.queue.delete, [count.kept.handle])

    def due(self, count: Count) -> float:
        """When a count is told."""
        earliest = self.told.get(count.pair, float("-inf")) + self.settings.interval_seconds
        return max(count.began + self.settings.batch_seconds, earliest)

    async def sleep_until(self, moment: float | None) -> None:
        """Sleep until then, or until there is one more count."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.counted.wait(), None if moment is None else moment - self.clock())

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call what waits for AWS."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, function, *arguments)


def unreadable(queue: Queue, message: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    """The event for a message that says nothing of replication. Its text is in it and in the log: it is deleted."""
    body = str(message.get("Body"))[:BODY_SAID]
    place = {"queue": queue.name or queue.url, "region": queue.region, "message_id": str(message.get("MessageId"))}
    LOG.error("queue %s: message %s cannot be read: %s: %s", queue.title, place["message_id"], error, body)
    return harmless({"subject": "unreadable"} | place | {"problem": str(error) or type(error).__name__, "body": body})


def new_attempt_helps(error: Exception) -> bool:
    """Whether the same call may succeed later without anybody's doing."""
    if not isinstance(error, ClientError):
        return isinstance(error, (NotConnected, HTTPClientError))
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return status >= 500 or any(word in code for word in NEW_ATTEMPT_HELPS)


def harmless(value: Any) -> Any:
    """The same with no text in it that Ansible takes for a template: whoever may write an object chooses its key."""
    if isinstance(value, str):
        return TEMPLATE_START.sub("%7B", value)
    if isinstance(value, dict):
        return {harmless(key): harmless(one) for key, one in value.items()}
    return [harmless(one) for one in value] if isinstance(value, list) else value


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    """What ansible-rulebook calls."""
    await Source(queue, Settings.of(args)).run()
