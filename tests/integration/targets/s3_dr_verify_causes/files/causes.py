# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Everything that can happen to the versions of a one-way pair, by boto3 alone: `causes.py STEP PREFIX`.

The steps are `before` the pair is set up, `main` after it, `paused` while it is, `released` when replication goes on,
and `emptied` before everything is removed.
stdout of each is a JSON object; the findings that a verify must have are in `findings`.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, timedelta
from typing import Any

from scene import (
    DAY,
    DR_REGION,
    FOREVER,
    HOUR,
    PRIMARY_REGION,
    Bucket,
    Expected,
    ahead,
    client,
    control,
    denied,
    disabled,
)

MANY = 10_000
ODD = ["\x01\r\n", "größe/\N{PILE OF POO}", "e\u0301", " a+b%20c ", "<&>\"'", "\ufffe", "//"]
LATE_SIZES = (1000, 200, 34)


class World:
    """The buckets of a run."""

    def __init__(self, prefix: str) -> None:
        self.primary = Bucket(f"{prefix}-primary", PRIMARY_REGION)
        self.dr = Bucket(f"{prefix}-dr", DR_REGION)
        self.origin = Bucket(f"{prefix}-origin", "us-east-2")
        self.pair_role = f"s3-dr-{prefix}-causes-to-{DR_REGION}"
        self.origin_role = f"{prefix}-origin"
        self.expected = Expected(self.primary, self.dr)

    # --- before the pair

    def before(self) -> dict[str, Any]:
        """Four hours ago there was a bucket, first without versioning. The pair is to be set up two hours ago."""
        primary, expected = self.primary, self.expected
        ahead(-4 * HOUR)
        primary.create()
        expected.finds("written_before_rule", "plain/null", primary.put("plain/null"), "plain")
        primary.enable_versioning()
        expected.finds("written_before_rule", "plain/before", primary.put("plain/before"), "plain")
        rule = {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": "markers/expired"}, "Expiration": {"Days": 1}}
        primary.s3.put_bucket_lifecycle_configuration(Bucket=primary.name, LifecycleConfiguration={"Rules": [rule]})
        ahead(-2 * HOUR)
        return {"findings": expected.findings}

    # --- after it was set up

    def main(self) -> dict[str, Any]:
        """Since an hour everything happens that keeps versions from being equal at both ends."""
        self.primary.lag(0)
        ahead(-HOUR)
        self.at_both_ends()
        self.on_the_way()
        self.from_another_source()
        self.not_selected()
        many = self.many_versions()
        late = self.not_arrived()
        ahead(0)
        return {"findings": self.expected.findings, "many": many, **late}

    def at_both_ends(self) -> None:
        """Versions that arrived, and what then happened at one end."""
        primary, dr, expected = self.primary, self.dr, self.expected
        odd = [(f"plain/odd/{text}", primary.put(f"plain/odd/{text}")) for text in ODD]
        names = ("good", "source", "dr", "content", "size", "etag", "data", "over", "hidden", "chosen")
        put = {name: primary.put(f"plain/{name}", b"some data") for name in names}
        ahead(-3 * DAY)
        expired = primary.put("markers/expired")
        ahead(-HOUR)
        put_late = primary.put("late/good")
        written = {(f"plain/{name}", version) for name, version in put.items()} | set(odd)
        written |= {("markers/expired", expired), ("late/good", put_late)}
        dr.until_holds(written)

        primary.delete("plain/source", put["source"])
        expected.finds("version_deleted_at_source", "plain/source", put["source"], "plain", missing=False)
        dr.delete("plain/dr", put["dr"])
        expected.finds("version_deleted_at_destination", "plain/dr", put["dr"], "plain", detail="COMPLETED")
        for what in ("content", "size", "etag", "data"):
            dr.corrupt(f"plain/{what}", put[what], what)
        expected.finds("content_differs", "plain/content", put["content"], "plain", detail="checksums")
        expected.finds("content_differs", "plain/size", put["size"], "plain", detail="9 bytes and 8 bytes")
        over = dr.put("plain/over", b"by hand")
        expected.finds("conflict", "plain/over", over, "plain", missing=False, detail="stands in place of what")
        hides = dr.delete("plain/hidden")
        expected.finds("conflict", "plain/hidden", hides, "plain", missing=False, marker=True, detail="hides")
        expected.finds(
            "foreign_object_at_destination", "plain/foreign", dr.put("plain/foreign"), "plain", missing=False
        )
        expected.finds("foreign_object_at_destination", "foreign\x01", dr.put("foreign\x01"), None, missing=False)
        chosen = primary.delete("plain/chosen")
        expected.finds("delete_marker_by_choice", "plain/chosen", chosen, "plain", marker=True)

        control("lifecycle", bucket=primary.name)
        (marker,) = (one for one in primary.held() if one[0] == "markers/expired" and one[1] != expired)
        expected.finds("delete_marker_by_lifecycle", *marker, "markers", marker=True)

    def on_the_way(self) -> None:
        """Versions that S3 gave up, and those written while a rule was off."""
        primary, dr, expected = self.primary, self.dr, self.expected
        with denied(self.pair_role, "s3:ReplicateObject", f"arn:aws:s3:::{dr.name}/plain/failed"):
            failed = primary.put("plain/failed")
            primary.until("FAILED", [("plain/failed", failed)])
        expected.finds("failed", "plain/failed", failed, "plain", detail="role's permissions")
        arrived = primary.put("off/good")
        dr.until_holds({("off/good", arrived)})
        with disabled(primary, "off"):
            expected.finds("written_while_rule_off", "off/off", primary.put("off/off"), "off", detail="older versions")

    def from_another_source(self) -> None:
        """A third bucket replicates into the primary: chains do not go on."""
        origin, primary, iam = self.origin, self.primary, client("iam")
        origin.create()
        origin.enable_versioning()
        trust = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
        allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        trusted, allowed = ({"Version": "2012-10-17", "Statement": [one]} for one in (trust, allow))
        role = iam.create_role(RoleName=self.origin_role, AssumeRolePolicyDocument=json.dumps(trusted))["Role"]["Arn"]
        iam.put_role_policy(RoleName=self.origin_role, PolicyName="all", PolicyDocument=json.dumps(allowed))
        rule = {
            "ID": "chain",
            "Priority": 1,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{primary.name}"},
        }
        origin.s3.put_bucket_replication(Bucket=origin.name, ReplicationConfiguration={"Role": role, "Rules": [rule]})
        origin.lag(0)
        version = origin.put("plain/chain")
        primary.until_holds({("plain/chain", version)})
        self.expected.finds("replica_of_another_source", "plain/chain", version, "plain")

    def not_selected(self) -> None:
        """Versions that no rule selects."""
        primary, expected = self.primary, self.expected
        expected.finds("no_rule_matches", "outside/\x01\r", primary.put("outside/\x01\r"), None)
        expected.finds("no_rule_matches", "plainly", primary.put("plainly"), None)
        expected.finds("no_rule_matches", "tagged/other", primary.put("tagged/other", Tagging="team=red"), None)
        tagged = primary.put("tagged/later")
        tags = {"TagSet": [{"Key": "team", "Value": "blue"}]}
        primary.s3.put_object_tagging(Bucket=primary.name, Key="tagged/later", VersionId=tagged, Tagging=tags)
        expected.finds("tagged_after_creation", "tagged/later", tagged, "tagged")
        hidden = primary.delete("tagged/later")
        expected.finds("delete_marker_by_choice", "tagged/later", hidden, None, marker=True)
        archived = primary.put("plain/archived", StorageClass="GLACIER")
        expected.finds("archived_class", "plain/archived", archived, "plain", detail="GLACIER")
        key = client("kms").create_key(Description=primary.name)["KeyMetadata"]["Arn"]
        encrypted = primary.put("plain/kms", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        expected.finds("kms_not_selected", "plain/kms", encrypted, "plain", detail="aws:kms")

    def many_versions(self) -> int:
        """One key with the versions of ten pages."""
        control("filling", bucket=self.primary.name, destination=self.dr.name, key="many/key", versions=MANY)
        return MANY

    def not_arrived(self) -> dict[str, Any]:
        """Replication stops: three objects and a marker of an hour ago are late, those of a minute ago are pending."""
        primary, expected = self.primary, self.expected
        primary.lag(FOREVER)
        times = []
        for number, size in enumerate(LATE_SIZES):
            ahead(-3000 + 10 * number)
            version = primary.put(f"late/{number}", b"x" * size)
            expected.finds("late", f"late/{number}", version, "late")
            times.append(primary.head(f"late/{number}", version)["LastModified"].astimezone(UTC))
        expected.finds(
            "late", "markers/late", primary.delete("markers/late"), "markers", marker=True, detail="may be lost"
        )
        ahead(-60)
        expected.finds("pending", "plain/pending", primary.put("plain/pending"), "plain")
        expected.finds("pending", "markers/new", primary.delete("markers/new"), "markers", marker=True)
        point = (min(times) - timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
        return {"recovery_point": point, "late_bytes": sum(LATE_SIZES), "late_versions": len(LATE_SIZES)}

    # --- later

    def paused(self) -> dict[str, Any]:
        """The pair is paused by the collection."""
        version = self.primary.put("off/paused")
        self.expected.finds("written_while_rule_off", "off/paused", version, "off", detail="the pair was paused")
        return {"findings": self.expected.findings}

    def released(self) -> dict[str, Any]:
        """Replication goes on."""
        self.primary.lag(0)
        written = {one for one in self.primary.held() if one[0].startswith(("late/", "markers/late", "markers/new"))}
        self.dr.until_holds(written)
        return {}

    def emptied(self) -> dict[str, Any]:
        """Deleting many versions takes longer than all the rest, and DeleteObjects no key that XML cannot hold.

        Where the target ended before both buckets were made, there is nothing to empty.
        """
        made = {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]}
        if not {self.primary.name, self.dr.name} <= made:
            return {}
        control("filling", bucket=self.primary.name, destination=self.dr.name, key="many/key", versions=0)
        for bucket in (self.primary, self.dr):
            for key, version in bucket.held():
                if not key.isprintable():
                    bucket.delete(key, version)
        return {}


if __name__ == "__main__":
    print(json.dumps(getattr(World(sys.argv[2]), sys.argv[1])()))
