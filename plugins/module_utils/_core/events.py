# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The events of replication in a message, whatever carried it: each with its pair, cause and remedy.

Sources: S3 User Guide, "Event message structure" and "Receiving replication failure events with Amazon S3 Event
Notifications"; SNS Developer Guide, "Parsing Amazon SNS message formats"; SQS API, ReceiveMessage.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .failure_reasons import Reason, reason_of
from .model import InvalidInput

FAILED = "OperationFailedReplication"
MISSED = "OperationMissedThreshold"
LATE = "OperationReplicatedAfterThreshold"
NOT_TRACKED = "OperationNotTracked"

_OURS = re.compile(r"s3-dr/([^/]+)/replication")
_REPLICATION = re.compile(r"(?:s3:)?Replication:(.+)", re.DOTALL)
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_DEEPEST = 12
"""Parcels within parcels: an S3 event as text in an SNS envelope, as text in the body of an SQS message, in a list."""
_CARRIERS = ("Message", "Body", "body", "Sns", "payload")
"""Where the event is: in SNS's envelope; in SQS's message; in Lambda's record for SQS and an event of EDA's queue; in
Lambda's record for SNS; in an event of EDA's webhook."""
_ONLY_TOLD = ("SubscriptionConfirmation", "UnsubscribeConfirmation")

_MEANINGS: Mapping[str, Reason] = {
    MISSED: Reason(
        "15 minutes after it was written, the threshold of Replication Time Control, the object is not replicated yet.",
        "Look at ReplicationLatency and OperationsPendingReplication in the destination's Region and at the AWS Health "
        "Dashboard; what is pending goes on by itself.",
    ),
    LATE: Reason(
        "The object is replicated, after the threshold of Replication Time Control, which is 15 minutes.",
        "Nothing for this object; if it happens often, ask AWS for a higher quota of replication transfer.",
    ),
    NOT_TRACKED: Reason(
        "S3's replication metrics do not track the object any more.",
        "Verify the pair, since neither metrics nor further events tell whether this object arrives.",
    ),
}


@dataclass(frozen=True, slots=True)
class ReplicationEvent:
    """What S3 says of one version of an object.

    Attributes:
        event: for example `OperationFailedReplication`.
        pair: the pair whose notification this is; None: it is not one of this collection's.
        bucket: the source bucket, in `region`.
        key: the object's key as it is, not as the message encodes it.
        version_id: its version; None: S3 does not say.
        size: in bytes; None: S3 does not say.
        rule: the ID of the replication rule.
        destination: the name of the destination bucket.
        reason: S3's word for why it failed; empty for events that are no failure.
        time: when, as S3 writes it.
    """

    event: str
    pair: str | None
    bucket: str
    region: str
    key: str
    version_id: str | None
    size: int | None
    rule: str
    destination: str
    reason: str
    cause: str
    remedy: str
    time: str

    def as_result(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def notification_id(pair: str) -> str:
    """The Id of a pair's notification, which S3 repeats in each event."""
    return f"s3-dr/{pair}/replication"


def pair_of(configuration_id: object) -> str | None:
    """The pair whose notification has this Id; None: it is not one of this collection's."""
    found = _OURS.fullmatch(configuration_id) if isinstance(configuration_id, str) else None
    return found[1] if found else None


def failures_of(message: object) -> list[ReplicationEvent]:
    """The events of replication that a message holds; other events of S3, and S3's test event, are none.

    Args:
        message: an S3 event, what SQS, SNS, Lambda or Event-Driven Ansible make of it, or a list of them; as a value
            or as JSON.

    Raises:
        InvalidInput: it is none of these; the message names what is wrong.
    """
    return list(_events(message, 0))


def _events(message: object, depth: int) -> Iterator[ReplicationEvent]:
    if depth > _DEEPEST:
        raise InvalidInput("the message holds messages within messages without end. Hand over what SQS or SNS sent.")
    if isinstance(message, str):
        yield from _events(_parsed(message), depth + 1)
    elif isinstance(message, list):
        for one in message:
            yield from _events(one, depth + 1)
    elif isinstance(message, Mapping):
        yield from _unwrapped(message, depth)
    else:
        raise InvalidInput(
            f"the message is {_said(message)}. Hand over the event of S3, or the message of SQS or SNS that holds it."
        )


def _parsed(text: str) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "too deep" if isinstance(error, RecursionError) else str(error)[:80]
        raise InvalidInput(
            f"the message is no JSON ({reason}): {_said(text)}. Hand over what SQS or SNS sent."
        ) from None
    if isinstance(value, str):
        raise InvalidInput(f"the message is the text {_said(value)} and no event. Hand over what SQS or SNS sent.")
    return value


def _unwrapped(message: Mapping[Any, Any], depth: int) -> Iterator[ReplicationEvent]:
    """An event of S3, or what carries one, taken off by one layer."""
    if "Records" in message:
        yield from _records(message["Records"], depth)
    elif message.get("Event") == "s3:TestEvent" or message.get("Type") in _ONLY_TOLD:
        return
    else:
        for field in _CARRIERS:
            if field in message:
                yield from _events(message[field], depth + 1)
                return
        names = ", ".join(sorted(_said(name) for name in list(message)[:8])) or "no field"
        raise InvalidInput(
            "the message is no event of S3 and no message of SQS or SNS: it has neither Records nor Message nor Body, "
            f"but {names}. Hand over what SQS or SNS sent."
        )


def _records(records: object, depth: int) -> Iterator[ReplicationEvent]:
    if not isinstance(records, list):
        raise InvalidInput(f"Records of the event is {_said(records)} and no list. Hand over what SQS or SNS sent.")
    for record in records:
        if not isinstance(record, Mapping):
            raise InvalidInput(f"a record of the event is {_said(record)}. Hand over what SQS or SNS sent.")
        if "body" in record or "Sns" in record:  # Lambda's for SQS and SNS
            yield from _events(record, depth + 1)
        else:
            found = _REPLICATION.fullmatch(_needed(record, "eventName", "eventName"))
            if found:
                yield _event(found[1], record)


def _event(event: str, record: Mapping[Any, Any]) -> ReplicationEvent:
    s3, detail = _part(record, "s3"), _part(record, "replicationEventData")
    thing, reason = _part(s3, "object"), _text(detail, "failureReason")
    meaning = _MEANINGS.get(event) or reason_of(reason)
    size = thing.get("size")
    return ReplicationEvent(
        event=event,
        pair=pair_of(s3.get("configurationId")),
        bucket=_needed(_part(s3, "bucket"), "name", "s3.bucket.name"),
        region=_text(record, "awsRegion"),
        key=_decoded(_needed(thing, "key", "s3.object.key")),
        version_id=_text(thing, "versionId") or None,
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        rule=_text(detail, "replicationRuleId"),
        destination=_text(detail, "destinationBucket").rpartition(":")[2],
        reason=reason,
        cause=meaning.cause,
        remedy=meaning.remedy,
        time=_text(record, "eventTime"),
    )


def _decoded(key: str) -> str:
    """S3 encodes keys as forms are: a space as '+', and bytes of UTF-8 as %XX."""
    encoded = key.replace("+", " ").encode(errors="surrogatepass")
    return _ENCODED.sub(lambda found: bytes.fromhex(found[1].decode()), encoded).decode(errors="replace")


def _part(record: Mapping[Any, Any], name: str) -> Mapping[Any, Any]:
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(record: Mapping[Any, Any], name: str) -> str:
    found = record.get(name)
    return found if isinstance(found, str) else ""


def _needed(record: Mapping[Any, Any], name: str, path: str) -> str:
    found = _text(record, name)
    if not found:
        raise InvalidInput(f"a record of the event has no {path}. Hand over what SQS or SNS sent.")
    return found


def _said(value: object) -> str:
    """A value as a message may quote it."""
    if isinstance(value, str):
        return repr(value[:60])
    return "empty" if value is None else f"a {type(value).__name__}"
