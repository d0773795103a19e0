# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Experiments of AWS Fault Injection Service, as far as they pause replication, and how they go from state to state.

FIS API, ExperimentState: initiating, running, completed; stopping and stopped; failed. Stop conditions are kept, but
not looked at.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import s3

from . import background, pauses, role, rules, settings
from .pauses import Pause
from .replication import active_configuration

SERVICE = "fis.amazonaws.com"
STEP_SECONDS = 0.05
ENDED = ("completed", "stopped", "failed", "cancelled")
DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
BUCKET_TYPE = "aws:s3:bucket"

Members = dict[str, Any]


class Failed(Exception):
    """Why an experiment fails."""


@dataclass(eq=False)
class Experiment:
    """One run of a template, which may be gone or other by then."""

    id: str
    account: str
    region: str
    template: Members
    token: str
    tags: dict[str, str]
    status: str = "pending"
    reason: str = "Experiment is pending."
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    pauses: list[Pause] = field(default_factory=list)

    def become(self, status: str, reason: str = "") -> None:
        self.status, self.reason = status, reason or f"Experiment is {status}."
        if status in ENDED:
            self.ended = time.time()
            pauses.active[:] = [pause for pause in pauses.active if pause not in self.pauses]

    @property
    def seconds(self) -> float:
        """FIS User Guide, actions: an experiment is over when its last action is."""
        actions = self.template["actions"].values()
        wanted = settings.number("experiment_seconds")
        return wanted or max(seconds_of(action["parameters"]["duration"]) for action in actions)


experiments: dict[str, Experiment] = {}


def seconds_of(duration: str) -> float:
    """Of ISO 8601, such as PT5M."""
    found = DURATION.fullmatch(duration)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    return hours * 3600.0 + minutes * 60 + seconds


@background.every(STEP_SECONDS)
def step() -> None:
    """Bring every experiment a step further."""
    for experiment in [one for one in experiments.values() if one.status not in ENDED]:
        if experiment.status == "pending":
            experiment.become("initiating")
        elif experiment.status == "initiating":
            begin(experiment)
        elif experiment.status == "stopping":
            experiment.become("stopped", "Experiment halted by user.")
        elif time.time() >= (experiment.started or 0) + experiment.seconds:
            experiment.become("completed", "Experiment completed.")


def begin(experiment: Experiment) -> None:
    experiment.started = time.time()
    try:
        with request_scope(experiment.account, experiment.region):
            experiment.pauses = list(wanted_pauses(experiment))
    except Failed as problem:
        experiment.become("failed", str(problem))
        return
    pauses.active.extend(experiment.pauses)
    experiment.become("running")


def wanted_pauses(experiment: Experiment) -> Iterator[Pause]:
    """FIS User Guide, targets and fis-actions-reference: without a bucket, or without the permissions, it fails. So it
    does here when no rule leads to the Region, of which nothing is documented."""
    fis_role = role.assume(experiment.template["roleArn"], SERVICE)
    if fis_role is None:
        raise Failed(f"FIS cannot assume the role {experiment.template['roleArn']}.")
    if not fis_role.may_in_general("s3:ListAllMyBuckets"):
        raise Failed("The role may not s3:ListAllMyBuckets.")
    for action in experiment.template["actions"].values():
        target = experiment.template["targets"][action["targets"]["Buckets"]]
        if target.get("resourceTags") and not fis_role.may_in_general("tag:GetResources"):
            raise Failed("The role may not tag:GetResources.")
        buckets = list(matching(target, experiment.region))
        if not buckets:
            raise Failed("Target resolution returned empty set.")
        for bucket in buckets:
            yield pause_of(bucket, action["parameters"], fis_role, experiment.started or 0.0)


def matching(target: Members, region: str) -> Iterator[str]:
    """The buckets of the Region that the target names, by ARN or by all of its tags."""
    named = {arn.rpartition(":")[2] for arn in target.get("resourceArns") or []}
    tags = target.get("resourceTags") or {}
    for bucket in s3._buckets:
        is_meant = bucket in named or (tags and tags.items() <= (s3._bucket_tags.get(bucket) or {}).items())
        if is_meant and s3.bucket_region(bucket) == region:
            yield bucket


def pause_of(bucket: str, parameters: Members, fis_role: role.Role, since: float) -> Pause:
    pause = Pause(
        bucket, parameters["region"], listed(parameters, "destinationBuckets"), listed(parameters, "prefixes"), since
    )
    needed: dict[str, dict[str, str]] = {
        "s3:GetReplicationConfiguration": {},
        "s3:PutReplicationConfiguration": {"s3:isReplicationPauseRequest": "true"},
        "s3:PauseReplication": {"s3:DestinationRegion": pause.region},
    }
    for action, conditions in needed.items():
        if not fis_role.may(action, bucket, conditions=conditions):
            raise Failed(f"The role may not {action} on bucket {bucket}.")
    configured = active_configuration(bucket).get("Rules", [])
    if not any(pause.covers(rule, bucket, region_of(rules.destination_of(rule))) for rule in configured):
        raise Failed(f"No replication rule of bucket {bucket} leads to Region {pause.region}.")
    return pause


def listed(parameters: Members, name: str) -> tuple[str, ...]:
    parts = (part.strip() for part in parameters.get(name, "").split(","))
    return tuple(part.rpartition(":")[2] for part in parts if part)


def region_of(bucket: str) -> str:
    with request_scope(s3._bucket_owner_account(bucket) or "", ""):
        return s3.bucket_region(bucket) or ""
