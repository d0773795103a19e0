# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Deletions: markers where a rule says so, versions never."""

from __future__ import annotations

ON = {"Status": "Enabled"}


def test_marker_keeps_its_id_and_time(world):
    """S3 User Guide, delete-marker-replication and replication: replicated with version ID and time."""
    source, destination = world.pair(DeleteMarkerReplication=ON)
    world.put(source)
    world.s3_of(source).delete_object(Bucket=source, Key="key")
    world.until(lambda: world.versions(destination, "DeleteMarkers"), "the marker arrived")
    (wanted,) = world.versions(source, "DeleteMarkers")
    (marker,) = world.versions(destination, "DeleteMarkers")
    assert (marker["VersionId"], marker["LastModified"]) == (wanted["VersionId"], wanted["LastModified"])
    assert marker["IsLatest"]


def test_marker_of_a_batch_deletion_is_replicated(world):
    """S3 API, DeleteObjects makes the same markers."""
    source, destination = world.pair(DeleteMarkerReplication=ON)
    world.put(source)
    answer = world.s3_of(source).delete_objects(Bucket=source, Delete={"Objects": [{"Key": "key"}]})
    marker = answer["Deleted"][0]["DeleteMarkerVersionId"]
    world.until(lambda: world.version_ids(destination, "DeleteMarkers") == {marker}, "the marker arrived")


def test_marker_stays_where_the_rule_does_not_replicate_it(world):
    """S3 User Guide, delete-marker-replication: off unless the rule enables it."""
    source, destination = world.pair()
    world.put(source, "deleted")
    world.s3_of(source).delete_object(Bucket=source, Key="deleted")
    world.put(source, "later")
    world.settle(source, "later")
    assert world.versions(destination, "DeleteMarkers") == []


def test_the_winning_rule_decides(world):
    """S3 User Guide, replication-add-config: the rule with the highest priority decides for its destination."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    weak = world.rule(destination, ID="weak", Priority=1)
    strong = world.rule(destination, ID="strong", Priority=2, DeleteMarkerReplication=ON)
    world.replicate(source, world.role(source, destination), weak, strong)
    world.put(source)
    world.s3_of(source).delete_object(Bucket=source, Key="key")
    world.until(lambda: world.versions(destination, "DeleteMarkers"), "the marker arrived")


def test_marker_never_goes_with_a_tag_rule(world):
    """S3 User Guide, delete-marker-replication: not for rules with a tag filter."""
    source, destination = world.pair(Filter={"Tag": {"Key": "team", "Value": "blue"}})
    world.put(source, "deleted", Tagging="team=blue")
    world.s3_of(source).delete_object(Bucket=source, Key="deleted")
    world.put(source, "later", Tagging="team=blue")
    world.settle(source, "later")
    assert world.versions(destination, "DeleteMarkers") == []


def test_old_schema_replicates_markers(world):
    """S3 User Guide, delete-marker-replication: a rule without Filter always replicates markers."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    rule = {"ID": "old", "Status": "Enabled", "Prefix": "", "Destination": {"Bucket": f"arn:aws:s3:::{destination}"}}
    world.replicate(source, world.role(source, destination), rule)
    world.put(source)
    world.s3_of(source).delete_object(Bucket=source, Key="key")
    world.until(lambda: world.versions(destination, "DeleteMarkers"), "the marker arrived")
    assert world.version_ids(destination, "DeleteMarkers") == world.version_ids(source, "DeleteMarkers")


def test_deleted_version_stays_at_the_destination(world):
    """S3 User Guide, replication-what-is-isnot-replicated: deleting a version by its ID is never replicated."""
    source, destination = world.pair(DeleteMarkerReplication=ON)
    version = world.put(source, "deleted")
    world.settle(source, "deleted")
    world.s3_of(source).delete_object(Bucket=source, Key="deleted", VersionId=version)
    world.put(source, "later")
    world.settle(source, "later")
    assert version in world.version_ids(destination)
