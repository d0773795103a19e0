# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""S3 Control behind an endpoint that is an IP address.

botocore puts the account before the endpoint's host: `111122223333.s3-control.us-east-1.amazonaws.com`. No IP address
can carry that, so there the request goes to the address itself; its header `x-amz-account-id` names the account.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

_ENDPOINT = "SDK::Endpoint"
_ADDRESS = "s3_dr_ip_address"
# RFC 2606: a name that never exists. It stands for the address while botocore puts the account in front.
_STAND_IN = "ip-address.invalid"
_HOST = re.compile(rf"(?<=://)(?:[^/]*\.)?{re.escape(_STAND_IN)}(?=[:/]|$)")


def reach_ip_addresses(client: Any) -> None:
    """Let the client send S3 Control requests to an endpoint that is an IP address. Nothing else changes."""
    client.meta.events.register("before-endpoint-resolution.s3-control", _hide_address)
    client.meta.events.register("before-call.s3-control", _restore_address)


def _hide_address(builtins: dict[str, Any], context: dict[str, Any], **_rest: Any) -> None:
    endpoint = builtins.get(_ENDPOINT)
    host = urlsplit(endpoint).hostname if endpoint else None
    if host and _is_ip_address(host):
        written = f"[{host}]" if ":" in host else host
        context[_ADDRESS] = written
        builtins[_ENDPOINT] = re.sub(rf"(?<=://){re.escape(written)}", _STAND_IN, endpoint, flags=re.IGNORECASE)


def _restore_address(params: dict[str, Any], context: dict[str, Any], **_rest: Any) -> None:
    address = context.get(_ADDRESS)
    if address:
        params["url"] = _HOST.sub(lambda _found: address, params["url"])


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
