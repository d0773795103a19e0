# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The pair `orders` on an AWS in memory, ready to be switched, and operators who switch it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_result
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.journal import Journal, Operator, Run, from_text
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import failover, switching
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_failover, s3_dr_failover_info
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.journeys import JourneyAws, Killed
from ansible_collections.crossregion.s3_dr.tests.unit.samples import EAST, WEST, two_way, wished
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Tasks

PATH = "/s3-dr-active"
RECOVERY = {EAST: "s3-dr-111122223333-us-east-1", WEST: "s3-dr-111122223333-us-west-2"}
GONE = 1 << 22
"""From here on there are no processes."""
LATENCY, PENDING = "ReplicationLatency", "OperationsPendingReplication"


class JourneyWorld:
    """An AWS with a pair, its objects, and the buckets that a recovery needs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, pair: Pair | None = None) -> None:
        self.pair = pair or two_way()
        self.warned: list[str] = []
        """What the tasks warned of. Where Ansible shows it depends on what else the tests have loaded."""
        monkeypatch.setattr(failover, "warn", self.warned.append)
        self.aws = JourneyAws()
        self.tasks = Tasks(self.aws, monkeypatch)
        self.monkeypatch = monkeypatch
        self._processes = 0
        self.be("ops")
        monkeypatch.setattr(switching, "FENCE_SECONDS", 0.0)
        # All tasks share the clients of the fake, and would each add their counters to them.
        monkeypatch.setattr(
            Clients, "_make", lambda clients, service, region, _of: self.aws.client_for(service, region)
        )
        for name, region in {self.pair.primary.bucket: EAST, self.pair.dr.bucket: WEST}.items():
            self.aws.buckets[name] = Bucket(region, versioning="Enabled")
        for region, name in RECOVERY.items():
            self.aws.buckets[name] = Bucket(region, versioning="Enabled")
        for address, document in wished(self.pair).items():
            if address.kind == "bucket_replication":
                self.aws.buckets[address.name].replication = dict(document)
        for number in range(5):
            self.aws.write(self.pair.primary.bucket, f"order/{number}")
        self.known(latency=3, pending=0)

    def be(self, user: str, host: str = "bastion", machine: str = "boot pid:[1]") -> None:
        """From now on another operator runs the tasks, each as a process that is gone when it has ended."""

        def operator(arn: str) -> Operator:
            self._processes += 1
            return Operator(arn, user, host, GONE + self._processes, machine)

        self.monkeypatch.setattr(failover, "operator", operator)

    def known(self, latency: float, pending: float, minutes: int = 0) -> None:
        """The last data points in the DR Region, so many minutes ago."""
        at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=minutes)
        for rule in self.pair.rules:
            self.aws.data_points[WEST, LATENCY, rule.id] = [(at - timedelta(minutes=5), 9e9), (at, latency)]
            self.aws.data_points[WEST, PENDING, rule.id] = [(at, pending)]

    def given(self, **options: Any) -> dict[str, Any]:
        """The options of a task, with a pointer unless said otherwise."""
        return {**pair_result(self.pair), "confirm": self.pair.name, "pointer_path": PATH, **options}

    def run(self, module: ModuleType = s3_dr_failover, check: bool = False, **options: Any) -> dict[str, Any]:
        """What a task ends with."""
        self.aws.revive()
        return self.tasks.run(module, check, **self.given(**options))

    def info(self, **options: Any) -> dict[str, Any]:
        """What s3_dr_failover_info ends with."""
        self.aws.revive()
        return self.tasks.run(s3_dr_failover_info, **pair_result(self.pair), **options)

    def run_and_die(self, at: int, **options: Any) -> bool:
        """A task that is killed at one of its calls; False: it has ended before."""
        self.aws.revive(at)
        try:
            self.tasks.run(s3_dr_failover, **self.given(**options))
        except Killed:
            return True
        return False

    def journal(self, region: str = WEST) -> Journal:
        """What stands in the recovery bucket of a Region."""
        there = self.aws._current(RECOVERY[region], f"journal/{self.pair.name}/state.json")
        assert there is not None
        return from_text(there["body"].decode())

    def last_run(self) -> Run:
        """The run that the journal tells of."""
        run = self.journal().run
        assert run is not None
        return run

    def has_journal(self, region: str = WEST) -> bool:
        """Whether anything stands there."""
        return bool(self.aws.buckets[RECOVERY[region]].versions)

    def pointer(self, region: str) -> dict[str, Any] | None:
        """What clients read in a Region."""
        found = self.aws.parameters.get((f"{PATH}/{self.pair.name}", region))
        return json.loads(found.value) if found else None

    def asked(self) -> list[str]:
        """The operations of the last task in order."""
        return [call.operation for call in self.aws.calls]
