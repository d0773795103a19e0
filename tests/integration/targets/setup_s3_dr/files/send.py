# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Write objects and wait until S3 says what became of them, by boto3 alone.

stdin is a mapping of names to `[Region, parameters of put_object]`, with the account as a third element if it is
another one. stdout is a mapping of the same names to `{"ReplicationStatus": ..., "VersionId": ...}`; the status of an
object that no rule selects is null, and PENDING is the status of one that did not arrive in time.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from aws import client

SECONDS = 30


def send(region: str, parameters: dict[str, Any], account: str | None = None) -> dict[str, Any]:
    s3 = client("s3", region, account)
    version = s3.put_object(**parameters)["VersionId"]
    where = {"Bucket": parameters["Bucket"], "Key": parameters["Key"], "VersionId": version}
    deadline = time.monotonic() + SECONDS
    while True:
        status = s3.head_object(**where).get("ReplicationStatus")
        if status in (None, "COMPLETED", "FAILED") or time.monotonic() > deadline:
            return {"ReplicationStatus": status, "VersionId": version}
        time.sleep(0.2)


if __name__ == "__main__":
    print(json.dumps({name: send(*wish) for name, wish in json.load(sys.stdin).items()}))
