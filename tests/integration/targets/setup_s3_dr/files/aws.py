# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Ask AWS, or arrange something in it, by boto3 alone: what the tests see must not come from the code under test.

stdin is a mapping of names to calls `[service, Region, operation, parameters]`, with the account as a fifth element if
it is another one. They are made in their order. stdout is a mapping of the same names to the answers, lists in full.
An error of AWS is an answer, too: `{"Error": "its code"}`. A call whose name begins with `_` arranges something: its
error ends the program, and its answer is not shown.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError


@cache
def client(service: str, region: str, account: str | None = None) -> Any:
    keys = {"aws_access_key_id": account, "aws_secret_access_key": "not-a-secret"} if account else {}
    made = boto3.client(service, region_name=region, **keys)
    made.meta.events.register("before-sign.s3-control", without_account)
    return made


def without_account(request: Any, **_rest: Any) -> None:
    """S3 Control at the local AWS: boto3 puts the account before the host, which an IP address cannot carry."""
    host = urlsplit(boto3.client("sts", region_name="us-east-1").meta.endpoint_url).netloc
    before, separator, rest = request.url.partition(f".{host}")
    request.url = f"{before[: before.index('://')]}://{host}{rest}" if separator else request.url


def answer(service: str, region: str, operation: str, parameters: dict[str, Any], account: str | None = None) -> Any:
    aws = client(service, region, account)
    if aws.can_paginate(operation):
        return aws.get_paginator(operation).paginate(**parameters).build_full_result()
    found = getattr(aws, operation)(**parameters)
    found.pop("ResponseMetadata", None)
    return found


def answer_or_error(name: str, call: list[Any]) -> Any:
    try:
        return answer(*call)
    except ClientError as error:
        if name.startswith("_"):
            raise
        return {"Error": error.response["Error"]["Code"]}


def plain(value: Any) -> str:
    """A body is read, a time is written as text."""
    return value.read().decode() if hasattr(value, "read") else str(value)


if __name__ == "__main__":
    calls = json.load(sys.stdin)
    answers = {name: answer_or_error(name, call) for name, call in calls.items()}
    print(json.dumps({name: found for name, found in answers.items() if not name.startswith("_")}, default=plain))
