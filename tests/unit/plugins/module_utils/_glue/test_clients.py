# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The clients of a module: counted, and able to reach S3 Control at an IP address. No network."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config

from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients

ACCOUNT = "111122223333"


class Module:
    """What of an AnsibleAWSModule makes clients, with an endpoint that is an IP address."""

    def client(self, service: str, region: str, config: dict[str, Any]) -> Any:
        """A client of boto3. Like amazon.aws, it takes the settings as a mapping."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url="http://127.0.0.1:1234",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=Config(**config),
        )


class Sent(Exception):
    """The URL of a request that would go to the network."""


def stop(request: Any, **_rest: Any) -> None:
    """Keep the request from the network."""
    raise Sent(request.url)


def test_s3_control_is_reached_at_an_ip_address() -> None:
    clients = Clients(Module(), "us-east-1")  # type: ignore[arg-type]
    client = clients("s3control", "us-west-2", ACCOUNT)
    client.meta.events.register("before-send", stop)
    with pytest.raises(Sent, match=r"^http://127\.0\.0\.1:1234/v20180820/jobs$"):
        client.list_jobs(AccountId=ACCOUNT)
    assert clients.api_calls()["by_operation"] == {"ListJobs": 1}
    assert clients("s3control", "us-west-2", ACCOUNT) is client
