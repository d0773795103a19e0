# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What PutBucketReplication refuses, and that GetBucketReplication gives back what was put."""

from __future__ import annotations

import pytest

TAG = {"Key": "team", "Value": "blue"}
ON, OFF = {"Status": "Enabled"}, {"Status": "Disabled"}
LEFT_OUT = object()
MISSING_BUCKET = "arn:aws:s3:::contract-bucket-that-nobody-has-made"


@pytest.fixture
def ends(world):
    """Source, destination and a role; no rule yet."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    return source, destination, world.role(source, destination)


REFUSED = {
    "tag filter with markers": ("InvalidRequest", {"Filter": {"Tag": TAG}, "DeleteMarkerReplication": ON}),
    "tags in And with markers": (
        "InvalidRequest",
        {"Filter": {"And": {"Prefix": "a", "Tags": [TAG]}}, "DeleteMarkerReplication": ON},
    ),
    "missing destination": ("InvalidRequest", {"Destination": {"Bucket": MISSING_BUCKET}}),
    "destination that is no ARN": ("InvalidArgument", {"Destination": {"Bucket": "just-a-name"}}),
    "filter without priority": ("InvalidRequest", {"Priority": LEFT_OUT}),
    "filter without markers": ("InvalidRequest", {"DeleteMarkerReplication": LEFT_OUT}),
    "priority in the old schema": (
        "InvalidRequest",
        {"Filter": LEFT_OUT, "Prefix": "", "DeleteMarkerReplication": LEFT_OUT},
    ),
    "prefix and filter": ("MalformedXML", {"Prefix": "a"}),
    "prefix and tag without And": ("MalformedXML", {"Filter": {"Prefix": "a", "Tag": TAG}}),
    "existing objects": ("MalformedXML", {"ExistingObjectReplication": ON}),
    "status": ("MalformedXML", {"Status": "Foo"}),
    "status of markers": ("MalformedXML", {"DeleteMarkerReplication": {"Status": "Foo"}}),
    "ID of 256 characters": ("InvalidArgument", {"ID": "x" * 256}),
    "ID beyond ASCII": ("InvalidArgument", {"ID": "prim\u00e4r"}),
}


@pytest.mark.parametrize(("code", "changes"), REFUSED.values(), ids=REFUSED)
def test_refused_rule(world, ends, refused, code, changes):
    """S3 User Guide, replication-add-config and replication-troubleshoot."""
    source, destination, role = ends
    rule = world.rule(destination, **changes)
    with refused(code):
        world.replicate(source, role, {name: value for name, value in rule.items() if value is not LEFT_OUT})


REFUSED_DESTINATIONS = {
    "storage class": ("MalformedXML", {"StorageClass": "COLD"}),
    "account of somebody else": ("InvalidArgument", {"Account": "999999999999"}),
    "owner without account": ("InvalidRequest", {"AccessControlTranslation": {"Owner": "Destination"}}),
    "time control without metrics": ("InvalidRequest", {"ReplicationTime": ON | {"Time": {"Minutes": 15}}}),
    "minutes": (
        "InvalidArgument",
        {"ReplicationTime": ON | {"Time": {"Minutes": 10}}, "Metrics": ON | {"EventThreshold": {"Minutes": 10}}},
    ),
    "key without selection": (
        "InvalidRequest",
        {"EncryptionConfiguration": {"ReplicaKmsKeyID": "arn:aws:kms:us-west-2:111122223333:key/x"}},
    ),
}


@pytest.mark.parametrize(("code", "to"), REFUSED_DESTINATIONS.values(), ids=REFUSED_DESTINATIONS)
def test_refused_destination(world, ends, refused, code, to):
    """S3 API, Destination; S3 User Guide, replication-troubleshoot."""
    source, destination, role = ends
    with refused(code):
        world.replicate(source, role, world.rule(destination, to=to))


@pytest.mark.parametrize(
    ("code", "second"),
    [
        ("InvalidRequest", {"ID": "other", "Priority": 1}),
        ("InvalidArgument", {"ID": "dr", "Priority": 2}),
    ],
    ids=["priority", "ID"],
)
def test_duplicate_rule(world, ends, refused, code, second):
    """S3 API, ReplicationRule: IDs and priorities are unique."""
    source, destination, role = ends
    with refused(code):
        world.replicate(source, role, world.rule(destination), world.rule(destination, **second))


def test_destination_equal_to_source(world, ends, refused):
    """S3 User Guide, replication-troubleshoot: a bucket does not replicate to itself."""
    source, _destination, role = ends
    with refused("InvalidRequest"):
        world.replicate(source, role, world.rule(source))


def test_role_that_is_no_arn(world, ends, refused):
    """S3 API, ReplicationConfiguration: Role is an ARN."""
    source, destination, _role = ends
    with refused("InvalidArgument"):
        world.replicate(source, "not-an-arn", world.rule(destination))


def test_more_than_1000_rules(world, ends, refused):
    """S3 API, ReplicationConfiguration: at most 1,000 rules."""
    source, destination, role = ends
    rules = [world.rule(destination, ID=f"r{n}", Priority=n, Filter={"Prefix": f"{n}/"}) for n in range(1001)]
    world.replicate(source, role, *rules[:1000])
    with refused("InvalidRequest"):
        world.replicate(source, role, *rules)


def test_no_rules(world, ends, refused):
    """S3 API, ReplicationConfiguration: at least one rule."""
    source, _destination, role = ends
    with refused("MalformedXML"):
        world.replicate(source, role)


@pytest.mark.parametrize("unversioned", ["source", "destination"])
def test_unversioned_end(world, refused, unversioned):
    """S3 User Guide, replication-requirements: both ends have versioning enabled, for a disabled rule too."""
    source = world.bucket(versioned=unversioned != "source")
    destination = world.bucket(world.dr_region, versioned=unversioned != "destination")
    with refused("InvalidRequest"):
        world.replicate(source, world.role(source, destination), world.rule(destination, Status="Disabled"))


def test_refused_configuration_changes_nothing(world, ends, refused):
    """S3 API, PutBucketReplication: all or nothing."""
    source, destination, role = ends
    with refused("InvalidRequest"):
        world.replicate(source, role, world.rule(destination), world.rule(destination, ID="other"))
    with refused("ReplicationConfigurationNotFoundError"):
        world.s3_of(source).get_bucket_replication(Bucket=source)


def test_versioning_of_a_source_cannot_be_suspended(world, refused):
    """S3 API, PutBucketVersioning: InvalidBucketState while a replication configuration is present."""
    source, _destination = world.pair()
    s3 = world.s3_of(source)
    with refused("InvalidBucketState"):
        s3.put_bucket_versioning(Bucket=source, VersioningConfiguration={"Status": "Suspended"})
    s3.delete_bucket_replication(Bucket=source)
    s3.put_bucket_versioning(Bucket=source, VersioningConfiguration={"Status": "Suspended"})


ROUND_TRIPS = {
    "whole bucket by prefix": {"Filter": {"Prefix": ""}},
    "whole bucket by empty filter": {"Filter": {}},
    "prefix": {"Filter": {"Prefix": "logs/"}},
    "tag": {"Filter": {"Tag": TAG}},
    "and": {"Filter": {"And": {"Prefix": "logs/", "Tags": [TAG, {"Key": "x", "Value": ""}]}}},
    "priority 0": {"Priority": 0},
    "markers": {"DeleteMarkerReplication": ON},
    "disabled": {"Status": "Disabled"},
    "replica modifications": {"SourceSelectionCriteria": {"ReplicaModifications": ON}},
    "encryption": {
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": ON, "ReplicaModifications": OFF},
        "to": {"EncryptionConfiguration": {"ReplicaKmsKeyID": "arn:aws:kms:us-west-2:111122223333:key/x"}},
    },
    "storage class": {"to": {"StorageClass": "GLACIER_IR"}},
    "metrics": {"to": {"Metrics": ON}},
    "time control": {
        "to": {"ReplicationTime": ON | {"Time": {"Minutes": 15}}, "Metrics": ON | {"EventThreshold": {"Minutes": 15}}}
    },
    "owner": {"to": {"Account": "OWN", "AccessControlTranslation": {"Owner": "Destination"}}},
}


@pytest.mark.parametrize("changes", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_get_returns_what_was_put(world, ends, changes):
    """S3 API, GetBucketReplication: a plan that compares both must find no difference."""
    source, destination, role = ends
    rule = world.rule(destination, **changes)
    if rule["Destination"].get("Account") == "OWN":
        rule["Destination"]["Account"] = world.account_id()
    world.replicate(source, role, rule)
    assert stored(world, source) == {"Role": role, "Rules": [rule]}


def test_get_returns_an_old_rule(world, ends):
    """S3 API, GetBucketReplication: a rule of the old schema keeps its Prefix, an empty one too."""
    source, destination, role = ends
    rule = {"ID": "old", "Status": "Enabled", "Prefix": "", "Destination": {"Bucket": f"arn:aws:s3:::{destination}"}}
    world.replicate(source, role, rule)
    assert stored(world, source)["Rules"] == [rule]


def stored(world, source):
    return world.s3_of(source).get_bucket_replication(Bucket=source)["ReplicationConfiguration"]
