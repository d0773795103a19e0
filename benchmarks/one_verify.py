# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What s3_dr_verify does with versions, once, in a process of its own, so that its memory can be measured.

It is the module's own code, with the module's imports and defaults; what is left out asks S3 for no version: the
configuration of the pair, its alarms, canaries. verify_memory.py runs this and judges what it prints.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from boto3.session import Session

from ansible_collections.crossregion.s3_dr.benchmarks.synthetic_buckets import REPLICA, SOURCE
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.comparison import Progress, Settings, compare
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.content_proof import prove_content
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.examination import Budget
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import ACCEPTED, Finding, Scope
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.content import Method
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.explain import Explainer
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import End, Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.evidence_run import EvidenceRun
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.verification import Shown
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_verify

REGIONS = ("us-east-1", "eu-west-1")
OWNER = "111122223333"
DEFAULTS = s3_dr_verify.argument_spec()


@dataclass(slots=True)
class Moments:
    """When the listings had ended."""

    listed: float = 0.0

    def report(self, progress: Progress) -> None:
        """The first word on the second look is the end of the listings."""
        if progress.examined is not None and not self.listed:
            self.listed = time.monotonic()


def verify(left: Side, right: Side, max_head_requests: int, directory: Path) -> dict[str, Any]:
    """Compare, examine and prove a sample, as the module does; findings go to the evidence in `directory`."""
    budget = Budget(max_head_requests, DEFAULTS["head_requests_per_second"]["default"])
    evidence = EvidenceRun.begin(str(directory), "benchmark", datetime.now(UTC))
    shown = Shown(DEFAULTS["max_findings"]["default"], frozenset(ACCEPTED))

    def found(finding: Finding) -> None:
        shown.add(finding)
        evidence.add_finding(finding.as_result(datetime.now(UTC)))

    def explainer_at(now: datetime) -> Explainer:
        scope = Scope(left.end, right.end, (Rule("everything", delete_markers=True),))
        return Explainer(scope, None, now, DEFAULTS["rpo_seconds"]["default"])

    settings = Settings(
        content=Method.CHECKSUM, sample_size=DEFAULTS["sample_size"]["default"], sample_seed="benchmark"
    )
    began, moments = time.monotonic(), Moments()
    comparison = compare(left, right, explainer_at, settings, budget, found, moments.report)
    chosen, population = comparison.sample.chosen, comparison.sample.population
    seen = prove_content(settings.content, chosen, population, left, right, budget, 0)
    for finding in seen.findings:
        found(finding)
    ended = time.monotonic()
    evidence.close()
    return {
        "comparison": comparison.as_result(),
        "sampled": len(chosen),
        "content": seen.proof.as_result(),
        "notices": list(comparison.notices),
        "listing_seconds": (moments.listed or ended) - began,
        "seconds": ended - began,
    }


def sides(url: str) -> tuple[Side, Side]:
    """Both ends, with clients as the module makes them; and those that the module has besides, for their memory."""
    session = Session(aws_access_key_id=OWNER, aws_secret_access_key="benchmark")
    for service in ("sts", "iam"):
        make(session, service, REGIONS[0], url)
    for service in ("cloudwatch", "sns"):
        for region in REGIONS:
            make(session, service, region, url)
    ends = [End(bucket, region) for bucket, region in zip((SOURCE, REPLICA), REGIONS, strict=True)]
    left, right = (Side(end, OWNER, make(session, "s3", end.region, url)) for end in ends)
    return left, right


KEPT: list[Any] = []
"""The module keeps its clients, too."""


def make(session: Session, service: str, region: str, url: str) -> Any:
    """A client with the module's settings."""
    client = session.client(service, region_name=region, endpoint_url=url, config=clients._config())
    KEPT.append(client)
    return client


def peak_bytes() -> int:
    """The most memory that this process ever held at once.

    Linux counts VmHWM from the start of the program; ru_maxrss may still be that of the process which started it.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)):
        return int(found[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def main() -> None:
    """Arguments: the endpoint's address, the budget of HEAD requests, and where the findings go."""
    url, max_head_requests, directory = sys.argv[1:]
    left, right = sides(url)
    before = peak_bytes()  # what is imported and made before the first request, whatever the size of the buckets
    told = verify(left, right, int(max_head_requests), Path(directory))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime
    print(json.dumps({**told, "peak": peak_bytes(), "before": before, "cpu": cpu}))


if __name__ == "__main__":
    main()
