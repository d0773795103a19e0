# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Write an object that the destination refuses, and wait until its failure is told at the queue.

stdin: `source` and `destination` (buckets), `queue` (its URL), `key`. stdout: the `version`, the `messages` of the
queue, and the `seconds` from the write to the message.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import boto3

SECONDS = 60


def refuse(bucket: str) -> None:
    statement = {
        "Sid": "NoReplicas",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:ReplicateObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    boto3.client("s3", region_name="us-west-2").put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def messages(queue: str) -> list[str]:
    sqs = boto3.client("sqs", region_name="us-east-1")
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in found]


def main(source: str, destination: str, queue: str, key: str) -> dict[str, Any]:
    refuse(destination)
    seen = messages(queue)
    s3 = boto3.client("s3", region_name="us-east-1")
    begun = time.monotonic()
    version = s3.put_object(Bucket=source, Key=key, Body=b"x")["VersionId"]
    while not any(version in body for body in seen) and time.monotonic() - begun < SECONDS:
        seen += messages(queue)
    return {"version": version, "messages": seen, "seconds": round(time.monotonic() - begun, 2)}


if __name__ == "__main__":
    print(json.dumps(main(**json.load(sys.stdin))))
