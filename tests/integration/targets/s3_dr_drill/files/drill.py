# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Run a drill, and do something to it or to AWS while it runs.

Called with the options of the module on stdin, as `drill.py interrupt BUCKET REGION`: SIGTERM when it has written to
that bucket; or as `drill.py down REGION DR_REGION`: the Region is dead from the declared failure on.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3

SECONDS = 60
CONTROL = f"{os.environ['AWS_ENDPOINT_URL']}/_local_aws/faults"


def faults(method: str, fault: dict[str, Any] | None = None) -> Any:
    body = json.dumps(fault).encode() if fault else None
    with urllib.request.urlopen(urllib.request.Request(CONTROL, body, method=method)) as answer:
        return json.load(answer)


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


def has_written(bucket: str, region: str) -> bool:
    return "Versions" in boto3.client("s3", region_name=region).list_object_versions(
        Bucket=bucket, Prefix="orders/.s3-dr-canary/"
    )


def wait(drill: subprocess.Popen[str], reached: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while not reached():
        if drill.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the drill did not come so far: {drill.stdout.read() if drill.stdout else ''}")
        time.sleep(0.02)


def signed_in() -> int:
    """How often a role was assumed, of which the last waits for a moment: that is just after the declared failure."""
    return int(next(one["matched"] for one in faults("GET")["faults"] if one["kind"] == "slow"))


def main(what: str, first: str, second: str) -> None:
    program = Path(sys.executable).with_name("ansible")
    arguments = ["localhost", "-m", "crossregion.s3_dr.s3_dr_drill", "-a", sys.stdin.read().strip()]
    environment = {**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_LOCALHOST_WARNING": "false"}
    if what == "down":
        slow = {"kind": "slow", "seconds": 1.0, "service": "sts", "operation": "AssumeRole", "skip": 1}
        faults("POST", {**slow, "region": second})
    with subprocess.Popen([program, *arguments], env=environment, stdout=subprocess.PIPE, text=True) as drill:
        if what == "interrupt":
            wait(drill, lambda: has_written(first, second))
            os.kill(family(drill.pid)[-1], signal.SIGTERM)  # the module, which Ansible has started last
        else:
            wait(drill, lambda: signed_in() == 2)
            for service in ("s3", "kms", "sts"):  # IAM would only cost the time in which its calls are repeated
                faults("POST", {"kind": "down", "region": first, "service": service})
        said, _errors = drill.communicate(timeout=SECONDS)
    print(said.partition("=> ")[2] or json.dumps({"said": said}))


if __name__ == "__main__":
    main(*sys.argv[1:])
