# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What is asked about a difference, what its answers mean, and that no request is made beyond the budget."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.examination import (
    THREADS,
    Budget,
    Examiner,
    head_of,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Cause, Finding, Head, Scope
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.explain import Explainer, Solved
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.march import Difference, Kind
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, PRIMARY
from ansible_collections.crossregion.s3_dr.tests.unit.version_store import (
    LONG_AGO,
    Store,
    answered,
    marker,
    version,
)

RULE = Rule("s3-dr-orders")
SCOPE = Scope(PRIMARY, DR, (RULE,), since=LONG_AGO - timedelta(days=30))
LOST = ConnectTimeoutError(endpoint_url="https://example-orders.s3.amazonaws.com/secret-key")


@dataclass(frozen=True)
class Told(Explainer):
    """Keeps what the explainer is told."""

    told: list[tuple[Head, Head]] = field(default_factory=list)

    def explain(self, difference: Difference, here: Head, there: Head) -> Finding | Solved:
        """Explain it as always."""
        self.told.append((here, there))
        return super().explain(difference, here, there)


class Ends:
    """Both ends of a pair, and what is found out about them."""

    def __init__(self, *left: Version, right: tuple[Version, ...] = (), requests: int = 1000) -> None:
        self.left = Store(left, PRIMARY.bucket)
        self.right = Store(right, DR.bucket)
        self.budget = Budget(requests, 1000.0, clock=lambda: 0.0, sleep=lambda seconds: None)
        self.examiner_with(SCOPE)

    def examiner_with(self, scope: Scope) -> None:
        """Explain by these rules."""
        self.explainer = Told(scope, None, LONG_AGO, 900)
        self.examiner = Examiner(self.left.side(), self.right.side(), self.explainer, self.budget)

    def look(self, *differences: Difference) -> list[Finding | Solved]:
        """What becomes of the differences."""
        return list(self.examiner.examine(differences))

    @property
    def heads(self) -> tuple[Head, Head]:
        """What the explainer was told of the one difference."""
        ((here, there),) = self.explainer.told
        return here, there

    @property
    def asked(self) -> tuple[int, int]:
        """Requests at both ends."""
        assert self.examiner.requests == self.budget.used == self.left.requests + self.right.requests
        return self.left.requests, self.right.requests


def missing(row: Version, **fields: Any) -> Difference:
    """A version that only the left end lists."""
    return Difference(Kind.MISSING, row, **fields)


def cause(explained: Finding | Solved) -> Cause | Solved:
    """The cause of a finding."""
    return explained.cause if isinstance(explained, Finding) else explained


# --- the budget -----------------------------------------------------------------------------------------------------


def test_requests_are_paced() -> None:
    time = Time()
    budget = Budget(5, 10.0, time.clock, time.sleep)
    assert [budget.take() for _again in range(5)] == [True] * 5
    assert time.now == pytest.approx(0.4)
    assert budget.exhausted


def test_what_was_not_used_in_time_is_not_made_up_for() -> None:
    time = Time()
    budget = Budget(100, 10.0, time.clock, time.sleep)
    budget.take()
    time.now = 60.0
    for _again in range(11):
        budget.take()
    assert time.now == pytest.approx(61.0)


@pytest.mark.parametrize("most", [0, 1, 3])
def test_no_more_than_the_budget_is_given_and_nobody_waits_for_nothing(most: int) -> None:
    time = Time()
    budget = Budget(most, 1.0, time.clock, time.sleep)
    assert [budget.take() for _again in range(5)] == [True] * most + [False] * (5 - most)
    assert (budget.used, budget.exhausted) == (most, True)
    assert time.now == max(0, most - 1)


def test_many_threads_get_no_more_than_one() -> None:
    budget, begin = Budget(100, 1e9, lambda: 0.0, lambda seconds: None), threading.Barrier(8)
    got: list[bool] = []

    def take() -> None:
        begin.wait()
        got.extend(budget.take() for _again in range(50))

    threads = [threading.Thread(target=take) for _again in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (got.count(True), budget.used) == (100, 100)


# --- what is asked --------------------------------------------------------------------------------------------------


def test_what_the_listing_tells_needs_no_request() -> None:
    ends = Ends(marker("a"))
    by_choice = replace(RULE, delete_markers=False)
    ends.examiner_with(replace(SCOPE, rules=(by_choice,)))
    assert [cause(one) for one in ends.look(missing(marker("a")))] == [Cause.DELETE_MARKER_BY_CHOICE]
    assert ends.asked == (0, 0)


def test_a_missing_version_is_looked_at_where_it_is() -> None:
    row = version("a", "null")
    ends = Ends(row)
    ends.left.answers["a"] = {"ReplicationStatus": "FAILED"}
    assert [cause(one) for one in ends.look(missing(row))] == [Cause.FAILED]
    assert ends.asked == (1, 0)
    assert ends.left.heads[0]["VersionId"] == "null"
    assert "ChecksumMode" not in ends.left.heads[0]


def test_where_s3_says_completed_the_other_end_is_looked_at_too() -> None:
    row = version("a")
    ends = Ends(row)
    ends.left.answers["a"] = {"ReplicationStatus": "COMPLETED"}
    assert [cause(one) for one in ends.look(missing(row))] == [Cause.VERSION_DELETED_AT_DESTINATION]
    assert ends.asked == (1, 1)


def test_what_arrived_after_its_end_was_listed_is_no_difference() -> None:
    row = version("a")
    ends = Ends(row, right=(row,))
    ends.left.answers["a"] = {"ReplicationStatus": "COMPLETED"}
    assert ends.look(missing(row)) == [Solved.ARRIVED]


def test_what_was_deleted_after_it_was_listed_is_no_difference() -> None:
    ends = Ends()
    assert ends.look(missing(version("a"))) == [Solved.GONE]
    assert ends.asked == (1, 0)


def test_what_only_the_right_end_holds_is_looked_at_there() -> None:
    row = version("a")
    ends = Ends(right=(row,))
    ends.right.answers["a"] = {"ReplicationStatus": "REPLICA"}
    assert [cause(one) for one in ends.look(missing(row, at_left=False))] == [Cause.VERSION_DELETED_AT_SOURCE]
    assert ends.asked == (1, 1)
    assert len(ends.right.heads) == len(ends.left.heads) == 1


def test_tags_are_asked_for_where_they_decide() -> None:
    row, rule = version("a"), replace(RULE, tags=(("tier", "gold"),))
    ends = Ends(row)
    ends.left.tags["a"] = {"tier": "gold"}
    ends.examiner_with(replace(SCOPE, rules=(rule,)))
    assert [cause(one) for one in ends.look(missing(row))] == [Cause.TAGGED_AFTER_CREATION]
    assert ends.asked == (2, 0)
    assert ends.left.tag_reads[0]["VersionId"] == "v1"
    assert ends.heads[0].tags == (("tier", "gold"),)


def test_tags_that_may_not_be_read_are_said() -> None:
    row, rule = version("a"), replace(RULE, tags=(("tier", "gold"),))
    ends = Ends(row)
    ends.left.tags["a"] = answered("AccessDenied", "GetObjectTagging")
    ends.examiner_with(replace(SCOPE, rules=(rule,)))
    (found,) = ends.look(missing(row))
    assert cause(found) is Cause.UNEXAMINED
    assert "s3:GetObjectVersionTagging on example-orders" in ends.heads[0].refused
    assert list(ends.examiner.notices) == [ends.heads[0].refused]


def test_a_version_that_goes_between_its_head_and_its_tags_is_gone() -> None:
    row, rule = version("a"), replace(RULE, tags=(("tier", "gold"),))
    ends = Ends(row)
    ends.left.tags["a"] = answered("NoSuchVersion", "GetObjectTagging")
    ends.examiner_with(replace(SCOPE, rules=(rule,)))
    assert ends.look(missing(row)) == [Solved.GONE]


def test_where_the_content_may_differ_both_ends_are_asked_for_checksums() -> None:
    left, right = version("a", etag="e1"), version("a", etag="e2")
    ends = Ends(left, right=(right,))
    for store in (ends.left, ends.right):
        store.answers["a"] = {"ChecksumCRC64NVME": "same", "ChecksumType": "FULL_OBJECT"}
    assert ends.look(Difference(Kind.DIFFERS, left, other=right)) == [Solved.SAME_CONTENT]
    assert ends.asked == (1, 1)
    assert all(head["ChecksumMode"] == "ENABLED" for head in ends.left.heads + ends.right.heads)


def test_without_the_right_to_decrypt_it_does_without_checksums() -> None:
    left, right = version("a", etag="e1"), version("a", etag="e2")
    ends = Ends(left, right=(right,))
    ends.left.refuses_checksums = True
    ends.look(Difference(Kind.DIFFERS, left, other=right))
    assert ends.asked == (2, 1)
    assert ends.heads[0].found is True
    assert ["kms:Decrypt on the keys of example-orders" in notice for notice in ends.examiner.notices] == [True]


def test_where_a_second_try_is_refused_too_it_is_not_the_key() -> None:
    left, right = version("a", etag="e1"), version("a", etag="e2")
    ends = Ends(left, right=(right,))
    ends.left.answers["a"] = answered("403")
    assert [cause(one) for one in ends.look(Difference(Kind.DIFFERS, left, other=right))] == [Cause.UNEXAMINED]
    assert ends.asked == (2, 0)
    assert all("kms:Decrypt" not in notice for notice in ends.examiner.notices)


# --- delete markers -------------------------------------------------------------------------------------------------


def test_a_delete_marker_that_is_still_there_answers_405() -> None:
    row = marker("a", age=10_000)
    ends = Ends(row)
    rule = replace(RULE, delete_markers=True)
    ends.examiner_with(replace(SCOPE, rules=(rule,)))
    assert [cause(one) for one in ends.look(missing(row))] == [Cause.LATE]
    assert ends.asked == (1, 1)
    assert (ends.heads[0].found, ends.heads[1].found) == (True, False)


@pytest.mark.parametrize(("held", "solved"), [((), Solved.GONE), ((marker("a"),), Solved.ARRIVED)])
def test_a_delete_marker_may_go_or_arrive_after_it_was_listed(held: tuple[Version, ...], solved: Solved) -> None:
    ends = Ends(*held, right=held)
    rule = replace(RULE, delete_markers=True)
    ends.examiner_with(replace(SCOPE, rules=(rule,)))
    assert ends.look(missing(marker("a"))) == [solved]


def test_405_without_a_delete_marker_proves_nothing() -> None:
    ends = Ends()
    ends.left.answers["a"] = answered("405")
    assert [cause(one) for one in ends.look(missing(version("a")))] == [Cause.UNEXAMINED]


@pytest.mark.parametrize(
    ("listed", "held"),
    [
        (version("a", "null"), marker("a", "null")),
        (marker("a", "null"), version("a", "null")),
        (version("a", "null"), version("a", "null", age=50.0)),
        (marker("a", "null"), marker("a", "null", age=50.0)),
    ],
)
def test_a_null_version_that_was_replaced_is_gone(listed: Version, held: Version) -> None:
    ends = Ends(held)
    rule = replace(RULE, delete_markers=True)
    ends.examiner_with(replace(SCOPE, rules=(rule,)))
    assert ends.look(missing(listed)) == [Solved.GONE]


def test_another_null_version_at_the_other_end_is_not_the_one_that_is_missing() -> None:
    row = version("a", "null")
    ends = Ends(row, right=(version("a", "null", age=50.0),))
    ends.left.answers["a"] = {"ReplicationStatus": "COMPLETED"}
    assert [cause(one) for one in ends.look(missing(row))] == [Cause.VERSION_DELETED_AT_DESTINATION]


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (answered("403"), "s3:GetObjectVersion or s3:ListBucket on example-orders"),
        (answered("400"), "customer's key (SSE-C)"),
        (answered("SlowDown"), "S3 answered SlowDown to HeadObject"),
        (LOST, "could not be reached (ConnectTimeoutError)"),
    ],
)
def test_what_is_refused_proves_neither_and_is_said_once(error: Exception, named: str) -> None:
    rows = [version("a", f"v{number}") for number in range(100)]
    ends = Ends(*rows)
    ends.left.answers["a"] = error
    found = ends.look(*[missing(row) for row in rows])
    assert {cause(one) for one in found} == {Cause.UNEXAMINED}
    ((notice, times),) = ends.examiner.notices.items()
    assert named in notice
    assert "secret-key" not in notice
    assert times == 100


def test_an_answer_at_the_other_end_that_is_refused_is_no_proof_of_deletion() -> None:
    row = version("a")
    ends = Ends(row)
    ends.left.answers["a"] = {"ReplicationStatus": "COMPLETED"}
    ends.right.answers["a"] = answered("403")
    assert [cause(one) for one in ends.look(missing(row))] == [Cause.UNEXAMINED]
    assert "example-orders-dr" in next(iter(ends.examiner.notices))


# --- many, and the budget's end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("requests", [0, 1, 2, 50, 99])
def test_every_difference_is_explained_though_the_budget_ends(requests: int) -> None:
    rows = [version(f"{number:03}") for number in range(100)]
    ends = Ends(*rows, requests=requests)
    for row in rows:
        ends.left.answers[row.key] = {"ReplicationStatus": "FAILED"}
    found = ends.look(*[missing(row) for row in rows])
    assert sorted(one.key for one in found if isinstance(one, Finding)) == [row.key for row in rows]
    causes = [cause(one) for one in found]
    assert (causes.count(Cause.FAILED), causes.count(Cause.UNEXAMINED)) == (requests, 100 - requests)
    assert ends.asked == (requests, 0)
    assert ends.examiner.notices == {}


def test_only_so_many_differences_are_held_at_a_time() -> None:
    rows, taken = [version(f"{number:04}") for number in range(1000)], 0

    def differences() -> Iterator[Difference]:
        nonlocal taken
        for row in rows:
            taken += 1
            yield missing(row)

    ends = Ends(*rows)
    for number, _explained in enumerate(ends.examiner.examine(differences()), 1):
        assert taken - number <= 64


def test_a_defect_in_a_thread_is_raised() -> None:
    ends = Ends(version("a"))
    ends.left.answers["a"] = ZeroDivisionError("a defect")
    with pytest.raises(ZeroDivisionError):
        ends.look(missing(version("a")))


def test_threads_end_when_nobody_wants_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [version(f"{number:04}") for number in range(1000)]
    ends, go_on, head_object = Ends(*rows), threading.Event(), Store.head_object

    def slow(store: Store, **params: Any) -> dict[str, Any]:
        assert params["Key"] == "0000" or go_on.wait(10)
        return head_object(store, **params)

    monkeypatch.setattr(Store, "head_object", slow)
    explained = ends.examiner.examine(missing(row) for row in rows)
    next(explained)
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("examine")]
    assert threads
    explained.close()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert ends.left.requests <= 1 + THREADS


# --- HeadObject -----------------------------------------------------------------------------------------------------


def test_all_that_head_object_tells_is_taken_over() -> None:
    head = head_of(
        {
            "ReplicationStatus": "PENDING",
            "ContentLength": 7,
            "ETag": '"abc-12"',
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": "arn:of-a-key",
            "StorageClass": "GLACIER",
            "ArchiveStatus": "ARCHIVE_ACCESS",
            "ObjectLockMode": "COMPLIANCE",
            "SSECustomerAlgorithm": "AES256",
            "ChecksumSHA256": "s",
            "ChecksumCRC32": "c",
            "ChecksumType": "COMPOSITE",
            "LastModified": LONG_AGO,
        }
    )
    assert head == Head(
        True,
        status="PENDING",
        size=7,
        etag="abc-12",
        encryption="aws:kms",
        kms_key="arn:of-a-key",
        storage_class="GLACIER",
        archive_status="ARCHIVE_ACCESS",
        object_lock=True,
        customer_key=True,
        parts=12,
        checksums=(("CRC32", "c"), ("SHA256", "s")),
        checksum_type="COMPOSITE",
        modified=LONG_AGO,
    )


def test_what_head_object_does_not_tell_is_not_made_up() -> None:
    assert head_of({"ContentLength": 0, "ETag": '"abc"'}) == Head(True, size=0, etag="abc")


@pytest.mark.parametrize(("told", "locked"), [("ON", True), ("OFF", False)])
def test_a_legal_hold_is_a_lock(told: str, locked: bool) -> None:
    assert head_of({"ObjectLockLegalHoldStatus": told}).object_lock is locked


@given(st.text("abc-0123456789", max_size=8))
def test_any_etag_is_taken(etag: str) -> None:
    head = head_of({"ETag": f'"{etag}"'})
    assert head.etag == etag
    assert head.parts is None or etag.endswith(str(head.parts))
