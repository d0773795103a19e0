# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Event notifications of replication, and how a notification configuration is kept."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import s3

from . import background, rules, settings
from .fitting import corrects, uses
from .queue import Job, Kind, queue
from .rules import Rule

uses(
    "services.s3",
    "_fire_s3_event_async(bucket_name, key, event_name, size, etag, deletion_type, version_id, object_extra, "
    "record_extra)",
)

Answer = tuple[int, dict[str, str], bytes]

LOOK_SECONDS = 0.2
PREFIX = "s3:Replication:"

# Of versions under way: the IDs of the rules whose threshold they missed, or which no longer track them.
_late: dict[Job, set[str]] = {}
_untracked: dict[Job, set[str]] = {}
_for_event_bridge: ContextVar[bool] = ContextVar("whether EventBridge gets the event being delivered", default=True)


def fire(name: str, rule: Rule, job: Job, **detail: str) -> None:
    """S3 User Guide, notification-content-structure: replicationEventData tells which rule and which destination."""
    data = {
        "replicationRuleId": rule["ID"],
        "destinationBucket": rule["Destination"]["Bucket"],
        "s3Operation": job.kind.value,
        "requestTime": job.record["last_modified"],
        **detail,
    }
    s3._fire_s3_event_async(
        job.bucket,
        job.key,
        PREFIX + name,
        size=job.size,
        etag=job.record["etag"],
        version_id=job.record["version_id"],
        record_extra={"replicationEventData": data},
    )


@background.every(LOOK_SECONDS)
def look_for_late_versions() -> None:
    """S3 User Guide, replication-metrics-events: OperationMissedThreshold when a version of a rule with time control
    is late; OperationNotTracked when replication metrics no longer track a version that waits. AWS does not say when
    that is; here, when its rule has no metrics any more."""
    under_way = queue.jobs()
    for job in (job for job in under_way if job.kind is Kind.OBJECT):
        with request_scope(job.account, job.region):
            for rule in filter(rules.has_metrics, job.rules):
                look_at(job, rule)
    for known in (_late, _untracked):
        for job in known.keys() - set(under_way):
            del known[job]


def look_at(job: Job, rule: Rule) -> None:
    late, untracked = _late.setdefault(job, set()), _untracked.setdefault(job, set())
    identifier = rule["ID"]
    if identifier in untracked:
        return
    if not is_tracked(job.bucket, identifier):
        untracked.add(identifier)
        fire("OperationNotTracked", rule, job)
    elif rules.has_time_control(rule) and identifier not in late and is_late(job):
        late.add(identifier)
        fire("OperationMissedThreshold", rule, job, threshold=threshold())


def is_tracked(bucket: str, identifier: str) -> bool:
    configured = (s3._bucket_replication.get(bucket) or {}).get("Rules", [])
    return any(rule["ID"] == identifier and rules.has_metrics(rule) for rule in configured)


def is_late(job: Job) -> bool:
    return time.time() - job.written > settings.number("rtc_threshold_seconds")


def threshold() -> str:
    return f"PT{settings.number('rtc_threshold_seconds') / 60:g}M"


def finished(job: Job, rule: Rule, reason: str | None) -> None:
    """S3 User Guide, replication-metrics-events: OperationReplicatedAfterThreshold, for what was late and arrived."""
    if reason is None and rule["ID"] in _late.get(job, ()):
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        fire("OperationReplicatedAfterThreshold", rule, job, threshold=threshold(), replicationTime=now)


@corrects(
    "services.s3",
    "_fire_s3_event(bucket_name, key, event_name, size, etag, deletion_type, restore_event_data, version_id, "
    "sequencer, object_extra, record_extra)",
)
def tell_event_bridge_or_not(
    original: Callable[..., None], bucket_name: str, key: str, event_name: str, *rest: Any, **more: Any
) -> None:
    """S3 User Guide, EventBridge: events of replication are not among those sent to EventBridge."""
    token = _for_event_bridge.set(not event_name.startswith(PREFIX))
    try:
        original(bucket_name, key, event_name, *rest, **more)
    finally:
        _for_event_bridge.reset(token)


@corrects("services.eventbridge", "_dispatch_event(event, view)")
def dispatch_event(original: Callable[..., Any], event: dict[str, Any], view: Any = None) -> Any:
    """The same, seen from EventBridge."""
    return original(event, view) if _for_event_bridge.get() else None


@corrects("services.s3", "_put_bucket_notification(name, body, headers)")
def keep_filter_names(
    original: Callable[..., Answer], name: str, body: bytes, headers: dict[str, str] | None = None
) -> Answer:
    """S3 API, FilterRule: AWS gives the names back as Prefix and Suffix where they were sent so."""
    answer = original(name, body, headers)
    if answer[0] == 200:
        for kind in ("prefix", "suffix"):
            sent = set(re.findall(rf"<Name>\s*({kind})\s*</Name>", body.decode(), re.IGNORECASE))
            if len(sent) == 1:
                stored = s3._bucket_notifications[name]
                s3._bucket_notifications[name] = stored.replace(f"<Name>{kind}</Name>", f"<Name>{sent.pop()}</Name>")
    return answer
