# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A verify from the task's options to its result, on the fake AWS: what is well is proven, and trouble never is."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from botocore.exceptions import EndpointConnectionError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws import version_listing
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.verify_result import Shown
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.verify_wishes import Wishes
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_topics import topics_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import (
    REPLICATION_METRICS,
    alarms_wish,
    metric_dimensions,
    metric_region,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Cause, Finding, iso
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.content import Method
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Accounts,
    End,
    Link,
    Pair,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import pair_addresses, pair_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import clients as glue_clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import verification
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.evidence_run import EvidenceRun, NotWritten
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.progress_file import ProgressFile
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_verify
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.s3 import WRITTEN
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    ARCHIVE,
    DR,
    OTHER,
    PRIMARY,
    SETTINGS,
    TOPICS,
    WEST,
    a_pair,
    two_way,
)

ENDS = (PRIMARY.bucket, DR.bucket)
WAY = " -> ".join(ENDS)
STATUSES = {"passed", "warning", "skipped"}
"""With checks of no other status a pair is proven."""


# --- a pair on the fake AWS ----------------------------------------------------------------------------------


class Ended(Exception):
    """The task has ended."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result.get("msg"))
        self.result = result


class Task:
    """What of an AnsibleAWSModule a verify needs."""

    def __init__(self, params: dict[str, Any], check_mode: bool) -> None:
        self.params = params
        self.check_mode = check_mode

    def exit_json(self, **result: Any) -> NoReturn:
        """End well."""
        raise Ended(result)

    def fail_json(self, **result: Any) -> NoReturn:
        """End badly."""
        raise Ended({**result, "failed": True})


class World:
    """A pair that was set up on the fake AWS, with alarms, and what its buckets hold."""

    def __init__(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.monkeypatch = monkeypatch
        self.time = Time()
        """The gateway's."""
        self.options: dict[str, Any] = {}
        aws.replicates = lambda version: version.get("status", "COMPLETED")
        monkeypatch.setattr(glue_clients, "Session", lambda **_of: SimpleNamespace(client=self._client))
        monkeypatch.setattr(glue_clients, "get_aws_connection_info", lambda module: (None, None, {}))  # it takes long
        monkeypatch.setattr(s3_dr_verify, "Gateway", partial(Gateway, sleep=self.time.sleep, clock=self.time.clock))
        monkeypatch.setattr(version_listing, "_FIRST_PAUSE_SECONDS", 0.001)

    def _client(self, service: str, region_name: str, **_options: Any) -> Any:
        return self.aws.client_for(service, region_name)

    def set_up(self, pair: Pair, rules: list[dict[str, Any]] | None = None) -> None:
        """Have AWS hold all that the pair wishes, with alarms, three versions written at each end that is written to.

        Args:
            rules: the option, where the pair has other rules than the one for all keys.
        """
        accounts: Accounts = ACCOUNTS
        gateway = Gateway(self.aws.client_for, self.time.sleep, self.time.clock)
        observed = gateway.observe(pair_addresses(pair, accounts))
        gateway.carry_out(plan(pair_wish(pair, accounts, observed), observed))
        topics = replace(TOPICS, regions=tuple(dict.fromkeys(end.region for end in pair.ends())))
        watched = {**topics_wish(topics, ACCOUNT), **alarms_wish(pair, SETTINGS, ACCOUNT)}
        gateway.carry_out(plan(watched, dict.fromkeys(watched)))
        for arn, topic in self.aws.topics.items():
            told = {"Protocol": "email", "Endpoint": "ops@example.com", "SubscriptionArn": f"{arn}:0c5f"}
            topic.subscriptions.append(told)
        for link in pair.links():
            self._publish(link)
            for number in range(3):
                self.write(link, f"orders/{number}")
        self.aws.calls.clear()
        ends = {"primary": PRIMARY, "dr": DR}
        self.options = {
            "name": pair.name,
            **{name: {"bucket": end.bucket, "region": end.region} for name, end in ends.items()},
            "direction": pair.direction.value,
            **({"rules": rules} if rules else {}),
        }

    def _publish(self, link: Link) -> None:
        for rule in link.rules:
            for metric in REPLICATION_METRICS:
                named = sorted((one["Name"], one["Value"]) for one in metric_dimensions(rule, link))
                self.aws.metrics.add((metric_region(metric, rule, link), metric, tuple(named)))

    def write(self, link: Link, key: str, **row: Any) -> None:
        """Write a version at the source, and let it arrive wherever rules take it."""
        at, name = link.source.bucket, f"{key} of {link.source.bucket}"
        version = {"Key": name, "VersionId": f"id of {name}", "body": name.encode(), "status": "COMPLETED", **row}
        self.hold(at, **version)
        for end in {link.destination_of(rule).bucket for rule in link.rules if key.startswith(rule.prefix)}:
            self.hold(end, **{**version, "status": "REPLICA"})

    def hold(self, bucket: str, **row: Any) -> None:
        """Have one bucket alone hold a version."""
        self.aws.buckets[bucket].versions.append({"VersionId": f"id {row['Key']}", "body": b"123", **row})

    def verify(self, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        """Run the task; its result, with `failed` if it failed."""
        validator = ArgumentSpecValidator(s3_dr_verify.argument_spec())
        validated = validator.validate({"head_requests_per_second": 10**6, **self.options, **options})
        assert validated.error_messages == []
        params = {**validated.validated_parameters, "access_key": None, "secret_key": None}

        def module(**_declared: Any) -> Task:
            return Task(params, check_mode)

        self.monkeypatch.setattr(s3_dr_verify, "AnsibleAWSModule", module)
        with pytest.raises(Ended) as ended:
            s3_dr_verify.main()
        return ended.value.result

    def let_time_run(self) -> None:
        """Have a second pass between two looks at the clock by which canaries wait."""
        seconds = itertools.count()
        self.monkeypatch.setattr(verification, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))

    def refuse(self, *operations: str, bucket: str | None = None, code: str = "AccessDenied") -> None:
        """Have AWS refuse these operations, at one bucket or wherever."""

        def refuse(call: Call) -> None:
            if call.operation in operations and bucket in (None, call.params.get("Bucket")):
                raise client_error(code, "it is not to be", call.operation)

        self.aws.interrupt = refuse

    def operations(self) -> list[str]:
        """What was called."""
        return [call.operation for call in self.aws.calls]


@pytest.fixture
def blank(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> World:
    """An AWS without a pair."""
    return World(aws, monkeypatch)


@pytest.fixture
def world(blank: World) -> World:
    """The pair `orders`, one way."""
    blank.set_up(a_pair())
    return blank


def checks_of(result: Mapping[str, Any], name: str) -> list[str]:
    """How the checks of a name ended."""
    return [check["status"] for check in result["checks"] if check["name"] == name]


def bad(result: Mapping[str, Any]) -> set[str]:
    """The names of the checks that keep the pair from being proven."""
    return {check["name"] for check in result["checks"] if check["status"] not in STATUSES}


# --- what is well --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", [a_pair(), two_way()], ids=["one way", "two way"])
def test_a_pair_that_works_is_proven(blank: World, pair: Pair) -> None:
    blank.set_up(pair)
    directions = len(pair.links())
    result = blank.verify()
    assert (result["verdict"], result["problems"], result.get("failed")) == ("proven", [], None)
    assert result["recovery"]["recovery_point"] == result["recovery"]["measured_at"]
    assert [rule["source"] for rule in result["recovery"]["rules"]] == list(ENDS[:directions])
    (comparison,) = result["comparisons"]
    assert (comparison["source"], comparison["matched"]) == (PRIMARY.bucket, 3 * directions)
    assert (result["findings"], result["findings_total"], result["drift"], result["diff"]) == ([], 0, [], [])
    assert [canary["status"] for canary in result["canaries"]] == ["replicated"] * directions
    assert [metric["published"] for metric in result["metrics"]] == [True] * 4 * directions
    assert (result["changed"], result["evidence"], result["findings_file"]) == (False, None, None)
    assert result["summary"][0].startswith("orders: proven. Everything written up to")


def test_the_recovery_point_is_by_the_clock_of_aws(world: World) -> None:
    recovery = world.verify()["recovery"]
    asked = world.aws.now
    assert recovery["measured_at"] in [iso(asked - timedelta(seconds=seconds)) for seconds in (1, 2, 3)]


def test_calls_are_counted(world: World) -> None:
    calls = world.verify()["api_calls"]
    assert calls["total"] == len(world.aws.calls)
    assert calls["writes"] == len(world.aws.writes()) > 0


def test_all_pages_are_compared(world: World) -> None:
    world.aws.page = 2
    assert world.verify()["comparisons"][0]["matched"] == 3


def test_canaries_fly_while_versions_are_compared(world: World) -> None:
    written = threading.Event()

    def wait(call: Call) -> None:
        if call.operation == "PutObject":
            written.set()
        if call.operation == "ListObjectVersions":
            assert written.wait(30)

    world.aws.interrupt = wait
    assert world.verify()["verdict"] == "proven"


def test_canaries_are_removed_and_not_compared(world: World) -> None:
    world.hold(PRIMARY.bucket, Key=f".s3-dr-canary/{32 * 'a'}")
    result = world.verify()
    assert (result["verdict"], result["findings_total"]) == ("proven", 0)
    assert result["comparisons"][0]["canaries"] >= 1
    for bucket in ENDS:
        assert len(world.aws.buckets[bucket].versions) == 3 + (bucket == PRIMARY.bucket)


# --- the result is as documented -----------------------------------------------------------------------------

RETURN: dict[str, Any] = yaml.safe_load(s3_dr_verify.RETURN)
ANSIBLES = {"changed", "diff", "failed", "msg"}
TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "dict": (dict,),
    "list": (list,),
}


def undocumented(values: Mapping[str, Any], documented: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Where a result and its documentation differ."""
    yield from (f"{path}{name} is not documented" for name in values.keys() - documented.keys())
    yield from (f"{path}{name} is missing" for name in documented.keys() - values.keys())
    for name in values.keys() & documented.keys():
        value, said, at = values[name], documented[name], f"{path}{name}"
        if value is None:
            continue
        if not isinstance(value, TYPES[said["type"]]) or (said["type"] == "int" and isinstance(value, bool)):
            yield f"{at} is {type(value).__name__} and not {said['type']}"
        elif "contains" in said:
            for one in value if isinstance(value, list) else [value]:
                yield from undocumented(one, said["contains"], f"{at}.")
        elif said["type"] == "list":
            kinds = TYPES[said["elements"]]
            yield from (f"{at} holds {one!r}" for one in value if not isinstance(one, kinds))


def differences(result: Mapping[str, Any]) -> list[str]:
    """Where the result differs from what RETURN says."""
    return list(undocumented({name: result[name] for name in result if name not in ANSIBLES}, RETURN))


def test_the_result_of_a_pair_that_works_is_as_documented(world: World, tmp_path: Path) -> None:
    assert differences(world.verify(report_dir=str(tmp_path), content="sample")) == []


def test_the_result_of_a_pair_that_does_not_is_as_documented(blank: World, tmp_path: Path) -> None:
    blank.set_up(two_way())
    blank.hold(PRIMARY.bucket, Key="lost", status="FAILED")
    blank.hold(DR.bucket, Key="theirs")
    blank.aws.buckets[DR.bucket].versioning = "Suspended"
    result = blank.verify(report_dir=str(tmp_path))
    assert (len(result["findings"]), len(result["drift"]), result["canaries"] != []) == (2, 1, True)
    assert differences(result) == []


@pytest.mark.parametrize("operation", ["GetCallerIdentity", "ListObjectVersions"])
def test_the_result_of_what_cannot_be_looked_at_is_as_documented(world: World, operation: str) -> None:
    world.refuse(operation)
    assert differences(world.verify()) == []


def test_the_documentation_is_compared_to_its_depth() -> None:
    documented = {"a": {"type": "dict", "contains": {"b": {"type": "list", "elements": "str"}}}}
    assert list(undocumented({"a": {"b": ["c"]}}, documented)) == []
    assert list(undocumented({"a": {"c": 1}}, documented)) == ["a.c is not documented", "a.b is missing"]
    assert list(undocumented({"a": {"b": [1]}}, documented)) == ["a.b holds 1"]


# --- trouble -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "bucket", "checks", "said"),
    [
        ("GetCallerIdentity", None, {"declared pair", "within target"}, "AWS does not accept the credentials"),
        ("GetBucketReplication", None, {"readable"}, "s3:GetReplicationConfiguration is missing"),
        ("GetBucketVersioning", DR.bucket, {"readable"}, "s3:GetBucketVersioning is missing"),
        ("ListObjectVersions", PRIMARY.bucket, {"compared", "within target"}, "Allow s3:ListBucketVersions on"),
        ("ListObjectVersions", DR.bucket, {"compared", "within target"}, "Allow s3:ListBucketVersions on"),
        ("PutObject", None, {"arrives"}, "writing it to example-orders failed"),
        ("DescribeAlarms", None, {"heartbeat alarm", "latency alarm", "failure alarm"}, "cloudwatch:DescribeAlarms"),
        ("GetTopicAttributes", None, {"heartbeat alarm", "latency alarm", "failure alarm"}, "sns:GetTopicAttributes"),
    ],
)
def test_what_may_not_be_looked_at_is_unknown_with_the_reason(
    world: World, operation: str, bucket: str | None, checks: set[str], said: str
) -> None:
    world.refuse(operation, bucket=bucket)
    result = world.verify()
    assert (result["verdict"], result["failed"]) == ("unknown", True)
    assert said in result["problems"][0] or said in " ".join(result["problems"])
    assert bad(result) >= checks
    assert said in result["msg"]


def test_a_configuration_that_cannot_be_read_leaves_the_rest_to_be_looked_at(world: World) -> None:
    world.refuse("GetBucketEncryption", code="MalformedXML")
    result = world.verify()
    assert result["verdict"] == "unknown"
    assert bad(result) == {"declared pair"}
    assert "AWS refused GetBucketEncryption (MalformedXML" in result["problems"][0]
    assert (result["comparisons"][0]["complete"], len(result["canaries"])) == (True, 1)
    assert [rule["rule"] for rule in result["recovery"]["rules"]] == ["s3-dr-orders"]


def test_a_pair_that_cannot_be_planned_is_unknown_and_what_was_read_is_judged(world: World) -> None:
    (rule,) = (world.aws.buckets[PRIMARY.bucket].replication or {})["Rules"]
    rule["ID"] = "theirs"  # with the priority of the pair's rule
    result = world.verify()
    assert "has priority 1, as the pair's rule 's3-dr-orders' should" in " ".join(result["problems"])
    assert checks_of(result, "declared pair") == ["unknown"]
    assert (checks_of(result, "rule enabled"), checks_of(result, "cors")) == (["broken"], ["passed"])


def test_a_pause_that_nobody_backfilled_is_said(world: World) -> None:
    for role in world.aws.roles.values():
        role.document["Tags"].append({"Key": "s3-dr-gap-from", "Value": "2026-11-01T00:00:00Z"})
    notes = world.verify()["notes"]
    assert any(
        note.startswith("example-orders was not replicated to example-orders-dr from 2026-11-01") for note in notes
    )


@pytest.mark.parametrize(
    "operation",
    [
        "HeadBucket",
        "GetBucketVersioning",
        "GetBucketPolicy",
        "GetBucketReplication",
        "GetRole",
        "GetRolePolicy",
        "GetObjectLockConfiguration",
        "GetBucketTagging",
    ],
)
def test_what_may_not_be_read_is_no_difference_from_the_declared_pair(world: World, operation: str) -> None:
    world.refuse(operation)
    result = world.verify()
    assert result["drift"] == []
    assert checks_of(result, "declared pair") == ["passed"]
    decisive = operation in ("GetBucketVersioning", "GetBucketReplication")
    assert result["verdict"] == ("unknown" if decisive else "proven")
    assert any("may not read it" in check["message"] for check in result["checks"])


def test_a_region_that_cannot_be_reached_is_unknown(world: World) -> None:
    def unreachable(call: Call) -> None:
        if call.region == WEST:
            raise EndpointConnectionError(endpoint_url="https://s3.us-west-2.amazonaws.com")

    world.aws.interrupt = unreachable
    world.let_time_run()
    result = world.verify(deadline_seconds=1)
    assert result["verdict"] == "unknown"
    assert any("AWS cannot be reached" in problem for problem in result["problems"])
    assert result["recovery"] is None


@pytest.mark.parametrize("end", [PRIMARY, DR], ids=["primary", "dr"])
def test_of_a_pair_without_a_bucket_nothing_is_known_and_no_canary_is_sent(world: World, end: End) -> None:
    del world.aws.buckets[end.bucket]
    result = world.verify()
    assert (result["verdict"], result["recovery"], world.aws.writes()) == ("unknown", None, [])
    assert result["problems"][0].startswith(f"Bucket '{end.bucket}' is not there")
    assert f"There is no bucket {end.bucket}" in result["comparisons"][0]["reason"]
    assert checks_of(result, "arrives") == ["skipped"]
    assert any("No canary object was written, since a bucket is not there" in note for note in result["notes"])
    assert (result["drift"], checks_of(result, "declared pair")) == ([], [])


def test_a_version_that_cannot_be_looked_at_is_unexamined(world: World) -> None:
    world.hold(PRIMARY.bucket, Key="lost")
    world.refuse("HeadObject")
    result = world.verify(canary=False)
    assert (result["verdict"], result["causes"]["unexamined"]["versions"]) == ("unknown", 1)
    assert any("s3:GetObjectVersion" in note for note in result["notes"])


def test_metrics_that_may_not_be_listed_are_said_and_the_rest_is_judged(world: World) -> None:
    world.refuse("ListMetrics")
    result = world.verify()
    assert result["metrics"] == []
    assert [problem for problem in result["problems"] if "cloudwatch:ListMetrics" in problem]
    assert (result["verdict"], result["recovery"]["versions_at_risk"]) == ("unknown", 0)


def test_metrics_that_are_not_there_are_a_risk(world: World) -> None:
    world.aws.metrics.clear()
    result = world.verify()
    assert (result["verdict"], bad(result)) == ("at_risk", {"metric"})
    assert checks_of(result, "metric") == ["at_risk"] * 3


def test_a_rule_that_is_declared_as_off_has_no_metrics_and_gets_no_canary(blank: World) -> None:
    blank.set_up(a_pair(rules=(Rule("s3-dr-orders", enabled=False),)), [{"id": "s3-dr-orders", "status": "disabled"}])
    result = blank.verify()
    assert (result["metrics"], result["canaries"], "ListMetrics" in blank.operations()) == ([], [], False)
    assert (result["drift"], checks_of(result, "rule enabled")) == ([], ["at_risk"])


def test_a_difference_from_the_declared_pair_is_shown(world: World) -> None:
    world.aws.roles.clear()
    result = world.verify()
    assert result["verdict"] == "broken"
    assert [step["action"] for step in result["drift"]] == ["create", "create"]
    assert len(result["diff"]) == 2


def test_a_rule_that_is_off_at_aws_breaks_the_pair(world: World) -> None:
    replication = world.aws.buckets[PRIMARY.bucket].replication or {}
    replication["Rules"][0]["Status"] = "Disabled"
    world.aws.replicates = lambda version: None
    result = world.verify()
    assert (result["verdict"], checks_of(result, "rule enabled")) == ("broken", ["broken"])


def test_settings_that_differ_are_warnings_unless_they_shall_count(world: World) -> None:
    world.aws.buckets[PRIMARY.bucket].cors = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]
    result = world.verify()
    assert (result["verdict"], checks_of(result, "cors")) == ("proven", ["warning"])
    result = world.verify(warnings=[])
    assert (result["verdict"], checks_of(result, "cors")) == ("at_risk", ["at_risk"])


def test_monitoring_can_be_a_warning(world: World) -> None:
    world.aws.alarms.clear()
    assert world.verify()["verdict"] == "at_risk"
    result = world.verify(warnings=["monitoring"])
    assert (result["verdict"], checks_of(result, "latency alarm")) == ("proven", ["warning"])


def test_the_task_fails_on_the_verdicts_that_it_shall_fail_on(world: World) -> None:
    world.hold(PRIMARY.bucket, Key="lost", status="FAILED")
    result = world.verify()
    assert (result["verdict"], result["failed"]) == ("at_risk", True)
    assert result["msg"] == " ".join([result["summary"][0], *result["problems"]])
    assert "failed" not in world.verify(fail_on=["broken", "unknown"])
    assert "failed" not in world.verify(fail_on=[])


# --- canaries ------------------------------------------------------------------------------------------------


def test_check_mode_writes_nothing_and_says_so(world: World) -> None:
    before = {bucket: list(world.aws.buckets[bucket].versions) for bucket in ENDS}
    result = world.verify(check_mode=True)
    assert world.aws.writes() == []
    assert {bucket: world.aws.buckets[bucket].versions for bucket in ENDS} == before
    assert (result["verdict"], result["canaries"]) == ("proven", [])
    assert checks_of(result, "arrives") == ["skipped"]
    assert [note for note in result["notes"] if "No canary object was written in check mode" in note]


def test_canaries_can_be_left_out(world: World) -> None:
    result = world.verify(canary=False)
    assert world.aws.writes() == []
    assert [note for note in result["notes"] if note.startswith("No canary object was written, so")]


def test_a_canary_that_is_late_is_a_risk_and_is_left_to_arrive(world: World) -> None:
    world.aws.replicates = lambda version: "PENDING"
    world.let_time_run()
    result = world.verify(deadline_seconds=1)
    (canary,) = result["canaries"]
    assert (canary["status"], len(canary["left_behind"]), canary["seconds"] >= 1) == ("late", 2, True)
    assert (result["verdict"], bad(result)) == ("at_risk", {"arrives"})


@pytest.mark.parametrize("pair", [a_pair(), two_way()], ids=["one way", "two way"])
def test_a_bucket_of_an_account_without_credentials_is_unknown_and_gets_no_canary(blank: World, pair: Pair) -> None:
    blank.set_up(pair)
    blank.options["dr"]["account_id"] = OTHER.id
    result = blank.verify()
    assert (result["verdict"], result["canaries"], blank.aws.writes()) == ("unknown", [], [])
    assert any(note.startswith(f"No canary was sent from {ENDS[0]} to {ENDS[1]}") for note in result["notes"])
    assert {metric["source"] for metric in result["metrics"]} == {PRIMARY.bucket}


# --- versions ------------------------------------------------------------------------------------------------


def test_a_version_that_is_missing_moves_the_recovery_point_unless_its_cause_is_accepted(world: World) -> None:
    written = world.aws.now - timedelta(hours=1)
    world.hold(PRIMARY.bucket, Key="lost", status="FAILED", modified=written)
    result = world.verify()
    assert result["verdict"] == "at_risk"
    assert result["recovery"]["recovery_point"] == iso(written - timedelta(seconds=1))
    assert result["recovery"]["oldest_missing"]["key"] == "lost"
    assert result["recovery"]["rules"][0]["versions_at_risk"] == 1
    assert 3590 <= result["findings"][0]["age_seconds"] <= 3600
    result = world.verify(accepted_causes=["failed"])
    assert result["verdict"] == "proven"
    assert result["recovery"]["recovery_point"] == result["recovery"]["measured_at"]
    assert result["causes"]["failed"] == {"versions": 1, "bytes": 3, "unexpected": 0, "excepted": 1}


def test_what_is_written_at_the_dr_end_is_missing_at_the_primary(blank: World) -> None:
    blank.set_up(two_way())
    blank.hold(DR.bucket, Key="lost", status="FAILED")
    result = blank.verify()
    (finding,) = result["findings"]
    assert (finding["cause"], finding["source"], finding["destination"]) == ("failed", DR.bucket, PRIMARY.bucket)
    assert [rule["versions_at_risk"] for rule in result["recovery"]["rules"]] == [0, 1]


def test_etags_are_compared_unless_only_sizes_shall_be(world: World) -> None:
    replica = world.aws.buckets[DR.bucket].versions[0]
    replica["body"] = bytes(len(replica["body"]))
    result = world.verify()
    assert (result["verdict"], list(result["causes"])) == ("broken", ["content_differs"])
    assert result["content"]["population"] == 2
    result = world.verify(content="none")
    assert (result["verdict"], result["content"]["population"]) == ("proven", 3)


def test_the_target_is_the_users(world: World) -> None:
    world.hold(PRIMARY.bucket, Key="new", status="PENDING", modified=world.aws.now - timedelta(seconds=100))
    result = world.verify()
    assert (result["verdict"], result["findings"][0]["cause"]) == ("proven", "pending")
    result = world.verify(rpo_seconds=10)
    assert (result["verdict"], result["findings"][0]["cause"]) == ("at_risk", "late")
    assert result["recovery"]["rpo_target_seconds"] == 10


def test_only_the_prefixes_are_compared_and_only_their_rules_told(blank: World) -> None:
    rules = (Rule("orders", 1, "orders/"), Rule("logs", 2, "logs/"))
    blank.set_up(a_pair(rules=rules), [{"id": one.id, "priority": one.priority, "prefix": one.prefix} for one in rules])
    blank.hold(PRIMARY.bucket, Key="logs/lost", status="FAILED")
    assert [rule["rule"] for rule in blank.verify()["recovery"]["rules"]] == ["orders", "logs"]
    for prefixes in (["orders/"], ["orders/1", "orders/2"], ["ord"]):
        result = blank.verify(prefixes=prefixes)
        assert (result["verdict"], result["findings_total"]) == ("proven", 0)
        whole = ["orders"] if "orders/".startswith(prefixes[0]) else []  # of half a rule nothing is claimed
        assert [rule["rule"] for rule in result["recovery"]["rules"]] == whole
        assert result["prefixes"] == prefixes
        assert result["summary"][0].startswith(f"orders: proven. Everything written below '{prefixes[0]}'")
    compared = result["comparisons"][0]["source_versions"]
    assert compared == 3
    everything = blank.verify(prefixes=["", "orders/"])
    assert (everything["verdict"], len(everything["recovery"]["rules"])) == ("at_risk", 2)
    assert everything["prefixes"] == []
    nothing = blank.verify(prefixes=["nope/"])
    assert (nothing["verdict"], "begins with 'nope/'" in nothing["problems"][0]) == ("unknown", True)


def with_findings(world: World) -> None:
    """Three foreign objects, which are accepted, and two failures, which are not."""
    for number in range(3):
        world.hold(DR.bucket, Key=f"a-theirs-{number}")
    for number in range(2):
        world.hold(PRIMARY.bucket, Key=f"lost-{number}", status="FAILED")


@pytest.mark.parametrize(("most", "shown"), [(0, []), (1, [1]), (2, [1, 1]), (4, [1, 1, 0, 0]), (9, [1, 1, 0, 0, 0])])
def test_the_unexpected_findings_are_shown_first_and_all_are_counted(world: World, most: int, shown: list[int]) -> None:
    with_findings(world)
    result = world.verify(max_findings=most)
    assert [int(finding["cause"] == "failed") for finding in result["findings"]] == shown
    assert result["findings_total"] == 5
    assert {cause: counts["versions"] for cause, counts in result["causes"].items()} == {
        "foreign_object_at_destination": 3,
        "failed": 2,
    }


def test_no_more_findings_are_held_than_are_shown() -> None:
    shown = Shown(2, frozenset({Cause.FOREIGN_OBJECT}))
    for cause in (Cause.FAILED, Cause.FOREIGN_OBJECT) * 3:
        shown.add(Finding(cause, *ENDS, "k", "v", WRITTEN, 1, missing=True))
    assert (len(shown.unexpected), len(shown.others), shown.total) == (2, 2, 6)


def test_requests_are_made_within_their_budget(world: World) -> None:
    with_findings(world)
    result = world.verify(max_head_requests=2, canary=False)
    assert world.operations().count("HeadObject") == result["comparisons"][0]["head_requests"] == 2
    assert result["comparisons"][0]["unexamined"] == 3
    assert result["comparisons"][0]["max_head_requests"] == 2


def with_an_archive(world: World) -> None:
    """The pair, with a rule that takes some keys to a further bucket, too."""
    rules = (Rule("orders"), Rule("archive", 2, "orders/", destination=ARCHIVE))
    to_archive = {"bucket": ARCHIVE.bucket, "region": ARCHIVE.region}
    options = [{"id": "orders"}, {"id": "archive", "priority": 2, "prefix": "orders/", "destination": to_archive}]
    world.set_up(a_pair(rules=rules), options)


def test_each_further_destination_is_compared(blank: World) -> None:
    with_an_archive(blank)
    result = blank.verify()
    assert (result["verdict"], result["problems"]) == ("proven", [])
    ways = [(one["source"], one["destination"]) for one in result["comparisons"]]
    assert ways == [(PRIMARY.bucket, DR.bucket), (PRIMARY.bucket, ARCHIVE.bucket)]
    del blank.aws.buckets[ARCHIVE.bucket].versions[0]
    result = blank.verify(accepted_causes=["no_rule_matches"])
    assert [one["causes"] != {} for one in result["comparisons"]] == [False, True]
    assert [rule["versions_at_risk"] for rule in result["recovery"]["rules"]] == [0, 1]
    assert result["recovery"]["versions_at_risk"] == 1
    assert sum(counts["versions"] for counts in result["causes"].values()) == 1


def test_the_causes_of_all_comparisons_are_added_up(blank: World) -> None:
    with_an_archive(blank)
    blank.hold(PRIMARY.bucket, Key="orders/lost", status="FAILED")
    result = blank.verify()
    assert [one["causes"]["failed"]["versions"] for one in result["comparisons"]] == [1, 1]
    assert result["causes"]["failed"] == {"versions": 2, "bytes": 6, "unexpected": 2, "excepted": 0}


def test_a_run_that_is_ended_before_the_last_comparison_states_no_recovery_point(blank: World) -> None:
    with_an_archive(blank)

    def end(call: Call) -> None:
        if call.operation == "ListObjectVersions" and call.params["Bucket"] == ARCHIVE.bucket:
            os.kill(os.getpid(), signal.SIGTERM)

    blank.aws.interrupt = end
    result = blank.verify()
    assert [one["complete"] for one in result["comparisons"]] == [True]
    assert (result["verdict"], result["recovery"]) == ("unknown", None)


def test_what_two_comparisons_lack_is_noted_once(blank: World) -> None:
    with_an_archive(blank)
    blank.hold(PRIMARY.bucket, Key="orders/lost")
    blank.refuse("HeadObject", bucket=PRIMARY.bucket)
    notes = [note for note in blank.verify(canary=False)["notes"] if "s3:GetObjectVersion" in note]
    assert len(notes) == 1


def test_what_one_comparison_lacks_leaves_no_recovery_point(blank: World) -> None:
    with_an_archive(blank)
    blank.refuse("ListObjectVersions", bucket=ARCHIVE.bucket)
    result = blank.verify()
    assert [one["complete"] for one in result["comparisons"]] == [True, False]
    assert (result["verdict"], result["recovery"]) == ("unknown", None)


# --- content -------------------------------------------------------------------------------------------------


def test_samples_are_read_only_when_they_shall_be(world: World) -> None:
    for method in ("none", "etag", "checksum"):
        result = world.verify(content=method, canary=False)
        assert (result["content"]["method"], result["content"]["bytes_read"]) == (method, 0)
    assert world.operations().count("HeadObject") == result["comparisons"][0]["head_requests"] == 6
    assert not any("checksum" in line for line in world.verify(canary=False)["summary"])
    result = world.verify(content="sample", sample_size=2, canary=False)
    assert (result["verdict"], result["content"]["versions"]) == ("proven", 2)
    assert result["summary"][2].endswith(result["content"]["statement"])
    assert result["content"]["bytes_read"] > 0
    assert result["content"] == result["comparisons"][0]["content"]
    result = world.verify(content="sample", max_transfer_bytes=0, canary=False)
    assert result["content"]["left_out"] == {"above_transfer_budget": 3}


def test_content_that_may_not_be_read_is_unknown(world: World) -> None:
    world.refuse("GetObject", bucket=DR.bucket)
    result = world.verify(content="sample", canary=False)
    assert (result["verdict"], checks_of(result, "content")) == ("unknown", ["unknown"])
    assert result["content"]["left_out"] == {"denied": 3}


def damaged(world: World) -> None:
    """Another byte in a replica, of which the listing does not tell."""
    replica = world.aws.buckets[DR.bucket].versions[0]

    replica["stored"] = bytes([replica["body"][0] ^ 1]) + replica["body"][1:]


def test_a_replica_with_other_bytes_breaks_the_pair(world: World, tmp_path: Path) -> None:
    damaged(world)
    result = world.verify(content="sample", report_dir=str(tmp_path))
    assert (result["verdict"], result["content"]["defects"]) == ("broken", 1)
    assert result["causes"]["content_differs"] == {"versions": 1, "bytes": 26, "unexpected": 1, "excepted": 0}
    assert [(finding["cause"], finding["rule"]) for finding in result["findings"]] == [
        ("content_differs", "s3-dr-orders")
    ]
    assert result["recovery"]["versions_at_risk"] == result["recovery"]["rules"][0]["versions_at_risk"] == 1
    assert len(Path(result["findings_file"]).read_text(encoding="utf-8").splitlines()) == 1


def test_other_content_that_the_listing_tells_is_found_once(world: World) -> None:
    damaged(world)
    world.aws.buckets[DR.bucket].versions[0]["body"] = b"another one, of the same size"[:26]
    result = world.verify(content="sample")
    assert [finding["cause"] for finding in result["findings"]] == ["content_differs"]
    assert result["causes"]["content_differs"]["versions"] == 1


def test_a_relative_report_dir_is_refused_before_anything_is_asked(world: World) -> None:
    result = world.verify(report_dir="evidence")
    assert "report_dir is 'evidence'" in result["msg"]
    assert "absolute" in result["msg"]
    assert world.operations() == []


# --- evidence ------------------------------------------------------------------------------------------------


def record(result: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence of a run."""
    found: dict[str, Any] = json.loads((Path(result["evidence"]) / "evidence.json").read_text(encoding="utf-8"))
    return found


def test_the_evidence_says_what_the_result_says_and_holds_all_findings(world: World, tmp_path: Path) -> None:
    with_findings(world)
    result = world.verify(report_dir=str(tmp_path), max_findings=1)
    assert record(result)["verdict"] == result["verdict"] == "at_risk"
    assert Path(result["findings_file"]).parent == Path(result["evidence"])
    lines = [json.loads(line) for line in Path(result["findings_file"]).read_text(encoding="utf-8").splitlines()]
    assert sorted(line["key"] for line in lines) == [
        "a-theirs-0",
        "a-theirs-1",
        "a-theirs-2",
        "lost-0",
        "lost-1",
    ]
    assert next(line for line in lines if line["key"] == result["findings"][0]["key"]) == result["findings"][0]


def test_evidence_that_was_changed_is_said_by_the_next_run(world: World, tmp_path: Path) -> None:
    first = world.verify(report_dir=str(tmp_path))
    (Path(first["evidence"]) / "junit.xml").write_text("", encoding="utf-8")
    second = world.verify(report_dir=str(tmp_path))
    assert any("junit.xml" in note for note in second["notes"])
    assert first["notes"] == []


def test_a_run_that_left_no_proof_is_said_by_the_next(world: World, tmp_path: Path) -> None:
    unfinished = EvidenceRun.begin(str(tmp_path), "orders", world.aws.now)
    unfinished.close()
    assert any(unfinished.name in note for note in world.verify(report_dir=str(tmp_path))["notes"])


def test_a_directory_that_cannot_be_written_fails_the_task_before_aws_is_asked(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = world.verify(report_dir=str(tmp_path / "file"))
    assert (result["failed"], world.aws.calls) == (True, [])
    assert "the evidence cannot be written" in result["msg"]
    assert "verdict" not in result


def test_evidence_that_cannot_be_written_in_the_end_fails_the_task_and_tells_the_verdict(
    world: World, tmp_path: Path
) -> None:
    def lose(call: Call) -> None:
        if call.operation == "DescribeAlarms":
            shutil.rmtree(tmp_path / "pairs", ignore_errors=True)

    world.aws.interrupt = lose
    result = world.verify(report_dir=str(tmp_path), fail_on=[])
    assert (result["failed"], result["verdict"], result["evidence"]) == (True, "proven", None)
    assert result["msg"].startswith("The verdict is proven, but the evidence cannot be written")


def test_a_finding_that_cannot_be_written_leaves_nothing_proven(world: World, tmp_path: Path) -> None:
    def full(run: EvidenceRun, finding: Mapping[str, Any]) -> None:
        raise NotWritten("the evidence cannot be written: the disk is full.")

    world.hold(DR.bucket, Key="theirs")
    world.monkeypatch.setattr(EvidenceRun, "add_finding", full)
    result = world.verify(report_dir=str(tmp_path))
    assert (result["verdict"], checks_of(result, "finished")) == ("unknown", ["unknown"])
    assert "Pair 'orders': the evidence cannot be written: the disk is full." in result["problems"]
    assert [canary["status"] for canary in result["canaries"]] == ["replicated"]
    assert differences(result) == []


# --- somebody ends the run -----------------------------------------------------------------------------------


def kill_at(world: World, operation: str, number: signal.Signals) -> list[Call]:
    """Have the process be killed at the first call of an operation."""
    killed: list[Call] = []
    first = threading.Lock()

    def kill(call: Call) -> None:
        if call.operation == operation and first.acquire(blocking=False):
            killed.append(call)
            os.kill(os.getpid(), number)

    world.aws.interrupt = kill
    return killed


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers of signals are put back by each run, and no thread that it began goes on."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    after = [signal.getsignal(number) for number in numbers]
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
    assert after == before
    running = [one.name for one in threading.enumerate() if one.name.startswith("ThreadPoolExecutor")]
    assert running == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "operation",
    [
        "GetCallerIdentity",
        "GetBucketVersioning",
        "ListObjectVersions",
        "PutObject",
        "DeleteObject",
        "GetObject",
        "ListMetrics",
        "DescribeAlarms",
        "GetTopicAttributes",
    ],
)
def test_a_run_that_is_ended_proves_nothing_and_says_so(
    world: World, tmp_path: Path, operation: str, number: signal.Signals
) -> None:
    killed = kill_at(world, operation, number)
    result = world.verify(report_dir=str(tmp_path), content="sample")
    assert len(killed) == 1
    assert result["verdict"] == record(result)["verdict"] == "unknown"
    assert any(f"the run was ended by {number.name} before everything" in problem for problem in result["problems"])
    assert checks_of(result, "finished") == ["unknown"]
    assert differences(result) == []


def test_a_canary_that_waits_ends_with_the_run_and_is_named(world: World) -> None:
    world.aws.replicates = lambda version: "PENDING"
    kill_at(world, "HeadObject", signal.SIGTERM)
    began = time.monotonic()
    result = world.verify(deadline_seconds=3600)
    assert time.monotonic() - began < 60
    (canary,) = result["canaries"]
    assert (canary["status"], canary["reason"], len(canary["left_behind"])) == ("late", "the run was ended", 2)
    assert 0 <= canary["seconds"] < 60
    assert any("A canary was left behind" in problem for problem in result["problems"])


def stops_of(world: World) -> list[threading.Event]:
    """By what each run will tell its canaries that it ends."""
    stopped: list[threading.Event] = []
    made = verification.Verification.__init__

    def remember(self: Any, *args: Any) -> None:
        made(self, *args)
        stopped.append(self._stop)

    world.monkeypatch.setattr(verification.Verification, "__init__", remember)
    return stopped


def end_during(world: World, operation: str) -> None:
    """End the run while a canary makes this call, which comes back after the run has heard of it."""
    stopped, under_way, first = stops_of(world), threading.Event(), threading.Lock()

    def end(call: Call) -> None:
        if call.operation == "ListObjectVersions" and under_way.wait(30) and first.acquire(blocking=False):
            os.kill(os.getpid(), signal.SIGTERM)
        if call.operation == operation:
            under_way.set()
            assert stopped[0].wait(30)

    world.aws.interrupt = end


def test_a_canary_that_is_just_being_written_ends_with_the_run(world: World) -> None:
    world.aws.replicates = lambda version: "PENDING"
    end_during(world, "PutObject")
    result = world.verify(deadline_seconds=3600)
    assert [canary["status"] for canary in result["canaries"]] == ["late"]


def test_a_canary_that_arrives_while_the_run_ends_tells_how_long_it_took(world: World) -> None:
    end_during(world, "GetObject")
    (canary,) = world.verify(deadline_seconds=3600)["canaries"]
    assert (canary["status"], canary["reason"], canary["left_behind"]) == ("replicated", None, [])
    assert 0 <= canary["seconds"] < 60


def test_no_canary_is_written_after_the_end_of_the_run(world: World) -> None:
    kill_at(world, "ListObjectVersions", signal.SIGTERM)
    landed = verification.each

    def wait_for_the_end(flight: Callable[[Any], Any], routes: Iterable[Any]) -> list[Any]:
        flight.__self__._stop.wait(30)
        return landed(flight, routes)

    world.monkeypatch.setattr(verification, "each", wait_for_the_end)
    result = world.verify()
    (canary,) = result["canaries"]
    assert (canary["status"], canary["reason"], canary["source"]) == ("not_written", "the run was ended", ENDS[0])
    assert world.aws.writes() == []


def test_a_signal_that_is_ignored_stays_so(world: World) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        kill_at(world, "ListObjectVersions", signal.SIGINT)
        assert world.verify()["verdict"] == "proven"
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


# --- one call that fails -------------------------------------------------------------------------------------


def denied(call: Call) -> Exception:
    """A permission is missing."""
    return client_error("AccessDenied", "Access Denied", call.operation)


def lost(call: Call) -> Exception:
    """The connection is lost."""
    return EndpointConnectionError(endpoint_url=f"https://{call.service}.{call.region}.amazonaws.com")


def throttled(call: Call) -> Exception:
    """AWS is busy."""
    return client_error("SlowDown", "Please reduce your request rate.", call.operation)


LOOKED_AT_AGAIN = ("HeadObject", "GetObject")
"""A canary is looked at again until its deadline, whatever the connection or S3 says."""
ASKED_ONCE = ("PutObject", "DeleteObject", "ListMetrics", "DescribeAlarms", "GetTopicAttributes")
ASKED_ONCE += ("ListSubscriptionsByTopic", "GetCallerIdentity")
"""Beyond what the SDK does by itself. Configuration and pages of versions are asked for again while AWS is busy."""
NO_PROOF_WITHOUT = ("GetCallerIdentity", "ListObjectVersions", "PutObject", "HeadObject", "GetObject", "DescribeAlarms")
NO_PROOF_WITHOUT += ("GetTopicAttributes", "ListSubscriptionsByTopic", "GetBucketVersioning", "DeleteObject")
SAID_ELSEWHERE = ("GetRole",)
"""The role is read twice, and since when it is there only explains differences."""


class Turn:
    """Lets the n-th call fail, whichever thread makes it."""

    def __init__(self, number: int, fault: Callable[[Call], Exception]) -> None:
        self.hit: Call | None = None
        self._left = number
        self._fault = fault
        self._counting = threading.Lock()

    def __call__(self, call: Call) -> None:
        """One more call."""
        with self._counting:
            self._left -= 1
            mine = self._left == 0
        if mine:
            self.hit = call
            raise self._fault(call)


@pytest.mark.parametrize("fault", [denied, lost, throttled])
def test_whichever_call_fails_the_run_ends_with_a_verdict_that_does_not_say_too_much(
    aws: FakeAws, world: World, fault: Callable[[Call], Exception]
) -> None:
    world.verify()
    total = len(aws.calls)
    for number in range(1, total + 1):
        turn = Turn(number, fault)
        aws.interrupt = turn
        result = world.verify()
        if turn.hit is None:
            continue  # this time it took a call less
        judge(result, turn.hit, fault)
        for bucket in ENDS:  # what a canary left behind is in the way of the next run
            versions = aws.buckets[bucket].versions
            aws.buckets[bucket].versions = [one for one in versions if ".s3-dr-canary/" not in one["Key"]]


def judge(result: dict[str, Any], call: Call, fault: Callable[[Call], Exception]) -> None:
    """What a verify may say after one call failed."""
    about = f"{fault.__name__} {call.operation} {call.params} {result['checks']} {result['notes']}"
    assert set(result) - ANSIBLES == set(RETURN), about
    again = fault is throttled and call.operation not in ASKED_ONCE
    if again or (fault is lost and call.operation in LOOKED_AT_AGAIN):
        assert result["verdict"] == "proven", about
        return
    said = [check["message"] for check in result["checks"] if check["status"] != "passed"] + result["notes"]
    assert said or call.operation in SAID_ELSEWHERE, about
    if call.operation == "ListObjectVersions":
        assert (result["verdict"], result["recovery"]) == ("unknown", None), about
    if call.operation in NO_PROOF_WITHOUT or (fault is lost and call.service in ("s3", "iam")):
        assert result["verdict"] != "proven", about
        assert result["failed"], about


# --- progress and options ------------------------------------------------------------------------------------


def test_progress_goes_on_over_all_comparisons(blank: World) -> None:
    with_an_archive(blank)
    told: list[int] = []
    blank.monkeypatch.setattr(ProgressFile, "report", lambda self, compared, expected: told.append(compared))
    result = blank.verify(canary=False)
    assert told == sorted(told)
    assert told[0] == 3
    assert told[-1] == sum(one["source_versions"] for one in result["comparisons"]) == 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"deadline_seconds": 0},
        {"rpo_seconds": 0},
        {"max_head_requests": -1},
        {"head_requests_per_second": 0},
        {"max_findings": -1},
        {"sample_size": 0},
        {"max_transfer_bytes": -1},
        {"prefixes": ["é" * 513]},
    ],
)
def test_an_option_that_cannot_be_right_fails_the_task_before_aws_is_asked(
    world: World, wrong: dict[str, Any], tmp_path: Path
) -> None:
    result = world.verify(report_dir=str(tmp_path), **wrong)
    assert (result["failed"], world.aws.calls, list(tmp_path.iterdir())) == (True, [], [])
    assert next(iter(wrong)) in result["msg"]


def test_the_least_of_each_option_is_right() -> None:
    least = {
        "deadline_seconds": 1,
        "rpo_seconds": 1,
        "max_head_requests": 0,
        "head_requests_per_second": 1,
        "max_findings": 0,
        "sample_size": 1,
        "max_transfer_bytes": 0,
        "prefixes": ["é" * 512],
        "accepted_causes": ["failed"],
        "content": "none",
        "canary": True,
        "warnings": [],
        "fail_on": [],
    }
    wishes = Wishes.of(least)
    assert (wishes.accepted, wishes.content, wishes.canary) == ({Cause.FAILED}, Method.NONE, True)
