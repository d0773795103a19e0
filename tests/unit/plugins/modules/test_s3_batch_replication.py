# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The task that backfills a pair, on the fake AWS: priced, made once, waited for, and judged by its report."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.batch_role import batch_role_name
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.backfill import Backfill
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_batch_replication, s3_dr_recovery_bucket
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, Call, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.batch import BatchAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    DR,
    EAST,
    KEYS,
    PRIMARY,
    WEST,
    a_pair,
    nothing,
    two_way,
    wished,
)
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Tasks

OPTIONS = {
    "name": "orders",
    "primary": {"bucket": PRIMARY.bucket, "region": EAST},
    "dr": {"bucket": DR.bucket, "region": WEST},
}
RECOVERY = f"s3-dr-111122223333-{EAST}"
ROLE = batch_role_name("orders", PRIMARY.bucket)
REPLICATION_ROLE = f"s3-dr-orders-to-{WEST}"


def version_of(key: str) -> str:
    """The ID of the one version of a key."""
    return f"v-{key.encode().hex()}"


class World:
    """An AWS in which the pair is set up and a recovery bucket is in both Regions, and tasks on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
        self.aws = BatchAws()
        self.tasks = Tasks(self.aws, monkeypatch)
        self.time = Time()
        monkeypatch.setattr(
            s3_batch_replication, "Backfill", partial(Backfill, sleep=self.time.sleep, clock=self.time.clock)
        )
        steps = plan(wished(pair), nothing(pair))
        Gateway(self.aws.client_for, self.time.sleep, self.time.clock).carry_out(steps)
        for region in (EAST, WEST):
            self.aws.buckets[f"s3-dr-111122223333-{region}"] = Bucket(region, versioning="Enabled")
        self.statuses: dict[str, str | None] = {}
        self.aws.replicates = lambda version: self.statuses.get(version["Key"])

    def write(self, *keys: str, bucket: str = PRIMARY.bucket, status: str | None = None) -> None:
        """Versions that are in one bucket only."""
        for key in keys:
            self.aws.buckets[bucket].versions.append({"Key": key, "VersionId": version_of(key), "body": b"12345"})
            self.statuses[key] = status

    def keys(self, bucket: str = DR.bucket) -> list[str]:
        """What the bucket holds."""
        return sorted(row["Key"] for row in self.aws.buckets[bucket].versions)

    def run(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What the task ends with."""
        return self.tasks.run(s3_batch_replication, check, **{**OPTIONS, **options})

    def requests(self) -> list[Call]:
        """The calls that made jobs."""
        return [call for call in self.aws.calls if call.operation == "CreateJob"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """With a one-way pair."""
    return World(monkeypatch, a_pair())


@pytest.fixture
def both_ways(monkeypatch: pytest.MonkeyPatch) -> World:
    """With a two-way pair."""
    return World(monkeypatch, two_way())


# --- what is there before the job ------------------------------------------------------------------------------


def test_check_mode_prices_without_making_anything_and_the_run_does_what_it_said(world: World) -> None:
    world.write("a", "b+c d")
    predicted = world.run(check=True)
    assert world.aws.writes() == []
    done = world.run()
    assert (predicted["steps"], predicted["diff"], predicted["plan"]) == (done["steps"], done["diff"], done["plan"])
    assert [step["kind"] for step in done["steps"]] == ["iam_role", "iam_role_policy", "batch_job"]
    assert (done["plan"]["versions"], done["plan"]["bytes"], done["plan"]["usd"]["job"]) == (2, 10, 0.25)
    assert done["changed"]
    assert done["job"]["tasks"] == {"total": 2, "succeeded": 2, "failed": 0}
    assert world.keys() == ["a", "b+c d"]
    again = world.run()
    assert (again["changed"], again["job"], again["plan"]["usd"]["total"]) == (False, None, 0)
    assert world.aws.writes() == []


def test_nothing_to_do_takes_few_calls_and_makes_neither_job_nor_role(world: World) -> None:
    ended = world.run()
    assert (ended["changed"], ended["job"], ended["steps"]) == (False, None, [])
    assert ended["api_calls"]["total"] <= 15
    assert ROLE not in world.aws.roles


def test_the_request_names_filter_report_and_role(world: World) -> None:
    world.write("in/a", "out/b")
    world.run(prefix="in/", statuses=["FAILED", "NONE"], created_after="2026-11-01", priority=42)
    (call,) = world.requests()
    request = call.params
    generator = request["ManifestGenerator"]["S3JobManifestGenerator"]
    assert generator["Filter"] == {
        "EligibleForReplication": True,
        "ObjectReplicationStatuses": ["FAILED", "NONE"],
        "KeyNameConstraint": {"MatchAnyPrefix": ["in/"]},
        "CreatedAfter": datetime(2026, 11, 1, tzinfo=UTC),
    }
    assert generator["ManifestOutputLocation"]["ManifestEncryption"] == {"SSES3": {}}
    assert (request["Report"]["Bucket"], request["Report"]["Prefix"]) == (
        f"arn:aws:s3:::{RECOVERY}",
        "batch/reports/orders",
    )
    assert request["RoleArn"] == f"arn:aws:iam::111122223333:role/{ROLE}"
    assert (request["Priority"], request["ConfirmationRequired"], call.region) == (42, False, EAST)
    assert world.keys() == ["in/a"]


def test_the_key_of_the_recovery_bucket_encrypts_the_manifest_and_is_the_roles_to_use(world: World) -> None:
    key = KEYS[PRIMARY.bucket]
    world.tasks.run(s3_dr_recovery_bucket, region=EAST, kms_key_arn=key)
    world.write("a")
    world.run()
    location = world.requests()[0].params["ManifestGenerator"]["S3JobManifestGenerator"]["ManifestOutputLocation"]
    assert location["ManifestEncryption"] == {"SSEKMS": {"KeyId": key}}
    statements = json.loads(world.aws.roles[ROLE].policies["s3-dr-batch"])["Statement"]
    assert [one["Resource"] for one in statements if "kms:Decrypt" in one["Action"]] == [[key]]


def test_above_the_budget_nothing_is_made(world: World) -> None:
    world.write("a")
    for check in (True, False):
        ended = world.run(check=check, budget_usd=0.1)
        assert "costs about 0.25 US dollars, more than the 0.10 of `budget_usd`" in ended["msg"]
        assert (ended["changed"], ended["plan"]["versions"], world.aws.writes()) == (False, 1, [])
    assert world.run(budget_usd=0.26)["changed"]


def test_a_pair_that_is_not_set_up_is_refused_with_the_way_out(world: World) -> None:
    world.write("a")
    bucket = world.aws.buckets[PRIMARY.bucket]
    rules = (bucket.replication or {})["Rules"]
    rules[0]["Status"] = "Disabled"
    assert "s3-dr-orders is disabled" in world.run()["msg"]
    bucket.replication = None
    assert "replication is not set up" in (ended := world.run())["msg"]
    assert "setup.yml" in ended["msg"]
    assert world.aws.writes() == []


def test_without_a_recovery_bucket_it_is_refused(world: World) -> None:
    del world.aws.buckets[RECOVERY]
    assert f"there is no recovery bucket '{RECOVERY}' in {EAST}" in world.run()["msg"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": "dr"}, "it replicates one way"),
        ({"destination": "elsewhere"}, "no rule leads from example-orders to 'elsewhere'"),
        ({"recovery_bucket": "No-Name"}, "S3 refuses this name"),
        ({"created_after": "yesterday"}, "'yesterday' is no time"),
        ({"created_after": "2026-11-02", "created_before": "2026-11-01"}, "Swap them"),
        ({"statuses": []}, "statuses is empty"),
        ({"prices": {"jobs": 1}}, "there is no price jobs"),
        ({"prices": {"job": {"usd": -1}}}, "`job` has no amount"),
        ({"budget_usd": -1}, "budget_usd is -1"),
        ({"priority": -1}, "priority is -1"),
        ({"wait_timeout": 0}, "wait_timeout is 0"),
        ({"findings_file": "/tmp/f"}, "goes only with `select: findings`"),
        ({"select": "findings", "findings_file": "/no/such/file"}, "there is no file /no/such/file"),
    ],
)
def test_bad_input_is_refused_before_any_call(world: World, options: dict[str, Any], said: str) -> None:
    ended = world.run(**options)
    assert said in ended["msg"]
    assert world.aws.calls == []


def test_reports_may_not_go_into_a_bucket_of_the_pair(world: World) -> None:
    assert "is a bucket of the pair" in world.run(recovery_bucket=PRIMARY.bucket)["msg"]
    assert world.aws.writes() == []


# --- the job -----------------------------------------------------------------------------------------------------


def test_a_job_that_is_under_way_is_waited_for_and_not_made_again(world: World) -> None:
    world.write("a")
    started = world.run(wait=False)
    assert (started["job"]["status"], started["changed"]) == ("Preparing", True)
    world.write("b")
    predicted = world.run(check=True)
    assert (predicted["attached"], predicted["job"]["id"], predicted["plan"]) == (True, started["job"]["id"], None)
    assert "job-0 is under way" in predicted["notes"][0]
    waited = world.run()
    assert (waited["attached"], waited["job"]["id"]) == (True, started["job"]["id"])
    assert (waited["changed"], waited["plan"]["versions"], world.requests()) == (False, 0, [])
    assert waited["job"]["status"] == "Complete"


def test_what_is_not_in_the_list_of_a_job_that_was_under_way_gets_a_job_of_its_own(world: World) -> None:
    world.write("a")
    world.run(select="findings", wait=False)
    world.write("b")
    done = world.run(select="findings")
    assert world.keys() == ["a", "b"]
    assert (done["attached"], done["changed"], done["plan"]["versions"], done["job"]["id"]) == (True, True, 1, "job-1")
    assert "job-0 was under way and has ended: 1 of 1 tasks" in done["notes"][0]


def test_what_a_job_that_was_under_way_left_is_under_the_budget_too(world: World) -> None:
    world.write("a")
    world.run(select="findings", wait=False)
    world.write("b")
    assert "more than the 0.10 of `budget_usd`" in world.run(select="findings", budget_usd=0.1)["msg"]
    assert world.keys() == ["a"]


@pytest.mark.parametrize("taken", [[], ["a"]])
def test_a_job_of_fewer_tasks_than_versions_is_no_success_while_some_are_missing(
    world: World, monkeypatch: pytest.MonkeyPatch, taken: list[str]
) -> None:
    world.write("a", "b", "c")
    monkeypatch.setattr(world.aws, "_chosen", lambda job: [(key, version_of(key)) for key in taken])
    ended = world.run()
    left = 3 - len(taken)
    assert f"had {len(taken)} tasks for 3 versions, and {left} are still missing" in ended["msg"]
    assert ended["still_missing"] == left


def test_waiting_begins_with_the_job_and_not_with_the_comparison(world: World) -> None:
    world.write("a")
    world.aws.busy = 3

    def dawdle(call: Call) -> None:
        if call.operation == "ListObjectVersions":
            world.time.now += 700

    world.aws.interrupt = dawdle
    assert world.run(wait_timeout=600)["job"]["status"] == "Complete"
    world.write("b")
    world.aws.busy = 3
    assert world.run(wait=False)["job"]["id"] == "job-1"


def test_an_answer_that_does_not_come_ends_no_waiting_unless_none_comes_for_long(world: World) -> None:
    world.write("a")
    world.aws.way = ["Active"] * 5
    silent = iter([False, True, True, False, True])

    def cut(call: Call) -> None:
        if call.operation == "DescribeJob" and next(silent, False):
            raise ConnectTimeoutError(endpoint_url="https://example.com")

    world.aws.interrupt = cut
    assert world.run()["job"]["status"] == "Complete"
    world.write("b")
    world.aws.way = ["Active"] * 5
    silent = iter([True] * 1000)
    began = world.time.now
    ended = world.run()
    assert (ended["failed"], ended["job"]) == (True, {"id": "job-1"})
    assert 500 < world.time.now - began < 700


def test_a_refusal_ends_the_waiting_at_once(world: World) -> None:
    world.write("a")

    def refuse(call: Call) -> None:
        if call.operation == "DescribeJob":
            raise client_error("AccessDenied", "no", "DescribeJob")

    world.aws.interrupt = refuse
    assert "Allow s3:DescribeJob" in world.run()["msg"]
    assert world.time.sleeps == []


def test_with_a_prefix_the_search_is_said_to_cost_more_and_a_budget_is_refused(world: World) -> None:
    world.write("in/a", "out/b")
    predicted = world.run(check=True, prefix="in/")
    assert any("only 1 of them were counted" in one for one in predicted["plan"]["assumptions"])
    refused = world.run(check=True, prefix="in/", budget_usd=5)
    assert "budget_usd cannot be kept with `prefix`" in refused["msg"]
    assert world.aws.calls == []
    listed = world.run(check=True, prefix="in/", budget_usd=5, select="findings")
    assert (listed["plan"]["usd"]["manifest"], listed["plan"]["versions"]) == (0, 1)


def test_a_list_in_a_recovery_bucket_without_versioning_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("a")
    headed = world.aws._s3_HeadObject

    def unversioned(params: dict[str, Any], region: str) -> dict[str, Any]:
        return {name: one for name, one in headed(params, region).items() if name != "VersionId"}

    monkeypatch.setattr(world.aws, "_s3_HeadObject", unversioned)
    assert f"the recovery bucket {RECOVERY} has no versioning" in world.run(select="findings")["msg"]
    assert world.requests() == []


def test_an_own_job_is_found_among_many_others(world: World) -> None:
    world.write("a")
    world.aws.way = ["Preparing"] * 9
    for prefix in ("x", "y", "z"):
        world.write(prefix)
        world.run(prefix=prefix, wait=False)
    started = world.run(wait=False)
    assert world.run(wait=False)["job"]["id"] == started["job"]["id"]
    assert len(world.aws.jobs) == 4


def test_a_run_that_is_killed_behind_the_making_of_a_job_makes_no_second_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("a")
    answered = world.aws._s3control_CreateJob

    def cut(params: dict[str, Any], region: str) -> dict[str, Any]:
        answered(params, region)
        raise KeyboardInterrupt

    monkeypatch.setattr(world.aws, "_s3control_CreateJob", cut)
    with pytest.raises(KeyboardInterrupt):
        world.run()
    monkeypatch.setattr(world.aws, "_s3control_CreateJob", answered)
    assert world.run()["attached"]
    assert len(world.aws.jobs) == 1


def test_who_ends_a_run_is_told_that_the_job_goes_on(world: World) -> None:
    world.write("a")

    def end(call: Call) -> None:
        if call.operation == "DescribeJob":
            os.kill(os.getpid(), signal.SIGTERM)

    world.aws.interrupt = end
    ended = world.run()
    assert "the run was ended by SIGTERM. The job job-0 goes on in AWS: run again" in ended["msg"]


def test_the_token_stays_until_a_job_has_ended(world: World) -> None:
    world.write("a")
    world.run()
    world.write("b")
    world.run()
    tokens = [job.request["ClientRequestToken"] for job in world.aws.jobs.values()]
    assert len(set(tokens)) == 2
    assert all(len(token) <= 64 for token in tokens)


def test_while_aws_takes_no_further_job_it_waits(world: World) -> None:
    world.write("a")
    world.aws.busy = 5
    assert world.run()["job"]["status"] == "Complete"
    assert world.time.sleeps[:5] == [0.5, 1, 2, 4, 8]


def test_waiting_ends_with_its_time_and_the_job_goes_on(world: World) -> None:
    world.write("a")
    world.aws.way = ["Active"] * 1000
    ended = world.run(wait_timeout=60)
    assert "is Active and not over after all of `wait_timeout`" in ended["msg"]
    assert ended["job"]["id"] == "job-0"
    assert world.time.now <= 61


def test_failed_tasks_fail_the_task_with_their_codes_and_remedies(world: World) -> None:
    world.write("a", "b, c", "d")
    world.aws.fails = {"a": "DstPutObjectNotPermitted", "b, c": "Odd"}.get
    for http_first in (True, False):
        world.aws.http_first = http_first
        ended = world.run()
        assert "is complete, but 2 of" in ended["msg"]
        codes = {one["code"]: one for one in ended["failures"]}
        assert set(codes) == {"DstPutObjectNotPermitted", "Odd"}
        (example,) = codes["Odd"]["examples"]
        assert example == {"key": "b, c", "version_id": version_of("b, c"), "message": "It was, as it was"}
        assert codes["DstPutObjectNotPermitted"]["remedy"] in ended["msg"]
        assert ended["job"]["report"].endswith("/manifest.json")
    assert world.keys() == ["d"]


def test_a_report_that_is_not_what_its_checksum_says_is_not_believed(world: World) -> None:
    world.write("a")
    world.aws.fails = lambda key: "DstPutObjectNotPermitted"
    world.aws.wrecks = lambda text: text.replace(b"DstPut", b"SrcGet")
    ended = world.run()
    assert "is not what its MD5 in the manifest says" in ended["msg"]
    assert ended["failures"] == []


def test_a_job_that_finds_nothing_is_fine_when_nothing_is_missing_any_more(world: World) -> None:
    world.write("a")
    world.run()
    world.write("b")
    world.aws.end = ("Failed", {"FailureCode": "InvalidManifest", "FailureReason": "... found no keys matching ..."})

    def arrive(call: Call) -> None:
        there = world.aws.buckets[DR.bucket].versions
        if call.operation == "DescribeJob" and len(there) == 1:
            there.append(world.aws.buckets[PRIMARY.bucket].versions[-1])

    world.aws.interrupt = arrive
    ended = world.run()
    assert (ended["changed"], ended["job"]["found_nothing"]) == (False, True)
    assert "found no version" in ended["notes"][0]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (("Failed", {"FailureCode": "ReportNotWritten", "FailureReason": "no"}), "failed (ReportNotWritten: no)"),
        (("Cancelled", {"FailureCode": "", "FailureReason": "by me"}), "was cancelled (by me)"),
        (("Suspended", {"FailureCode": "", "FailureReason": ""}), "is suspended"),
        (("Paused", {"FailureCode": "", "FailureReason": ""}), "is paused"),
    ],
)
def test_a_job_that_does_not_complete_fails_and_says_why(
    world: World, end: tuple[str, dict[str, Any]], said: str
) -> None:
    world.write("a")
    world.run(prefix="none")  # nothing
    world.aws.end = end
    ended = world.run()
    assert said in ended["msg"]
    assert ended["job"]["status"] == end[0]


def test_a_job_that_failed_as_its_role_was_too_new_is_made_again(world: World) -> None:
    world.write("a")
    world.aws.end = ("Failed", {"FailureCode": "AssumeRoleNotPermitted", "FailureReason": "cannot assume"})

    def settle(call: Call) -> None:
        if len(world.aws.jobs) == 2:
            world.aws.end = ("Complete", None)

    world.aws.interrupt = settle
    ended = world.run()
    assert ended["job"]["status"] == "Complete"
    assert len(world.aws.jobs) == 3
    world.write("b")
    world.aws.interrupt = lambda call: None
    world.aws.end = ("Failed", {"FailureCode": "AssumeRoleNotPermitted", "FailureReason": "cannot assume"})
    assert "cannot assume" in world.run()["msg"]
    assert len(world.aws.jobs) == 4


# --- exactly what is missing -------------------------------------------------------------------------------------


def _line(key: str, **changes: Any) -> str:
    return json.dumps(
        {
            "cause": "written_before_rule",
            "source": PRIMARY.bucket,
            "destination": DR.bucket,
            "key": key,
            "version_id": version_of(key),
            "modified": "2026-11-22T09:00:00Z",
            "size": 5,
            "delete_marker": False,
            "missing": True,
            "detail": "",
            **changes,
        }
    )


def test_exactly_the_versions_that_a_verify_found(world: World, tmp_path: Path) -> None:
    world.write("a", 'b "+c, d/é', "not told")
    findings = tmp_path / "findings.jsonl"
    lines = [
        _line("a"),
        _line('b "+c, d/é', cause="failed"),
        _line("gone", cause="version_deleted_at_destination", detail="S3 says COMPLETED"),
        _line("cold", cause="archived_class"),
        _line("extra", missing=False, cause="foreign_object_at_destination"),
        _line("back", source=DR.bucket, destination=PRIMARY.bucket),
    ]
    findings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = {"select": "findings", "findings_file": str(findings)}
    predicted = world.run(check=True, **options)
    assert world.aws.writes() == []
    done = world.run(**options)
    assert (predicted["steps"], predicted["plan"]) == (done["steps"], done["plan"])
    assert (done["plan"]["versions"], done["plan"]["in_flight"]) == (2, None)
    assert {one["cause"]: one["versions"] for one in done["left_out"]} == {
        "version_deleted_at_destination": 1,
        "archived_class": 1,
    }
    assert "add COMPLETED to `statuses`" in done["left_out"][0]["remedy"]
    assert world.keys() == ["a", 'b "+c, d/é']
    manifest = world.requests()[0].params["Manifest"]
    assert manifest["Spec"]["Fields"] == ["Bucket", "Key", "VersionId"]
    assert manifest["Location"]["ObjectArn"].startswith(f"arn:aws:s3:::{RECOVERY}/batch/manifests/orders/")
    assert "ListObjectVersions" not in done["api_calls"]["by_operation"]


def test_the_same_findings_are_the_same_job_and_their_list_is_not_written_twice(world: World, tmp_path: Path) -> None:
    world.write("a")
    findings = tmp_path / "findings.jsonl"
    findings.write_text(_line("a"), encoding="utf-8")
    options = {"select": "findings", "findings_file": str(findings)}
    world.run(**options, wait=False)
    assert world.run(**options)["attached"]
    world.aws.fails = lambda key: "Odd"
    world.run(**options)
    assert "PutObject" not in [call.operation for call in world.aws.calls]
    assert len(world.aws.jobs) == 2


def test_a_file_that_is_no_text_is_refused(world: World, tmp_path: Path) -> None:
    findings = tmp_path / "findings.jsonl"
    findings.write_bytes(b"\xff\xfe\n")
    assert "cannot be read" in world.run(select="findings", findings_file=str(findings))["msg"]


@pytest.mark.parametrize(
    "line", ["no json", "[]", "{}", _line("a", cause="new"), _line("a", version_id=5), _line("a", detail="a\ud800")]
)
def test_a_line_that_no_verify_wrote_is_refused(world: World, tmp_path: Path, line: str) -> None:
    findings = tmp_path / "findings.jsonl"
    findings.write_text(f"{_line('x')}\n{line}\n", encoding="utf-8")
    ended = world.run(select="findings", findings_file=str(findings))
    assert f"line 2 of {findings}" in ended["msg"]
    assert world.aws.writes() == []


def test_without_a_file_the_list_is_of_what_is_found_missing(world: World) -> None:
    world.write("a")
    world.write("gone", status="COMPLETED")
    done = world.run(select="findings")
    assert [one["cause"] for one in done["left_out"]] == ["version_deleted_at_destination"]
    assert world.keys() == ["a"]
    assert world.run(select="findings", statuses=["COMPLETED"])["plan"]["versions"] == 1
    assert world.keys() == ["a", "gone"]


def test_a_primary_that_was_made_anew_is_filled_from_dr(both_ways: World) -> None:
    both_ways.write("a", bucket=DR.bucket, status="REPLICA")
    both_ways.write("b", bucket=DR.bucket, status="COMPLETED")
    statuses = ["NONE", "FAILED", "COMPLETED", "REPLICA"]
    options = {"direction": "two_way", "source": "dr"}
    assert both_ways.run(**options)["plan"]["versions"] == 0
    done = both_ways.run(**options, select="findings", statuses=statuses)
    assert both_ways.keys(PRIMARY.bucket) == ["a", "b"]
    assert (both_ways.requests()[0].region, done["job"]["region"]) == (WEST, WEST)
    assert done["plan"]["source"] == DR.bucket


# --- pauses ------------------------------------------------------------------------------------------------------


def paused(world: World, until: datetime) -> None:
    """Note a pause on the replication role."""
    tags = world.aws.roles[REPLICATION_ROLE].document["Tags"]
    for key, value in (("s3-dr-gap-from", "2026-11-22T08:00:00Z"), ("s3-dr-gap-until", until.isoformat())):
        tags.append({"Key": key, "Value": value})


def gap(world: World) -> set[str]:
    """The values of the tags that tell of a pause."""
    tags = world.aws.roles[REPLICATION_ROLE].document["Tags"]
    return {tag["Value"] for tag in tags if tag["Key"].startswith("s3-dr-gap")}


def test_a_pause_is_forgotten_when_what_was_written_in_it_has_arrived(world: World) -> None:
    world.write("a")
    paused(world, world.aws.now - timedelta(hours=1))
    world.run(prefix="a")
    kept = world.run(prefix="a")
    assert "stays noted: this run looked at a part" in kept["notes"][-1]
    assert gap(world) != {""}
    predicted = world.run(check=True)
    done = world.run()
    assert (done["changed"], done["job"], gap(world)) == (True, None, {""})
    assert predicted["steps"] == done["steps"]
    assert not world.run()["changed"]


def test_a_pause_is_forgotten_behind_the_job_that_makes_it_good(world: World) -> None:
    world.write("a")
    paused(world, world.aws.now - timedelta(hours=1))
    predicted = world.run(check=True)
    assert gap(world) != {""}
    done = world.run()
    assert done["job"]["status"] == "Complete"
    assert gap(world) == {""}
    assert (predicted["steps"], predicted["diff"]) == (done["steps"], done["diff"])
    assert [step["kind"] for step in done["steps"]] == ["iam_role", "iam_role_policy", "batch_job", "iam_role"]


def test_a_pause_that_is_hardly_over_stays_noted(world: World) -> None:
    world.write("a")
    paused(world, world.aws.now + timedelta(minutes=10))
    assert "run again after that" in world.run()["notes"][-1]
    assert gap(world) != {""}


# --- the role leaves ---------------------------------------------------------------------------------------------


def test_absent_removes_the_role_unless_a_job_works_as_it(world: World) -> None:
    assert not world.run(state="absent")["changed"]
    world.write("a")
    world.run(wait=False)
    assert "job-0 in us-east-1 still replicates" in world.run(state="absent")["msg"]
    world.run()
    assert [step["action"] for step in world.run(check=True, state="absent")["steps"]] == ["delete", "delete"]
    assert ROLE in world.aws.roles
    assert world.run(state="absent")["changed"]
    assert ROLE not in world.aws.roles
    assert not world.run(state="absent")["changed"]
