# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""How an alarm drill names what it makes for a while, so that any later run knows it again.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import re

from .model import Link, Rule
from .policies import statement_id
from .proofs import RESERVED_PREFIX

_QUEUE = "s3-dr-alarm-drill-"
_TWINS = "_drill"
"""Stands where other alarms of a pair name a bucket; no bucket's name has an underscore."""
_TWIN = re.compile(rf"s3-dr/[^/]+/{_TWINS}/")
_NOT_OF_A_QUEUE = re.compile(r"[^A-Za-z0-9_-]")
_MOST_OF_A_NAME = 60


def queue_name(pair: str) -> str:
    """The queue that listens, in each Region. SQS takes no dots, which a pair's name may have."""
    plain = _NOT_OF_A_QUEUE.sub("-", pair)
    return f"{_QUEUE}{plain}" if plain == pair else f"{_QUEUE}{plain}-{_digest(pair)}"


def is_drill_queue(endpoint: str) -> bool:
    """Whether a subscription's endpoint is the queue of a drill, by which nobody is told."""
    return endpoint.startswith("arn:") and endpoint.rpartition(":")[2].startswith(_QUEUE)


def twin_prefix(pair: str) -> str:
    """How the names of a drill's own alarms begin."""
    return f"s3-dr/{pair}/{_TWINS}/"


def is_twin(alarm: str) -> bool:
    """Whether an alarm is one that a drill makes for a while."""
    return _TWIN.match(alarm) is not None


def twin_name(pair: str, alarm: str) -> str:
    """The alarm that stands for another one in a drill; who gets its message reads what it is about."""
    return f"{twin_prefix(pair)}{alarm.rpartition('/')[2][:_MOST_OF_A_NAME]}-{_digest(alarm)}"


def drill_key(pair: str, rule: Rule) -> str:
    """The one key below the rule's prefix that a drill writes: a canary's, and always the same."""
    return f"{rule.prefix}{RESERVED_PREFIX}{drill_token(pair)}"


def drill_token(pair: str) -> str:
    """How the keys of a pair's drills end."""
    return hashlib.sha256(f"alarm drill of {pair}".encode()).hexdigest()[:32]


def denial_sid(link: Link) -> str:
    """The Sid of the statement that makes a canary fail. Pairs may share a destination, so it names the link."""
    return statement_id(link, "AlarmDrill")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
