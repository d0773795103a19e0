# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A world of buckets, roles and rules for the contract tests, taken down again after each test.

The tests say what AWS does. They run against the endpoint in AWS_ENDPOINT_URL; without one, against a local AWS
started here (LOCAL_AWS_PYTHON names the interpreter that has ministack); with CONTRACT_AGAINST_AWS=1 against AWS
itself, with the credentials of the environment. CONTRACT_SECONDS is how long something may take to come true.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

SOURCE_REGION = "us-east-1"
DR_REGION = "us-west-2"
ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
TESTS = Path(__file__).resolve().parents[2]
SECONDS = float(os.environ.get("CONTRACT_SECONDS", "20"))

TRUST_S3 = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
SOURCE_BUCKET_ACTIONS = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
SOURCE_OBJECT_ACTIONS = [
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
]
DESTINATION_ACTIONS = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]


def local_aws(*arguments: str) -> str:
    command = [sys.executable, "-m", "local_aws", *arguments]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.exit(done.stderr, returncode=2)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    if os.environ.get("CONTRACT_AGAINST_AWS"):
        yield None
    elif given := os.environ.get("AWS_ENDPOINT_URL"):
        yield given
    else:
        state = str(tmp_path_factory.mktemp("local-aws"))
        python = os.environ.get("LOCAL_AWS_PYTHON", sys.executable)
        try:
            yield local_aws("start", "--state-dir", state, "--python", python, "--lag", "0.3")
        finally:
            local_aws("stop", "--state-dir", state)


@pytest.fixture
def world(endpoint: str | None) -> Iterator[World]:
    with contextlib.ExitStack() as cleanup:
        yield World(endpoint, cleanup)


@pytest.fixture
def control(endpoint: str | None) -> Iterator[Callable[..., dict[str, Any]]]:
    """Ask the local AWS for what AWS itself does not offer: ``control("faults", kind="down")``. Undone afterwards."""

    def ask(path: str, /, method: str | None = None, **wish: Any) -> dict[str, Any]:
        body = json.dumps(wish).encode() if wish else None
        request = urllib.request.Request(f"{endpoint}/_local_aws/{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.load(answer))

    try:  # AWS and other emulators cannot be told to break: what needs that says so and is left out there
        ask("settings")
    except (OSError, ValueError):
        pytest.skip("needs the control endpoint of the local AWS")
    yield ask
    ask("faults", method="DELETE")
    ask("settings", method="DELETE")


class World:
    """What a test builds in AWS. Everything it makes is removed when the test is over."""

    source_region = SOURCE_REGION
    dr_region = DR_REGION
    other_account = OTHER_ACCOUNT

    def __init__(self, endpoint: str | None, cleanup: contextlib.ExitStack) -> None:
        self.endpoint = endpoint
        self.cleanup = cleanup
        self.regions: dict[str, str] = {}

    def client(self, service: str, region: str = SOURCE_REGION, account: str = ACCOUNT, **config: Any) -> Any:
        credentials = (
            {"endpoint_url": self.endpoint, "aws_access_key_id": account, "aws_secret_access_key": "not-a-secret"}
            if self.endpoint
            else {}
        )
        options = Config(**{"retries": {"max_attempts": 2}, **config})
        return boto3.client(service, region_name=region, config=options, **credentials)

    def s3_of(self, bucket: str) -> Any:
        return self.client("s3", self.regions[bucket])

    def account_id(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    @staticmethod
    def name(what: str) -> str:
        return f"contract-{what}-{uuid.uuid4().hex[:12]}"

    # Buckets

    def bucket(self, region: str = SOURCE_REGION, *, versioned: bool = True, account: str = ACCOUNT) -> str:
        name = self.name("bucket")
        s3 = self.client("s3", region, account)
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **place)
        self.regions[name] = region
        self.cleanup.callback(remove_bucket, s3, name)
        if versioned:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def put(self, bucket: str, key: str = "key", body: bytes = b"data", **options: Any) -> str:
        """Write an object; the answer is its version ID."""
        return str(self.s3_of(bucket).put_object(Bucket=bucket, Key=key, Body=body, **options)["VersionId"])

    def head(self, bucket: str, key: str = "key", **options: Any) -> dict[str, Any]:
        return dict(self.s3_of(bucket).head_object(Bucket=bucket, Key=key, **options))

    def versions(self, bucket: str, kind: str = "Versions") -> list[dict[str, Any]]:
        return list(self.s3_of(bucket).list_object_versions(Bucket=bucket).get(kind, []))

    def version_ids(self, bucket: str, kind: str = "Versions") -> set[str]:
        return {version["VersionId"] for version in self.versions(bucket, kind)}

    def status(self, bucket: str, key: str = "key", **options: Any) -> str | None:
        return self.head(bucket, key, **options).get("ReplicationStatus")

    # Replication

    def role(
        self,
        source: str,
        *destinations: str,
        trust: dict[str, Any] | None = None,
        without: str = "",
        more: Sequence[str] = (),
    ) -> str:
        """A replication role with AWS's documented permissions, but for the action named in ``without``.

        ``more`` are actions on the source's objects that only some sources need."""
        iam, name = self.client("iam"), self.name("role")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy(trust or TRUST_S3)))["Role"][
            "Arn"
        ]
        self.cleanup.callback(iam.delete_role, RoleName=name)
        wanted = [
            (SOURCE_BUCKET_ACTIONS, [f"arn:aws:s3:::{source}"]),
            ([*SOURCE_OBJECT_ACTIONS, *more], [f"arn:aws:s3:::{source}/*"]),
            (DESTINATION_ACTIONS, [f"arn:aws:s3:::{bucket}/*" for bucket in destinations]),
        ]
        statements = [
            {"Effect": "Allow", "Action": [action for action in actions if action != without], "Resource": resources}
            for actions, resources in wanted
        ]
        iam.put_role_policy(RoleName=name, PolicyName="replication", PolicyDocument=json.dumps(policy(*statements)))
        self.cleanup.callback(iam.delete_role_policy, RoleName=name, PolicyName="replication")
        return str(arn)

    def rule(self, destination: str, **changes: Any) -> dict[str, Any]:
        """A rule for the whole bucket, with ``changes``; those in ``to`` go into its Destination."""
        to = changes.pop("to", {})
        rule = {
            "ID": "dr",
            "Priority": 1,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{destination}", **to},
        }
        return rule | changes

    def replicate(self, source: str, role: str, *rules: dict[str, Any]) -> None:
        self.s3_of(source).put_bucket_replication(
            Bucket=source, ReplicationConfiguration={"Role": role, "Rules": list(rules)}
        )

    def pair(self, **changes: Any) -> tuple[str, str]:
        """A source and a DR bucket with one rule between them."""
        source, destination = self.bucket(), self.bucket(DR_REGION)
        self.replicate(source, self.role(source, destination), self.rule(destination, **changes))
        return source, destination

    # Waiting

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """The first true answer of ``condition``; a failure with ``what`` if there is none in time."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if answer := condition():
                return answer
            time.sleep(0.1)
        pytest.fail(f"within {SECONDS:.0f} s it did not happen that {what}")

    def until_final(self, bucket: str, key: str = "key", **options: Any) -> str:
        """The replication status once it is final."""
        return str(
            self.until(
                lambda: (status := self.status(bucket, key, **options)) in ("COMPLETED", "FAILED") and status,
                f"the replication of {key} ended",
            )
        )

    def settle(self, source: str, *keys: str) -> None:
        """Wait until these later writes are replicated: what was to be replicated before them has been, too."""
        for key in keys:
            assert self.until_final(source, key) == "COMPLETED"


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def remove_bucket(s3: Any, name: str) -> None:
    with contextlib.suppress(ClientError):
        s3.delete_bucket_replication(Bucket=name)
    with contextlib.suppress(ClientError):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for version in page.get("Versions", []) + page.get("DeleteMarkers", []):
                s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
        s3.delete_bucket(Bucket=name)


@contextlib.contextmanager
def refused(code: str) -> Iterator[None]:
    """The block is expected to be refused by AWS with this error code."""
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code


@pytest.fixture(name="refused")
def refused_fixture() -> Callable[[str], contextlib.AbstractContextManager[None]]:
    return refused
