# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What the session of a role may do: what the role's policies allow, and nothing else."""

from __future__ import annotations

import json
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from .conftest import policy

DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "403")


def allow(*actions, resources="*", **conditions):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resources}
    return statement | ({"Condition": conditions} if conditions else {})


class Session:
    """A role and what is done with its credentials."""

    def __init__(self, world, role, credentials):
        self.world, self.role = world, role
        self.keys = {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }

    def client(self, service, region=None):
        once = Config(retries={"total_max_attempts": 1})
        region = region or self.world.source_region
        return boto3.client(service, region_name=region, endpoint_url=self.world.endpoint, config=once, **self.keys)

    def may(self, service, operation, region=None, **arguments):
        """Whether it is not refused for want of a permission."""
        try:
            getattr(self.client(service, region), operation)(**arguments)
        except ClientError as problem:
            return problem.response["Error"]["Code"] not in DENIED
        return True


@pytest.fixture
def session(world):
    """A session of a new role that has these statements, in the caller's account."""

    def begin(*statements, path="/", session_policy=None):
        iam, name = world.client("iam"), world.name("role")
        own = {"AWS": f"arn:aws:iam::{world.account_id()}:root"}
        trust = policy({"Effect": "Allow", "Principal": own, "Action": "sts:AssumeRole"})
        made = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(trust))
        world.cleanup.callback(iam.delete_role, RoleName=name)
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy(*statements)))
            world.cleanup.callback(iam.delete_role_policy, RoleName=name, PolicyName="own")
        more = {"Policy": json.dumps(policy(session_policy))} if session_policy else {}
        role = made["Role"]["Arn"]
        return Session(world, role, credentials(world, role, **more))

    return begin


def credentials(world, role, **more):
    def assume():
        try:
            return world.client("sts").assume_role(RoleArn=role, RoleSessionName="contract", **more)["Credentials"]
        except ClientError:
            return None  # a role so new is not known everywhere

    return world.until(assume, "the role could be assumed")


def test_without_policies_nothing(world, session):
    """IAM User Guide, reference_policies_evaluation-logic: what no policy allows is denied."""
    bucket, nobody = world.bucket(), session()
    world.put(bucket)
    one = {"Bucket": bucket, "Key": "key"}
    assert not nobody.may("s3", "put_object", **one, Body=b"data")
    assert not nobody.may("s3", "get_object", **one)
    assert not nobody.may("s3", "head_object", **one)
    assert not nobody.may("s3", "delete_object", **one)
    assert not nobody.may("s3", "list_objects_v2", Bucket=bucket)
    assert not nobody.may("s3", "list_object_versions", Bucket=bucket)
    assert not nobody.may("s3", "head_bucket", Bucket=bucket)
    assert not nobody.may("s3", "list_buckets")
    assert not nobody.may("s3", "create_bucket", Bucket=world.name("bucket"))
    assert not nobody.may("s3", "get_bucket_policy", Bucket=bucket)
    assert not nobody.may("ssm", "get_parameter", Name="/contract/absent")
    assert not nobody.may("ssm", "put_parameter", Name="/contract/absent", Value="x", Type="String")
    assert not nobody.may("kms", "list_keys")
    assert not nobody.may("sns", "list_topics")
    assert not nobody.may("cloudwatch", "describe_alarms")
    assert nobody.may("sts", "get_caller_identity")


def test_message_names_the_action(world, session):
    """S3 User Guide, troubleshoot-403-errors: who is not authorized to perform what, on which resource, and why."""
    bucket, nobody = world.bucket(), session()
    with pytest.raises(ClientError) as caught:
        nobody.client("s3").put_object(Bucket=bucket, Key="key", Body=b"data")
    text = caught.value.response["Error"]["Message"]
    for part in ("assumed-role", "s3:PutObject", f"arn:aws:s3:::{bucket}/key", "no identity-based policy allows"):
        assert part in text


def test_only_the_resources_that_are_named(world, session):
    """IAM User Guide, reference_policies_elements_resource."""
    here, there = world.bucket(), world.bucket(world.dr_region)
    dr_only = session(
        allow("s3:GetObject", "s3:PutObject", "s3:DeleteObject", resources=f"arn:aws:s3:::{there}/*"),
        allow("s3:ListBucket", resources=f"arn:aws:s3:::{there}"),
    )
    for bucket, may in ((there, True), (here, False)):
        region, one = world.regions[bucket], {"Bucket": bucket, "Key": "key"}
        world.put(bucket)
        assert dr_only.may("s3", "put_object", region, **one, Body=b"more") is may
        assert dr_only.may("s3", "get_object", region, **one) is may
        assert dr_only.may("s3", "list_objects_v2", region, Bucket=bucket) is may
        assert dr_only.may("s3", "delete_object", region, **one) is may
        assert not dr_only.may("s3", "put_bucket_tagging", region, Bucket=bucket, Tagging={"TagSet": []})
    assert not dr_only.may("s3", "list_object_versions", world.dr_region, Bucket=there)


def test_versions_have_actions_of_their_own(world, session):
    """S3 User Guide, using-with-s3-policy-actions: s3:GetObjectVersion and s3:DeleteObjectVersion."""
    bucket = world.bucket()
    version = world.put(bucket)
    reader = session(allow("s3:GetObject", "s3:DeleteObject"))
    one = {"Bucket": bucket, "Key": "key", "VersionId": version}
    assert not reader.may("s3", "get_object", **one)
    assert not reader.may("s3", "delete_object", **one)
    assert reader.may("s3", "get_object", Bucket=bucket, Key="key")


def test_each_key_of_a_deletion(world, session):
    """S3 API, DeleteObjects: s3:DeleteObject for each key, s3:DeleteObjectVersion for each version."""
    bucket = world.bucket()
    versions = {key: world.put(bucket, key) for key in ("a", "b")}
    some = session(allow("s3:DeleteObject", resources=f"arn:aws:s3:::{bucket}/a"))
    objects = [{"Key": "a"}, {"Key": "b"}, {"Key": "a", "VersionId": versions["a"]}]
    answer = some.client("s3").delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [one["Key"] for one in answer["Deleted"]] == ["a"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("b", "AccessDenied"), ("a", "AccessDenied")]


def test_headers_that_need_more(world, session):
    """S3 API, PutObject: tags need s3:PutObjectTagging; CopyObject reads its source, and copies its tags."""
    bucket = world.bucket()
    world.put(bucket, Tagging="team=blue")
    world.put(bucket, "plain")
    writer = session(allow("s3:PutObject", "s3:GetObject"))
    one = {"Bucket": bucket, "Key": "new"}
    assert writer.may("s3", "put_object", **one, Body=b"data")
    assert not writer.may("s3", "put_object", **one, Body=b"data", Tagging="team=red")
    assert writer.may("s3", "copy_object", **one, CopySource={"Bucket": bucket, "Key": "plain"})
    assert not writer.may("s3", "copy_object", **one, CopySource={"Bucket": bucket, "Key": "key"})
    only_writer = session(allow("s3:PutObject"))
    assert not only_writer.may("s3", "copy_object", **one, CopySource={"Bucket": bucket, "Key": "plain"})


def test_absence_is_told_to_those_who_may_list(world, session, refused):
    """S3 API, GetObject and HeadObject: 404 with s3:ListBucket, 403 without."""
    bucket = world.bucket()
    missing = {"Bucket": bucket, "Key": "missing"}
    with refused("AccessDenied"):
        session(allow("s3:GetObject")).client("s3").get_object(**missing)
    with refused("403"):
        session(allow("s3:GetObject")).client("s3").head_object(**missing)
    with refused("NoSuchKey"):
        session(allow("s3:GetObject", "s3:ListBucket")).client("s3").get_object(**missing)


def test_conditions(world, session):
    """IAM User Guide, reference_policies_condition-keys: s3:prefix, aws:RequestedRegion, aws:SecureTransport."""
    bucket = world.bucket()
    where = f"arn:aws:s3:::{bucket}"
    lister = session(allow("s3:ListBucket", resources=where, StringLike={"s3:prefix": "team/*"}))
    assert lister.may("s3", "list_objects_v2", Bucket=bucket, Prefix="team/blue")
    assert not lister.may("s3", "list_objects_v2", Bucket=bucket, Prefix="other/")
    elsewhere = session(allow("s3:*", StringEquals={"aws:RequestedRegion": world.dr_region}))
    assert not elsewhere.may("s3", "put_object", Bucket=bucket, Key="key", Body=b"data")
    secure = session(allow("s3:*", Bool={"aws:SecureTransport": "true"}))
    assert secure.may("s3", "put_object", Bucket=bucket, Key="key", Body=b"data")


def test_session_policy_narrows(world, session):
    """IAM User Guide, access_policies (session policies): both have to allow."""
    bucket = world.bucket()
    narrow = session(allow("s3:*"), session_policy=allow("s3:ListBucket"))
    assert narrow.may("s3", "list_objects_v2", Bucket=bucket)
    assert not narrow.may("s3", "put_object", Bucket=bucket, Key="key", Body=b"data")


def test_policy_of_the_bucket_allows(world, session):
    """IAM User Guide, reference_policies_evaluation-logic: within an account the policy of the bucket is enough."""
    bucket, nobody = world.bucket(), session()
    statement = allow("s3:PutObject", resources=f"arn:aws:s3:::{bucket}/*") | {"Principal": {"AWS": nobody.role}}
    world.s3_of(bucket).put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(statement)))
    world.until(
        lambda: nobody.may("s3", "put_object", Bucket=bucket, Key="key", Body=b"data"), "the bucket let the role write"
    )
    assert not nobody.may("s3", "get_object", Bucket=bucket, Key="key")


@pytest.mark.parametrize("path", ["/", "/team/blue/"])
def test_fence_knows_the_role_of_a_session(world, session, path):
    """IAM User Guide, reference_policies_condition-keys, aws:PrincipalArn: the ARN of the role, not of the session."""
    bucket = world.bucket()
    inside, outside = session(allow("s3:*"), path=path), session(allow("s3:*"))
    fence = allow("s3:PutObject", resources=f"arn:aws:s3:::{bucket}/*", ArnNotLike={"aws:PrincipalArn": [inside.role]})
    fence |= {"Effect": "Deny", "Principal": "*"}
    s3 = world.s3_of(bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(fence)))
    one = {"Bucket": bucket, "Key": "key"}
    world.until(lambda: not outside.may("s3", "put_object", **one, Body=b"data"), "the fence stood")
    assert inside.may("s3", "put_object", **one, Body=b"data")
    assert outside.may("s3", "get_object", **one)
    s3.delete_bucket_policy(Bucket=bucket)


def test_deny_of_the_role_wins(world, session):
    """IAM User Guide, reference_policies_evaluation-logic: an explicit Deny in any policy wins."""
    bucket = world.bucket()
    deny = allow("s3:PutObject") | {"Effect": "Deny"}
    assert not session(allow("s3:*"), deny).may("s3", "put_object", Bucket=bucket, Key="key", Body=b"data")


# KMS


@pytest.fixture
def key(world):
    """A key whose policy leaves it to IAM's policies who may use it."""
    kms = world.client("kms")
    made = kms.create_key()["KeyMetadata"]
    world.cleanup.callback(kms.schedule_key_deletion, KeyId=made["KeyId"], PendingWindowInDays=7)
    return made["Arn"]


def test_encrypted_objects_need_the_key(world, session, key):
    """S3 User Guide, UsingKMSEncryption: kms:Decrypt to read, kms:GenerateDataKey to write."""
    bucket = world.bucket()
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    world.put(bucket, **encrypted)
    world.put(bucket, "plain")
    one, plain = {"Bucket": bucket, "Key": "key"}, {"Bucket": bucket, "Key": "plain"}
    without = session(allow("s3:*"))
    assert without.may("s3", "get_object", **plain)
    assert without.may("s3", "head_object", **one)
    assert not without.may("s3", "head_object", **one, ChecksumMode="ENABLED")
    assert not without.may("s3", "get_object", **one)
    assert not without.may("s3", "copy_object", Bucket=bucket, Key="copy", CopySource=one)
    assert not without.may("s3", "put_object", **one, Body=b"data", **encrypted)
    assert not without.may("s3", "copy_object", Bucket=bucket, Key="copy", CopySource=plain, **encrypted)
    reader = session(allow("s3:*"), allow("kms:Decrypt", resources=key))
    assert reader.may("s3", "get_object", **one)
    assert not reader.may("s3", "put_object", **one, Body=b"data", **encrypted)
    writer = session(allow("s3:*"), allow("kms:GenerateDataKey", resources=key))
    assert writer.may("s3", "put_object", **one, Body=b"data", **encrypted)
    assert not writer.may("s3", "get_object", **one)


def test_key_by_way_of_s3(world, session, key):
    """KMS Developer Guide, conditions-kms (kms:ViaService): S3 of the key's Region, and nobody directly."""
    bucket = world.bucket()
    world.put(bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    service = f"s3.{world.source_region}.amazonaws.com"
    via = session(allow("s3:*"), allow("kms:*", resources=key, StringEquals={"kms:ViaService": service}))
    assert via.may("s3", "get_object", Bucket=bucket, Key="key")
    assert not via.may("kms", "generate_data_key", KeyId=key, KeySpec="AES_256")


def test_region_of_the_key(world, session, key):
    """IAM User Guide, reference_policies_condition-keys, aws:RequestedRegion: for the key as well it is its Region."""
    bucket = world.bucket()
    world.put(bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    elsewhere = allow("*", StringNotEquals={"aws:RequestedRegion": world.source_region}) | {"Effect": "Deny"}
    reader = session(allow("s3:*", "kms:*"), elsewhere)
    assert reader.may("s3", "get_object", Bucket=bucket, Key="key")
    assert not reader.may("s3", "list_objects_v2", world.dr_region, Bucket=world.bucket(world.dr_region))


def test_default_encryption_of_the_bucket(world, session, key):
    """S3 User Guide, bucket-encryption: who writes needs the key of the bucket's default encryption."""
    bucket = world.bucket()
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    world.s3_of(bucket).put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [default]})
    one = {"Bucket": bucket, "Key": "key", "Body": b"data"}
    assert not session(allow("s3:*")).may("s3", "put_object", **one)
    assert session(allow("s3:*"), allow("kms:GenerateDataKey")).may("s3", "put_object", **one)


def test_keys_themselves(world, session, key):
    """KMS Developer Guide, key-policies: the default key policy leaves it to the policies of IAM."""
    name = key.rpartition("/")[2]
    assert not session().may("kms", "describe_key", KeyId=key)
    describer = session(allow("kms:DescribeKey", resources=key))
    assert describer.may("kms", "describe_key", KeyId=name)
    assert not describer.may("kms", "generate_data_key", KeyId=key, KeySpec="AES_256")


# Systems Manager, and the others


def test_parameters(world, session):
    """Systems Manager User Guide, sysman-paramstore-access: by the parameter's ARN."""
    name = f"/contract/{world.name('parameter')}"
    arn = f"arn:aws:ssm:{world.source_region}:{world.account_id()}:parameter{name}"
    world.client("ssm").put_parameter(Name=name, Value="x", Type="String")
    world.cleanup.callback(world.client("ssm").delete_parameter, Name=name)
    reader = session(allow("ssm:GetParameter", resources=arn))
    assert reader.may("ssm", "get_parameter", Name=name)
    assert not reader.may("ssm", "put_parameter", Name=name, Value="y", Type="String", Overwrite=True)
    assert not reader.may("ssm", "get_parameter", Name=f"{name}-other")
    assert not reader.may("ssm", "get_parameter", world.dr_region, Name=name)


def test_topics_and_metrics(world, session):
    """SNS and CloudWatch: by the topic's ARN, and for metrics by "*"."""
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("topic"))["TopicArn"]
    world.cleanup.callback(sns.delete_topic, TopicArn=topic)
    teller = session(allow("sns:Publish", resources=topic), allow("cloudwatch:GetMetricData"))
    assert teller.may("sns", "publish", TopicArn=topic, Message="x")
    assert not teller.may("sns", "get_topic_attributes", TopicArn=topic)
    now = time.time()
    query = {
        "Id": "a",
        "MetricStat": {"Metric": {"Namespace": "AWS/S3", "MetricName": "x"}, "Period": 60, "Stat": "Sum"},
    }
    asked = {"MetricDataQueries": [query], "StartTime": now - 600, "EndTime": now}
    assert teller.may("cloudwatch", "get_metric_data", **asked)
    assert not teller.may("cloudwatch", "list_metrics")


def test_session_needs_the_permission_to_assume(world, session):
    """IAM User Guide, id_roles_use_permissions-to-switch: the trust of the account alone is not enough."""
    target = session(allow("s3:ListAllMyBuckets"))
    arguments = {"RoleArn": target.role, "RoleSessionName": "second"}
    assert not session().may("sts", "assume_role", **arguments)
    assert session(allow("sts:AssumeRole", resources=target.role)).may("sts", "assume_role", **arguments)
