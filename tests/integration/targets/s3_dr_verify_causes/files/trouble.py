# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Verify while AWS does not answer as it should: whatever happens, nothing is proven that was not seen.

stdin is `{"wish": parameters of the module, "reports": a directory}`; each line of stdout is something that is not as
it must be, and there is an error if there is one. The module is run as Ansible runs it on a host, for less time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from scene import DR_REGION, FOREVER, HOUR, SECONDS, ahead, control, wait

MODULE = "ansible_collections.crossregion.s3_dr.plugins.modules.s3_dr_verify"
LISTING = {"service": "s3", "operation": "ListObjectVersions"}
OF_DR = LISTING | {"region": DR_REGION}


@dataclass(frozen=True)
class Case:
    """What is wrong, and what must be said: `says` is a part of the comparison's reason."""

    name: str
    fault: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    verdicts: tuple[str, ...] = ("unknown",)
    says: tuple[str, ...] = ()
    complete: bool = False


CASES = (
    Case("nothing", verdicts=("proven",), complete=True),
    Case("listing the DR bucket is denied", OF_DR | {"kind": "denied"}, says=("s3:ListBucketVersions", "-dr ")),
    Case(
        "listing the primary bucket is denied",
        LISTING | {"kind": "denied", "region": "us-east-1"},
        says=("s3:ListBucketVersions", "-primary "),
    ),
    Case("the third page is denied", OF_DR | {"kind": "denied", "skip": 2}, says=("s3:ListBucketVersions",)),
    Case("a page fails once", LISTING | {"kind": "error", "nth": 3}, verdicts=("proven",), complete=True),
    Case("a page breaks off once", LISTING | {"kind": "truncate", "nth": 2}, verdicts=("proven",), complete=True),
    Case("the connection is lost once", LISTING | {"kind": "reset", "nth": 4}, verdicts=("proven",), complete=True),
    Case("pages break off", OF_DR | {"kind": "truncate", "skip": 1}, says=("-dr ",)),
    Case(
        "S3 is throttling for a while", LISTING | {"kind": "throttle", "times": 4}, verdicts=("proven",), complete=True
    ),
    Case(
        "the DR bucket is gone",
        options={"dr": {"bucket": "gone"}},
        says=("There is no bucket",),
    ),
    Case(
        "looking at single versions is denied",
        {"kind": "denied", "service": "s3", "operation": "HeadObject"},
        options={"prefixes": ["plain/failed"]},
        says=(),
        complete=True,
    ),
    Case(
        "the DR Region is down",
        {"kind": "down", "region": DR_REGION},
        says=(DR_REGION,),
    ),
    Case(
        "the primary Region is down",
        {"kind": "down", "region": "us-east-1"},
        says=("cannot be reached",),
    ),
)


class Trouble:
    """Runs the module, and notes what is not as it must be."""

    def __init__(self, wish: dict[str, Any], reports: str) -> None:
        self.wish, self.reports = wish, reports
        self.problems: list[str] = []

    def expect(self, condition: object, what: str) -> None:
        if not condition:
            self.problems.append(what)

    def start(self, options: dict[str, Any]) -> subprocess.Popen[str]:
        ends = {name: self.wish[name] | options.get(name, {}) for name in ("primary", "dr")}
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if process.stdin is None:
            raise AssertionError
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": self.wish | options | ends}))
        process.stdin.close()
        process.stdin = None
        return process

    def all_cases(self) -> None:
        for case in CASES:
            started = time.monotonic()
            if case.fault:
                control("faults", **case.fault)
            try:
                out, err = self.start(case.options).communicate(timeout=180)
            finally:
                no_faults()
            self.judge(case, out, err)
            print(f"{time.monotonic() - started:5.1f} s: {case.name}", file=sys.stderr)

    def judge(self, case: Case, out: str, err: str) -> None:
        try:
            result = json.loads(out)
        except ValueError:
            self.problems.append(f"{case.name}: no result: {out[-500:]} {err[-1500:]}")
            return
        verdict, compared = result.get("verdict"), result.get("comparisons") or [{}]
        print(f"{verdict}: {result.get('msg')}", file=sys.stderr)
        self.expect(verdict in case.verdicts, f"{case.name}: verdict {verdict}: {result.get('msg')}")
        self.expect(case.complete == compared[0].get("complete", False), f"{case.name}: complete: {compared[0]}")
        if not case.complete:
            said = f"{compared[0].get('reason')} {result.get('msg')}"
            self.expect(all(part in said for part in case.says), f"{case.name}: it says {said}")
            self.expect(result.get("recovery") is None, f"{case.name}: {result.get('recovery')}")
        self.expect(
            result.get("failed", False) == (verdict != "proven"), f"{case.name}: failed: {result.get('failed')}"
        )

    def skewed(self) -> None:
        """AWS's clock is not that of this machine: what counts is AWS's."""
        ahead(2 * HOUR)
        try:
            out, err = self.start({}).communicate(timeout=180)
        finally:
            ahead(0)
        result = json.loads(out)
        self.expect(result["verdict"] == "proven", f"clock: {result['problems']} {err}")
        measured = datetime.fromisoformat(result["recovery"]["measured_at"]).timestamp()
        off = measured - time.time() - 2 * HOUR
        self.expect(abs(off) < 60, f"clock: measured {off:.0f} s off AWS's clock")

    # --- runs that are ended

    def ended(self, number: signal.Signals) -> None:
        """End a run while its second page does not come, and a canary does not arrive."""
        control("faults", **LISTING, kind="timeout", seconds=60, skip=1)
        control("replication", bucket=self.wish["primary"]["bucket"], lag_seconds=FOREVER)
        directory = Path(self.reports) / number.name
        process = self.start({"report_dir": str(directory), "canary": True})
        wait(lambda: struck() > 0, "the run to list versions")
        started = time.monotonic()
        process.send_signal(number)
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.problems.append(f"{number.name}: the run does not end within {SECONDS} s")
            process.kill()
            out, err = process.communicate()
        finally:
            no_faults()
        print(f"{time.monotonic() - started:5.1f} s: until {number.name} ended the run", file=sys.stderr)
        self.judge_ended(number, directory, out, err)

    def judge_ended(self, number: signal.Signals, directory: Path, out: str, err: str) -> None:
        runs = list((directory / "pairs" / self.wish["name"]).iterdir())
        self.expect(len(runs) == 1, f"{number.name}: the runs are {runs}")
        evidence = json.loads((runs[0] / "evidence.json").read_text())
        self.expect(verdict_in(evidence) == "unknown", f"{number.name}: the evidence says {verdict_in(evidence)}")
        if number == signal.SIGKILL:
            self.expect(not (runs[0] / "manifest.json").exists(), "SIGKILL: there is a manifest")
            self.expect(out == "", f"SIGKILL: it said {out}")
            return
        self.expect((runs[0] / "manifest.json").exists(), f"{number.name}: there is no manifest: {err[-1500:]}")
        try:
            result = json.loads(out)
        except ValueError:
            self.problems.append(f"{number.name}: no result: {out[-500:]} {err[-1500:]}")
            return
        self.expect(result.get("verdict") == "unknown", f"{number.name}: verdict {result.get('verdict')}")
        self.expect(number.name in result.get("msg", ""), f"{number.name}: it says {result.get('msg')}")


def verdict_in(evidence: dict[str, Any]) -> Any:
    return evidence.get("verdict", evidence.get("result", {}).get("verdict"))


def no_faults() -> None:
    request = urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/_local_aws/faults", method="DELETE")
    with urllib.request.urlopen(request, timeout=30):
        pass


def struck() -> int:
    with urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/_local_aws/faults", timeout=30) as answer:
        return sum(fault["struck"] for fault in json.load(answer)["faults"])


if __name__ == "__main__":
    trouble = Trouble(**json.load(sys.stdin))
    trouble.all_cases()
    trouble.skewed()
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        trouble.ended(one)
    print("\n".join(trouble.problems))
    sys.exit(bool(trouble.problems))
