# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Which objects a rule replicates, and where to."""

from __future__ import annotations

import pytest

TAG = {"Key": "team", "Value": "blue"}


@pytest.mark.parametrize(
    ("selection", "matching", "other"),
    [
        ({"Prefix": "logs/"}, {"Key": "logs/a"}, {"Key": "log"}),
        ({"Tag": TAG}, {"Key": "a", "Tagging": "team=blue"}, {"Key": "b", "Tagging": "team=red"}),
        ({"And": {"Prefix": "logs/", "Tags": [TAG]}}, {"Key": "logs/a", "Tagging": "team=blue&x=y"}, {"Key": "logs/b"}),
        (
            {"And": {"Prefix": "logs/", "Tags": [TAG]}},
            {"Key": "logs/a", "Tagging": "team=blue"},
            {"Key": "log", "Tagging": "team=blue"},
        ),
        (
            {"And": {"Tags": [TAG, {"Key": "x", "Value": "y"}]}},
            {"Key": "a", "Tagging": "team=blue&x=y"},
            {"Key": "b", "Tagging": "team=blue"},
        ),
    ],
    ids=["prefix", "tag", "tag beside prefix", "prefix beside tag", "two tags"],
)
def test_filter_selects(world, selection, matching, other):
    """S3 User Guide, replication-add-config: Prefix, Tag, or And of both; every tag is needed."""
    source, destination = world.pair(Filter=selection)
    s3 = world.s3_of(source)
    s3.put_object(Bucket=source, Body=b"", **other)
    s3.put_object(Bucket=source, Body=b"", **matching)
    world.settle(source, matching["Key"])
    assert world.status(source, other["Key"]) is None
    assert [version["Key"] for version in world.versions(destination)] == [matching["Key"]]


@pytest.mark.parametrize("selection", [{}, {"Prefix": ""}])
def test_empty_filter_selects_all(world, selection):
    """S3 User Guide, replication-add-config: an empty Filter or Prefix is the whole bucket."""
    source, _destination = world.pair(Filter=selection)
    world.put(source)
    assert world.until_final(source) == "COMPLETED"


def test_tag_added_later_does_not_select(world):
    """S3 User Guide, replication-what-is-isnot-replicated: only tags given with the write count."""
    source, destination = world.pair(Filter={"Tag": TAG})
    world.put(source, "late")
    world.s3_of(source).put_object_tagging(Bucket=source, Key="late", Tagging={"TagSet": [TAG]})
    world.put(source, "later", Tagging="team=blue")
    world.settle(source, "later")
    assert [version["Key"] for version in world.versions(destination)] == ["later"]


def test_disabled_rule_does_nothing(world):
    """S3 User Guide, disable-replication: a disabled rule replicates nothing, then or later."""
    source, destination = world.pair(Status="Disabled")
    world.put(source, "while-off")
    enable = world.role(source, destination)
    world.replicate(source, enable, world.rule(destination))
    world.put(source, "while-on")
    world.settle(source, "while-on")
    assert world.status(source, "while-off") is None
    assert [version["Key"] for version in world.versions(destination)] == ["while-on"]


def test_objects_from_before_the_rule_stay(world):
    """S3 User Guide, replication-what-is-isnot-replicated: objects that existed before the rule are not."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.put(source, "before")
    world.replicate(source, world.role(source, destination), world.rule(destination))
    world.put(source, "after")
    world.settle(source, "after")
    assert world.status(source, "before") is None
    assert [version["Key"] for version in world.versions(destination)] == ["after"]


@pytest.mark.parametrize("strong_first", [True, False])
def test_highest_priority_wins_for_one_destination(world, strong_first):
    """S3 User Guide, replication-add-config: priority decides between rules with the same destination."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    weak = world.rule(destination, ID="weak", Priority=1, to={"StorageClass": "STANDARD_IA"})
    strong = world.rule(destination, ID="strong", Priority=2, to={"StorageClass": "ONEZONE_IA"})
    rules = [strong, weak] if strong_first else [weak, strong]
    world.replicate(source, world.role(source, destination), *rules)
    world.put(source)
    world.until_final(source)
    assert world.head(destination)["StorageClass"] == "ONEZONE_IA"


def test_rules_with_different_destinations_all_apply(world):
    """S3 User Guide, replication-add-config: one source, several destinations."""
    source = world.bucket()
    destinations = [world.bucket(world.dr_region), world.bucket("eu-west-1")]
    rules = [world.rule(name, ID=f"rule-{n}", Priority=n) for n, name in enumerate(destinations, start=1)]
    world.replicate(source, world.role(source, *destinations), *rules)
    version = world.put(source)
    assert world.until_final(source) == "COMPLETED"
    for destination in destinations:
        assert world.version_ids(destination) == {version}


def test_one_failed_destination_is_failed(world):
    """S3 User Guide, replication-status: FAILED if one or more destinations fail; the others still get it."""
    source, good, bad = world.bucket(), world.bucket(world.dr_region), world.bucket("eu-west-1")
    rules = [world.rule(good, ID="good", Priority=1), world.rule(bad, ID="bad", Priority=2)]
    world.replicate(source, world.role(source, good), *rules)
    version = world.put(source)
    assert world.until_final(source) == "FAILED"
    assert world.version_ids(good) == {version}
    assert world.version_ids(bad) == set()


def test_replicas_are_not_replicated_again(world):
    """S3 User Guide, replication-what-is-isnot-replicated: A to B and B to C do not make A to C."""
    first, second, third = world.bucket(), world.bucket(world.dr_region), world.bucket("eu-west-1")
    world.replicate(first, world.role(first, second), world.rule(second))
    world.replicate(second, world.role(second, third), world.rule(third))
    world.put(first, "from-first")
    world.until_final(first, "from-first")
    world.put(second, "from-second")
    world.settle(second, "from-second")
    assert [version["Key"] for version in world.versions(third)] == ["from-second"]


def test_two_way_rules_do_not_loop(world):
    """S3 User Guide, replication-what-is-isnot-replicated: each write is copied once, in its direction."""
    here, there = world.pair(DeleteMarkerReplication={"Status": "Enabled"})
    back = world.rule(here, DeleteMarkerReplication={"Status": "Enabled"})
    world.replicate(there, world.role(there, here), back)
    written = {world.put(here, "here"), world.put(there, "there")}
    world.settle(here, "here")
    world.settle(there, "there")
    assert world.version_ids(here) == world.version_ids(there) == written
    assert world.status(there, "here") == world.status(here, "there") == "REPLICA"


def test_without_rules_nothing_is_replicated(world):
    """S3 API, DeleteBucketReplication: new objects have no status and stay where they are."""
    source, destination = world.pair()
    s3 = world.s3_of(source)
    world.put(source, "before")
    world.settle(source, "before")
    rules = s3.get_bucket_replication(Bucket=source)["ReplicationConfiguration"]
    s3.delete_bucket_replication(Bucket=source)
    world.put(source, "without")
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration=rules)
    world.put(source, "with")
    world.settle(source, "with")
    assert world.status(source, "without") is None
    assert [version["Key"] for version in world.versions(destination)] == ["before", "with"]


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_archived_objects_stay(world, storage_class):
    """S3 User Guide, replication-what-is-isnot-replicated: not from Glacier Flexible Retrieval or Deep Archive."""
    source, destination = world.pair()
    world.put(source, "archived", StorageClass=storage_class)
    world.put(source, "later")
    world.settle(source, "later")
    assert world.status(source, "archived") is None
    assert [version["Key"] for version in world.versions(destination)] == ["later"]
