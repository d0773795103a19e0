# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a recovery drill needs of AWS: replicas that take their time, uploads in parts, sessions, and experiments."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ..clock import Time
from ..fake_aws import OWNER, FakeAws
from .calls import Answer, Call, client_error
from .s3 import Bucket, _told

PAUSE = "aws:s3:bucket-pause-replication"
SESSION = ":role/"


class RecoveryAws(FakeAws):
    """An AWS by a clock that only sleeping moves. What a session does has the role's ARN as its account."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()
        self.lag = 2.0
        """So many seconds after it was written a version arrives."""
        self.fails: set[str] = set()
        """Parts of keys that S3 gives up."""
        self.paused = False
        self.leaks = False
        """Whether replication goes on during an experiment."""
        self.unprepared = 0
        """So many times a role is refused, as one that was made a moment ago is."""
        self.experiments: dict[str, Answer] = {}
        self.templates: dict[str, Answer] = {}
        self.on_the_way: list[tuple[float, str, Answer]] = []
        self.data: list[tuple[str, Answer]] = []
        """What was put to CloudWatch, with the Region."""
        self.replicates = self._status

    def session(self, service: str, region: str, keys: Mapping[str, str]) -> Any:
        """A client that acts as the role that STS gave the keys of."""
        return self.client_for(service, region, keys["AccessKeyId"])

    def answer(self, call: Call) -> Answer:
        """What AWS says to the call, after what has arrived meanwhile."""
        self._deliver()
        return super().answer(call)

    def _is_owner(self, bucket: Bucket, params: Answer) -> bool:
        owner = OWNER if SESSION in self.account else self.account
        return params.get("ExpectedBucketOwner") == owner == bucket.owner

    # --- replication --------------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        if self.paused and not self.leaks:
            return
        due = [one for one in self.on_the_way if one[0] <= self.time.now]
        self.on_the_way = [one for one in self.on_the_way if one[0] > self.time.now]
        for _when, name, version in due:
            if not any(version is one for bucket in self.buckets.values() for one in bucket.versions):
                continue  # it was removed before it went
            version["status"] = "COMPLETED"
            self.buckets[name].versions.append({**version, "status": "REPLICA"})

    def _status(self, version: Answer) -> str | None:
        return version.get("status")

    def _put(self, params: Answer, region: str, body: bytes) -> Answer:
        bucket = self._bucket(params, region)
        if bucket.versioning != "Enabled":
            bucket.versions.append({"Key": params["Key"], "VersionId": "null", "body": body})
            return {}
        version = {"Key": params["Key"], "VersionId": f"v{len(self.calls)}", "modified": self.now, "body": body}
        bucket.versions.append(version)
        for rule in (bucket.replication or {"Rules": []})["Rules"]:
            if rule["Status"] == "Enabled" and params["Key"].startswith(rule["Filter"].get("Prefix", "")):
                failed = any(part in params["Key"] for part in self.fails)
                version["status"] = "FAILED" if failed else "PENDING"
                name = rule["Destination"]["Bucket"].rpartition(":")[2]
                if not failed:
                    self.on_the_way.append((self.time.now + self.lag, name, version))
        return {"VersionId": version["VersionId"], "ETag": '"x"'}

    # --- S3 -----------------------------------------------------------------------------------------------------

    def _s3_PutObject(self, params: Answer, region: str) -> Answer:
        body = params["Body"]
        return self._put(params, region, body if isinstance(body, bytes) else body.read())

    def _s3_CreateMultipartUpload(self, params: Answer, region: str) -> Answer:
        upload = {"Key": params["Key"], "UploadId": f"u{len(self.calls)}", "parts": {}}
        self._bucket(params, region).uploads.append(upload)
        return {"UploadId": upload["UploadId"]}

    def _upload(self, params: Answer, region: str) -> Answer:
        return next(one for one in self._bucket(params, region).uploads if one["UploadId"] == params["UploadId"])

    def _s3_UploadPart(self, params: Answer, region: str) -> Answer:
        body = params["Body"]
        self._upload(params, region)["parts"][params["PartNumber"]] = body if isinstance(body, bytes) else body.read()
        return {"ETag": f'"{params["PartNumber"]}"'}

    def _s3_CompleteMultipartUpload(self, params: Answer, region: str) -> Answer:
        upload = self._upload(params, region)
        self._bucket(params, region).uploads.remove(upload)
        return self._put(params, region, b"".join(upload["parts"][number] for number in sorted(upload["parts"])))

    def _s3_ListMultipartUploads(self, params: Answer, region: str) -> Answer:
        uploads = [one for one in self._bucket(params, region).uploads if one["Key"].startswith(params["Prefix"])]
        return {"IsTruncated": False, "Uploads": [{"Key": one["Key"], "UploadId": one["UploadId"]} for one in uploads]}

    def _s3_GetObject(self, params: Answer, region: str) -> Answer:
        if "VersionId" in params:
            found = self._version(params, region)
        else:
            rows = [one for one in self._bucket(params, region).versions if one["Key"] == params["Key"]]
            if not rows or rows[-1].get("marker"):
                raise client_error("NoSuchKey", "The specified key does not exist.", "GetObject")
            found = rows[-1]
        return {**_told(found), "Body": io.BytesIO(found.get("stored", found["body"])), **found.get("encryption", {})}

    def _s3_DeleteObject(self, params: Answer, region: str) -> Answer:
        super()._s3_DeleteObject(params, region)
        if "VersionId" in params:
            return {}
        return {"DeleteMarker": True, "VersionId": self._bucket(params, region).versions[-1]["VersionId"]}

    # --- STS ----------------------------------------------------------------------------------------------------

    def _sts_AssumeRole(self, params: Answer, region: str) -> Answer:
        name = params["RoleArn"].rpartition("/")[2]
        if name not in self.roles or self.unprepared > 0:
            self.unprepared -= 1
            raise client_error("AccessDenied", "not authorized to perform: sts:AssumeRole", "AssumeRole")
        return {"Credentials": {"AccessKeyId": params["RoleArn"], "SecretAccessKey": "secret", "SessionToken": "token"}}

    # --- FIS and CloudWatch -------------------------------------------------------------------------------------

    def _fis_GetExperimentTemplate(self, params: Answer, region: str) -> Answer:
        if params["id"] not in self.templates:
            raise client_error("ResourceNotFoundException", "no such template", "GetExperimentTemplate")
        return {"experimentTemplate": self.templates[params["id"]]}

    def _fis_ListExperiments(self, params: Answer, region: str) -> Answer:
        wanted = params["experimentTemplateId"]
        return {"experiments": [one for one in self.experiments.values() if one["experimentTemplateId"] == wanted]}

    def _fis_StartExperiment(self, params: Answer, region: str) -> Answer:
        name = f"EXP{len(self.experiments)}"
        self.experiments[name] = {
            "id": name,
            "experimentTemplateId": params["experimentTemplateId"],
            "state": {"status": "initiating"},
            "tags": params["tags"],
        }
        return {"experiment": self.experiments[name]}

    def _fis_GetExperiment(self, params: Answer, region: str) -> Answer:
        found = self.experiments[params["id"]]
        if found["state"]["status"] == "initiating":
            found["state"]["status"], self.paused = "running", True
        return {"experiment": {**found, "actions": {"pause": {"actionId": PAUSE, "state": {"status": "running"}}}}}

    def _fis_StopExperiment(self, params: Answer, region: str) -> Answer:
        self.experiments[params["id"]]["state"]["status"], self.paused = "stopped", False
        return {}

    def _cloudwatch_PutMetricData(self, params: Answer, region: str) -> None:
        for one in params["MetricData"]:
            self.data.append((region, {"Namespace": params["Namespace"], **one}))
        for (_name, where), alarm in self.alarms.items():
            if where == region and alarm["Namespace"] == params["Namespace"]:
                alarm["StateValue"] = "ALARM"
