# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What replication never copies, carried over to the DR bucket on the fake AWS, with the names of that end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import FakeAws
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.queues import Queue
from ansible_collections.crossregion.s3_dr.tests.unit.plugins.modules.test_s3_dr_bucket_options import (
    COLDER,
    ORDERS,
    World,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, DR, EAST, PRIMARY, WEST

ALL = ["policy", "cors", "lifecycle", "notifications", "tags"]
QUEUE = f"arn:aws:sqs:{EAST}:{ACCOUNT.id}:uploads"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """The same for each test."""
    return World(FakeAws(), monkeypatch)


def policy(*statements: dict[str, Any]) -> str:
    """A bucket policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def furnished(world: World) -> None:
    """The primary has settings that replication never copies, the DR bucket some of its own."""
    reads = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "s3:GetObject"}
    ours = {"Sid": "S3DrTlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    world.primary.policy = policy(
        {"Sid": "Readers", **reads, "Resource": f"arn:aws:s3:::{PRIMARY.bucket}/*"},
        {**reads, "Resource": f"arn:aws:s3:::{PRIMARY.bucket}/in/*"},
        ours,
    )
    world.primary.cors = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.com"]}]
    world.primary.lifecycle = {"Rules": [{"ID": "old", "Status": "Enabled", "Prefix": "a/", "Expiration": {"Days": 3}}]}
    world.primary.notification = {
        "QueueConfigurations": [
            {"Id": "uploads", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]},
            {"Id": "s3-dr/orders/replication", "QueueArn": QUEUE, "Events": ["s3:Replication:*"]},
        ]
    }
    lets_in = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
    there = QUEUE.replace(EAST, WEST)
    only = {
        "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{DR.bucket}"},
        "StringEquals": {"aws:SourceAccount": ACCOUNT.id},
    }
    statement = {**lets_in, "Resource": there, "Condition": only}
    world.aws.queues[there] = Queue({"QueueArn": there, "Policy": policy(statement)})
    world.primary.tags = {"team": "a", "aws:cloudformation:stack-name": "x"}
    world.dr.tags, world.dr.cors = {"own": "1"}, [{"AllowedMethods": ["PUT"], "AllowedOrigins": ["*"]}]
    world.dr.policy = policy({"Sid": "Own", **reads, "Resource": "*"})


def test_settings_are_carried_over_with_the_names_of_the_other_end(world: World) -> None:
    furnished(world)
    predicted = world.set(check=True, carry_over=ALL)
    done = world.set(carry_over=ALL)
    assert (predicted["steps"], predicted["diff"]) == (done["steps"], done["diff"])
    own, readers, unnamed = json.loads(world.dr.policy or "")["Statement"]
    assert (own["Sid"], readers["Sid"], readers["Resource"]) == ("Own", "Readers", f"arn:aws:s3:::{DR.bucket}/*")
    assert unnamed["Sid"].startswith("Carried")
    assert [rule["AllowedMethods"] for rule in world.dr.cors] == [["GET"], ["PUT"]]
    assert world.dr.lifecycle["Rules"] == [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 3}}
    ]
    (told,) = world.dr.notification["QueueConfigurations"]
    assert (told["Id"], told["QueueArn"]) == ("uploads", QUEUE.replace(EAST, WEST))
    assert world.dr.tags == {"own": "1", "team": "a"}
    again = world.set(carry_over=ALL)
    assert (again["changed"], world.aws.writes()) == (False, [])


def test_what_is_chosen_for_the_other_end_stands_above_what_is_carried_over(world: World) -> None:
    furnished(world)
    chosen = {
        "tags": {"team": "b"},
        "tls_only": True,
        "lifecycle": [{"id": "old", "expiration_days": 9}, {"id": "more", "abort_uploads_days": 1}],
    }
    world.set(carry_over=ALL, dr_options=chosen)
    assert world.dr.tags == {"own": "1", "team": "b"}
    assert [one["Sid"] for one in json.loads(world.dr.policy or "")["Statement"]][:2] == ["Own", "Readers"]
    assert "S3DrTlsOnly" in world.statements(DR.bucket)
    rules = {rule["ID"]: rule.get("Expiration") for rule in world.dr.lifecycle["Rules"]}
    assert rules == {"old": {"Days": 9}, "more": None}
    assert world.set(carry_over=ALL, dr_options=chosen)["changed"] is False


@pytest.mark.parametrize("key", ["aws:SourceVpce", "aws:sourceIp", "aws:SourceVpc"])
def test_what_would_cut_replication_off_is_not_carried_over_and_it_is_said(world: World, key: str) -> None:
    fence = {"Sid": "Network", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    world.primary.policy = policy({**fence, "Condition": {"StringNotEquals": {key: "vpce-1"}}})
    told = world.set(carry_over=["policy"])
    assert told["changed"] is False
    assert "The statement 'Network' of example-orders denies what does not come from some network" in told["notes"][0]


def test_where_the_primary_has_nothing_nothing_is_carried_over(world: World) -> None:
    world.primary.notification = {"EventBridgeConfiguration": {}}
    told = world.set(carry_over=ALL)
    assert told["changed"] is False
    assert "EventBridge was not carried over" in told["notes"][0]


def test_what_the_same_task_sets_is_carried_over_too(world: World) -> None:
    given = {"primary_options": {"tags": {"team": "a"}, "lifecycle": [COLDER]}, "carry_over": ["tags", "lifecycle"]}
    world.set(**given)
    assert (world.dr.tags, [rule["ID"] for rule in world.dr.lifecycle["Rules"]]) == ({"team": "a"}, ["colder"])
    assert world.set(**given)["changed"] is False


def test_carrying_over_needs_both_accounts(world: World) -> None:
    told = world.set(carry_over=["tags"], dr={**ORDERS["dr"], "account_id": "444455556666"})
    assert "`carry_over` needs credentials of both ends" in told["msg"]
    assert world.aws.writes() == []
