# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""S3 in memory: buckets with their settings and versions."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl, quote

from botocore.exceptions import ClientError

from .calls import OWNER, Answer, client_error, tag_list
from .iam import FakeIam

PAGE = 1000
WRITTEN = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
"""When a version was written of which a test does not say so by `modified`."""
_OBJECT_SETTINGS = ("ServerSideEncryption", "SSEKMSKeyId", "Tagging")


@dataclass
class Bucket:
    """One bucket with its settings and versions, the newest version last."""

    region: str
    owner: str = OWNER
    versioning: str | None = None
    policy: str | None = None
    replication: Answer | None = None
    public_access_block: Answer | None = None
    object_lock: Answer | None = None
    encryption: Answer = field(default_factory=lambda: {"SSEAlgorithm": "AES256"})
    bucket_key: bool = False
    ownership: str | None = "BucketOwnerEnforced"
    payer: str = "BucketOwner"
    lifecycle: Answer | None = None
    cors: list[Answer] | None = None
    notification: Answer = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    accelerate: str | None = None
    logging: Answer | None = None
    tiering: dict[str, Answer] = field(default_factory=dict)
    blocked: Answer | None = None
    """The encryption types that are blocked."""
    versions: list[Answer] = field(default_factory=list)
    uploads: list[Answer] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)


class FakeS3(FakeIam):
    """S3 of all accounts, which asks IAM who is named in a policy."""

    def __init__(self) -> None:
        super().__init__()
        self.buckets: dict[str, Bucket] = {}
        self.now = datetime(2026, 11, 23, 14, 4, 5, tzinfo=UTC)
        """AWS's clock, which stands still."""
        self.page = PAGE
        """How many versions a listing tells at once."""
        self.replicates: Callable[[Answer], str | None] = lambda version: "COMPLETED"
        """The ReplicationStatus of a version, each time that it is asked for."""

    def _bucket(self, params: Answer, region: str) -> Bucket:
        bucket = self.buckets.get(params["Bucket"])
        if bucket is None:
            raise client_error("NoSuchBucket", "The specified bucket does not exist")
        if not self._is_owner(bucket, params):
            raise client_error("AccessDenied", "Access Denied")
        if bucket.region != region:
            raise client_error("PermanentRedirect", "The bucket must be addressed using the specified endpoint")
        return bucket

    def _is_owner(self, bucket: Bucket, params: Answer) -> bool:
        return params.get("ExpectedBucketOwner") == self.account == bucket.owner

    def _s3_HeadBucket(self, params: Answer, region: str) -> Answer:
        bucket = self.buckets.get(params["Bucket"])
        if bucket is None:
            raise client_error("404", "Not Found")
        if not self._is_owner(bucket, params):
            raise client_error("403", "Forbidden")
        return {"ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": bucket.region}}}

    def _s3_CreateBucket(self, params: Answer, region: str) -> None:
        if params["Bucket"] in self.buckets:
            raise client_error("BucketAlreadyExists", "The requested bucket name is not available")
        constraint = params.get("CreateBucketConfiguration", {}).get("LocationConstraint")
        if constraint != (None if region == "us-east-1" else region):
            raise client_error("IllegalLocationConstraintException", "The location constraint is incompatible")
        name, own = params["Bucket"], f"-{self.account}-{region}-an"
        if name.endswith("-an") is not (params.get("BucketNamespace") == "account-regional" and name.endswith(own)):
            raise client_error("InvalidBucketName", "The specified bucket is not valid.")
        self.buckets[name] = Bucket(region, self.account)

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

    def _s3_GetObjectLockConfiguration(self, params: Answer, region: str) -> Answer:
        found = self._bucket(params, region).object_lock
        if found is None:
            raise client_error("ObjectLockConfigurationNotFoundError", "It does not exist for this bucket")
        return {"ObjectLockConfiguration": found}

    def _s3_PutObjectLockConfiguration(self, params: Answer, region: str) -> None:
        bucket = self._bucket(params, region)
        if bucket.versioning != "Enabled":
            raise client_error(
                "InvalidBucketState",
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            )
        bucket.object_lock = params["ObjectLockConfiguration"]

    def _s3_GetBucketEncryption(self, params: Answer, region: str) -> Answer:
        bucket = self._bucket(params, region)
        rule = {"ApplyServerSideEncryptionByDefault": bucket.encryption, "BucketKeyEnabled": bucket.bucket_key}
        rule |= {"BlockedEncryptionTypes": bucket.blocked} if bucket.blocked else {}
        return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}

    def _s3_PutBucketEncryption(self, params: Answer, region: str) -> None:
        (rule,) = params["ServerSideEncryptionConfiguration"]["Rules"]
        bucket = self._bucket(params, region)
        bucket.encryption = rule["ApplyServerSideEncryptionByDefault"]
        bucket.bucket_key = rule.get("BucketKeyEnabled", False)
        bucket.blocked = rule.get("BlockedEncryptionTypes")

    def _s3_GetBucketOwnershipControls(self, params: Answer, region: str) -> Answer:
        ownership = self._bucket(params, region).ownership
        if ownership is None:
            raise client_error("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")
        return {"OwnershipControls": {"Rules": [{"ObjectOwnership": ownership}]}}

    def _s3_PutBucketOwnershipControls(self, params: Answer, region: str) -> None:
        (rule,) = params["OwnershipControls"]["Rules"]
        self._bucket(params, region).ownership = rule["ObjectOwnership"]

    def _s3_GetBucketAccelerateConfiguration(self, params: Answer, region: str) -> Answer:
        status = self._bucket(params, region).accelerate
        return {"Status": status} if status else {}

    def _s3_PutBucketAccelerateConfiguration(self, params: Answer, region: str) -> None:
        self._bucket(params, region).accelerate = params["AccelerateConfiguration"]["Status"]

    def _s3_GetBucketLogging(self, params: Answer, region: str) -> Answer:
        found = self._bucket(params, region).logging
        return {"LoggingEnabled": found} if found else {}

    def _s3_PutBucketLogging(self, params: Answer, region: str) -> None:
        wanted = params["BucketLoggingStatus"].get("LoggingEnabled")
        if wanted and wanted["TargetBucket"] not in self.buckets:
            raise client_error("InvalidTargetBucketForLogging", "The target bucket for logging does not exist")
        self._bucket(params, region).logging = wanted

    def _s3_GetBucketIntelligentTieringConfiguration(self, params: Answer, region: str) -> Answer:
        found = self._bucket(params, region).tiering
        if params["Id"] not in found:
            raise client_error("NoSuchConfiguration", "The specified configuration does not exist.")
        return {"IntelligentTieringConfiguration": found[params["Id"]]}

    def _s3_PutBucketIntelligentTieringConfiguration(self, params: Answer, region: str) -> None:
        self._bucket(params, region).tiering[params["Id"]] = params["IntelligentTieringConfiguration"]

    def _s3_DeleteBucketIntelligentTieringConfiguration(self, params: Answer, region: str) -> None:
        del self._bucket(params, region).tiering[params["Id"]]

    def _s3_GetBucketRequestPayment(self, params: Answer, region: str) -> Answer:
        return {"Payer": self._bucket(params, region).payer}

    def _s3_GetBucketLifecycleConfiguration(self, params: Answer, region: str) -> Answer:
        found = self._bucket(params, region).lifecycle
        if found is None:
            raise client_error("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
        return found

    def _s3_PutBucketLifecycleConfiguration(self, params: Answer, region: str) -> None:
        """S3 refuses a rule without a scope and both schemas side by side, and fills in the size that is not sent."""
        size = params.get("TransitionDefaultMinimumObjectSize", "all_storage_classes_128K")
        rules = params["LifecycleConfiguration"]["Rules"]
        if not rules or any("Filter" not in rule and "Prefix" not in rule for rule in rules):
            raise client_error("MalformedXML", "The XML you provided was not well-formed")
        if len({"Filter" in rule for rule in rules}) > 1:
            raise client_error("InvalidRequest", "Base level prefix cannot be used in Lifecycle V2")
        self._bucket(params, region).lifecycle = {"Rules": rules, "TransitionDefaultMinimumObjectSize": size}

    def _s3_DeleteBucketLifecycle(self, params: Answer, region: str) -> None:
        self._bucket(params, region).lifecycle = None

    def _s3_GetBucketCors(self, params: Answer, region: str) -> Answer:
        found = self._bucket(params, region).cors
        if found is None:
            raise client_error("NoSuchCORSConfiguration", "The CORS configuration does not exist")
        return {"CORSRules": found}

    def _s3_PutBucketCors(self, params: Answer, region: str) -> None:
        self._bucket(params, region).cors = params["CORSConfiguration"]["CORSRules"]

    def _s3_GetBucketNotificationConfiguration(self, params: Answer, region: str) -> Answer:
        return self._bucket(params, region).notification

    def _s3_GetBucketTagging(self, params: Answer, region: str) -> Answer:
        tags = self._bucket(params, region).tags
        if not tags:
            raise client_error("NoSuchTagSet", "The TagSet does not exist")
        return {"TagSet": tag_list(tags)}

    def _s3_PutBucketTagging(self, params: Answer, region: str) -> None:
        self._bucket(params, region).tags = {tag["Key"]: tag["Value"] for tag in params["Tagging"]["TagSet"]}

    def _s3_DeleteBucketTagging(self, params: Answer, region: str) -> None:
        self._bucket(params, region).tags = {}

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
        if not self.has_principals_of(params["Policy"]):
            raise client_error("MalformedPolicy", "Invalid principal in policy")
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

    def _s3_GetObjectLegalHold(self, params: Answer, region: str) -> Answer:
        found = self._version(params, region)
        if "hold" not in found:
            raise client_error("NoSuchObjectLockConfiguration", "The specified object does not have a hold")
        return {"LegalHold": {"Status": found["hold"]}}

    def _s3_PutObjectLegalHold(self, params: Answer, region: str) -> None:
        self._version(params, region)["hold"] = params["LegalHold"]["Status"]

    def _s3_ListObjectVersions(self, params: Answer, region: str) -> Answer:
        rows = sorted(self._bucket(params, region).versions, key=lambda row: (row["Key"], row["VersionId"]))
        after = (params.get("KeyMarker", ""), params.get("VersionIdMarker", ""))
        start = params.get("Prefix", "")
        rows = [row for row in rows if (row["Key"], row["VersionId"]) > after and row["Key"].startswith(start)]
        page = rows[: self.page]
        answer: Answer = {
            "IsTruncated": len(rows) > self.page,
            "EncodingType": params.get("EncodingType", ""),
            "ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(self.now, usegmt=True)}},
        }
        if answer["IsTruncated"]:
            answer |= {"NextKeyMarker": page[-1]["Key"], "NextVersionIdMarker": page[-1]["VersionId"]}
        newest = {row["Key"]: row["VersionId"] for row in self._bucket(params, region).versions}
        for kind, wanted in (("Versions", False), ("DeleteMarkers", True)):
            found = [_listed(row, newest) for row in page if row.get("marker", False) is wanted]
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
        version = {
            "Key": params["Key"],
            "VersionId": "null",
            "modified": self.now,
            "body": body if isinstance(body, bytes) else body.read(),
            "settings": {name: params[name] for name in _OBJECT_SETTINGS if name in params},
        }
        if bucket.versioning != "Enabled":
            _delete_version(bucket, params["Key"], "null")
            bucket.versions.append(version)
            return {"VersionId": "null"} if bucket.versioning == "Suspended" else {}
        version["VersionId"] = f"v{len(self.calls)}"
        bucket.versions.append(version)
        for name in _destinations(bucket, params["Key"]):
            self.buckets[name].versions.append(dict(version))
        return {"VersionId": version["VersionId"]}

    def _version(self, params: Answer, region: str) -> Answer:
        for version in self._bucket(params, region).versions:
            if (version["Key"], version["VersionId"]) == (params["Key"], params["VersionId"]):
                return version
        raise client_error("NoSuchVersion", "The specified version does not exist.")

    def _s3_HeadObject(self, params: Answer, region: str) -> Answer:
        version = self._version(params, region)
        if version.get("marker"):
            raise _not_allowed_on_markers(version)
        status = self.replicates(version)
        return {**_told(version), **({"ReplicationStatus": status} if status else {})}

    def _s3_GetObjectTagging(self, params: Answer, region: str) -> Answer:
        tags = dict(parse_qsl(self._version(params, region).get("settings", {}).get("Tagging", "")))
        return {"TagSet": tag_list(tags)}

    def _s3_GetObject(self, params: Answer, region: str) -> Answer:
        version = self._version(params, region)
        return {"Body": io.BytesIO(version.get("stored", version["body"])), **_told(version)}

    def _s3_DeleteObject(self, params: Answer, region: str) -> None:
        bucket, key, version = self._bucket(params, region), params["Key"], params.get("VersionId")
        if version is not None and key in bucket.locked:
            raise client_error("AccessDenied", "it is protected by Object Lock")
        if version is None and bucket.versioning is not None:
            marker = "null" if bucket.versioning == "Suspended" else f"m{len(self.calls)}"
            _delete_version(bucket, key, "null" if marker == "null" else "")
            row = {"Key": key, "VersionId": marker, "marker": True, "body": b"", "modified": self.now}
            bucket.versions.append(row)
        else:
            _delete_version(bucket, key, version or "null")


def _delete_version(bucket: Bucket, key: str, version: str) -> None:
    bucket.versions = [one for one in bucket.versions if (one["Key"], one["VersionId"]) != (key, version)]


def _destinations(bucket: Bucket, key: str) -> list[str]:
    """The buckets to which enabled rules take a key, each once; rules with tags take what has none, too."""
    rules = [rule for rule in (bucket.replication or {"Rules": []})["Rules"] if rule["Status"] == "Enabled"]
    chosen = [rule for rule in rules if key.startswith(_prefix(rule["Filter"]))]
    return list(dict.fromkeys(rule["Destination"]["Bucket"].rsplit(":", 1)[1] for rule in chosen))


def _prefix(chosen: Answer) -> str:
    return str(chosen.get("Prefix") or chosen.get("And", {}).get("Prefix") or "")


def _etag(version: Answer) -> str:
    return f'"{hashlib.md5(version["body"], usedforsecurity=False).hexdigest()}"'


def _told(version: Answer) -> Answer:
    """What S3 tells of one object."""
    told = {"ContentLength": len(version["body"]), "ETag": _etag(version), "ServerSideEncryption": "AES256"}
    return {**told, "LastModified": version.get("modified", WRITTEN)}


def _listed(version: Answer, newest: dict[str, str]) -> Answer:
    """What a listing tells; `newest` are the version IDs that are current."""
    listed = {
        "Key": quote(version["Key"]),
        "VersionId": version["VersionId"],
        "LastModified": version.get("modified", WRITTEN),
        "IsLatest": newest[version["Key"]] == version["VersionId"],
    }
    if version.get("marker"):
        return listed
    return {**listed, "Size": len(version["body"]), "ETag": _etag(version), "StorageClass": "STANDARD"}


def _not_allowed_on_markers(version: Answer) -> ClientError:
    """How S3 answers to the HEAD of a delete marker."""
    modified = format_datetime(version.get("modified", WRITTEN), usegmt=True)
    headers = {"x-amz-delete-marker": "true", "last-modified": modified}
    answer: Answer = {"Error": {"Code": "405", "Message": ""}, "ResponseMetadata": {"HTTPHeaders": headers}}
    return ClientError(answer, "HeadObject")
