# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""An AWS in memory that replicates: statuses at both ends, copies, delete markers, a lag, either order of versions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import unquote

from ..fake_aws import FakeAws
from .calls import Answer, client_error
from .s3 import Bucket

_KEPT = ("storage_class", "settings", "metadata")


class ReplicatingAws(FakeAws):
    """Each write is a second later than the one before.

    Attributes:
        lagging: whether replicas wait until `arrive` is called.
        by_arrival: whether a destination puts what arrives last on top, in place of what was written last.
        refuses_plain_copies: whether a copy onto itself must change something, even if its class is named.
    """

    def __init__(self) -> None:
        super().__init__()
        self.replicates = lambda version: version.get("status")
        self.lagging = False
        self.by_arrival = False
        self.refuses_plain_copies = False
        self.waiting: list[tuple[str, str, Answer]] = []
        self.told: dict[tuple[str, str], Answer] = {}
        """More of what HeadObject tells, by key and version ID."""
        self._written = 0

    def write(self, bucket: str, key: str, **fields: object) -> Answer:
        """Write a version into a bucket, as an application does; `marker=True`: delete it."""
        self.now += timedelta(seconds=1)
        self._written += 1
        version_id = f"{bucket[-2:]}{self._written}"
        version = {"Key": key, "VersionId": version_id, "body": b"...", "modified": self.now, **fields}
        self.buckets[bucket].versions.append(version)
        self._replicate(bucket, version)
        return version

    def arrive(self) -> None:
        """Let all replicas arrive that wait, the last one written first: S3 promises no order."""
        waiting, self.waiting = self.waiting, []
        for source, destination, version in reversed(waiting):
            self._arrive(source, destination, version)

    def shown(self, bucket: str, key: str) -> str | None:
        """The version ID of what the bucket shows."""
        found = [one["VersionId"] for one in self.buckets[bucket].versions if one["Key"] == key]
        return found[-1] if found else None

    def _replicate(self, source: str, version: Answer) -> None:
        for destination in self._takers(source, version):
            version["status"] = "PENDING"
            if self.lagging:
                self.waiting.append((source, destination, version))
            else:
                self._arrive(source, destination, version)

    def _takers(self, source: str, version: Answer) -> Iterator[str]:
        configuration = self.buckets[source].replication or {"Rules": []}
        for rule in configuration["Rules"]:
            selects = rule["Status"] == "Enabled" and version["Key"].startswith(rule["Filter"].get("Prefix", ""))
            if selects and (not version.get("marker") or rule["DeleteMarkerReplication"]["Status"] == "Enabled"):
                yield rule["Destination"]["Bucket"].rsplit(":", 1)[1]

    def _arrive(self, source: str, destination: str, version: Answer) -> None:
        if destination not in self.buckets:
            version["status"] = "FAILED"
            return
        version["status"] = "COMPLETED"
        self._place(self.buckets[destination], {**version, "status": "REPLICA"})

    def _place(self, bucket: Bucket, replica: Answer) -> None:
        newer = [
            place
            for place, one in enumerate(bucket.versions)
            if one["Key"] == replica["Key"] and one["modified"] > replica["modified"]
        ]
        at_end = self.by_arrival or not newer
        bucket.versions.insert(len(bucket.versions) if at_end else newer[0], replica)

    # --- calls ------------------------------------------------------------------------------------------------

    def _s3_HeadObject(self, params: Answer, region: str) -> Answer:
        told = super()._s3_HeadObject(params, region)
        version = self._version(params, region)
        kept = {"StorageClass": version["storage_class"]} if "storage_class" in version else {}
        metadata = {"Metadata": version["metadata"]} if "metadata" in version else {}
        return {**told, **kept, **metadata, **self.told.get((params["Key"], params["VersionId"]), {})}

    def _s3_CopyObject(self, params: Answer, region: str) -> Answer:
        """Only onto its own key: nothing else of the collection copies."""
        bucket = params["Bucket"]
        itself, _mark, version_id = params["CopySource"].partition("?versionId=")
        if unquote(itself) != f"{bucket}/{params['Key']}":
            raise client_error("AccessDenied", "a conflict is resolved within its own bucket and key")
        copied = self._version({**params, "VersionId": version_id}, region)
        if self.refuses_plain_copies and params.get("MetadataDirective") != "REPLACE":
            raise client_error("InvalidRequest", "This copy request is illegal because it changes nothing")
        fields = {name: copied[name] for name in _KEPT if name in copied}
        if params.get("MetadataDirective") == "REPLACE":
            fields["metadata"] = params.get("Metadata", {})
        fields["storage_class"] = params.get("StorageClass", "STANDARD")
        return {"VersionId": self.write(bucket, params["Key"], body=copied["body"], **fields)["VersionId"]}

    def _s3_DeleteObject(self, params: Answer, region: str) -> Answer | None:
        if "VersionId" in params or self._bucket(params, region).versioning != "Enabled":
            super()._s3_DeleteObject(params, region)
            return None
        marker = self.write(params["Bucket"], params["Key"], marker=True, body=b"")
        return {"VersionId": marker["VersionId"], "DeleteMarker": True}
