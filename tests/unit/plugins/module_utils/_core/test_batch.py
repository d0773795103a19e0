# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a Batch Replication job can bring, what it costs, what its role may do, and what its report says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.batch_checks import further_ends, why_gap_stays
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.batch_job import Order, own_jobs, problem_of
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.batch_prices import (
    KNOWN_PRICES,
    Way,
    Work,
    estimate,
    prices_of,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.batch_report import (
    BadReport,
    Failures,
    failed_task,
    files_of_failed,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.batch_role import (
    batch_role_arn,
    batch_role_name,
    batch_role_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.batch_selection import (
    Missing,
    Select,
    Selection,
    Sorting,
    Status,
    status_of,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import UNASKED, Cause, Finding, Head, Scope
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.explain import Explainer
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.march import Difference, Kind
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    ARCHIVE,
    DR,
    OTHER,
    PRIMARY,
    TWO_ACCOUNTS,
    a_pair,
    everything,
    two_way,
)

NOW = datetime(2026, 11, 23, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


def missing(cause: Cause, detail: str = "", **changes: Any) -> Missing:
    """A version of five bytes that was written an hour ago."""
    values = {"key": "a", "version_id": "v", "modified": NOW - HOUR, "size": 5, **changes}
    return Missing(cause, PRIMARY.bucket, DR.bucket, detail=detail, **values)


# --- which versions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "detail", "status"),
    [
        (Cause.FAILED, "", Status.FAILED),
        (Cause.WRITTEN_BEFORE_RULE, "", Status.NONE),
        (Cause.WRITTEN_WHILE_RULE_OFF, "", Status.NONE),
        (Cause.TAGGED_AFTER_CREATION, "", Status.NONE),
        (Cause.UNEXAMINED, "", Status.NONE),
        (Cause.REPLICA_OF_ANOTHER_SOURCE, "", Status.REPLICA),
        (Cause.PENDING, "", None),
        (Cause.LATE, "", None),
        (Cause.ARCHIVED_CLASS, "", None),
        (Cause.KMS_NOT_SELECTED, "", None),
        (Cause.NO_RULE_MATCHES, "", None),
        (Cause.CONTENT_DIFFERS, "", None),
        (Cause.DELETE_MARKER_BY_CHOICE, "", None),
    ],
)
def test_the_cause_tells_what_s3_says_of_a_version(cause: Cause, detail: str, status: Status | None) -> None:
    assert status_of(missing(cause, detail)) is status


def test_a_marker_that_is_late_may_be_lost() -> None:
    assert status_of(missing(Cause.LATE, size=None)) is Status.NONE


def test_a_marker_that_is_pending_may_be_lost_where_the_bucket_may_be_a_new_one() -> None:
    marker, version = missing(Cause.PENDING, size=None), missing(Cause.PENDING)
    assert [Sorting(Selection()).wants(one) for one in (marker, version)] == [False, False]
    made_anew = Sorting(Selection(Select.FINDINGS, tuple(Status)))
    assert [made_anew.wants(one) for one in (marker, version)] == [True, False]


def _explained(status: str, *, fan_out: bool = False, both_ways: bool = False) -> Missing:
    """Of a version with that status, as a comparison explains it."""
    rule = (Rule("all"),)
    since = NOW if fan_out else NOW - 5 * HOUR
    forward = Scope(PRIMARY, DR, rule, since=since, fan_out=fan_out)
    backward = Scope(DR, PRIMARY, rule) if both_ways else None
    difference = Difference(Kind.MISSING, Version("a", "v", NOW - HOUR, 5))
    found = Explainer(forward, backward, NOW, 900).explain(difference, Head(True, status=status), Head(False))
    assert isinstance(found, Finding)
    return Missing.of(found)


def test_what_a_comparison_says_of_completed_versions_and_replicas_is_understood() -> None:
    assert status_of(_explained("COMPLETED")) is Status.COMPLETED
    assert status_of(_explained("COMPLETED", fan_out=True)) is Status.COMPLETED
    assert status_of(_explained("REPLICA", both_ways=True)) is Status.REPLICA
    assert status_of(_explained("REPLICA")) is Status.REPLICA
    assert status_of(_explained("FAILED")) is Status.FAILED


def test_a_finding_and_its_line_are_the_same_missing_version() -> None:
    difference = Difference(Kind.MISSING, Version("a", "v", NOW - HOUR, 5))
    finding = Explainer(Scope(PRIMARY, DR, (Rule("all"),)), None, NOW, 900).explain(difference, UNASKED, UNASKED)
    assert isinstance(finding, Finding)
    for size in (5, None):
        changed = replace(finding, size=size)
        assert Missing.of_line(changed.as_result(NOW)) == Missing.of(changed)
    assert Missing.of_line(replace(finding, missing=False).as_result(NOW)) is None


def test_what_is_left_out_is_counted_with_its_remedy() -> None:
    sorting = Sorting(Selection(prefix="a", created_after=NOW - 2 * HOUR))
    wanted = [
        missing(Cause.FAILED),
        missing(Cause.UNEXAMINED, size=None),
        missing(Cause.FAILED, key="b"),
        missing(Cause.FAILED, modified=NOW - 3 * HOUR),
        missing(Cause.ARCHIVED_CLASS),
        missing(Cause.REPLICA_OF_ANOTHER_SOURCE),
        missing(Cause.REPLICA_OF_ANOTHER_SOURCE),
    ]
    assert [sorting.wants(one) for one in wanted] == [True, True, False, False, False, False, False]
    assert (sorting.versions, sorting.size, sorting.delete_markers, sorting.unexamined) == (2, 5, 1, 1)
    assert [(one["cause"], one["versions"], one["bytes"]) for one in sorting.left_out_result()] == [
        ("replica_of_another_source", 2, 10),
        ("archived_class", 1, 5),
    ]
    assert "add REPLICA to `statuses`" in sorting.left_out_result()[0]["remedy"]


# --- what it costs -----------------------------------------------------------------------------------------------


def test_the_price_by_component() -> None:
    told = estimate(Work(2_000_000, 100 * 2**30, listed=4_000_000, way=Way("STANDARD_IA")), prices_of({}))
    assert told["usd"] == {
        "job": 0.25,
        "objects": 2.0,
        "manifest": 0.06,
        "put": 20.0,
        "transfer": 2.0,
        "total": 24.31,
    }
    assert told["unconfirmed_prices"] == ["transfer_gb", "put_1000.STANDARD_IA"]
    assert told["hours"] == round(2_000_000 / 1000 / 3600, 2)


def test_large_objects_take_as_long_as_their_bytes() -> None:
    assert estimate(Work(1, 450 * 10**9), prices_of({}))["hours"] == 1.0


def test_within_a_region_nothing_is_transferred_and_a_class_without_a_price_is_said() -> None:
    told = estimate(Work(1000, 2**30, way=Way("GLACIER_IR", crosses_regions=False)), prices_of({}))
    assert (told["usd"]["transfer"], told["usd"]["put"], told["unconfirmed_prices"]) == (0, 0.005, [])
    assert any("No price is known of a PUT into GLACIER_IR" in one for one in told["assumptions"])


def test_versions_that_are_there_already_are_tasks_and_nothing_else() -> None:
    told = estimate(Work(1000, 2**30, in_sync=999_000), prices_of({}))
    assert (told["usd"]["objects"], told["usd"]["put"]) == (1.0, 0.005)
    assert any("999000 versions that are there already" in one for one in told["assumptions"])


def test_each_bucket_to_which_a_rule_leads_is_counted_as_if_it_lacked_all() -> None:
    far, near = Way("STANDARD_IA"), Way(crosses_regions=False)
    told = estimate(Work(1000, 2**30, in_sync=1000, in_sync_size=3 * 2**30, further=(far, near)), prices_of({}))
    assert told["usd"]["put"] == 0.005 + 2 * 0.01 + 2 * 0.005
    assert told["usd"]["transfer"] == 0.02 * (1 + 4)
    assert any("lead to 3 buckets" in one for one in told["assumptions"])
    assert not any("lead to" in one for one in estimate(Work(1000, 2**30), prices_of({}))["assumptions"])


def test_the_further_buckets_of_a_direction_are_each_named_once() -> None:
    link = everything().links()[0]
    assert [end.bucket for end in further_ends(link, DR)] == [ARCHIVE.bucket]
    assert [end.bucket for end in further_ends(link, ARCHIVE)] == [DR.bucket]
    assert further_ends(two_way().links()[0], DR) == ()


def test_the_users_prices_take_the_place_of_the_known_ones() -> None:
    mine = {"date": "2027-01-01", "job": {"usd": 1, "confirmed": True}, "put_1000": {"GLACIER_IR": {"usd": 0.02}}}
    prices = prices_of(mine)
    assert (prices.date, prices.job, prices.put_1000["STANDARD"]) == ("2027-01-01", 1, 0.005)
    assert prices.put_1000["GLACIER_IR"] == 0.02
    assert "put_1000.GLACIER_IR" in prices.unconfirmed
    assert KNOWN_PRICES["job"]["usd"] == 0.25


# --- the role ----------------------------------------------------------------------------------------------------


def test_the_role_may_start_replication_and_handle_its_papers_and_nothing_else() -> None:
    wish = batch_role_wish(a_pair(), PRIMARY, ACCOUNTS, "papers")
    role, policy = wish.values()
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "Service": "batchoperations.s3.amazonaws.com"
    }
    allowed = {(action, where) for one in policy["Statement"] for action in one["Action"] for where in one["Resource"]}
    source, papers = f"arn:aws:s3:::{PRIMARY.bucket}", "arn:aws:s3:::papers/batch"
    assert allowed == {
        ("s3:InitiateReplication", f"{source}/*"),
        ("s3:GetReplicationConfiguration", source),
        ("s3:PutInventoryConfiguration", source),
        ("s3:GetObject", f"{papers}/manifests/*"),
        ("s3:GetObjectVersion", f"{papers}/manifests/*"),
        ("s3:PutObject", f"{papers}/manifests/*"),
        ("s3:PutObject", f"{papers}/reports/*"),
    }


def test_the_role_follows_the_pairs_settings_and_is_of_the_sources_account() -> None:
    pair = everything()
    wish = batch_role_wish(pair, pair.dr, TWO_ACCOUNTS, "papers")
    assert {address.account for address in wish} == {OTHER.id}
    role = next(iter(wish.values()))
    assert (role["Path"], role["PermissionsBoundary"]) == ("/dr/", pair.roles.permissions_boundary)
    name = batch_role_name(pair.name, DR.bucket)
    assert batch_role_arn(pair, pair.dr, TWO_ACCOUNTS) == f"arn:aws:iam::{OTHER.id}:role/dr/{name}"


def test_both_ends_have_roles_of_their_own_with_names_that_iam_takes() -> None:
    names = {batch_role_name("p" * 39, bucket) for bucket in (PRIMARY.bucket, DR.bucket)}
    assert len(names) == 2
    assert max(map(len, names)) <= 64


# --- the job -----------------------------------------------------------------------------------------------------


def order(**changes: Any) -> Order:
    """The backfill of the pair `orders`, unless changed."""
    values = {"pair": "orders", "source": PRIMARY, "destination": DR, "account": ACCOUNT, "recovery_bucket": "papers"}
    return Order(**{**values, "selection": Selection(), **changes})


def test_only_what_wants_the_same_is_the_same_job() -> None:
    others = [
        order(),
        order(pair="invoices"),
        order(source=DR, destination=PRIMARY),
        order(destination=ARCHIVE),
        order(selection=Selection(statuses=(Status.FAILED,))),
        order(selection=Selection(prefix="a")),
        order(selection=Selection(created_after=NOW)),
        order(selection=Selection(created_before=NOW)),
        order(selection=Selection(Select.FINDINGS)),
        order(selection=Selection(Select.FINDINGS), file_digest="1"),
        order(selection=Selection(Select.FINDINGS), file_digest="2"),
    ]
    assert len({one.description for one in others}) == len(others)
    assert order(selection=Selection(statuses=(Status.FAILED, Status.NONE))).description == order().description
    assert all(len(one.description) <= 256 for one in others)


def test_the_newest_of_several_jobs_counts() -> None:
    listed = [
        {"JobId": name, "Description": told, "Status": status, "CreationTime": NOW + number * HOUR}
        for number, (name, told, status) in enumerate(
            [
                ("1", "x", "Complete"),
                ("2", "x", "Failed"),
                ("3", "y", "Active"),
                ("4", "x", "Paused"),
                ("5", "x", "New"),
            ]
        )
    ]
    found = own_jobs(reversed(listed), "x")
    assert (found.active, found.last_ended) == ("5", "2")


def test_complete_is_no_success_while_tasks_failed() -> None:
    job = {"JobId": "j", "Status": "Complete", "ProgressSummary": {"TotalNumberOfTasks": 3, "NumberOfTasksFailed": 0}}
    assert problem_of(job) is None
    job["ProgressSummary"] = {"TotalNumberOfTasks": 3, "NumberOfTasksFailed": 1}
    assert "1 of 3 tasks failed" in str(problem_of(job))


# --- the report --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [["DstBucketUnversioned", "400"], ["400", "DstBucketUnversioned"]])
def test_both_orders_of_code_and_http_status_are_understood(columns: list[str]) -> None:
    task = failed_task(["b", "a%20b", "v", "failed", *columns, "It is so", " and so"], lambda key: f"<{key}>")
    assert task is not None
    assert (task.key, task.code, task.message) == ("<a%20b>", "DstBucketUnversioned", "It is so, and so")
    assert failed_task(["b", "a", "v", "succeeded", *columns, ""], str) is None


def test_a_failure_without_a_code_is_told_by_its_http_status() -> None:
    task = failed_task(["b", "a", "v", "failed", "503", "", ""], str)
    assert task is not None
    assert task.code == "HTTP 503"


def test_a_short_line_is_no_report() -> None:
    with pytest.raises(BadReport, match="a line has 2 columns"):
        failed_task(["b", "a"], str)


def test_only_files_that_may_tell_of_failures_are_read() -> None:
    results = [
        {"TaskExecutionStatus": status, "Key": status or "any", "MD5Checksum": "0"}
        for status in ("succeeded", "failed", "")
    ]
    text = str({"Results": results}).replace("'", '"').encode()
    assert [file.key for file in files_of_failed(text)] == ["failed", "any"]
    for wrong in (b"", b"[]", b'{"Results": [{}]}', b'{"Results": [{"TaskExecutionStatus": "failed"}]}'):
        with pytest.raises(BadReport, match="its manifest cannot be read"):
            files_of_failed(wrong.replace(b"[{}]", b'[{"TaskExecutionStatus": ""}]'))


def test_failures_are_counted_and_the_first_ones_kept() -> None:
    failures = Failures(2)
    for number in range(5):
        task = failed_task(["b", f"k{number}", "v", "failed", "400", "Odd", ""], str)
        assert task is not None
        failures.add(task)
    (one,) = failures.as_result()
    assert (one["tasks"], [task["key"] for task in one["examples"]]) == (5, ["k0", "k1"])
    assert failures.sentences()[0].startswith("5 with Odd, as 'k0'")


# --- pauses ------------------------------------------------------------------------------------------------------

GAP = ("2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z")


def test_a_job_that_brings_everything_leaves_of_a_pause_what_it_leaves_out() -> None:
    sorting = Sorting(Selection())
    for detail in ("", "S3 says COMPLETED: it went elsewhere"):
        sorting.wants(missing(Cause.WRITTEN_WHILE_RULE_OFF, detail))
    assert (sorting.rule_was_off, sorting.after_success().rule_was_off) == (2, 1)


def test_a_pause_is_made_good_only_when_nothing_of_it_can_be_missing() -> None:
    link = two_way().links()[0]
    whole = Sorting(Selection())
    assert why_gap_stays(link, GAP, whole, NOW) is None
    assert "no end yet" in str(why_gap_stays(link, (GAP[0], ""), whole, NOW))
    assert "run again after that" in str(why_gap_stays(link, GAP, whole, NOW - 4 * HOUR))
    for narrow in (Selection(prefix="a"), Selection(statuses=(Status.FAILED,)), Selection(Select.FINDINGS)):
        assert "a part of the versions only" in str(why_gap_stays(link, GAP, Sorting(narrow), NOW))
    for cause in (Cause.WRITTEN_WHILE_RULE_OFF, Cause.UNEXAMINED):
        seen = Sorting(Selection())
        seen.wants(missing(cause))
        assert "1 versions from that time" in str(why_gap_stays(link, GAP, seen, NOW))
    assert "further destinations" in str(why_gap_stays(everything().links()[0], GAP, whole, NOW))
