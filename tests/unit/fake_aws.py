# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""An AWS in memory behind real boto3 clients: botocore checks each call's parameters, and nothing leaves the process.

Each service answers with the documents that it was given, and refuses what the real one documents that it refuses.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import boto3
from botocore.exceptions import ClientError

OWNER = "111122223333"
READING = ("Get", "Head", "List", "Describe")
PAGE = 1000

Answer = dict[str, Any]


def client_error(code: str, message: str = "", operation: str = "Anything") -> ClientError:
    """The exception that boto3 raises for an error of AWS."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class Call:
    """One call that reached AWS."""

    service: str
    region: str
    operation: str
    params: dict[str, Any]

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return not self.operation.startswith(READING)


@dataclass
class Bucket:
    """One bucket with its settings and versions, the newest version last."""

    region: str
    owner: str = OWNER
    versioning: str | None = None
    policy: str | None = None
    replication: Answer | None = None
    public_access_block: Answer | None = None
    versions: list[Answer] = field(default_factory=list)
    uploads: list[Answer] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)


@dataclass
class Role:
    """One IAM role; policies are the JSON texts that were put."""

    document: Answer
    policies: dict[str, str] = field(default_factory=dict)


@dataclass
class CloudTrailTrail:
    """One trail."""

    settings: Answer
    tags: dict[str, str]
    logging: bool = False
    selectors: Answer = field(
        default_factory=lambda: {
            "EventSelectors": [
                {
                    "ReadWriteType": "All",
                    "IncludeManagementEvents": True,
                    "DataResources": [],
                    "ExcludeManagementEventSources": [],
                }
            ]
        }
    )


@dataclass
class Topic:
    """One SNS topic with its subscriptions."""

    policy: str
    tags: dict[str, str] = field(default_factory=dict)
    subscriptions: list[Answer] = field(default_factory=list)


class FakeAws:
    """All services of one account. `interrupt` is asked before each call and may raise."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.interrupt: Callable[[Call], None] = lambda call: None
        self.buckets: dict[str, Bucket] = {}
        self.roles: dict[str, Role] = {}
        self.trails: dict[tuple[str, str], CloudTrailTrail] = {}
        self.topics: dict[str, Topic] = {}
        self.alarms: dict[tuple[str, str], Answer] = {}
        self.metrics: set[tuple[str, str, tuple[tuple[str, str], ...]]] = set()
        self.replicates: Callable[[Answer], str | None] = lambda version: "COMPLETED"
        """The ReplicationStatus of a version, each time that it is asked for."""

    def client_for(self, service: str, region: str, account: str = OWNER) -> Any:
        """A real boto3 client whose calls end here. Clients are shared: the fake that is asked last has them."""
        region = "us-east-1" if region == "global" else region
        _FAKES[service, region] = self
        return _client(service, region)

    def writes(self) -> list[Call]:
        """The calls so far that may have changed something."""
        return [call for call in self.calls if call.writes]

    def answer(self, call: Call) -> Answer:
        """What AWS says to the call."""
        self.calls.append(call)
        self.interrupt(call)
        handler = getattr(self, f"_{call.service}_{call.operation}")
        return handler(call.params, call.region) or {}

    # --- S3 ---------------------------------------------------------------------------------------------------

    def _bucket(self, params: Answer, region: str) -> Bucket:
        bucket = self.buckets.get(params["Bucket"])
        if bucket is None:
            raise client_error("NoSuchBucket", "The specified bucket does not exist")
        if params.get("ExpectedBucketOwner") != bucket.owner:
            raise client_error("AccessDenied", "Access Denied")
        if bucket.region != region:
            raise client_error("PermanentRedirect", "The bucket must be addressed using the specified endpoint")
        return bucket

    def _s3_HeadBucket(self, params: Answer, region: str) -> Answer:
        bucket = self.buckets.get(params["Bucket"])
        if bucket is None:
            raise client_error("404", "Not Found")
        if params.get("ExpectedBucketOwner") != bucket.owner:
            raise client_error("403", "Forbidden")
        return {"ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": bucket.region}}}

    def _s3_CreateBucket(self, params: Answer, region: str) -> None:
        if params["Bucket"] in self.buckets:
            raise client_error("BucketAlreadyExists", "The requested bucket name is not available")
        constraint = params.get("CreateBucketConfiguration", {}).get("LocationConstraint")
        if constraint != (None if region == "us-east-1" else region):
            raise client_error("IllegalLocationConstraintException", "The location constraint is incompatible")
        self.buckets[params["Bucket"]] = Bucket(region)

    def _s3_DeleteBucket(self, params: Answer, region: str) -> None:
        bucket = self._bucket(params, region)
        if bucket.versions or bucket.uploads:
            raise client_error("BucketNotEmpty", "The bucket you tried to delete is not empty")
        del self.buckets[params["Bucket"]]

    def _s3_GetBucketVersioning(self, params: Answer, region: str) -> Answer:
        status = self._bucket(params, region).versioning
        return {"Status": status} if status else {}

    def _s3_PutBucketVersioning(self, params: Answer, region: str) -> None:
        self._bucket(params, region).versioning = params["VersioningConfiguration"]["Status"]

    def _s3_GetPublicAccessBlock(self, params: Answer, region: str) -> Answer:
        found = self._bucket(params, region).public_access_block
        if found is None:
            raise client_error("NoSuchPublicAccessBlockConfiguration", "There is none")
        return {"PublicAccessBlockConfiguration": found}

    def _s3_PutPublicAccessBlock(self, params: Answer, region: str) -> None:
        self._bucket(params, region).public_access_block = params["PublicAccessBlockConfiguration"]

    def _s3_GetBucketPolicy(self, params: Answer, region: str) -> Answer:
        policy = self._bucket(params, region).policy
        if policy is None:
            raise client_error("NoSuchBucketPolicy", "The bucket policy does not exist")
        return {"Policy": policy}

    def _s3_PutBucketPolicy(self, params: Answer, region: str) -> None:
        self._bucket(params, region).policy = params["Policy"]

    def _s3_DeleteBucketPolicy(self, params: Answer, region: str) -> None:
        self._bucket(params, region).policy = None

    def _s3_GetBucketReplication(self, params: Answer, region: str) -> Answer:
        found = self._bucket(params, region).replication
        if found is None:
            raise client_error("ReplicationConfigurationNotFoundError", "The configuration was not found")
        return {"ReplicationConfiguration": found}

    def _s3_PutBucketReplication(self, params: Answer, region: str) -> None:
        bucket, wanted = self._bucket(params, region), params["ReplicationConfiguration"]
        if bucket.versioning != "Enabled":
            raise client_error(
                "InvalidRequest", "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
            )
        for rule in wanted["Rules"]:
            self._check_rule(rule)
        bucket.replication = wanted

    def _check_rule(self, rule: Answer) -> None:
        if "ExistingObjectReplication" in rule or "DeleteMarkerReplication" not in rule or "Priority" not in rule:
            raise client_error("MalformedXML", "The XML you provided was not well-formed")
        destination = self.buckets.get(rule["Destination"]["Bucket"].rsplit(":", 1)[1])
        if destination is None:
            raise client_error("InvalidRequest", "Destination bucket must exist.")
        if destination.versioning != "Enabled":
            raise client_error("InvalidRequest", "Destination bucket must have versioning enabled.")

    def _s3_DeleteBucketReplication(self, params: Answer, region: str) -> None:
        self._bucket(params, region).replication = None

    def _s3_ListObjectVersions(self, params: Answer, region: str) -> Answer:
        rows = sorted(self._bucket(params, region).versions, key=lambda row: (row["Key"], row["VersionId"]))
        after = (params.get("KeyMarker", ""), params.get("VersionIdMarker", ""))
        rows = [row for row in rows if (row["Key"], row["VersionId"]) > after]
        page = rows[:PAGE]
        answer: Answer = {"IsTruncated": len(rows) > PAGE, "EncodingType": params.get("EncodingType", "")}
        if answer["IsTruncated"]:
            answer |= {"NextKeyMarker": page[-1]["Key"], "NextVersionIdMarker": page[-1]["VersionId"]}
        for kind, wanted in (("Versions", False), ("DeleteMarkers", True)):
            found = [_listed(row) for row in page if row.get("marker", False) is wanted]
            if found:
                answer[kind] = found
        return answer

    def _s3_DeleteObjects(self, params: Answer, region: str) -> Answer:
        bucket, wanted = self._bucket(params, region), params["Delete"]["Objects"]
        if not 1 <= len(wanted) <= PAGE:
            raise client_error("MalformedXML", "The XML you provided was not well-formed")
        errors = []
        for row in wanted:
            if row["Key"] in bucket.locked:
                errors.append({**row, "Code": "AccessDenied", "Message": "it is protected by Object Lock"})
            else:
                _delete_version(bucket, row["Key"], row["VersionId"])
        return {"Errors": errors} if errors else {}

    def _s3_ListMultipartUploads(self, params: Answer, region: str) -> Answer:
        uploads = self._bucket(params, region).uploads
        return {"IsTruncated": False, **({"Uploads": list(uploads)} if uploads else {})}

    def _s3_AbortMultipartUpload(self, params: Answer, region: str) -> None:
        bucket = self._bucket(params, region)
        bucket.uploads = [one for one in bucket.uploads if one["UploadId"] != params["UploadId"]]

    def _s3_PutObject(self, params: Answer, region: str) -> Answer:
        bucket = self._bucket(params, region)
        body = params["Body"]
        version = {"Key": params["Key"], "VersionId": "null", "body": body if isinstance(body, bytes) else body.read()}
        if bucket.versioning != "Enabled":
            _delete_version(bucket, params["Key"], "null")
            bucket.versions.append(version)
            return {"VersionId": "null"} if bucket.versioning == "Suspended" else {}
        version["VersionId"] = f"v{len(self.calls)}"
        bucket.versions.append(version)
        for rule in (bucket.replication or {"Rules": []})["Rules"]:
            destination = self.buckets[rule["Destination"]["Bucket"].rsplit(":", 1)[1]]
            destination.versions.append(dict(version))
        return {"VersionId": version["VersionId"]}

    def _version(self, params: Answer, region: str) -> Answer:
        for version in self._bucket(params, region).versions:
            if (version["Key"], version["VersionId"]) == (params["Key"], params["VersionId"]):
                return version
        raise client_error("NoSuchVersion", "The specified version does not exist.")

    def _s3_HeadObject(self, params: Answer, region: str) -> Answer:
        version = self._version(params, region)
        status = self.replicates(version)
        return {"ContentLength": len(version["body"]), **({"ReplicationStatus": status} if status else {})}

    def _s3_GetObject(self, params: Answer, region: str) -> Answer:
        return {"Body": io.BytesIO(self._version(params, region)["body"])}

    def _s3_DeleteObject(self, params: Answer, region: str) -> None:
        bucket, key, version = self._bucket(params, region), params["Key"], params.get("VersionId")
        if version is None and bucket.versioning is not None:
            marker = "null" if bucket.versioning == "Suspended" else f"m{len(self.calls)}"
            _delete_version(bucket, key, "null" if marker == "null" else "")
            bucket.versions.append({"Key": key, "VersionId": marker, "marker": True, "body": b""})
        else:
            _delete_version(bucket, key, version or "null")

    # --- IAM --------------------------------------------------------------------------------------------------

    def _role(self, params: Answer) -> Role:
        if params["RoleName"] not in self.roles:
            raise client_error("NoSuchEntity", "The role cannot be found.")
        return self.roles[params["RoleName"]]

    def _iam_GetRole(self, params: Answer, region: str) -> Answer:
        document = self._role(params).document
        return {"Role": {**document, "AssumeRolePolicyDocument": quote(document["AssumeRolePolicyDocument"])}}

    def _iam_CreateRole(self, params: Answer, region: str) -> None:
        if params["RoleName"] in self.roles:
            raise client_error("EntityAlreadyExists", "The role exists.")
        self.roles[params["RoleName"]] = Role(params)

    def _iam_UpdateAssumeRolePolicy(self, params: Answer, region: str) -> None:
        self._role(params).document["AssumeRolePolicyDocument"] = params["PolicyDocument"]

    def _iam_UpdateRole(self, params: Answer, region: str) -> None:
        self._role(params).document["Description"] = params["Description"]

    def _iam_TagRole(self, params: Answer, region: str) -> None:
        document = self._role(params).document
        document["Tags"] = _tag_list({**_tag_map(document.get("Tags", [])), **_tag_map(params["Tags"])})

    def _iam_DeleteRole(self, params: Answer, region: str) -> None:
        if self._role(params).policies:
            raise client_error("DeleteConflict", "Cannot delete entity, must delete policies first.")
        del self.roles[params["RoleName"]]

    def _iam_GetRolePolicy(self, params: Answer, region: str) -> Answer:
        policies = self._role(params).policies
        if params["PolicyName"] not in policies:
            raise client_error("NoSuchEntity", "The role policy cannot be found.")
        return {"PolicyDocument": quote(policies[params["PolicyName"]])}

    def _iam_PutRolePolicy(self, params: Answer, region: str) -> None:
        self._role(params).policies[params["PolicyName"]] = params["PolicyDocument"]

    def _iam_DeleteRolePolicy(self, params: Answer, region: str) -> None:
        if self._role(params).policies.pop(params["PolicyName"], None) is None:
            raise client_error("NoSuchEntity", "The role policy cannot be found.")

    # --- CloudTrail -------------------------------------------------------------------------------------------

    def _trail(self, name: str, region: str) -> CloudTrailTrail:
        if (name, region) not in self.trails:
            raise client_error("TrailNotFoundException", f"Unknown trail: {name}")
        return self.trails[name, region]

    def _cloudtrail_GetTrail(self, params: Answer, region: str) -> Answer:
        trail = self._trail(params["Name"], region)
        return {"Trail": {"Name": params["Name"], "TrailARN": _trail_arn(params["Name"], region), **trail.settings}}

    def _cloudtrail_ListTags(self, params: Answer, region: str) -> Answer:
        arn = params["ResourceIdList"][0]
        tags = self._trail(arn.rsplit("/", 1)[1], region).tags
        return {"ResourceTagList": [{"ResourceId": arn, "TagsList": _tag_list(tags)}]}

    def _cloudtrail_CreateTrail(self, params: Answer, region: str) -> None:
        if (params["Name"], region) in self.trails:
            raise client_error("TrailAlreadyExistsException", "The trail exists.")
        self._check_log_bucket(params, region)
        self.trails[params["Name"], region] = CloudTrailTrail(_trail_settings(params), _tag_map(params["TagsList"]))

    def _check_log_bucket(self, params: Answer, region: str) -> None:
        bucket = self.buckets.get(params["S3BucketName"])
        if bucket is None:
            raise client_error("S3BucketDoesNotExistException", "The bucket does not exist")
        if _trail_arn(params["Name"], region) not in (bucket.policy or ""):
            raise client_error("InsufficientS3BucketPolicyException", "Incorrect S3 bucket policy is detected")

    def _cloudtrail_UpdateTrail(self, params: Answer, region: str) -> None:
        self._trail(params["Name"], region).settings = _trail_settings(params)

    def _cloudtrail_AddTags(self, params: Answer, region: str) -> None:
        self._trail(params["ResourceId"].rsplit("/", 1)[1], region).tags.update(_tag_map(params["TagsList"]))

    def _cloudtrail_DeleteTrail(self, params: Answer, region: str) -> None:
        self._trail(params["Name"], region)
        del self.trails[params["Name"], region]

    def _cloudtrail_GetTrailStatus(self, params: Answer, region: str) -> Answer:
        return {"IsLogging": self._trail(params["Name"], region).logging}

    def _cloudtrail_StartLogging(self, params: Answer, region: str) -> None:
        self._trail(params["Name"], region).logging = True

    def _cloudtrail_StopLogging(self, params: Answer, region: str) -> None:
        self._trail(params["Name"], region).logging = False

    def _cloudtrail_GetEventSelectors(self, params: Answer, region: str) -> Answer:
        return self._trail(params["TrailName"], region).selectors

    def _cloudtrail_PutEventSelectors(self, params: Answer, region: str) -> None:
        trail = self._trail(params["TrailName"], region)
        trail.selectors = {"AdvancedEventSelectors": params["AdvancedEventSelectors"]}

    # --- CloudWatch and SNS -----------------------------------------------------------------------------------

    def _cloudwatch_DescribeAlarms(self, params: Answer, region: str) -> Answer:
        wanted = params.get("AlarmNames")
        found = [
            alarm
            for (name, where), alarm in sorted(self.alarms.items())
            if where == region and (wanted is None or name in wanted)
        ]
        return {"MetricAlarms": found}

    def _cloudwatch_PutMetricAlarm(self, params: Answer, region: str) -> None:
        self.alarms[params["AlarmName"], region] = {"StateValue": "INSUFFICIENT_DATA", **params}

    def _cloudwatch_DeleteAlarms(self, params: Answer, region: str) -> None:
        for name in params["AlarmNames"]:
            if self.alarms.pop((name, region), None) is None:
                raise client_error("ResourceNotFound", "The alarm does not exist")

    def _cloudwatch_ListMetrics(self, params: Answer, region: str) -> Answer:
        dimensions = tuple(sorted((one["Name"], one["Value"]) for one in params["Dimensions"]))
        there = (region, params["MetricName"], dimensions) in self.metrics
        return {"Metrics": [{"Namespace": "AWS/S3", "MetricName": params["MetricName"]}] if there else []}

    def _topic(self, params: Answer) -> Topic:
        arn = params.get("TopicArn") or params.get("ResourceArn")
        if arn not in self.topics:
            raise client_error("NotFound", "Topic does not exist")
        return self.topics[arn]

    def _sns_CreateTopic(self, params: Answer, region: str) -> Answer:
        arn = f"arn:aws:sns:{region}:{OWNER}:{params['Name']}"
        default = {"Sid": "__default_statement_ID", "Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": arn}
        policy = {"Version": "2008-10-17", "Statement": [{**default, "Action": ["SNS:Publish"]}]}
        self.topics.setdefault(arn, Topic(json.dumps(policy), _tag_map(params.get("Tags", []))))
        return {"TopicArn": arn}

    def _sns_DeleteTopic(self, params: Answer, region: str) -> None:
        self._topic(params)
        del self.topics[params["TopicArn"]]

    def _sns_GetTopicAttributes(self, params: Answer, region: str) -> Answer:
        return {"Attributes": {"TopicArn": params["TopicArn"], "Policy": self._topic(params).policy}}

    def _sns_SetTopicAttributes(self, params: Answer, region: str) -> None:
        assert params["AttributeName"] == "Policy"
        self._topic(params).policy = params["AttributeValue"]

    def _sns_ListTagsForResource(self, params: Answer, region: str) -> Answer:
        return {"Tags": _tag_list(self._topic(params).tags)}

    def _sns_Subscribe(self, params: Answer, region: str) -> None:
        self._topic(params).subscriptions.append({"Protocol": params["Protocol"], "Endpoint": params["Endpoint"]})

    def _sns_ListSubscriptionsByTopic(self, params: Answer, region: str) -> Answer:
        return {"Subscriptions": self._topic(params).subscriptions}

    # --- STS --------------------------------------------------------------------------------------------------

    def _sts_GetCallerIdentity(self, params: Answer, region: str) -> Answer:
        return {"Arn": f"arn:aws:sts::{OWNER}:assumed-role/ops/me", "Account": OWNER}


_FAKES: dict[tuple[str, str], FakeAws] = {}


@cache
def _client(service: str, region: str) -> Any:
    """Making a client takes a tenth of a second, so all tests share them."""
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none")
    client = session.client(service, region_name=region)

    def remember(params: Answer, context: Answer, **_rest: Any) -> None:
        context["fake_params"] = dict(params)

    def answer(model: Any, context: Answer, **_rest: Any) -> tuple[Any, Answer]:
        status = 200
        try:
            parsed = _FAKES[service, region].answer(Call(service, region, model.name, context["fake_params"]))
        except ClientError as error:
            parsed, status = {"Error": error.response["Error"]}, 400
        parsed = {**parsed, "ResponseMetadata": {"HTTPStatusCode": status, **parsed.get("ResponseMetadata", {})}}
        return SimpleNamespace(status_code=status, headers={}), parsed

    client.meta.events.register("before-parameter-build", remember)
    client.meta.events.register("before-call", answer)
    return client


def _delete_version(bucket: Bucket, key: str, version: str) -> None:
    bucket.versions = [one for one in bucket.versions if (one["Key"], one["VersionId"]) != (key, version)]


def _listed(version: Answer) -> Answer:
    size = {} if version.get("marker") else {"Size": len(version["body"])}
    return {"Key": quote(version["Key"]), "VersionId": version["VersionId"], **size}


def _tag_map(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _trail_arn(name: str, region: str) -> str:
    return f"arn:aws:cloudtrail:{region}:{OWNER}:trail/{name}"


def _trail_settings(params: Answer) -> Answer:
    settings = {key: value for key, value in params.items() if key not in ("Name", "TagsList")}
    settings["LogFileValidationEnabled"] = settings.pop("EnableLogFileValidation", False)
    return settings
