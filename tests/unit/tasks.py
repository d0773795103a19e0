# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Tasks on the fake AWS: a module's own `main`, from its options to what it ends with."""

from __future__ import annotations

from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import clients as glue_clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import reconcile
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import FakeAws


class Ended(Exception):
    """The task has ended."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result.get("msg"))
        self.result = result


class Task:
    """In place of AnsibleAWSModule: the options as Ansible fills them in, and what the task ends with."""

    def __init__(self, argument_spec: dict[str, Any], given: dict[str, Any], check_mode: bool) -> None:
        validated = ArgumentSpecValidator(argument_spec).validate(given)
        assert validated.error_messages == []
        self.params = validated.validated_parameters
        self.check_mode = check_mode

    def require_botocore_at_least(self, version: str, **_words: Any) -> None:
        """The tests' botocore knows all that a task may need."""

    def exit_json(self, **result: Any) -> NoReturn:
        """End well."""
        raise Ended(result)

    def fail_json(self, **result: Any) -> NoReturn:
        """End badly."""
        raise Ended({**result, "failed": True})


class Tasks:
    """An AWS, and tasks on it that never wait."""

    def __init__(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.monkeypatch = monkeypatch
        self._time = Time()
        monkeypatch.setattr(reconcile, "time", SimpleNamespace(monotonic=self._time.clock, sleep=self._time.sleep))
        monkeypatch.setattr(glue_clients, "Session", lambda **_of: SimpleNamespace(client=self._client))
        monkeypatch.setattr(glue_clients, "get_aws_connection_info", lambda module: (None, None, {}))  # it takes long

    def _client(self, service: str, region_name: str, **_options: Any) -> Any:
        return self.aws.client_for(service, region_name)

    def run(self, module: ModuleType, check: bool = False, **given: Any) -> dict[str, Any]:
        """What the task ends with."""
        gateway = partial(Gateway, sleep=self._time.sleep, clock=self._time.clock)
        self.monkeypatch.setattr(module, "Gateway", gateway, raising=False)
        self.monkeypatch.setattr(
            module,
            "AnsibleAWSModule",
            lambda argument_spec, supports_check_mode: Task(argument_spec, given, check and supports_check_mode),
        )
        self.aws.calls.clear()
        with pytest.raises(Ended) as ended:
            module.main()
        return ended.value.result
