# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Where S3 Control requests go: AWS's hosts as always, and an IP address without an account in front. No network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.s3control import reach_ip_addresses

ACCOUNT = "111122223333"
MRAP = f"arn:aws:s3::{ACCOUNT}:accesspoint/mfzwi23gnjvgw.mrap"
CALLS: dict[str, Callable[[Any], Any]] = {
    "list jobs": lambda client: client.list_jobs(AccountId=ACCOUNT),
    "describe job": lambda client: client.describe_job(AccountId=ACCOUNT, JobId="job-1"),
    "routes": lambda client: client.get_multi_region_access_point_routes(AccountId=ACCOUNT, Mrap=MRAP),
    "tags": lambda client: client.list_tags_for_resource(AccountId=ACCOUNT, ResourceArn="arn:aws:s3:::bucket"),
}


class Sent(Exception):
    """The request that would go to the network."""

    def __init__(self, request: Any) -> None:
        super().__init__(request.url)
        self.url = str(request.url)
        self.headers = {name: as_text(value) for name, value in request.headers.items()}


def as_text(value: str | bytes) -> str:
    """A header's value, which botocore has as text or as bytes."""
    return value.decode() if isinstance(value, bytes) else value


def sent(
    call: Callable[[Any], Any], *, endpoint: str | None, corrected: bool = True, service: str = "s3control"
) -> tuple[str, str, dict[str, str]]:
    """The URL that was signed, the URL that would be sent, and the headers."""
    client = boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 0}),
    )
    if corrected:
        reach_ip_addresses(client)
    signed: list[str] = []

    def stop(request: Any, **_rest: Any) -> None:
        raise Sent(request)

    client.meta.events.register_last("before-sign", lambda request, **_rest: signed.append(request.url))
    client.meta.events.register("before-send", stop)
    with pytest.raises(Sent) as request:
        call(client)
    return signed[0], request.value.url, request.value.headers


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "https://s3-control.us-east-1.amazonaws.com",
        "https://s3-control.dualstack.us-east-1.amazonaws.com",
        "https://vpce-1.control.s3.us-east-1.vpce.amazonaws.com",
        "http://localhost:4566",
        "http://1.2.3.4.example.com",
    ],
)
def test_a_named_host_is_asked_as_botocore_asks_it(endpoint: str | None, call: Callable[[Any], Any]) -> None:
    signed, url, headers = sent(call, endpoint=endpoint)
    without_signed, without_url, _without_headers = sent(call, endpoint=endpoint, corrected=False)
    assert (signed, url) == (without_signed, without_url)
    assert url.startswith(f"{'https' if endpoint is None else endpoint.split(':')[0]}://{ACCOUNT}.")
    assert headers["x-amz-account-id"] == ACCOUNT


def test_an_aws_host_has_the_account_in_front() -> None:
    _signed, url, _headers = sent(CALLS["list jobs"], endpoint="https://s3-control.us-east-1.amazonaws.com")
    assert url == f"https://{ACCOUNT}.s3-control.us-east-1.amazonaws.com/v20180820/jobs"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:1234",
        "http://[::1]:1234",
        "https://127.0.0.1",
        "https://[2001:DB8::1]",
        "http://10.0.0.1:80/s3",
    ],
)
def test_an_ip_address_is_asked_without_the_account_in_front(endpoint: str, call: Callable[[Any], Any]) -> None:
    signed, url, headers = sent(call, endpoint=endpoint)
    assert signed == url
    assert url.lower().startswith(f"{endpoint.lower()}/v20180820/")
    assert headers["x-amz-account-id"] == ACCOUNT
    assert headers["Authorization"]


def test_another_service_at_an_ip_address_is_asked_as_ever() -> None:
    signed, url, _headers = sent(
        lambda client: client.get_caller_identity(), endpoint="http://127.0.0.1:1234", service="sts"
    )
    assert signed == url == "http://127.0.0.1:1234/"
