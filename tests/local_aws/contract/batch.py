# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""S3 Batch Replication as the contract tests use it."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import ipaddress
import json
import uuid
from typing import Any
from urllib.parse import quote, unquote_plus, urlsplit

from botocore.exceptions import ClientError

TRUST = {"Effect": "Allow", "Principal": {"Service": "batchoperations.s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
ENDED = ("Complete", "Failed", "Cancelled")
Row = dict[str, str]


def control(world: Any, region: str) -> Any:
    """A client of S3 Control. botocore puts the account before the host, which an IP address cannot carry."""
    client = world.client("s3control", region)
    host = urlsplit(world.endpoint or "").hostname

    def without_account(request: Any, **_rest: Any) -> None:
        account, separator, rest = request.url.partition(f".{host}")
        request.url = f"{account[: account.index('://')]}://{host}{rest}" if separator else request.url

    with contextlib.suppress(ValueError):
        if host and ipaddress.ip_address(host):
            client.meta.events.register("before-sign.s3-control", without_account)
    return client


class Batch:
    """The jobs of one source bucket, with a bucket for reports and manifests, and a role. They are made in the
    source bucket's Region, unless another one is named."""

    def __init__(self, world: Any, source: str, *destinations: str, region: str = "") -> None:
        self.world, self.source, self.destinations = world, source, destinations
        self.region = region or world.regions[source]
        self.account = world.account_id()
        self.papers = world.bucket(self.region)
        self.client = control(world, self.region)
        self.role_arn = self.role()

    def role(self, trust: dict[str, Any] | None = None, without: str = "") -> str:
        """A role for the jobs with AWS's documented permissions, but for the action named in ``without``."""
        iam, name = self.world.client("iam"), self.world.name("batch")
        wanted = [
            (["s3:InitiateReplication"], f"arn:aws:s3:::{self.source}/*"),
            (["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"], f"arn:aws:s3:::{self.source}"),
            (["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], f"arn:aws:s3:::{self.papers}/*"),
        ]
        statements = [
            {"Effect": "Allow", "Action": allowed, "Resource": resource}
            for actions, resource in wanted
            if (allowed := [action for action in actions if action != without])
        ]
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy([trust or TRUST]))["Role"]["Arn"]
        self.world.cleanup.callback(iam.delete_role, RoleName=name)
        iam.put_role_policy(RoleName=name, PolicyName="batch", PolicyDocument=_policy(statements))
        self.world.cleanup.callback(iam.delete_role_policy, RoleName=name, PolicyName="batch")
        return str(arn)

    def request(self, **changes: Any) -> dict[str, Any]:
        """A request for everything that the rules select; None takes a member away."""
        request = {
            "AccountId": self.account,
            "ClientRequestToken": str(uuid.uuid4()),
            "Operation": {"S3ReplicateObject": {}},
            "Priority": 10,
            "RoleArn": self.role_arn,
            "ConfirmationRequired": False,
            "Report": self.report_wish(),
            "ManifestGenerator": self.generator(),
            **changes,
        }
        return {name: value for name, value in request.items() if value is not None}

    def report_wish(self, **changes: Any) -> dict[str, Any]:
        return {
            "Enabled": True,
            "Bucket": f"arn:aws:s3:::{self.papers}",
            "Prefix": "reports",
            "Format": "Report_CSV_20180820",
            "ReportScope": "AllTasks",
        } | changes

    def generator(self, **changes: Any) -> dict[str, Any]:
        """What generates the manifest, with these parts of the filter."""
        return {
            "S3JobManifestGenerator": {
                "SourceBucket": f"arn:aws:s3:::{self.source}",
                "EnableManifestOutput": True,
                "ManifestOutputLocation": {
                    "Bucket": f"arn:aws:s3:::{self.papers}",
                    "ManifestPrefix": "manifests",
                    "ManifestFormat": "S3InventoryReport_CSV_20211130",
                    "ManifestEncryption": {"SSES3": {}},
                },
                "Filter": {"EligibleForReplication": True} | changes,
            }
        }

    def manifest(self, *rows: tuple[str, ...]) -> dict[str, Any]:
        """A CSV manifest of these rows: key, or key and version ID."""
        fields = ["Bucket", "Key", "VersionId"][: 1 + len(rows[0])]
        text = io.StringIO()
        csv.writer(text).writerows((self.source, quote(key), *rest) for key, *rest in rows)
        key, s3 = f"given/{uuid.uuid4()}.csv", self.world.s3_of(self.papers)
        etag = s3.put_object(Bucket=self.papers, Key=key, Body=text.getvalue().encode())["ETag"]
        return {
            "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": fields},
            "Location": {"ObjectArn": f"arn:aws:s3:::{self.papers}/{key}", "ETag": etag},
        }

    def create(self, **changes: Any) -> str:
        job = str(self.client.create_job(**self.request(**changes))["JobId"])
        self.world.cleanup.callback(self.cancel_quietly, job)
        return job

    def cancel_quietly(self, job: str) -> None:
        with contextlib.suppress(ClientError):
            self.update(job, "Cancelled")

    def update(self, job: str, status: str) -> dict[str, Any]:
        return dict(self.client.update_job_status(AccountId=self.account, JobId=job, RequestedJobStatus=status))

    def describe(self, job: str) -> dict[str, Any]:
        return dict(self.client.describe_job(AccountId=self.account, JobId=job)["Job"])

    def until(self, job: str, *statuses: str) -> dict[str, Any]:
        """The job once it is in one of these states."""
        return dict(
            self.world.until(
                lambda: (found := self.describe(job))["Status"] in statuses and found,
                f"the job became {' or '.join(statuses)}",
            )
        )

    def run(self, **changes: Any) -> dict[str, Any]:
        """The job once it has ended."""
        return self.until(self.create(**changes), *ENDED)

    def replicate(self, **changes: Any) -> dict[str, Any]:
        """The job once it is complete with every task done."""
        job = self.run(**changes)
        assert job["Status"] == "Complete", job.get("FailureReasons")
        assert job["ProgressSummary"]["NumberOfTasksFailed"] == 0, self.failures(job["JobId"])
        return job

    def selected(self, **wish: Any) -> set[str]:
        """The keys that a filter selects, as the generated manifest names them. Nothing is replicated."""
        job = self.until(
            self.create(ConfirmationRequired=True, ManifestGenerator=self.generator(**wish)), "Suspended", *ENDED
        )
        if job["Status"] == "Failed":
            assert "found no keys" in job["FailureReasons"][0]["FailureReason"]
            return set()
        return {row["Key"] for row in self.generated(job)}

    def generated(self, job: dict[str, Any]) -> list[Row]:
        """The rows of the generated manifest."""
        document = json.loads(self._read(job["GeneratedManifestDescriptor"]["Location"]["ObjectArn"]))
        bucket = document["destinationBucket"].rpartition(":::")[2]
        fields = [field.strip() for field in document["fileSchema"].split(",")]
        texts = [gzip.decompress(self._read(f"arn:aws:s3:::{bucket}/{file['key']}")) for file in document["files"]]
        return [row for text in texts for row in _rows(text, fields)]

    def report(self, job: str) -> dict[str, Any]:
        """The report's manifest.json; an empty one when there is no report."""
        try:
            return dict(json.loads(self._read(f"arn:aws:s3:::{self.papers}/reports/job-{job}/manifest.json")))
        except self.world.s3_of(self.papers).exceptions.NoSuchKey:
            return {}

    def outcomes(self, job: str) -> list[Row]:
        """The rows of the report."""
        document = self.report(job)
        fields = [field.strip() for field in document["ReportSchema"].split(",")]
        files = [f"arn:aws:s3:::{result['Bucket']}/{result['Key']}" for result in document["Results"]]
        return [row for file in files for row in _rows(self._read(file), fields)]

    def failures(self, job: str) -> dict[str, set[str]]:
        """Key and, of a failed task, error code and HTTP status. AWS's examples have them the other way round than
        its schema."""
        rows = (row for row in self.outcomes(job) if row["TaskStatus"] == "failed")
        return {row["Key"]: {row["ErrorCode"], row["HTTPStatusCode"]} for row in rows}

    def _read(self, arn: str) -> bytes:
        bucket, _slash, key = arn.rpartition(":::")[2].partition("/")
        return bytes(self.world.s3_of(self.papers).get_object(Bucket=bucket, Key=key)["Body"].read())


def _rows(text: bytes, fields: list[str]) -> list[Row]:
    rows = [dict(zip(fields, line, strict=True)) for line in csv.reader(io.StringIO(text.decode()))]
    return [row | {"Key": unquote_plus(row["Key"])} for row in rows]


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
