# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The replication metrics of CloudWatch.

S3 User Guide, repl-metrics: in namespace AWS/S3, only for rules with Metrics enabled, always with the three dimensions
SourceBucket, DestinationBucket and RuleId. Latency and what is pending are published in the destination bucket's
Region, also while nothing happens; failures in the source bucket's Region, only when something was replicated.

AWS does not document what it publishes while a Region is down. Here nothing comes from it: neither in it, nor in the
destination's Region about rules of the Region that is down.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ministack.core.responses import request_scope
from ministack.services import cloudwatch, s3

from . import background, faults, rules
from .fitting import uses
from .queue import Job
from .rules import Rule

uses(
    "services.cloudwatch",
    "_store_datum(namespace, name, dims, ts, unit, value, values, counts, stat_values)",
    "_evaluate_all_alarms()",
)

PUBLISH_SECONDS = 1.0  # AWS publishes each minute; tests do not want to wait for that
IDLE_SECONDS = 60.0


@dataclass
class Meter:
    """What is measured for one rule."""

    account: str
    source: str
    source_region: str
    destination: str
    rule: str
    waiting: dict[Job, float] = field(default_factory=dict)  # in the order of the writes
    worst_latency: float = 0.0
    succeeded: int = 0
    failed: int = 0
    published: float = 0.0

    @property
    def dimensions(self) -> dict[str, str]:
        return {"SourceBucket": self.source, "DestinationBucket": self.destination, "RuleId": self.rule}

    def latency(self, now: float) -> float:
        oldest = next(iter(self.waiting.values()), now)
        return max(self.worst_latency, now - oldest)

    def is_due(self, now: float) -> bool:
        return bool(self.waiting or self.succeeded or self.failed) or now - self.published >= IDLE_SECONDS


_meters: dict[tuple[str, str, str, str], Meter] = {}


def started(job: Job) -> None:
    for rule in filter(rules.has_metrics, job.rules):
        _meter(job.account, job.bucket, job.region, rule).waiting[job] = job.written


def finished(job: Job, rule: Rule, reason: str | None) -> None:
    """One rule of the job is done; ``reason`` is why it failed, or None."""
    if not rules.has_metrics(rule):
        return
    meter = _meter(job.account, job.bucket, job.region, rule)
    meter.waiting.pop(job, None)
    if reason:
        meter.failed += 1
    else:
        meter.succeeded += 1
        meter.worst_latency = max(meter.worst_latency, time.time() - job.written)


def abandoned(job: Job) -> None:
    """The version was deleted while it waited: neither replicated nor failed."""
    for rule in filter(rules.has_metrics, job.rules):
        _meter(job.account, job.bucket, job.region, rule).waiting.pop(job, None)


@background.every(PUBLISH_SECONDS)
def publish() -> None:
    _find_rules()
    now = time.time()
    for meter in _meters.values():
        if meter.is_due(now) and not faults.is_down(meter.source_region):
            _publish_outcomes(meter, now)
            _publish_pending(meter, now)


def _find_rules() -> None:
    """Have a meter for each rule with metrics in any configuration, and for no other."""
    wanted = set()
    for (account, bucket), configuration in list(s3._bucket_replication._data.items()):
        with request_scope(account, ""):
            region = s3.bucket_region(bucket) or ""
        for rule in configuration["Rules"]:
            if rules.has_metrics(rule) and rules.is_enabled(rule):
                _meter(account, bucket, region, rule)
                wanted.add(_address(account, bucket, rule))
    for address in set(_meters) - wanted:
        if not _meters[address].waiting:
            del _meters[address]


def _meter(account: str, bucket: str, region: str, rule: Rule) -> Meter:
    address = _address(account, bucket, rule)
    if address not in _meters:
        _meters[address] = Meter(account, bucket, region, rules.destination_of(rule), rule["ID"])
    return _meters[address]


def _address(account: str, bucket: str, rule: Rule) -> tuple[str, str, str, str]:
    return account, bucket, rules.destination_of(rule), rule["ID"]


def _publish_outcomes(meter: Meter, now: float) -> None:
    """Sum is what failed, SampleCount all, hence Average the failure rate."""
    counts = {1.0: meter.failed, 0.0: meter.succeeded}
    meter.failed = meter.succeeded = 0
    samples = {value: float(count) for value, count in counts.items() if count}
    if samples:
        with request_scope(meter.account, meter.source_region):
            _store(meter, "OperationsFailedReplication", now, "Count", samples)
            cloudwatch._evaluate_all_alarms()


def _publish_pending(meter: Meter, now: float) -> None:
    """Not published once the destination bucket is gone."""
    owner = s3._bucket_owner_account(meter.destination)
    meter.published = now
    if owner is None:
        return
    with request_scope(owner, ""):
        region = s3.bucket_region(meter.destination) or ""
    if faults.is_down(region):
        return
    values = {
        "ReplicationLatency": (meter.latency(now), "Seconds"),
        "BytesPendingReplication": (float(sum(job.size for job in meter.waiting)), "Bytes"),
        "OperationsPendingReplication": (float(len(meter.waiting)), "Count"),
    }
    meter.worst_latency = 0.0
    with request_scope(meter.account, region):
        for name, (value, unit) in values.items():
            _store(meter, name, now, unit, {value: 1.0})
        cloudwatch._evaluate_all_alarms()


def _store(meter: Meter, name: str, now: float, unit: str, samples: dict[float, float]) -> None:
    """Publish values, each with how often it was seen."""
    values, counts = list(samples), list(samples.values())
    cloudwatch._store_datum("AWS/S3", name, meter.dimensions, now, unit, None, values, counts, None)
