# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""AWS Fault Injection Service: experiments that pause replication."""

from __future__ import annotations

import json
import os
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from .conftest import policy

PAUSE = "aws:s3:bucket-pause-replication"
TRUST = {"Effect": "Allow", "Principal": {"Service": "fis.amazonaws.com"}, "Action": "sts:AssumeRole"}
AGAINST_AWS = bool(os.environ.get("CONTRACT_AGAINST_AWS"))
needs_short_experiments = pytest.mark.skipif(AGAINST_AWS, reason="an experiment of AWS takes a minute at least")


class Laboratory:
    """The experiments of one test, in the Region of the source."""

    def __init__(self, world, source, destination):
        self.world, self.source, self.destination = world, source, destination
        self.client = world.client("fis", world.source_region)

    def role(self, trust=None, without=""):
        """A role for experiments with AWS's documented permissions, but for the action named in ``without``."""
        iam, name = self.world.client("iam"), self.world.name("fis")
        bucket = f"arn:aws:s3:::{self.source}"
        wanted = [
            ("s3:ListAllMyBuckets", "*", {}),
            ("tag:GetResources", "*", {}),
            ("s3:GetReplicationConfiguration", bucket, {}),
            ("s3:PutReplicationConfiguration", bucket, {"BoolIfExists": {"s3:isReplicationPauseRequest": "true"}}),
            ("s3:PauseReplication", bucket, {"StringEquals": {"s3:DestinationRegion": self.world.dr_region}}),
        ]
        statements = [
            {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}
            for action, resource, condition in wanted
            if action != without
        ]
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy(trust or TRUST)))
        self.world.cleanup.callback(iam.delete_role, RoleName=name)
        iam.put_role_policy(RoleName=name, PolicyName="fis", PolicyDocument=json.dumps(policy(*statements)))
        self.world.cleanup.callback(iam.delete_role_policy, RoleName=name, PolicyName="fis")
        return made["Role"]["Arn"]

    def wish(self, *, role=None, parameters=None, **target):
        meant = target or {"resourceArns": [f"arn:aws:s3:::{self.source}"]}
        given = {"duration": "PT10M", "region": self.world.dr_region} | (parameters or {})
        return {
            "clientToken": str(uuid.uuid4()),
            "description": "contract",
            "stopConditions": [{"source": "none"}],
            "roleArn": role or self.role(),
            "targets": {"source": {"resourceType": "aws:s3:bucket", "selectionMode": "ALL"} | meant},
            "actions": {"pause": {"actionId": PAUSE, "parameters": given, "targets": {"Buckets": "source"}}},
            "tags": {"made-by": "contract"},
        }

    def template(self, **wish):
        name = self.client.create_experiment_template(**self.wish(**wish))["experimentTemplate"]["id"]
        self.world.cleanup.callback(self.client.delete_experiment_template, id=name)
        return name

    def start(self, template, **more):
        started = self.client.start_experiment(clientToken=str(uuid.uuid4()), experimentTemplateId=template, **more)[
            "experiment"
        ]
        self.world.cleanup.callback(self.client.stop_experiment, id=started["id"])
        return started["id"]

    def state(self, experiment):
        return self.client.get_experiment(id=experiment)["experiment"]["state"]

    def until(self, experiment, *statuses):
        return self.world.until(
            lambda: (found := self.state(experiment))["status"] in statuses and found,
            f"the experiment was {' or '.join(statuses)}",
        )

    def run(self, **wish):
        experiment = self.start(self.template(**wish))
        self.until(experiment, "running")
        return experiment


@pytest.fixture
def laboratory(world):
    return Laboratory(world, *world.pair(DeleteMarkerReplication={"Status": "Enabled"}))


def test_replication_holds_until_it_is_stopped(world, laboratory):
    """FIS User Guide, fis-actions-reference: new versions stay PENDING; afterwards replication goes on by itself."""
    source, destination = laboratory.source, laboratory.destination
    before = world.put(source, "before")
    world.settle(source, "before")
    experiment = laboratory.run()
    version = world.put(source)
    world.s3_of(source).delete_object(Bucket=source, Key="before")
    time.sleep(1.5)
    assert world.status(source) == "PENDING"
    assert world.version_ids(destination) == {before}
    assert world.version_ids(destination, "DeleteMarkers") == set()
    laboratory.client.stop_experiment(id=experiment)
    assert laboratory.until(experiment, "stopped", "completed")["status"] == "stopped"
    assert world.until_final(source) == "COMPLETED"
    assert world.version_ids(destination) == {before, version}
    world.until(lambda: world.versions(destination, "DeleteMarkers"), "the marker arrived")


@needs_short_experiments
def test_replication_holds_until_it_is_over(world, laboratory, control):
    """FIS User Guide, actions: the action ends after its duration, and the experiment with its last action."""
    control("settings", experiment_seconds=2.5)
    experiment = laboratory.run()
    world.put(laboratory.source)
    time.sleep(1)
    assert world.status(laboratory.source) == "PENDING"
    found = laboratory.until(experiment, "completed", "stopped", "failed")
    assert found["status"] == "completed"
    assert world.until_final(laboratory.source) == "COMPLETED"
    told = laboratory.client.get_experiment(id=experiment)["experiment"]
    assert told["endTime"] > told["startTime"]


def test_what_was_written_before_arrives(world, laboratory, control):
    """What waited already goes on: replication resumes from the point at which it was paused."""
    control("replication", bucket=laboratory.source, lag_seconds=3)
    version = world.put(laboratory.source)
    laboratory.run()
    assert world.until_final(laboratory.source) == "COMPLETED"
    assert version in world.version_ids(laboratory.destination)


def test_targets_by_tag(world, laboratory):
    """FIS User Guide, targets: the buckets that have all of the tags."""
    tags = {"drill": "yes", "team": laboratory.source}
    too_early = laboratory.start(laboratory.template(resourceTags=tags))
    assert laboratory.until(too_early, "running", "failed")["status"] == "failed"
    tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
    world.s3_of(laboratory.source).put_bucket_tagging(Bucket=laboratory.source, Tagging={"TagSet": tag_set})
    laboratory.run(resourceTags=tags)
    world.put(laboratory.source)
    time.sleep(1)
    assert world.status(laboratory.source) == "PENDING"


def test_only_the_named_destinations(world):
    """FIS User Guide, fis-actions-reference: destinationBuckets, of several in the Region."""
    source, near, far = world.bucket(), world.bucket(world.dr_region), world.bucket(world.dr_region)
    rules = [world.rule(near, ID="near", Priority=1), world.rule(far, ID="far", Priority=2)]
    world.replicate(source, world.role(source, near, far), *rules)
    laboratory = Laboratory(world, source, near)
    laboratory.run(parameters={"destinationBuckets": near})
    version = world.put(source)
    world.until(lambda: world.version_ids(far) == {version}, "the other destination has it")
    assert world.versions(near) == []
    assert world.status(source) == "PENDING"


def test_only_rules_of_the_named_prefixes(world, laboratory):
    """FIS User Guide, fis-actions-reference: prefixes are those of the rules' filters."""
    rules = [
        world.rule(laboratory.destination, ID="a", Priority=1, Filter={"Prefix": "a/"}),
        world.rule(laboratory.destination, ID="b", Priority=2, Filter={"Prefix": "b/"}),
    ]
    role = world.role(laboratory.source, laboratory.destination)
    world.replicate(laboratory.source, role, *rules)
    laboratory.run(parameters={"prefixes": "a/,c/"})
    for key in ("a/1", "b/1"):
        world.put(laboratory.source, key)
    assert world.until_final(laboratory.source, "b/1") == "COMPLETED"
    assert world.status(laboratory.source, "a/1") == "PENDING"


def test_other_directions_go_on(world):
    """The pause is of one way: neither the way back nor another bucket's is held."""
    here, there = world.bucket(), world.bucket(world.dr_region)
    world.replicate(here, world.role(here, there), world.rule(there))
    world.replicate(there, world.role(there, here), world.rule(here))
    Laboratory(world, here, there).run()
    world.put(there)
    assert world.until_final(there) == "COMPLETED"


@pytest.mark.parametrize(
    "without",
    [
        "s3:ListAllMyBuckets",
        "s3:GetReplicationConfiguration",
        "s3:PutReplicationConfiguration",
        "s3:PauseReplication",
    ],
)
def test_role_without_a_permission(world, laboratory, without):
    """FIS User Guide, fis-actions-reference: the permissions of the action; without them the experiment fails."""
    role = laboratory.role(without=without)
    experiment = laboratory.start(laboratory.template(role=role))
    assert laboratory.until(experiment, "running", "failed")["status"] == "failed"
    assert laboratory.state(experiment)["reason"]
    world.put(laboratory.source)
    assert world.until_final(laboratory.source) == "COMPLETED"


def test_role_that_fis_may_not_assume(laboratory):
    """FIS User Guide, getting-started-iam-service-role: the role trusts fis.amazonaws.com."""
    role = laboratory.role(trust=TRUST | {"Principal": {"Service": "s3.amazonaws.com"}})
    experiment = laboratory.start(laboratory.template(role=role))
    assert laboratory.until(experiment, "running", "failed")["status"] == "failed"


def test_no_bucket_matches(laboratory):
    """FIS User Guide, targets: an empty target fails the experiment, such as a bucket of another Region."""
    other = f"arn:aws:s3:::{laboratory.destination}"
    experiment = laboratory.start(laboratory.template(resourceArns=[other]))
    assert laboratory.until(experiment, "running", "failed")["status"] == "failed"


def test_what_is_told_of_an_experiment(laboratory):
    """FIS API, GetExperimentTemplate, GetExperiment and ListExperiments."""
    template = laboratory.template()
    found = laboratory.client.get_experiment_template(id=template)["experimentTemplate"]
    assert found["actions"]["pause"]["actionId"] == PAUSE
    assert found["targets"]["source"]["resourceArns"] == [f"arn:aws:s3:::{laboratory.source}"]
    assert found["tags"] == {"made-by": "contract"}
    tags = {"drill": "1"}
    first = laboratory.start(template, tags=tags)
    laboratory.start(laboratory.template())
    experiment = laboratory.client.get_experiment(id=first)["experiment"]
    assert (experiment["experimentTemplateId"], experiment["tags"]) == (template, tags)
    assert experiment["state"]["status"] in ("pending", "initiating", "running")
    listed = laboratory.client.list_experiments(experimentTemplateId=template)["experiments"]
    assert [(one["id"], one["tags"]) for one in listed] == [(first, tags)]
    everything = laboratory.client.get_paginator("list_experiments").paginate(PaginationConfig={"PageSize": 1})
    assert first in {one["id"] for page in everything for one in page["experiments"]}


def test_same_token_same_experiment(laboratory):
    """FIS API, StartExperiment: the token makes it idempotent."""
    template, token = laboratory.template(), str(uuid.uuid4())
    started = [
        laboratory.client.start_experiment(clientToken=token, experimentTemplateId=template)["experiment"]["id"]
        for _number in range(2)
    ]
    laboratory.client.stop_experiment(id=started[0])
    assert started[0] == started[1]


def test_what_is_not_there(world, laboratory):
    """FIS API: ResourceNotFoundException; each Region has its own templates."""
    template = laboratory.template()
    elsewhere = world.client("fis", world.dr_region)
    for call in (
        lambda: laboratory.client.get_experiment_template(id="EXTabsent"),
        lambda: laboratory.client.get_experiment(id="EXPabsent"),
        lambda: laboratory.client.stop_experiment(id="EXPabsent"),
        lambda: elsewhere.get_experiment_template(id=template),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "parameters", [{"duration": "PT30S"}, {"duration": "10 minutes"}, {"duration": "PT13H"}, {"color": "red"}]
)
def test_wrong_template(laboratory, parameters, refused):
    """FIS User Guide, fis-actions-reference: the duration is from one minute to twelve hours."""
    with refused("ValidationException"):
        laboratory.client.create_experiment_template(**laboratory.wish(parameters=parameters))
