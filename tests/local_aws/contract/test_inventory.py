# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""S3 Inventory: its configurations, and the reports.

AWS delivers within 48 hours. The local AWS delivers when it is asked, so what is about reports runs only there.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from urllib.parse import unquote_plus

import pytest

from local_aws.contract.batch import Batch

delivered = pytest.mark.skipif(bool(os.environ.get("CONTRACT_AGAINST_AWS")), reason="AWS takes up to 48 hours")

ALL_FIELDS = [
    "Size",
    "LastModifiedDate",
    "ETag",
    "StorageClass",
    "IsMultipartUploaded",
    "ReplicationStatus",
    "EncryptionStatus",
    "ObjectLockRetainUntilDate",
    "ObjectLockMode",
    "ObjectLockLegalHoldStatus",
    "BucketKeyStatus",
    "ChecksumAlgorithm",
]
ALWAYS = ["Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker"]


class Inventory:
    """The inventory of a bucket, and the bucket that gets it."""

    def __init__(self, world, bucket):
        self.world, self.bucket, self.region = world, bucket, world.regions[bucket]
        self.target = world.bucket(self.region, versioned=False)
        self.s3 = world.s3_of(bucket)
        self.policy()

    def policy(self, **changes):
        """What S3 User Guide, configure-inventory, says that the target needs."""
        source, account = f"arn:aws:s3:::{self.bucket}", self.world.account_id()
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{self.target}/*",
            "Condition": {
                "ArnLike": {"aws:SourceArn": source},
                "StringEquals": {"aws:SourceAccount": account, "s3:x-amz-acl": "bucket-owner-full-control"},
            },
        } | changes
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.s3.put_bucket_policy(Bucket=self.target, Policy=document)

    def configure(self, name="all", **changes):
        to = {"Bucket": f"arn:aws:s3:::{self.target}", "Format": "CSV", "Prefix": "lists"} | changes.pop("to", {})
        configuration = {
            "Id": name,
            "IsEnabled": True,
            "IncludedObjectVersions": "All",
            "Schedule": {"Frequency": "Daily"},
            "OptionalFields": ALL_FIELDS,
            "Destination": {"S3BucketDestination": to},
        } | changes
        self.s3.put_bucket_inventory_configuration(Bucket=self.bucket, Id=name, InventoryConfiguration=configuration)
        return configuration

    def get(self, name="all"):
        return self.s3.get_bucket_inventory_configuration(Bucket=self.bucket, Id=name)["InventoryConfiguration"]

    def ids(self):
        answer = self.s3.list_bucket_inventory_configurations(Bucket=self.bucket)
        return {one["Id"] for one in answer.get("InventoryConfigurationList", [])}

    def ask(self, name="all"):
        """Have the reports now: HTTP status and answer."""
        wish = json.dumps({"bucket": self.bucket, "id": name}).encode()
        request = urllib.request.Request(f"{self.world.endpoint}/_local_aws/inventory", data=wish, method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.reason

    def deliver(self, name="all"):
        """Have the reports now; the answer is the key of manifest.json."""
        status, answer = self.ask(name)
        assert status == 200, answer
        return answer["manifest"]

    def written(self):
        return {one["Key"] for one in self.s3.list_objects_v2(Bucket=self.target).get("Contents", [])}

    def read(self, key):
        return self.s3.get_object(Bucket=self.target, Key=key)["Body"].read()

    def manifest(self, name="all"):
        return json.loads(self.read(self.deliver(name)))

    def rows(self):
        """The rows of a list in CSV."""
        manifest = self.manifest()
        fields = manifest["fileSchema"].split(", ")
        text = "".join(gzip.decompress(self.read(file["key"])).decode() for file in manifest["files"])
        return [dict(zip(fields, line, strict=True)) for line in csv.reader(io.StringIO(text))]


@pytest.fixture(name="inventory")
def inventory_fixture(world):
    return Inventory(world, world.bucket())


def test_configuration(inventory, refused):
    """S3 API, Put, Get, List and DeleteBucketInventoryConfiguration."""
    with refused("NoSuchConfiguration"):
        inventory.get()
    assert inventory.ids() == set()
    configuration = inventory.configure(to={"Encryption": {"SSES3": {}}}, Filter={"Prefix": "in/"})
    assert inventory.get() == configuration
    inventory.configure("other", IsEnabled=False, Schedule={"Frequency": "Weekly"})
    assert inventory.ids() == {"all", "other"}
    changed = inventory.configure(OptionalFields=["Size"])
    assert inventory.get() == changed
    inventory.s3.delete_bucket_inventory_configuration(Bucket=inventory.bucket, Id="all")
    assert inventory.ids() == {"other"}


def test_destination_in_another_region(inventory, world):
    """S3 User Guide, configure-inventory: the destination is in the Region of the bucket."""
    elsewhere = world.bucket(world.dr_region)
    with pytest.raises(inventory.s3.exceptions.ClientError) as caught:
        inventory.configure(to={"Bucket": f"arn:aws:s3:::{elsewhere}"})
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert inventory.ids() == set()


@delivered
def test_place_of_the_files(inventory, world):
    """S3 User Guide, storage-inventory-location."""
    world.put(inventory.bucket)
    inventory.configure()
    manifest = inventory.deliver()
    place = f"lists/{inventory.bucket}/all"
    assert re.fullmatch(rf"{place}/\d{{4}}-\d\d-\d\dT\d\d-\d\dZ/manifest\.json", manifest)
    (data,) = [file["key"] for file in json.loads(inventory.read(manifest))["files"]]
    assert data.startswith(f"{place}/data/")
    assert data.endswith(".csv.gz")
    keys = inventory.written()
    (symlink,) = [key for key in keys if re.fullmatch(rf"{place}/hive/dt=\d{{4}}(-\d\d){{4}}/symlink\.txt", key)]
    assert inventory.read(symlink).decode().split() == [f"s3://{inventory.target}/{data}"]
    assert keys == {manifest, data, symlink, manifest.replace(".json", ".checksum")}


@delivered
def test_manifest(inventory, world):
    """S3 User Guide, storage-inventory-location: the manifest, and its checksum."""
    world.put(inventory.bucket)
    inventory.configure()
    key = inventory.deliver()
    text = inventory.read(key)
    assert inventory.read(key.replace(".json", ".checksum")).decode().strip() == hashlib.md5(text).hexdigest()
    manifest = json.loads(text)
    assert manifest["sourceBucket"] == inventory.bucket
    assert manifest["destinationBucket"] == f"arn:aws:s3:::{inventory.target}"
    assert (manifest["version"], manifest["fileFormat"]) == ("2016-11-30", "CSV")
    assert manifest["fileSchema"] == ", ".join(ALWAYS + ALL_FIELDS)
    made = datetime.datetime.fromtimestamp(int(manifest["creationTimestamp"]) / 1000, datetime.UTC)
    assert abs(datetime.datetime.now(datetime.UTC) - made) < datetime.timedelta(minutes=10)
    for file in manifest["files"]:
        data = inventory.read(file["key"])
        assert (file["size"], file["MD5checksum"]) == (len(data), hashlib.md5(data).hexdigest())


@delivered
def test_versions_and_markers(inventory, world):
    """S3 User Guide, storage-inventory: all versions and delete markers; the key URL-encoded."""
    key = 'a b+ü/%41,"c"'
    first = world.put(inventory.bucket, key, b"1")
    second = world.put(inventory.bucket, key, b"22", StorageClass="STANDARD_IA")
    marker = inventory.s3.delete_object(Bucket=inventory.bucket, Key=key)["VersionId"]
    inventory.configure()
    rows = {row["VersionId"]: row for row in inventory.rows()}
    assert set(rows) == {first, second, marker}
    assert all(row["Key"] != key and unquote_plus(row["Key"]) == key for row in rows.values())
    assert {row["Bucket"] for row in rows.values()} == {inventory.bucket}
    told = {name: (row["IsLatest"], row["IsDeleteMarker"], row["Size"]) for name, row in rows.items()}
    assert told == {
        first: ("false", "false", "1"),
        second: ("false", "false", "2"),
        marker: ("true", "true", ""),
    }
    found = world.head(inventory.bucket, key, VersionId=second)
    row = rows[second]
    assert (row["ETag"], row["StorageClass"]) == (found["ETag"].strip('"'), "STANDARD_IA")
    assert row["EncryptionStatus"] == "SSE-S3"
    assert row["IsMultipartUploaded"] == "false"
    written = datetime.datetime.fromisoformat(row["LastModifiedDate"])
    assert written.replace(microsecond=0) == found["LastModified"]


@delivered
def test_current_objects_below_a_prefix(inventory, world):
    """S3 API, InventoryConfiguration: IncludedObjectVersions Current, and a filter."""
    for key in ("in/a", "in/a", "in/gone", "out/a"):
        world.put(inventory.bucket, key)
    inventory.s3.delete_object(Bucket=inventory.bucket, Key="in/gone")
    inventory.configure(IncludedObjectVersions="Current", Filter={"Prefix": "in/"}, OptionalFields=["Size"])
    rows = inventory.rows()
    assert [set(row) for row in rows] == [{"Bucket", "Key", "Size"}]
    assert rows[0]["Key"] == "in/a"


@delivered
def test_replication_status(world):
    """S3 User Guide, storage-inventory: PENDING, COMPLETED, FAILED or REPLICA; empty where there is none."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.put(source, "before")
    world.replicate(source, world.role(source, destination), world.rule(destination))
    world.put(source, "after")
    world.settle(source, "after")
    for bucket, expected in ((source, {"before": "", "after": "COMPLETED"}), (destination, {"after": "REPLICA"})):
        inventory = Inventory(world, bucket)
        inventory.configure()
        assert {row["Key"]: row["ReplicationStatus"] for row in inventory.rows()} == expected


@delivered
def test_object_lock(world):
    """S3 User Guide, storage-inventory: retention and legal hold."""
    bucket = world.name("bucket")
    s3 = world.client("s3")
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    world.regions[bucket] = world.source_region
    until = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=1)
    retention = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    version = world.put(bucket, "key", ObjectLockLegalHoldStatus="ON", **retention)
    address = {"Bucket": bucket, "Key": "key", "VersionId": version}
    world.cleanup.callback(s3.delete_bucket, Bucket=bucket)
    world.cleanup.callback(s3.delete_object, **address, BypassGovernanceRetention=True)
    world.cleanup.callback(s3.put_object_legal_hold, **address, LegalHold={"Status": "OFF"})
    inventory = Inventory(world, bucket)
    inventory.configure()
    (row,) = inventory.rows()
    assert (row["ObjectLockMode"], row["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")
    assert datetime.datetime.fromisoformat(row["ObjectLockRetainUntilDate"]) == until


@delivered
def test_parquet(inventory, world):
    """S3 User Guide, storage-inventory-location: the same in Parquet; the key is not encoded there."""
    key = 'a b+ü/%41,"c"'
    version = world.put(inventory.bucket, key, b"12345")
    marker = inventory.s3.delete_object(Bucket=inventory.bucket, Key=key)["VersionId"]
    inventory.configure(to={"Format": "Parquet"})
    manifest = inventory.manifest()
    assert manifest["fileSchema"].startswith(
        "message s3.inventory { required binary bucket (UTF8); required binary key"
    )
    assert "optional int64 last_modified_date (TIMESTAMP_MILLIS);" in manifest["fileSchema"]
    (file,) = manifest["files"]
    assert file["key"].endswith(".parquet")
    rows = {row["version_id"]: row for row in parquet(inventory.read(file["key"]))}
    assert set(rows) == {version, marker}
    assert (rows[version]["key"], rows[version]["size"], rows[version]["is_delete_marker"]) == (key, 5, False)
    assert (rows[marker]["size"], rows[marker]["is_latest"], rows[marker]["is_delete_marker"]) == (None, True, True)
    declared = re.findall(r"(?:binary|boolean|int64) (\w+)", manifest["fileSchema"])
    assert list(rows[version]) == declared
    assert rows[version]["e_tag"] == hashlib.md5(b"12345").hexdigest()


def parquet(body):
    """The rows of a Parquet file, read by DuckDB in the environment of the local AWS."""
    program = (
        "import duckdb, json, sys, tempfile\n"
        "with tempfile.NamedTemporaryFile(suffix='.parquet') as file:\n"
        "    file.write(sys.stdin.buffer.read())\n"
        "    file.flush()\n"
        "    found = duckdb.execute(f\"SELECT * FROM read_parquet('{file.name}')\")\n"
        "    names = [column[0] for column in found.description]\n"
        "    print(json.dumps([dict(zip(names, row)) for row in found.fetchall()], default=str))\n"
    )
    python = os.environ.get("LOCAL_AWS_PYTHON", sys.executable)
    done = subprocess.run([python, "-c", program], input=body, capture_output=True, check=True)
    return json.loads(done.stdout)


@delivered
def test_empty_bucket(inventory):
    """S3 User Guide, storage-inventory: an empty bucket has an empty list, in both formats."""
    inventory.configure()
    assert inventory.rows() == []
    inventory.configure(to={"Format": "Parquet"})
    assert parquet(inventory.read(inventory.manifest()["files"][0]["key"])) == []


@delivered
@pytest.mark.parametrize(
    "changes",
    [
        {"Principal": {"Service": "cloudtrail.amazonaws.com"}},
        {"Action": "s3:GetObject"},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::another-bucket"}}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}},
        {"Effect": "Deny"},
    ],
    ids=["other service", "other action", "other bucket", "other account", "deny"],
)
def test_policy_that_does_not_let_s3_write(inventory, changes):
    """S3 User Guide, configure-inventory: the policy must let s3.amazonaws.com put objects for this bucket."""
    inventory.configure()
    inventory.deliver()
    before = inventory.written()
    inventory.policy(**changes)
    assert inventory.ask()[0] == 409
    assert inventory.written() == before


@delivered
def test_checksum_comes_last(inventory, world):
    """S3 User Guide, storage-inventory-location: manifest.checksum says that all else is there. Here it cannot be
    written, and all else is there."""
    world.put(inventory.bucket)
    folder = f"arn:aws:s3:::{inventory.target}/*"
    inventory.policy(Resource=[f"{folder}/data/*", f"{folder}/hive/*", f"{folder}/manifest.json"])
    inventory.configure()
    assert inventory.ask()[0] == 409
    names = {key.rpartition("/")[2].rpartition(".")[2] for key in inventory.written()}
    assert names == {"gz", "txt", "json"}


@delivered
def test_disabled_configuration(inventory):
    """S3 API, InventoryConfiguration: IsEnabled false means no list."""
    inventory.configure()
    inventory.deliver()
    before = inventory.written()
    inventory.configure(IsEnabled=False)
    assert inventory.ask()[0] == 409
    assert inventory.written() == before


@delivered
def test_list_as_a_manifest(world):
    """S3 User Guide, batch-ops-create-job: an inventory in CSV is a manifest of a job."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    version = world.put(source, "a b")
    world.replicate(source, world.role(source, destination), world.rule(destination))
    batch, inventory = Batch(world, source, destination), Inventory(world, source)
    inventory.target = batch.papers
    inventory.policy()
    inventory.configure()
    key = inventory.deliver()
    etag = world.head(batch.papers, key)["ETag"]
    location = {"ObjectArn": f"arn:aws:s3:::{batch.papers}/{key}", "ETag": etag}
    manifest = {"Spec": {"Format": "S3InventoryReport_CSV_20161130"}, "Location": location}
    batch.replicate(ManifestGenerator=None, Manifest=manifest)
    assert world.version_ids(destination) == {version}
