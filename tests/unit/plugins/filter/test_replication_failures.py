# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The filter tells what the core does, as Ansible expects it, and its example is true."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.crossregion.s3_dr.plugins.filter.replication_failures import RETURN, FilterModule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.failure_reasons import REASONS

replication_failures = FilterModule().filters()["replication_failures"]
SAMPLE = yaml.safe_load(RETURN)["_value"]["sample"]


def test_the_sample_of_the_documentation_is_what_the_filter_gives() -> None:
    (sample,) = SAMPLE
    s3 = {
        "configurationId": f"s3-dr/{sample['pair']}/replication",
        "bucket": {"name": sample["bucket"]},
        "object": {"key": "in/order+1.json", "size": sample["size"], "versionId": sample["version_id"]},
    }
    detail = {
        "replicationRuleId": sample["rule"],
        "destinationBucket": f"arn:aws:s3:::{sample['destination']}",
        "failureReason": sample["reason"],
    }
    name = f"Replication:{sample['event']}"
    record = {"awsRegion": sample["region"], "eventTime": sample["time"], "eventName": name, "s3": s3}
    assert replication_failures(json.dumps({"Records": [{**record, "replicationEventData": detail}]})) == SAMPLE
    assert sample["remedy"] == REASONS[sample["reason"]].remedy


@pytest.mark.parametrize("message", ["hello", None, {"Records": [1]}])
def test_what_is_no_message_is_an_error_of_the_filter(message: object) -> None:
    with pytest.raises(AnsibleFilterError, match="replication_failures: "):
        replication_failures(message)
