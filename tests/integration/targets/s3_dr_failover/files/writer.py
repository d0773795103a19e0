# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""An application that writes, as a role of its own: `writer.py ROLE BUCKET REGION KEY`. Says what S3 said."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

import boto3
from botocore.exceptions import ClientError

TRUST = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
MAY = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def as_role(name: str) -> dict[str, str]:
    iam = boto3.client("iam", region_name="us-east-1")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(TRUST))
    iam.put_role_policy(RoleName=name, PolicyName="writes", PolicyDocument=policy(MAY))
    arn = iam.get_role(RoleName=name)["Role"]["Arn"]
    keys = boto3.client("sts", region_name="us-east-1").assume_role(RoleArn=arn, RoleSessionName="app")["Credentials"]
    return {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def write(role: str, bucket: str, region: str, key: str) -> str:
    try:
        boto3.client("s3", region_name=region, **as_role(role)).put_object(Bucket=bucket, Key=key, Body=b"...")
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "written"


if __name__ == "__main__":
    print(write(*sys.argv[1:]))
