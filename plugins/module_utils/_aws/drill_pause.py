# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""An experiment of AWS FIS that pauses replication, and the alarms that are kept quiet meanwhile.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._core.alarms import DRILL_METRIC, DRILL_NAMESPACE, drill_dimensions, suppressor_name
from .._core.merging import OWNER, OWNER_TAG, owner_tags
from .._core.model import Link
from .._core.recovery_drill import PAUSE_ACTION, check_template
from .gateway import AwsFailure, asking
from .row import Client

_PAUSE_SECONDS = 1.0
_PATIENCE_SECONDS = 300.0
_EACH_SECONDS = 50.0
"""A data point each minute keeps the alarm on; a bit sooner, so that no minute is without."""
_ACTIVE = ("pending", "initiating", "running")
_OVER = ("completed", "stopped", "failed", "cancelled")


class Quiet:
    """Keeps the composite alarms of a pair from telling anybody while replication is paused on purpose."""

    def __init__(
        self, pair: str, clients: Mapping[str, Client], sleep: Callable[[float], None], clock: Callable[[], float]
    ) -> None:
        """Args:
        clients: of CloudWatch, by Region.
        """
        self._pair, self._sleep, self._clock = pair, sleep, clock
        self._clients = clients
        self._regions: list[str] = []
        self._last: float | None = None

    def begin(self) -> list[str]:
        """Wait until each suppressor is on; the Regions that have one.

        Raises:
            AwsFailure: one is not on in time, so that nothing may be provoked.
        """
        self._regions = [region for region in self._clients if self._state(region) is not None]
        self.keep()
        started = self._clock()
        while waiting := [region for region in self._regions if self._state(region) != "ALARM"]:
            if self._clock() - started >= _PATIENCE_SECONDS:
                raise AwsFailure(
                    f"the alarm '{suppressor_name(self._pair)}' did not go into ALARM in {', '.join(waiting)} within "
                    f"{_PATIENCE_SECONDS:.0f} s, so somebody would be told of a failure that is none. Nothing was "
                    f"paused. Look whether it watches {DRILL_NAMESPACE} {DRILL_METRIC} of the pair, then run again."
                )
            self._sleep(_PAUSE_SECONDS)
            self.keep()
        return self._regions

    def keep(self) -> None:
        """Tell CloudWatch that the drill goes on, if it is time to."""
        if not self._regions or (self._last is not None and self._clock() - self._last < _EACH_SECONDS):
            return
        data = {"MetricName": DRILL_METRIC, "Dimensions": drill_dimensions(self._pair), "Value": 1.0}
        for region in self._regions:
            with asking(f"the metric {DRILL_NAMESPACE} {DRILL_METRIC} in {region}", "cloudwatch:PutMetricData"):
                self._clients[region].put_metric_data(Namespace=DRILL_NAMESPACE, MetricData=[data])
        self._last = self._clock()

    def end(self) -> None:
        """Tell no more; the suppressor goes off by itself."""
        self._regions = []

    def _state(self, region: str) -> str | None:
        name = suppressor_name(self._pair)
        with asking(f"the alarm '{name}' in {region}", "cloudwatch:DescribeAlarms"):
            found = self._clients[region].describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        return str(found[0]["StateValue"]) if found else None


class Experiment:
    """One experiment of the user's template."""

    def __init__(
        self, client: Client, template: str, link: Link, sleep: Callable[[float], None], clock: Callable[[], float]
    ) -> None:
        self._client, self._template, self._link = client, template, link
        self._sleep, self._clock = sleep, clock
        self.id: str | None = None

    def look(self) -> None:
        """Refuse a template that would not pause this direction, or that would do more."""
        with asking(f"the experiment template {self._template}", "fis:GetExperimentTemplate"):
            found = self._client.get_experiment_template(id=self._template)["experimentTemplate"]
        check_template(found, self._link)

    def left(self) -> list[str]:
        """The experiments of this template that a killed drill of the pair has left running."""
        wanted = owner_tags(**{"s3-dr-pair": self._link.pair})
        with asking(f"the experiments of template {self._template}", "fis:ListExperiments"):
            pages = self._client.get_paginator("list_experiments").paginate(experimentTemplateId=self._template)
            return [
                one["id"]
                for page in pages
                for one in page["experiments"]
                if one["state"]["status"] in _ACTIVE and wanted.items() <= one.get("tags", {}).items()
            ]

    def start(self) -> None:
        """Start it, and wait until replication is paused."""
        with asking(f"an experiment of template {self._template}", "fis:StartExperiment, fis:TagResource"):
            self.id = self._client.start_experiment(
                clientToken=str(uuid.uuid4()),
                experimentTemplateId=self._template,
                tags={OWNER_TAG: OWNER, "s3-dr-pair": self._link.pair},
            )["experiment"]["id"]
        self._until(self.id, _is_paused)

    def stop(self, experiment: str | None = None) -> None:
        """Stop it, and wait until it is over. One that is over already stays as it is."""
        experiment = experiment or self.id
        if experiment is None:
            return
        with asking(f"the experiment {experiment}", "fis:GetExperiment, fis:StopExperiment"):
            found = self._client.get_experiment(id=experiment)["experiment"]
            if found["state"]["status"] in _ACTIVE:
                self._client.stop_experiment(id=experiment)
        self._until(experiment, lambda one: one["state"]["status"] in _OVER)
        if experiment == self.id:
            self.id = None

    def _until(self, experiment: str, reached: Callable[[Mapping[str, Any]], bool]) -> None:
        started = self._clock()
        while True:
            with asking(f"the experiment {experiment}", "fis:GetExperiment"):
                found = self._client.get_experiment(id=experiment)["experiment"]
            if reached(found):
                return
            state = found["state"]
            if state["status"] in _OVER or self._clock() - started >= _PATIENCE_SECONDS:
                raise AwsFailure(
                    f"the experiment {experiment} is {state['status']}, for the reason: "
                    f"{state.get('reason') or 'none is given'}. Look at it in AWS FIS, and at its role's permissions."
                )
            self._sleep(_PAUSE_SECONDS)


def _is_paused(experiment: Mapping[str, Any]) -> bool:
    actions: Sequence[Mapping[str, Any]] = list((experiment.get("actions") or {}).values())
    states = [one.get("state", {}).get("status") for one in actions if one.get("actionId") == PAUSE_ACTION]
    return experiment["state"]["status"] == "running" and all(state in (None, "running") for state in states)
