# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Run a drill, and kill it when its denial is in the policy of a bucket.

Called as `kill.py BUCKET REGION`, with the options of the module on stdin.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

SECONDS = 150


def is_denied(bucket: str, region: str) -> bool:
    try:
        return "AlarmDrill" in boto3.client("s3", region_name=region).get_bucket_policy(Bucket=bucket)["Policy"]
    except ClientError:
        return False


def family(parent: int) -> list[int]:
    """A process and all that it has started."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [parent]
    for one in found:
        found += [child for child, its in parents.items() if its == one]
    return found


def main(bucket: str, region: str) -> int:
    program = Path(sys.executable).with_name("ansible")
    arguments = ["localhost", "-m", "crossregion.s3_dr.s3_dr_alarm_drill", "-a", sys.stdin.read().strip()]
    environment = {**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    with subprocess.Popen([program, *arguments], env=environment, stdout=subprocess.PIPE, text=True) as drill:
        deadline = time.monotonic() + SECONDS
        while not is_denied(bucket, region):
            if drill.poll() is not None or time.monotonic() > deadline:
                print(drill.stdout.read() if drill.stdout and drill.poll() is not None else "no denial was seen")
                return 1
            time.sleep(0.02)
        for process in family(drill.pid):
            os.kill(process, signal.SIGKILL)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
