# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""One client for each service and Region of an end, with its calls counted.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.gateway import AwsFailure, explain_connection
from .._aws.identity import caller
from .._aws.s3control import reach_ip_addresses
from .._aws.sdk_errors import BotoCoreError, ClientError
from .._core.model import GLOBAL, Account

_READING = ("Get", "Head", "List", "Describe")


class Clients:
    """Makes each client once and counts what is called. Call it with service, Region and account."""

    def __init__(self, module: AnsibleAWSModule, home_region: str) -> None:
        self._module = module
        self._home_region = home_region
        self._made: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()
        self._calls: Counter[str] = Counter()

    def __call__(self, service: str, region: str, account: str) -> Any:
        """The client; a service without Regions is asked from the home Region."""
        region = self._home_region if region == GLOBAL else region
        with self._making:
            if (service, region) not in self._made:
                self._made[service, region] = self._make(service, region)
            return self._made[service, region]

    def _make(self, service: str, region: str) -> Any:
        config = {
            "retries": {"mode": "standard", "max_attempts": 5},
            "connect_timeout": 10,
            "read_timeout": 60,
            "max_pool_connections": 16,
        }
        client = self._module.client(service, region=region, config=config)
        client.meta.events.register("before-call", self._count)
        reach_ip_addresses(client)
        return client

    def _count(self, model: Any, **_rest: Any) -> None:
        self._calls[model.name] += 1

    def caller(self) -> Account:
        """The account of the credentials.

        Raises:
            AwsFailure: there are no credentials, they are not valid, or AWS cannot be reached.
        """
        try:
            return caller(self("sts", self._home_region, ""))
        except ClientError as error:
            raise AwsFailure(
                f"AWS does not accept the credentials ({error}). Renew them, or choose others with AWS_PROFILE or "
                "the option `profile`, then run again."
            ) from error
        except BotoCoreError as error:
            raise AwsFailure(explain_connection(error)) from error

    def api_calls(self) -> dict[str, Any]:
        """How many calls were made: `total`, `reads`, `writes`, and `by_operation`."""
        reads = sum(count for name, count in self._calls.items() if name.startswith(_READING))
        total = sum(self._calls.values())
        return {
            "total": total,
            "reads": reads,
            "writes": total - reads,
            "by_operation": dict(sorted(self._calls.items())),
        }
