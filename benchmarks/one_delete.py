# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a teardown does with the contents of a bucket, once, in a process of its own, so that its memory is measured.

It is the code of s3_replication_pair with the module's imports: count, delete, and look once more whether all is gone.
delete_versions.py runs this and judges what it prints.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from boto3.session import Session

from ansible_collections.crossregion.s3_dr.benchmarks.one_verify import OWNER, REGIONS, make, peak_bytes
from ansible_collections.crossregion.s3_dr.benchmarks.synthetic_buckets import SOURCE
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Address
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan


def main() -> None:
    """Argument: the endpoint's address."""
    client = make(Session(aws_access_key_id=OWNER, aws_secret_access_key="benchmark"), "s3", REGIONS[0], sys.argv[1])
    gateway = Gateway(lambda service, region, account: client)
    contents = Address("bucket_contents", SOURCE, REGIONS[0], OWNER)
    before, began = peak_bytes(), time.monotonic()
    observed = gateway.observe([contents])
    counted = time.monotonic()
    gateway.carry_out(plan({}, observed, {contents: {}}))
    deleted = time.monotonic()
    left = gateway.observe([contents])[contents]
    ended = time.monotonic()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "counted": observed[contents],
        "left": left,
        "count_seconds": counted - began,
        "delete_seconds": deleted - counted,
        "seconds": ended - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": peak_bytes(),
        "before": before,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
