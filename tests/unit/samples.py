# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The pair, the trail and the topics that the examples are about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_topics import Topics
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import AlarmSettings
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_wish import scheduled_drill_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.log_bucket import LockMode, LogFiles, ObjectLock
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Account,
    Accounts,
    Address,
    Direction,
    Document,
    End,
    Pair,
    RoleSettings,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.operations import (
    Place,
    Runbook,
    addresses,
    runbook_wish,
    state_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    one_account,
    pair_addresses,
    pair_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.scheduled_drill import ScheduledDrill
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.selectors import DataEvents, RecordedPair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.trail import Trail

ACCOUNT = Account("111122223333")
EAST, WEST = "us-east-1", "us-west-2"
PRIMARY = End("example-orders", EAST)
DR = End("example-orders-dr", WEST)
LOGS = End("example-trail-logs", EAST)
ARCHIVE = End("example-archive", "eu-central-1")
ACCOUNTS: Accounts = one_account(ACCOUNT, PRIMARY, DR, LOGS, ARCHIVE)
OTHER = Account("222233334444")
TWO_ACCOUNTS: Accounts = {**ACCOUNTS, DR.bucket: OTHER}
"""The same with the DR bucket in another account, of which there are credentials too."""
KEYS = {
    end.bucket: f"arn:aws:kms:{end.region}:{ACCOUNT.id}:key/of-{end.bucket}" for end in (PRIMARY, DR, ARCHIVE, LOGS)
}
"""A KMS key for each bucket, in its own Region."""
SETTINGS = AlarmSettings("s3-dr-alarms", 900)
TOPICS = Topics("s3-dr-alarms", (EAST, WEST))


def a_pair(**changes: Any) -> Pair:
    """The pair `orders`: one way, one rule for the whole bucket, unless changed."""
    return Pair(**{"name": "orders", "primary": PRIMARY, "dr": DR, "rules": (Rule("s3-dr-orders"),), **changes})


def two_way(**changes: Any) -> Pair:
    """The same pair in both directions."""
    return a_pair(direction=Direction.TWO_WAY, **changes)


def everything() -> Pair:
    """A pair that uses all that a pair can use, with the DR bucket in another account."""
    dr = replace(DR, kms_key_arn=KEYS[DR.bucket], object_lock=True, storage_class="STANDARD_IA")
    return two_way(
        primary=replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket], object_lock=True),
        dr=dr,
        rules=(
            Rule("orders", 1, "orders/", owner_override=True),
            Rule("tagged", 2, tags=(("tier", "gold"),), destination=replace(dr, storage_class="GLACIER_IR")),
            Rule("archive", 3, "old/", kms_objects=False, delete_markers=True, destination=ARCHIVE),
        ),
        roles=RoleSettings(path="/dr/", permissions_boundary=f"arn:aws:iam::{ACCOUNT.id}:policy/fence"),
    )


def nothing(pair: Pair, accounts: Accounts = ACCOUNTS) -> Observed:
    """An AWS that holds nothing of all that a pair reads."""
    return dict.fromkeys(pair_addresses(pair, accounts))


def wished(pair: Pair, accounts: Accounts = ACCOUNTS) -> dict[Address, Document]:
    """What a pair wishes of an AWS that holds nothing."""
    return pair_wish(pair, accounts, nothing(pair, accounts))


def a_trail(**changes: Any) -> Trail:
    """A trail that records the pair `orders`, unless changed."""
    pairs = (RecordedPair("orders", (PRIMARY.bucket, DR.bucket)),)
    return Trail(**{"name": "s3-dr", "log_bucket": LOGS, "key_prefix": "s3-dr", "pairs": pairs, **changes})


def a_full_trail(**changes: Any) -> Trail:
    """A trail that uses all that a trail can use."""
    log_files = LogFiles(400, 30, "STANDARD_IA", ObjectLock(LockMode.GOVERNANCE, days=90))
    log_bucket = replace(LOGS, kms_key_arn=KEYS[LOGS.bucket])
    return a_trail(**{"log_bucket": log_bucket, "log_files": log_files, "data_events": DataEvents.ALL, **changes})


def address(kind: str, name: str = "example-orders", region: str = EAST) -> Address:
    """An address in the account of the examples."""
    return Address(kind, name, region, ACCOUNT.id)


def told_of_a_pair() -> Wish:
    """What Systems Manager holds of the pair `orders` when a verify broke off, in both Regions."""
    place = Place("orders", (EAST, WEST), ops_item_region=WEST)
    wish: dict[Address, Document] = {}
    for region in place.regions:
        nothing_there = dict.fromkeys(addresses(place, ACCOUNT, region))
        told, _unwanted = state_wish(place, ACCOUNT, region, {"msg": "It broke off."}, nothing_there)
        wish |= {**told, **runbook_wish(Runbook(place.regions), ACCOUNT, region)}
    return wish


def a_scheduled_drill(**changes: Any) -> ScheduledDrill:
    """The drill of the pair `orders`, unless changed."""
    topic = f"arn:aws:sns:{WEST}:{ACCOUNT.id}:s3-dr-alarms"
    settings: dict[str, Any] = {
        "name": "s3-dr-scheduled-drill",
        "region": WEST,
        "evidence_bucket": "example-evidence",
        "recovery_bucket": "example-recovery",
        "pairs": (a_pair(),),
        "roles": {},
        "code": b"archive",
        "code_sha256": "b2YgYXJjaGl2ZQ==",
        "topic_arns": (topic,),
    }
    return ScheduledDrill(**{**settings, **changes})


def drilled(drill: ScheduledDrill | None = None) -> Wish:
    """All that a scheduled drill is, for buckets of one account."""
    drill = drill or a_scheduled_drill()
    return scheduled_drill_wish(drill, ACCOUNT, {pair.name: ACCOUNTS for pair in drill.pairs})
