# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The jobs of S3 Batch Operations of one pair, by boto3 alone, and a backfill that is killed while it waits for one.

`jobs.py kill PAIR REGION` runs a backfill with the module's options on stdin, and kills it when its job is active.
`jobs.py end PAIR REGION` waits until no job is.
Both print the ID and status of each job, the oldest first.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

ACCOUNT = os.environ["AWS_ACCESS_KEY_ID"]
SECONDS = 150
ENDED = ("Complete", "Failed", "Cancelled")


def control(region: str) -> Any:
    """botocore puts the account before the host, which an IP address cannot carry."""
    client = boto3.client("s3control", region_name=region)
    host = urlsplit(os.environ["AWS_ENDPOINT_URL"]).hostname

    def without_account(request: Any, **_rest: Any) -> None:
        request.url = request.url.replace(f"{ACCOUNT}.{host}", str(host))

    client.meta.events.register("before-sign.s3-control", without_account)
    return client


def jobs(pair: str, region: str) -> list[dict[str, Any]]:
    listed = control(region).list_jobs(AccountId=ACCOUNT)["Jobs"]
    mine = [job for job in listed if f"backfill of {pair}:" in job.get("Description", "")]
    return sorted(mine, key=lambda job: job["CreationTime"])


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


def kill(pair: str, region: str) -> None:
    before = len(jobs(pair, region))
    program = Path(sys.executable).with_name("ansible")
    arguments = ["localhost", "-m", "crossregion.s3_dr.s3_batch_replication", "-a", sys.stdin.read().strip()]
    environment = {**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    with subprocess.Popen([program, *arguments], env=environment, stdout=subprocess.PIPE, text=True) as backfill:
        deadline = time.monotonic() + SECONDS
        while not [job for job in jobs(pair, region)[before:] if job["Status"] == "Active"]:
            if backfill.poll() is not None or time.monotonic() > deadline:
                said = backfill.stdout.read() if backfill.stdout and backfill.poll() is not None else ""
                sys.exit(said or "no job is seen")
            time.sleep(0.05)
        for process in family(backfill.pid):
            os.kill(process, signal.SIGKILL)


def wait(pair: str, region: str) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and {job["Status"] for job in jobs(pair, region)} - set(ENDED):
        time.sleep(0.2)


if __name__ == "__main__":
    what, pair, region = sys.argv[1:]
    (kill if what == "kill" else wait)(pair, region)
    print(json.dumps([{"id": job["JobId"], "status": job["Status"]} for job in jobs(pair, region)]))
