# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The pair, the trail and the topics that the examples are about."""

from __future__ import annotations

from typing import Any

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import AlarmSettings, Topics
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Account,
    Address,
    Direction,
    End,
    Pair,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.trail import RecordedPair, Trail

ACCOUNT = Account("111122223333")
EAST, WEST = "us-east-1", "us-west-2"
PRIMARY = End("example-orders", EAST)
DR = End("example-orders-dr", WEST)
LOGS = End("example-trail-logs", EAST)
SETTINGS = AlarmSettings("s3-dr-alarms", 900)
TOPICS = Topics("s3-dr-alarms", (EAST, WEST))


def a_pair(**changes: Any) -> Pair:
    """The pair `orders`: one way, one rule for the whole bucket, unless changed."""
    return Pair(**{"name": "orders", "primary": PRIMARY, "dr": DR, "rules": (Rule("s3-dr-orders"),), **changes})


def two_way(**changes: Any) -> Pair:
    """The same pair in both directions."""
    return a_pair(direction=Direction.TWO_WAY, **changes)


def a_trail(**changes: Any) -> Trail:
    """A trail that records the pair `orders`, unless changed."""
    pairs = (RecordedPair("orders", (PRIMARY.bucket, DR.bucket)),)
    return Trail(**{"name": "s3-dr", "log_bucket": LOGS, "key_prefix": "s3-dr", "pairs": pairs, **changes})


def address(kind: str, name: str = "example-orders", region: str = EAST) -> Address:
    """An address in the account of the examples."""
    return Address(kind, name, region, ACCOUNT.id)
