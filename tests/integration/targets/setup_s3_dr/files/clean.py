# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Remove everything whose name has the prefix of a test run: `clean.py PREFIX REGION... [ACCOUNT...]`."""

from __future__ import annotations

import sys
from typing import Any

import boto3


def main(prefix: str, regions: list[str], accounts: list[str | None]) -> None:
    for account in accounts:
        keys = {"aws_access_key_id": account, "aws_secret_access_key": "not-a-secret"} if account else {}
        for region in regions:
            clean_region(prefix, boto3.Session(region_name=region, **keys))
        session = boto3.Session(region_name=regions[0], **keys)
        clean_buckets(prefix, session)
        clean_roles(prefix, session.client("iam"))


def clean_region(prefix: str, session: boto3.Session) -> None:
    cloudtrail, cloudwatch, sns, sqs = (
        session.client(service) for service in ("cloudtrail", "cloudwatch", "sns", "sqs")
    )
    for trail in cloudtrail.describe_trails(includeShadowTrails=False)["trailList"]:
        if prefix in trail["Name"]:
            cloudtrail.delete_trail(Name=trail["Name"])
    for kind in ("CompositeAlarm", "MetricAlarm"):  # AWS deletes one composite alarm at a time, and before its children
        pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=[kind])
        names = [alarm["AlarmName"] for page in pages for alarm in page[f"{kind}s"] if prefix in alarm["AlarmName"]]
        for some in [[name] for name in names] if kind == "CompositeAlarm" else [names]:
            cloudwatch.delete_alarms(AlarmNames=some)
    for topic in sns.get_paginator("list_topics").paginate().build_full_result()["Topics"]:
        if prefix in topic["TopicArn"]:
            sns.delete_topic(TopicArn=topic["TopicArn"])
    for url in sqs.get_paginator("list_queues").paginate().build_full_result().get("QueueUrls", []):
        if prefix in url:
            sqs.delete_queue(QueueUrl=url)


def clean_buckets(prefix: str, session: boto3.Session) -> None:
    s3 = session.client("s3")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if prefix in bucket["Name"]]
    for name in names:
        s3.delete_bucket_replication(Bucket=name)
        s3.delete_bucket_policy(Bucket=name)  # a Deny in it counts for who cleans, too
    for name in names:
        empty(s3, name)
        s3.delete_bucket(Bucket=name)


def empty(s3: Any, bucket: str) -> None:
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        rows = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if rows:
            objects = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in rows]
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects}, BypassGovernanceRetention=True)


def clean_roles(prefix: str, iam: Any) -> None:
    for role in iam.get_paginator("list_roles").paginate().build_full_result()["Roles"]:
        name = role["RoleName"]
        if prefix in name:
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
            iam.delete_role(RoleName=name)
    for policy in iam.get_paginator("list_policies").paginate(Scope="Local").build_full_result()["Policies"]:
        if prefix in policy["PolicyName"]:
            for version in iam.list_policy_versions(PolicyArn=policy["Arn"])["Versions"]:
                if not version["IsDefaultVersion"]:
                    iam.delete_policy_version(PolicyArn=policy["Arn"], VersionId=version["VersionId"])
            iam.delete_policy(PolicyArn=policy["Arn"])


if __name__ == "__main__":
    words = sys.argv[2:]
    main(sys.argv[1], [word for word in words if "-" in word], [None, *(word for word in words if word.isdigit())])
