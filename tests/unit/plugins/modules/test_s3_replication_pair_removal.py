# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The task that takes a pair down, on the fake AWS: it loses nothing unasked, and says what stays."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.fence import fence_sid
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_replication_pair
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.keeping import KeepingAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, PRIMARY, a_pair, nothing, two_way, wished
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Tasks

ENDS = [PRIMARY.bucket, DR.bucket]
PROTECTED = "Access Denied because object protected by object lock."
PAIR = {
    "name": "orders",
    "primary": {"bucket": PRIMARY.bucket, "region": PRIMARY.region},
    "dr": {"bucket": DR.bucket, "region": DR.region},
}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def store() -> KeepingAws:
    """The pair `orders`, set up, with three objects at both ends."""
    aws = KeepingAws()
    set_up(aws, two_way_pair=False)
    return aws


def set_up(aws: KeepingAws, *, two_way_pair: bool) -> None:
    pair = two_way() if two_way_pair else a_pair()
    Gateway(aws.client_for, sleep=lambda seconds: None).carry_out(plan(wished(pair), nothing(pair)))
    for number in range(3):
        write(aws, f"order/{number}", *ENDS)


def write(aws: KeepingAws, key: str, *buckets: str, **more: Any) -> None:
    """One version with the same ID in each of the buckets."""
    for bucket in buckets:
        aws.buckets[bucket].versions.append({"Key": key, "VersionId": f"v-{key}", "body": b"12345", **more})


@pytest.fixture
def run(store: KeepingAws, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The task with `state: absent` and the pair confirmed."""
    tasks = Tasks(store, monkeypatch)
    monkeypatch.setattr(s3_replication_pair, "end_when_nobody_listens", lambda: None)

    def absent(*named: str, **more: Any) -> dict[str, Any]:
        given = {**PAIR, "state": "absent", "delete_buckets": list(named), "confirm_deletion": "orders"}
        return tasks.run(s3_replication_pair, **{**given, **more})

    return absent


def test_a_dr_bucket_of_which_the_primary_holds_all_goes(store: KeepingAws, run: Run) -> None:
    write(store, "newer", PRIMARY.bucket)
    ended = run(DR.bucket)
    assert "failed" not in ended
    assert set(store.buckets) == {PRIMARY.bucket}
    assert [(loss["bucket"], loss["versions"], loss["unknown"]) for loss in ended["losses"]] == [(DR.bucket, 0, "")]
    assert ended["deletions"] == [
        {"bucket": DR.bucket, "versions": 3, "bytes": 15, "delete_markers": 0, "uploads": 0, "object_lock": False,
         "expected_seconds": 1}
    ]  # fmt: skip


def test_a_dr_bucket_that_holds_the_only_copy_stays_and_nothing_is_changed(store: KeepingAws, run: Run) -> None:
    write(store, "written there", DR.bucket, status="REPLICA")
    store.replicates = lambda version: version.get("status", "COMPLETED")
    predicted = run(DR.bucket, check=True)
    ended = run(DR.bucket)
    for one in (predicted, ended):
        assert one["failed"]
        assert (
            "example-orders-dr holds what example-orders lacks: 1 version with 5 bytes (1 version_deleted_at_source)"
            in (one["msg"])
        )
        assert "'written there' (v-written there)" in one["msg"]
        assert "Nothing was changed." in one["msg"]
        assert one["losses"][0]["versions"] == 1
    assert store.writes() == []


def test_it_goes_when_its_loss_is_accepted_by_name(store: KeepingAws, run: Run) -> None:
    write(store, "written there", DR.bucket)
    ended = run(DR.bucket, accept_loss=[DR.bucket])
    assert "failed" not in ended
    assert set(store.buckets) == {PRIMARY.bucket}
    assert ended["losses"] == []
    assert any("example-orders-dr is named in `accept_loss`" in note for note in ended["notes"])


def test_a_primary_whose_copy_is_complete_goes(store: KeepingAws, run: Run) -> None:
    write(store, "only there", DR.bucket)
    assert "failed" not in run(PRIMARY.bucket)
    assert set(store.buckets) == {DR.bucket}


def test_a_primary_with_what_no_rule_replicated_stays(store: KeepingAws, run: Run) -> None:
    """Verify accepts `no_rule_matches` by default; a deletion never does."""
    write(store, "scratch/1", PRIMARY.bucket)
    ended = run(PRIMARY.bucket, rules=[{"id": "s3-dr-orders", "prefix": "order/"}])
    assert "(1 no_rule_matches)" in ended["msg"]
    assert store.writes() == []


def test_both_ends_go_by_intent_and_nothing_is_compared(store: KeepingAws, run: Run) -> None:
    write(store, "only here", PRIMARY.bucket)
    write(store, "only there", DR.bucket)
    ended = run(*ENDS)
    assert "failed" not in ended
    assert store.buckets == {}
    assert any("Both buckets of the pair are named" in note for note in ended["notes"])


def test_what_cannot_be_listed_is_not_known_and_stays(store: KeepingAws, run: Run) -> None:
    def interrupt(call: Call) -> None:
        if call.operation == "ListObjectVersions" and call.params["Bucket"] == PRIMARY.bucket:
            raise client_error("AccessDenied", "Access Denied")

    store.interrupt = interrupt
    ended = run(DR.bucket)
    assert "Whether another bucket holds all that example-orders-dr holds is not known" in ended["msg"]
    assert "s3:ListBucketVersions" in ended["msg"]
    assert set(store.buckets) == set(ENDS)


def test_the_last_bucket_of_a_pair_whose_other_is_gone_stays(store: KeepingAws, run: Run) -> None:
    del store.buckets[PRIMARY.bucket]
    ended = run(DR.bucket)
    assert "example-orders does not exist, so example-orders-dr holds the only copy of 3 versions" in ended["msg"]
    assert DR.bucket in store.buckets


def test_a_bucket_without_versions_needs_no_comparison(store: KeepingAws, run: Run) -> None:
    store.buckets[DR.bucket].versions.clear()
    assert "failed" not in run(DR.bucket)
    assert not any(call.operation == "GetMetricData" for call in store.calls)
    assert (
        sum(call.operation == "ListObjectVersions" and call.params["Bucket"] == PRIMARY.bucket for call in store.calls)
        == 0
    )


def test_a_bucket_of_an_access_point_stays(store: KeepingAws, run: Run) -> None:
    store.access_points = {"others": ["example-others"], "orders-anywhere": ENDS}
    ended = run(*ENDS)
    assert "bucket 'example-orders': the Multi-Region Access Point orders-anywhere uses it" in ended["msg"]
    assert store.writes() == []


def test_access_points_that_may_not_be_listed_are_noted(store: KeepingAws, run: Run) -> None:
    def interrupt(call: Call) -> None:
        if call.operation == "ListMultiRegionAccessPoints":
            raise client_error("AccessDenied", "Access Denied")

    store.interrupt = interrupt
    ended = run(*ENDS)
    assert "failed" not in ended
    assert any("Allow s3:ListMultiRegionAccessPoints" in note for note in ended["notes"])


def test_the_comparison_before_a_deletion_is_kept_as_evidence(store: KeepingAws, run: Run, tmp_path: Path) -> None:
    write(store, "written there", DR.bucket)
    run(DR.bucket, report_dir=str(tmp_path))
    (evidence,) = tmp_path.glob("pairs/orders/*/evidence.json")
    assert json.loads(evidence.read_text())["pair"] == "orders"
    (findings,) = tmp_path.glob("pairs/orders/*/findings.jsonl")
    assert [json.loads(line)["key"] for line in findings.read_text().splitlines()] == ["written there"]


def test_the_fence_of_a_failover_goes_and_what_others_deny_stays(store: KeepingAws, run: Run) -> None:
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
    fence = {**theirs, "Sid": fence_sid("orders", PRIMARY.bucket), "Action": "s3:PutObject"}
    policy = {"Version": "2012-10-17", "Statement": [theirs, fence]}
    store.buckets[PRIMARY.bucket].policy = json.dumps(policy)
    assert "failed" not in run()
    assert json.loads(store.buckets[PRIMARY.bucket].policy or "")["Statement"] == [theirs]


def test_what_s3_keeps_of_both_buckets_is_told_and_in_files(store: KeepingAws, run: Run, tmp_path: Path) -> None:
    store.refuses = lambda key, version_id: {"Code": "AccessDenied", "Message": PROTECTED} if "1" in key else None
    until = datetime(2027, 1, 1, tzinfo=UTC)
    store.locks = {"order/1": {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}}
    ended = run(*ENDS, report_dir=str(tmp_path))
    assert ended["failed"]
    assert ended["msg"].count("1 in COMPLIANCE mode, until 2027-01-01T00:00:00Z at the latest") == 2
    assert {(one["bucket"], one["kept"], one["deleted"]["versions"]) for one in ended["not_deleted"]} == {
        (bucket, 1, 2) for bucket in ENDS
    }
    for bucket in ENDS:
        (line,) = (tmp_path / "not_deleted" / f"{bucket}.jsonl").read_text().splitlines()
        assert json.loads(line)["key"] == "order/1"
    store.refuses = lambda key, version_id: None
    assert "failed" not in run(*ENDS)
    assert store.buckets == {}


def test_a_failure_in_the_middle_says_how_far_the_deletion_is(store: KeepingAws, run: Run) -> None:
    store.page = 1
    deletions: list[Call] = []

    def interrupt(call: Call) -> None:
        deletions.extend([call] if call.operation == "DeleteObjects" and call.params["Bucket"] == DR.bucket else [])
        if len(deletions) > 2:
            raise client_error("ExpiredToken", "The provided token has expired.")

    store.interrupt = interrupt
    ended = run(DR.bucket, accept_loss=[DR.bucket])
    assert "Renew the AWS credentials" in ended["msg"]
    assert "example-orders-dr: 2 versions and delete markers deleted, 0 uploads aborted." in ended["msg"]
    assert len(store.buckets[DR.bucket].versions) == 1
    store.interrupt = lambda call: None
    assert "failed" not in run(DR.bucket)


def test_a_signal_ends_it_and_says_how_far_it_is_and_the_next_run_ends_it(store: KeepingAws, run: Run) -> None:
    for number in range(3000):
        store.buckets[DR.bucket].versions.append({"Key": f"k/{number:04}", "VersionId": f"v{number}", "body": b""})
    store.page = 50
    seen: list[Call] = []

    def interrupt(call: Call) -> None:
        seen.extend([call] if call.operation == "DeleteObjects" else [])
        if len(seen) == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    store.interrupt = interrupt
    ended = run(*ENDS)
    assert "the run was ended by SIGTERM." in ended["msg"]
    assert "versions and delete markers deleted, 0 uploads aborted" in ended["msg"]
    assert 0 < len(store.buckets[DR.bucket].versions) < 3003
    store.interrupt = lambda call: None
    assert "failed" not in run(*ENDS)
    assert store.buckets == {}


@pytest.mark.parametrize("operation", ["DeleteBucketReplication", "DeleteObjects", "DeleteBucket"])
def test_what_is_written_after_the_comparison_stays(store: KeepingAws, run: Run, operation: str) -> None:
    """The rules go first, so that no other bucket gets it."""
    done: list[str] = []

    def interrupt(call: Call) -> None:
        if call.operation == operation and not done:
            done.append(operation)
            write(store, "a new order", PRIMARY.bucket, modified=datetime(2099, 1, 1, tzinfo=UTC))

    store.interrupt = interrupt
    ended = run(PRIMARY.bucket)
    assert done
    assert ended["failed"]
    assert "1 version written after the buckets were compared stayed" in ended["msg"]
    assert "'a new order' (v-a new order). Stop what writes, then run again." in ended["msg"]
    assert [version["Key"] for version in store.buckets[PRIMARY.bucket].versions] == ["a new order"]


def test_what_is_written_into_an_empty_bucket_stays(store: KeepingAws, run: Run) -> None:
    store.buckets[PRIMARY.bucket].versions.clear()
    done: list[Call] = []

    def interrupt(call: Call) -> None:
        if call.operation == "DeleteBucket" and not done:
            done.append(call)
            write(store, "a new order", PRIMARY.bucket)

    store.interrupt = interrupt
    assert "written after the buckets were compared stayed" in run(PRIMARY.bucket)["msg"]
    assert store.buckets[PRIMARY.bucket].versions


def test_a_signal_during_the_comparison_deletes_nothing(store: KeepingAws, run: Run) -> None:
    def interrupt(call: Call) -> None:
        if call.operation == "ListObjectVersions" and call.params["Bucket"] == PRIMARY.bucket:
            os.kill(os.getpid(), signal.SIGTERM)

    store.interrupt = interrupt
    assert "the run was ended by SIGTERM." in run(DR.bucket)["msg"]
    assert store.writes() == []


def test_before_a_deletion_nothing_but_the_copies_is_looked_at(store: KeepingAws, run: Run) -> None:
    run(DR.bucket)
    assert not any(call.operation in ("ListMetrics", "DescribeAlarms") for call in store.calls)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"accept_loss": [PRIMARY.bucket]}, "`accept_loss` names example-orders, which `delete_buckets` does not"),
        ({"report_dir": "reports"}, "Write an absolute path"),
    ],
)
def test_bad_input_is_refused_before_any_call(store: KeepingAws, run: Run, more: dict[str, Any], message: str) -> None:
    assert message in run(DR.bucket, **more)["msg"]
    assert store.calls == []


def test_of_a_two_way_pair_what_did_not_come_back_keeps_the_dr_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = KeepingAws()
    set_up(aws, two_way_pair=True)
    write(aws, "after the failover", DR.bucket, status="FAILED")
    aws.replicates = lambda version: version.get("status", "COMPLETED")
    monkeypatch.setattr(s3_replication_pair, "end_when_nobody_listens", lambda: None)
    ended = Tasks(aws, monkeypatch).run(
        s3_replication_pair,
        **PAIR, direction="two_way", state="absent", delete_buckets=[DR.bucket], confirm_deletion="orders",
    )  # fmt: skip
    assert "(1 failed), for example 'after the failover'" in ended["msg"]
    assert aws.writes() == []
