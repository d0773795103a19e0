# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What the examples take for granted: keys in both Regions, and a role in the other account. `before.py FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import boto3

OTHER, EXTERNAL_ID = "444455556666", "choose-your-own"


def main(file: str) -> None:
    keys = {
        name: boto3.client("kms", region_name=region).create_key()["KeyMetadata"]["Arn"]
        for name, region in (("contracts_key", "us-east-1"), ("contracts_dr_key", "us-west-2"))
    }
    Path(file).write_text(json.dumps(keys), encoding="utf-8")
    iam = boto3.client("iam", region_name="us-east-1", aws_access_key_id=OTHER, aws_secret_access_key="not-a-secret")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
    }
    allowed = {"Effect": "Allow", "Action": ["s3:*", "cloudwatch:*", "sns:*"], "Resource": "*"}
    iam.create_role(RoleName="s3-dr-operator", AssumeRolePolicyDocument=document(trust))
    iam.put_role_policy(RoleName="s3-dr-operator", PolicyName="operator", PolicyDocument=document(allowed))


def document(statement: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


if __name__ == "__main__":
    main(*sys.argv[1:])
