# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What can happen to a two-way pair that is encrypted with KMS, by boto3 alone: `both_ways.py STEP PREFIX`.

The steps are `keys`, whose stdout names the keys, `main` and `released`, whose stdout are the findings to expect.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from scene import DR_REGION, FOREVER, HOUR, PRIMARY_REGION, Bucket, Expected, ahead, client, control


def key_of(name: str, region: str) -> str:
    return str(client("kms", region).create_key(Description=name)["KeyMetadata"]["Arn"])


class World:
    """The buckets of a run."""

    def __init__(self, prefix: str) -> None:
        self.primary = Bucket(f"{prefix}-left", PRIMARY_REGION)
        self.dr = Bucket(f"{prefix}-right", DR_REGION)
        self.expected = Expected(self.primary, self.dr)

    def keys(self) -> dict[str, str]:
        """The keys of both ends. The pair is to be set up two hours ago."""
        ahead(-2 * HOUR)
        return {"primary": key_of(self.primary.name, PRIMARY_REGION), "dr": key_of(self.dr.name, DR_REGION)}

    def main(self) -> dict[str, Any]:
        """An hour ago both ends wrote, and nothing is under way but what both wrote last."""
        primary, dr, expected = self.primary, self.dr, self.expected
        control("settings", order_by_arrival=1)
        ahead(-HOUR)
        for bucket in (primary, dr):
            bucket.lag(0)
        gone = {name: primary.put(name) for name in ("gone at left", "gone at right")}
        back = {name: dr.put(name) for name in ("back: gone at left", "back: gone at right")}
        primary.until("COMPLETED", gone.items())
        dr.until("COMPLETED", back.items())
        primary.delete("gone at left", gone["gone at left"])
        expected.finds("version_deleted_at_source", "gone at left", gone["gone at left"], "two", missing=False)
        dr.delete("gone at right", gone["gone at right"])
        expected.finds("version_deleted_at_destination", "gone at right", gone["gone at right"], "two")
        version = back["back: gone at left"]
        primary.delete("back: gone at left", version)
        expected.finds("version_deleted_at_destination", "back: gone at left", version, "two", back=True)
        version = back["back: gone at right"]
        dr.delete("back: gone at right", version)
        # At the primary it is a replica: of the DR bucket, or of a third one, which S3 does not tell.
        expected.finds(
            "version_deleted_at_destination", "back: gone at right", version, "two", detail="it is a replica"
        )
        other = key_of(f"{primary.name} other", PRIMARY_REGION)
        failed = primary.put("other key", ServerSideEncryption="aws:kms", SSEKMSKeyId=other)
        primary.until("FAILED", [("other key", failed)])
        expected.finds("failed", "other key", failed, "two", detail=other)
        good = primary.put("my key", ServerSideEncryption="aws:kms", SSEKMSKeyId=self.named_key())
        primary.until("COMPLETED", [("my key", good)])
        both = []
        for bucket in (primary, dr):
            bucket.lag(FOREVER)
        for bucket, is_back in ((primary, False), (dr, True)):
            version = bucket.put("both", bucket.name.encode())
            both.append(version)
            expected.finds("late", "both", version, "two", back=is_back)
        ahead(0)
        return {"findings": expected.findings, "both": both}

    def named_key(self) -> str:
        """The key that the pair names: its replication rule back says so."""
        rules = self.dr.s3.get_bucket_replication(Bucket=self.dr.name)["ReplicationConfiguration"]["Rules"]
        return str(rules[0]["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"])

    def released(self) -> dict[str, Any]:
        """Both arrive, and each end shows the other's version as the current one."""
        for bucket in (self.primary, self.dr):
            bucket.lag(0)
        written = {one for bucket in (self.primary, self.dr) for one in bucket.held() if one[0] == "both"}
        for bucket in (self.primary, self.dr):
            bucket.until_holds(written)
        current = [
            row["VersionId"]
            for row in self.primary.s3.list_object_versions(Bucket=self.primary.name, Prefix="both")["Versions"]
            if row["IsLatest"]
        ]
        self.expected.finds("conflict", "both", current[0], "two", missing=False, detail="as the current one")
        return {"findings": self.expected.findings}


if __name__ == "__main__":
    print(json.dumps(getattr(World(sys.argv[2]), sys.argv[1])()))
