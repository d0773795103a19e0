# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""An AWS in memory behind real boto3 clients: botocore checks each call's parameters, and nothing leaves the process.

Each service answers with the documents that it was given, and refuses what the real one documents that it refuses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.exceptions import ClientError

from .fake_services.access_points import FakeAccessPoints
from .fake_services.calls import OWNER, READING, Answer, Call, client_error
from .fake_services.cloudtrail import FakeCloudTrail
from .fake_services.dashboards import FakeDashboards
from .fake_services.functions import FakeFunctions
from .fake_services.iam import Role
from .fake_services.kms import FakeKms, Key
from .fake_services.monitoring import FakeMonitoring
from .fake_services.queues import FakeQueues, Queue
from .fake_services.s3 import Bucket
from .fake_services.systems_manager import FakeSystemsManager

__all__ = ["OWNER", "READING", "Answer", "Bucket", "Call", "FakeAws", "Key", "Queue", "Role", "client_error"]


class FakeAws(
    FakeFunctions,
    FakeQueues,
    FakeCloudTrail,
    FakeDashboards,
    FakeKms,
    FakeMonitoring,
    FakeSystemsManager,
    FakeAccessPoints,
):
    """All services of all accounts. `interrupt` is asked before each call and may raise."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.interrupt: Callable[[Call], None] = lambda call: None
        self._one_at_a_time = threading.Lock()

    def client_for(self, service: str, region: str, account: str = OWNER) -> Any:
        """A real boto3 client whose calls end here. Clients are shared: the fake that is asked last has them."""
        region = "us-east-1" if region == "global" else region
        _FAKES[service, region, account] = self
        return _client(service, region, account)

    def writes(self) -> list[Call]:
        """The calls so far that may have changed something."""
        return [call for call in self.calls if call.writes]

    def answer(self, call: Call) -> Answer:
        """What AWS says to the call."""
        self.calls.append(call)
        self.interrupt(call)
        self.account = call.account
        handler = getattr(self, f"_{call.service}_{call.operation}")
        with self._one_at_a_time:
            return handler(call.params, call.region) or {}


_FAKES: dict[tuple[str, str, str], FakeAws] = {}


@cache
def _client(service: str, region: str, account: str) -> Any:
    """Making a client takes a tenth of a second, so all tests share them."""
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none")
    client = session.client(service, region_name=region)

    def remember(params: Answer, context: Answer, **_rest: Any) -> None:
        context["fake_params"] = dict(params)

    def answer(model: Any, context: Answer, **_rest: Any) -> tuple[Any, Answer]:
        status = 200
        call = Call(service, region, model.name, context["fake_params"], account)
        try:
            parsed = _FAKES[service, region, account].answer(call)
        except ClientError as error:
            parsed, status = {**error.response}, 400
        parsed = {**parsed, "ResponseMetadata": {"HTTPStatusCode": status, **parsed.get("ResponseMetadata", {})}}
        return SimpleNamespace(status_code=status, headers={}), parsed

    client.meta.events.register("before-parameter-build", remember)
    client.meta.events.register_last("before-call", answer)  # others may count the call first
    return client
