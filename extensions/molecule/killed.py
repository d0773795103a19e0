# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Run a command, and kill it with all that it started at the very moment when it waits for one call to AWS.

Called as `killed.py FAULT COMMAND...` with AWS_ENDPOINT_URL. FAULT is a fault of the local AWS, as JSON, that lets the
call wait: {"kind": "timeout", "seconds": 60, "operation": "DescribeJob"}. It is taken away, with all other faults.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

SECONDS = 60


def faults(method: str, fault: str | None = None) -> list[dict[str, Any]]:
    """Ask the local AWS for its faults, and for one more or none."""
    data = None if fault is None else fault.encode()
    request = urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/_local_aws/faults", data, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)["faults"]
    return found


def family(parent: int) -> list[int]:
    """A process and all that it has started. Ansible's workers have sessions of their own, so no group has them all."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            parents[int(status.parent.name)] = int(status.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    found = [parent]
    for one in found:
        found += [child for child, its in parents.items() if its == one]
    return found


def main(fault: str, *command: str) -> int:
    log = Path(os.environ.get("LOCAL_AWS_STATE_DIR", "."), "killed.log")
    faults("POST", fault)
    try:
        with log.open("w", encoding="utf-8") as output, subprocess.Popen(command, stdout=output, stderr=output) as run:
            deadline = time.monotonic() + SECONDS
            while not any(one["struck"] for one in faults("GET")):
                if run.poll() is not None or time.monotonic() > deadline:
                    print(log.read_text(encoding="utf-8") + "\nIt never came to the call.")
                    run.kill()
                    return 1
                time.sleep(0.05)
            for process in family(run.pid):
                os.kill(process, signal.SIGKILL)
    finally:
        faults("DELETE")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
