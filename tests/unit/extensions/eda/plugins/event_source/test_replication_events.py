# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The event source loses no failure unsaid, and makes few events of many failures."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.extensions.eda.plugins.event_source import replication_events as plugin

COLLECTION = Path(plugin.__file__).parents[4]
FAILED = "OperationFailedReplication"
NORTH, WEST = "us-east-1", "us-west-2"
QUICK = {"batch_seconds": 0.05, "interval_seconds": 3600, "wait_seconds": 0}
Events = asyncio.Queue[dict[str, Any]]


def body(*keys: str, pair: str | None = "orders", event: str = FAILED, reason: str = "AssumeRoleNotPermitted") -> str:
    """A message of S3 about these objects."""
    configuration = "of somebody else" if pair is None else f"s3-dr/{pair}/replication"
    return json.dumps({"Records": [record(key, configuration, event, reason) for key in keys]})


def record(key: str, configuration: str, event: str, reason: str) -> dict[str, Any]:
    s3 = {"configurationId": configuration, "bucket": {"name": "example"}, "object": {"key": key, "versionId": "v"}}
    data = {"replicationRuleId": "dr", "destinationBucket": "arn:aws:s3:::example-dr", "failureReason": reason}
    at = {"awsRegion": NORTH, "eventTime": f"2026-01-31T12:00:{len(key) % 60:02}.000Z"}
    return {"eventName": f"Replication:{event}", "s3": s3, "replicationEventData": data, **at}


class FakeSqs:
    """The queue of a Region, as boto3's client shows it."""

    def __init__(self) -> None:
        self.bodies: dict[str, str] = {}
        self.in_flight: set[str] = set()
        self.deleted: list[str] = []
        self.errors: list[Exception] = []
        self.undeletable: set[str] = set()
        self.received: list[dict[str, Any]] = []

    def send(self, *bodies: str) -> None:
        for text in bodies:
            self.bodies[f"m{len(self.bodies) + len(self.deleted)}"] = text

    def get_queue_url(self, **asked: str) -> dict[str, Any]:
        return {"QueueUrl": f"https://sqs.example/{asked['QueueName']}"}

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        self.received.append(asked)
        if self.errors:
            raise self.errors.pop(0)
        ready = [name for name in self.bodies if name not in self.in_flight][:10]
        self.in_flight.update(ready)
        if not ready:
            time.sleep(0.002)
        return {"Messages": [message(name, self.bodies[name]) for name in ready]} if ready else {}

    def delete_message_batch(self, **asked: Any) -> dict[str, Any]:
        assert asked.keys() == {"QueueUrl", "Entries"}
        handles = [entry["ReceiptHandle"] for entry in asked["Entries"]]
        assert asked["QueueUrl"].startswith("https://")
        assert 0 < len(handles) <= 10
        for name in set(handles) - self.undeletable:
            del self.bodies[name]
            self.deleted.append(name)
        failed = [{"Id": name, "Code": "InternalError"} for name in self.undeletable & set(handles)]
        return {"Successful": [], "Failed": failed} if failed else {"Successful": []}


def message(name: str, text: str) -> dict[str, Any]:
    return {"MessageId": name, "ReceiptHandle": name, "Body": text}


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeSqs]:
    """The queues by Region."""
    queues = {NORTH: FakeSqs(), WEST: FakeSqs()}

    class Session:
        def client(self, service: str, region_name: str, config: Any) -> FakeSqs:
            assert service == "sqs"
            return queues[region_name]

    monkeypatch.setattr(plugin.boto3.session, "Session", Session)
    return queues


def places(*regions: str) -> list[dict[str, str]]:
    return [{"name": "s3-dr-events", "region": region} for region in regions]


def running(
    during: Callable[[Events], Awaitable[None]], *regions: str, most: int = 0, **options: Any
) -> list[dict[str, Any]]:
    """The source runs during that; the events that nobody took until then are returned."""

    async def run() -> list[dict[str, Any]]:
        events: Events = asyncio.Queue(most)
        task = asyncio.ensure_future(plugin.main(events, {"queues": places(*regions or (NORTH,)), **QUICK, **options}))
        watched = asyncio.ensure_future(during(events))
        await asyncio.wait([task, watched], timeout=20, return_when=asyncio.FIRST_COMPLETED)
        ended = task.done()
        for one in (task, watched):
            one.cancel()
        if ended:
            await task
        with suppress(asyncio.CancelledError):
            await watched
        with suppress(asyncio.CancelledError):
            await task
        return [events.get_nowait() for number in range(events.qsize())]

    return asyncio.run(run())


async def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.005)


def test_a_storm_is_one_event_for_each_pair(sqs: dict[str, FakeSqs]) -> None:
    sqs[NORTH].send(
        *(body(f"key {n:03}") for n in range(60)), body("bb", "ccc", "a", pair="invoices", reason="SrcGetObject")
    )
    sqs[WEST].send(*(body(f"key {n:03}", reason="DstPut") for n in range(60, 70)))

    async def all_told(events: Events) -> None:
        await until(lambda: events.qsize() == 2 and not sqs[NORTH].bodies and not sqs[WEST].bodies)

    told = {event["pair"]: event for event in running(all_told, NORTH, WEST, batch_seconds=0.4)}
    orders, invoices = told["orders"], told["invoices"]
    assert (orders["subject"], orders["count"], orders["left_out"], len(orders["failures"])) == ("pair", 70, 50, 20)
    assert orders["reasons"] == {"AssumeRoleNotPermitted": 60, "DstPut": 10}
    assert orders["events"] == {FAILED: 70}
    assert orders["buckets"] == ["example"]
    assert (invoices["count"], invoices["left_out"], invoices["reasons"]) == (3, 0, {"SrcGetObject": 3})
    assert (invoices["first_time"], invoices["last_time"]) == ("2026-01-31T12:00:01.000Z", "2026-01-31T12:00:03.000Z")
    assert [one["key"] for one in invoices["failures"]] == ["bb", "ccc", "a"]
    json.dumps(told)


def test_the_message_that_began_a_count_stays_until_it_is_told(sqs: dict[str, FakeSqs]) -> None:
    sqs[NORTH].send(body("first"), body("second"), body("third"))

    async def rulebook_is_busy(events: Events) -> None:
        await events.put({"earlier": True})
        await until(lambda: len(sqs[NORTH].deleted) == 2)
        await asyncio.sleep(0.2)  # longer than a batch
        assert list(sqs[NORTH].bodies) == ["m0"]
        assert await events.get() == {"earlier": True}
        await until(lambda: not sqs[NORTH].bodies)

    (event,) = running(rulebook_is_busy, most=1)
    assert event["count"] == 3
    assert min(asked["VisibilityTimeout"] for asked in sqs[NORTH].received) > 3600


def test_a_message_of_two_pairs_stays_until_both_are_told(sqs: dict[str, FakeSqs]) -> None:
    two = [json.loads(body("one", pair=pair))["Records"][0] for pair in ("orders", "invoices")]
    sqs[NORTH].send(json.dumps({"Records": two}))

    async def one_is_told(events: Events) -> None:
        await until(lambda: events.qsize() == 1)
        await asyncio.sleep(0.1)
        assert list(sqs[NORTH].bodies) == ["m0"]
        await events.get()
        await until(lambda: not sqs[NORTH].bodies)

    (event,) = running(one_is_told, most=1)
    assert event["pair"] == "invoices"


def test_failures_after_an_event_are_told_together_by_the_next(sqs: dict[str, FakeSqs]) -> None:
    sqs[NORTH].send(body("first"))
    times = []

    async def again(events: Events) -> None:
        assert (await events.get())["count"] == 1
        times.append(time.monotonic())
        for n in range(5):
            sqs[NORTH].send(body(f"later {n}"))
            await asyncio.sleep(0.02)
        sqs[NORTH].send(body("another pair", pair="invoices"))
        assert (await events.get())["pair"] == "invoices"
        event = await events.get()
        times.append(time.monotonic())
        assert (event["pair"], event["count"]) == ("orders", 5)

    assert running(again, interval_seconds=0.5) == []
    assert times[1] - times[0] > 0.45


def test_what_cannot_be_read_is_told_and_deleted(sqs: dict[str, FakeSqs], caplog: pytest.LogCaptureFixture) -> None:
    sqs[NORTH].send("no JSON {{ lookup('pipe', 'id') }}", '{"an": "order"}', '{"Records": 7}', body("good"))

    async def told(events: Events) -> None:
        await until(lambda: events.qsize() == 4 and not sqs[NORTH].bodies)

    with caplog.at_level(logging.ERROR):
        events = running(told)
    broken = [event for event in events if event["subject"] == "unreadable"]
    assert [event["message_id"] for event in broken] == ["m0", "m1", "m2"]
    assert all(event["problem"] and event["queue"] == "s3-dr-events" and event["region"] == NORTH for event in broken)
    assert broken[0]["body"] == "no JSON %7B{ lookup('pipe', 'id') }}"
    assert "message m1 cannot be read" in caplog.text
    assert '{"an": "order"}' in caplog.text


def test_a_message_that_breaks_the_reader_stops_nothing(
    sqs: dict[str, FakeSqs], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(text: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(plugin, "failures_of", broken)
    sqs[NORTH].send(body("one"))

    async def told(events: Events) -> None:
        await until(lambda: events.qsize() == 1 and not sqs[NORTH].bodies)

    (event,) = running(told)
    assert (event["subject"], event["problem"]) == ("unreadable", "ZeroDivisionError")


def test_what_is_no_failure_is_deleted_unsaid(sqs: dict[str, FakeSqs]) -> None:
    late = "OperationReplicatedAfterThreshold"
    sqs[NORTH].send('{"Service": "Amazon S3", "Event": "s3:TestEvent"}', body("late", event=late))

    async def deleted(events: Events) -> None:
        await until(lambda: not sqs[NORTH].bodies)
        await asyncio.sleep(0.1)

    assert running(deleted) == []
    sqs[NORTH].send(body("late", event=late))

    async def asked_for(events: Events) -> None:
        await until(lambda: events.qsize() == 1)

    (event,) = running(asked_for, events=[late])
    assert event["events"] == {late: 1}


def test_a_notification_of_somebody_else_is_told_without_a_pair(sqs: dict[str, FakeSqs]) -> None:
    sqs[NORTH].send(body("one", pair=None))

    async def told(events: Events) -> None:
        await until(lambda: events.qsize() == 1)

    (event,) = running(told)
    assert (event["subject"], event["count"], "pair" in event) == ("foreign", 1, False)


def refusal(code: str, status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "ReceiveMessage")


PASSING = [
    refusal("RequestThrottled"),
    refusal("ThrottlingException"),
    refusal("OverLimit", 403),
    refusal("InternalError", 500),
    EndpointConnectionError(endpoint_url="https://sqs.example"),
]
LASTING = [refusal("AWS.SimpleQueueService.NonExistentQueue"), refusal("AccessDenied", 403), NoCredentialsError()]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it slept, had it not been woken at once."""
    slept: list[float] = []
    sleep = asyncio.sleep

    async def short(seconds: float) -> None:
        if seconds > 0.4:
            slept.append(seconds)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr(asyncio, "sleep", short)
    return slept


def test_what_passes_is_tried_again_later_and_later(sqs: dict[str, FakeSqs], pauses: list[float]) -> None:
    sqs[NORTH].errors = [*PASSING, *PASSING]
    sqs[NORTH].send(body("one"))

    async def told(events: Events) -> None:
        await until(lambda: events.qsize() == 1)

    (event,) = running(told)
    assert event["count"] == 1
    bounds = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert len(pauses) == len(bounds)
    assert all(most / 2 <= slept <= most for slept, most in zip(pauses, bounds, strict=True))


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_what_the_settings_must_cure_ends_the_source_before_any_answer(
    sqs: dict[str, FakeSqs], pauses: list[float], error: Exception
) -> None:
    async def nothing(events: Events) -> None:
        await until(lambda: False)

    sqs[WEST].errors = [PASSING[0], error]
    with pytest.raises(plugin.SettingsError, match=rf"s3-dr-events in {WEST}: .*Correct `queues` or the credentials"):
        running(nothing, NORTH, WEST)


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_once_it_received_it_goes_on(sqs: dict[str, FakeSqs], pauses: list[float], error: Exception) -> None:
    async def lost_later(events: Events) -> None:
        await until(lambda: len(sqs[NORTH].received) > 1)
        sqs[NORTH].errors = [error]
        await until(lambda: pauses and not sqs[NORTH].errors)
        sqs[NORTH].send(body("one"))
        await until(lambda: events.qsize() == 1)

    (event,) = running(lost_later)
    assert event["count"] == 1


def test_what_cannot_be_deleted_is_logged(sqs: dict[str, FakeSqs], caplog: pytest.LogCaptureFixture) -> None:
    sqs[NORTH].undeletable = {"m0"}
    sqs[NORTH].send(body("one"), "broken")

    async def tried(events: Events) -> None:
        await until(lambda: events.qsize() == 2 and "a message will come back: InternalError" in caplog.text)

    with caplog.at_level(logging.ERROR):
        running(tried)
    assert sqs[NORTH].deleted == ["m1"]


def test_a_deletion_that_is_refused_ends_nothing(sqs: dict[str, FakeSqs], caplog: pytest.LogCaptureFixture) -> None:
    def refuse(**asked: Any) -> None:
        raise PASSING[0]

    sqs[NORTH].delete_message_batch = refuse
    sqs[NORTH].send(body("one"), "broken")

    async def told(events: Events) -> None:
        await until(lambda: caplog.text.count("they could not be deleted: An error occurred (RequestThrottled)") == 2)

    with caplog.at_level(logging.ERROR):
        assert {event["subject"] for event in running(told)} == {"pair", "unreadable"}


NORTHERN = {"queues": places(NORTH)}
WRONG = [
    ({}, "`queues` must be a list"),
    ({"queues": "s3-dr-events"}, "`queues` must be a list"),
    ({"queues": [{"name": "s3-dr-events"}]}, "each of `queues` needs a `region`"),
    ({"queues": [{"region": NORTH}]}, "a `name` or a `url`"),
    ({"queues": [{"region": NORTH, "name": "a", "url": "b"}]}, "a `name` or a `url`"),
    (NORTHERN | {"delay": 3}, "unknown options: delay"),
    (NORTHERN | {"batch_seconds": "soon"}, "`batch_seconds` must be a number"),
    (NORTHERN | {"interval_seconds": -1}, "`interval_seconds` must not be negative"),
    (NORTHERN | {"wait_seconds": 21}, "`wait_seconds` is at most 20"),
    (NORTHERN | {"events": FAILED}, "`events` must be a list"),
]


@pytest.mark.parametrize(("args", "said"), WRONG, ids=[said for args, said in WRONG])
def test_wrong_options_are_named(args: dict[str, Any], said: str) -> None:
    with pytest.raises(plugin.SettingsError, match=re.escape(said)):
        plugin.Settings.of(args)


def test_options_are_as_documented() -> None:
    documented = yaml.safe_load(plugin.DOCUMENTATION)["options"]
    defaults = plugin.Settings(queues=[])
    assert documented.keys() == plugin.Settings.__dataclass_fields__.keys()
    for name in documented.keys() - {"queues"}:
        value = getattr(defaults, name)
        assert documented[name]["default"] == (sorted(value) if name == "events" else value)
    (example,) = yaml.safe_load(plugin.EXAMPLES)
    assert plugin.Settings.of(example["crossregion.s3_dr.replication_events"]).interval_seconds == 1800


def test_the_longest_interval_is_hidden_as_long_as_sqs_can() -> None:
    assert plugin.Settings.of(NORTHERN | {"interval_seconds": 86400}).visibility_seconds() == 12 * 60 * 60


pieces = st.text(alphabet="{}%# a7B", max_size=12)


@given(st.recursive(pieces, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(pieces, inner, max_size=3)))
def test_no_text_starts_a_template(value: Any) -> None:
    assert not re.search(r"\{[{%#]", "\n".join(texts(plugin.harmless(value))))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    else:
        yield value


@given(st.text(alphabet="}%# aü/+{", max_size=20).filter(lambda text: not re.search(r"\{[{%#]", text)))
def test_other_text_stays(text: str) -> None:
    assert plugin.harmless({"key": [text, 7, None]}) == {"key": [text, 7, None]}


def test_the_rulebook_takes_the_events_and_names_what_is_there() -> None:
    path = COLLECTION / "extensions" / "eda" / "rulebooks" / "verify_on_failure.yml"
    (ruleset,) = yaml.safe_load(path.read_text(encoding="utf-8"))
    (source,) = ruleset["sources"]
    options = source["crossregion.s3_dr.replication_events"]
    assert options.keys() <= plugin.Settings.__dataclass_fields__.keys()
    playbook = ruleset["rules"][0]["action"]["run_playbook"]["name"].rpartition(".")[2]
    assert (COLLECTION / "playbooks" / f"{playbook}.yml").is_file()
    conditions = " ".join(rule["condition"] for rule in ruleset["rules"])
    assert set(re.findall(r'"(\w+)"', conditions)) == {"pair", "foreign", "unreadable"}
