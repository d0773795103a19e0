# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a bucket's notification configuration may say."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from ministack.services import s3

from . import shapes
from .fitting import corrects, uses

uses("services.s3", "_invalid_notification_config(message)")

Answer = tuple[int, dict[str, str], bytes]
Entry = dict[str, Any]


@corrects(
    "services.s3",
    "_validate_notification_configs(configs, bucket_region, bucket_name, skip_destination_validation)",
)
def validate(
    original: Callable[..., Answer | None],
    configs: list[Entry],
    bucket_region: str,
    bucket_name: str = "",
    skip_destination_validation: bool = False,
) -> Answer | None:
    """S3 API, PutBucketNotificationConfiguration; S3 User Guide, notification-how-to-filtering."""
    if problem := problem_of(configs):
        refusal: Answer = s3._invalid_notification_config(problem)
        return refusal
    return original(configs, bucket_region, bucket_name, skip_destination_validation)


def problem_of(entries: list[Entry]) -> str | None:
    known = shapes.model("s3").shape_for("Event").enum
    if any(event not in known for entry in entries for event in entry["events"]):
        return "The event is not supported for notifications"
    if any(entry["arn"].endswith(".fifo") for entry in entries):
        return "FIFO queues and topics are not supported as destinations"
    if len({entry["id"] for entry in entries}) < len(entries):
        return "Same ID used for multiple configurations. IDs must be unique"
    for one, other in itertools.combinations(entries, 2):
        if overlap(one, other):
            if any(entry[part] for entry in (one, other) for part in ("filter_prefix", "filter_suffix")):
                text = "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the"
                return f"{text} prefixes are overlapping for the same event type."
            return "Configurations overlap. Configurations on the same bucket cannot share a common event type."
    return None


def overlap(one: Entry, other: Entry) -> bool:
    """Whether one event of one object can fall under both, whatever their destinations are."""
    prefixes = [entry["filter_prefix"] or "" for entry in (one, other)]
    suffixes = [entry["filter_suffix"] or "" for entry in (one, other)]
    return (
        any(covers(*pair) or covers(*pair[::-1]) for pair in itertools.product(one["events"], other["events"]))
        and (prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0]))
        and (suffixes[0].endswith(suffixes[1]) or suffixes[1].endswith(suffixes[0]))
    )


def covers(pattern: str, event: str) -> bool:
    return event.startswith(pattern[:-1]) if pattern.endswith("*") else event == pattern
