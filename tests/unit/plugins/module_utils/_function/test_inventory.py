# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Reports compared slice by slice tell what the listings would have told, however their rows are mixed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.comparison import Comparison
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.inventory_reports import InventoryReports, Plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core import inventory
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import End
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function import parts
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.comparison import Slices
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.work import Work
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.objects import KilledAtPut, error
from ansible_collections.crossregion.s3_dr.tests.unit.inventory_store import SCANNED, Reported, configuration
from ansible_collections.crossregion.s3_dr.tests.unit.plugins.module_utils._function.test_comparison import (
    SCOPE,
    Clock,
    Sliced,
    buckets,
    budget,
    in_one_go,
    told,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, PRIMARY
from ansible_collections.crossregion.s3_dr.tests.unit.version_store import LONG_AGO, marker, version


class Metrics:
    """CloudWatch, as far as it counts objects."""

    def __init__(self, objects: float | Exception | None) -> None:
        self.objects = objects
        self.asked: list[dict[str, Any]] = []

    def get_metric_statistics(self, **params: Any) -> dict[str, Any]:
        """Yesterday's figure, after an older one."""
        self.asked.append(params)
        if isinstance(self.objects, Exception):
            raise self.objects
        days = [(datetime(2001, 2, 2, tzinfo=UTC), self.objects), (datetime(2001, 2, 1, tzinfo=UTC), 1.0)]
        return {"Datapoints": [] if self.objects is None else [{"Timestamp": at, "Average": one} for at, one in days]}


class ByReports(Sliced):
    """Two buckets that are compared by their reports, slice by slice."""

    def __init__(self, sliced: Sliced, objects: float | Exception | None = 500_000.0, delivered: int = 3) -> None:
        super().__init__(sliced.left.rows, sliced.right.rows, sliced.left.page, sliced.backward)
        self.ends = {PRIMARY.bucket: Reported(self.left), DR.bucket: Reported(self.right, DR.region)}
        self.metrics = Metrics(objects)
        for number, end in enumerate(self.ends.values()):
            rows = list(end.store.rows)
            random.Random(number).shuffle(rows)
            if delivered:
                end.deliver(rows, rows_of_a_file=delivered)

    def reports(self, threshold: int = 1000, max_age_hours: int = 50) -> InventoryReports:
        """As the function chooses them."""
        return InventoryReports(lambda *place: self.metrics, threshold, max_age_hours)

    def plan(self, *prefixes: str, **wished: int) -> Plan | str:
        """What is chosen."""
        return self.reports(**wished).plan([end.side() for end in self.ends.values()], prefixes or ("",))

    def slices(self, seconds: float = 0.0) -> Slices:
        """`seconds` 0: each slice ends with its first row, part or difference."""

        def side_of(end: End) -> Any:
            return self.ends[end.bucket].side()

        return Slices(
            [(SCOPE, self.backward)],
            side_of,
            Work(self.bucket, self.bucket.bucket, self.bucket.owner, "work/"),
            self.settings,
            900,
            budget(self.requests),
            lambda: seconds,
            Clock(),
            self.reports(),
        )


def of(*keys: str) -> Sliced:
    """Two buckets that hold the same keys."""
    rows = [version(key) for key in keys]
    return Sliced(rows, list(rows))


def as_listed(comparison: Comparison) -> dict[str, Any]:
    """What a comparison says, but for how it was done."""
    return {**told(comparison), "engine": "listing"}


@given(buckets(), st.sampled_from([0.0, 1.5, 7.5, 1e9]))
@settings(deadline=None)
def test_reports_tell_what_the_listings_tell(sliced: Sliced, seconds: float) -> None:
    by_reports = ByReports(sliced)
    found = by_reports.run(seconds)
    assert (as_listed(found), by_reports.findings()) == in_one_go(by_reports)
    assert found.engine == "inventory"
    assert by_reports.left.lists == by_reports.right.lists == []


def test_what_was_judged_and_by_what_is_said() -> None:
    found = ByReports(of("a")).run()
    (notice,) = found.notices
    assert notice == (
        "The S3 Inventory reports on example-orders of 2001-02-03T05:05:05Z and example-orders-dr of "
        "2001-02-03T05:05:05Z were compared; of what was written after 2001-02-03T04:05:05Z nothing is judged."
    )
    assert found.cutoff == LONG_AGO - timedelta(seconds=2)


@pytest.mark.parametrize("killed_after", range(1, 20))
def test_a_slice_that_is_killed_and_repeated_counts_nothing_twice(killed_after: int) -> None:
    rows = [version(key) for key in "abcdef"]
    by_reports = ByReports(Sliced(rows, [row for row in rows if row.key not in "bd"]))
    by_reports.bucket.interrupt = KilledAtPut(killed_after)
    with pytest.raises(SystemExit):
        by_reports.run(1.5)
    assert (as_listed(by_reports.run(1.5)), by_reports.findings()) == in_one_go(by_reports)


def test_only_keys_below_the_prefixes_are_compared() -> None:
    by_reports = ByReports(of("a/1", "b/1", "c"))
    by_reports.settings = by_reports.settings.__class__(prefixes=("a/", "b/"), sample_size=3, sample_seed="seed")
    found = by_reports.run()
    assert (found.complete, found.matched, found.source_count.versions) == (True, 2, 2)


def test_a_full_disk_ends_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_HELD_ROWS", 2)
    monkeypatch.setattr(parts, "_MOST_DISK_BYTES", 1)
    by_reports = ByReports(of(*"abcdef"))
    assert by_reports.run(1e9).matched == 6
    assert len(by_reports.answers) == 8  # six rows of each end, two in a slice; no more rows; then all parts


def test_keys_of_one_part_are_those_of_both_ends() -> None:
    assert {inventory.part_of(f"k{number}", 16) for number in range(500)} == set(range(16))


@pytest.mark.parametrize(
    ("objects", "count"), [(0, 1), (1, 1), (100_000, 1), (100_001, 2), (10**12, inventory.MOST_PARTS)]
)
def test_as_many_parts_as_fit_into_memory(objects: int, count: int) -> None:
    assert inventory.parts_for(objects) == count


# --- what is chosen ------------------------------------------------------------------------------------------


def test_small_buckets_are_listed_without_a_word() -> None:
    by_reports = ByReports(of("a"), objects=1000.0)
    assert by_reports.plan() == ""
    found = by_reports.run()
    assert (found.engine, found.complete, found.notices) == ("listing", True, ())
    assert by_reports.metrics.asked[0]["Dimensions"] == [
        {"Name": "BucketName", "Value": "example-orders"},
        {"Name": "StorageType", "Value": "AllStorageTypes"},
    ]


def test_a_bucket_without_a_figure_is_listed() -> None:
    assert ByReports(of("a"), objects=None).plan() == ""


def test_the_newest_complete_report_is_taken() -> None:
    by_reports = ByReports(of("a"))
    left = by_reports.ends[PRIMARY.bucket]
    newer = left.deliver(scanned=SCANNED + timedelta(hours=2))
    unsealed = left.deliver(scanned=SCANNED + timedelta(hours=3))
    del left.reports.objects[f"{unsealed}manifest.checksum"]
    plan = by_reports.plan()
    assert isinstance(plan, Plan)
    assert plan.reports[0].began == SCANNED + timedelta(hours=2, milliseconds=-1)
    assert newer < unsealed
    assert inventory.judged_from(plan.reports) < LONG_AGO + timedelta(seconds=1)


def deny(ends: dict[str, Reported]) -> None:
    """The DR bucket's reports may not be read."""
    folder = ends[DR.bucket].deliver()
    ends[DR.bucket].reports.failures["get", f"{folder}manifest.checksum"] = error("AccessDenied", "GetObject")


def configure(**changes: Any) -> Callable[[dict[str, Reported]], None]:
    """The DR bucket has another configuration."""

    def change(ends: dict[str, Reported]) -> None:
        end = ends[DR.bucket]
        end.configurations = [configuration(end.reports.bucket, **changes)]

    return change


def unconfigure(ends: dict[str, Reported]) -> None:
    """The DR bucket has no configuration."""
    ends[DR.bucket].configurations = []


def damage(ends: dict[str, Reported]) -> None:
    """A manifest was changed."""
    folder = ends[DR.bucket].deliver()
    ends[DR.bucket].reports.objects[f"{folder}manifest.json"] += b" "


def of_another(ends: dict[str, Reported]) -> None:
    """A manifest is of another bucket."""
    ends[DR.bucket].deliver(sourceBucket="other")


def narrow(ends: dict[str, Reported]) -> None:
    """A report has too few columns."""
    ends[DR.bucket].deliver(fileSchema="Bucket, Key, VersionId, IsLatest, IsDeleteMarker, LastModifiedDate, ETag")


def strange(ends: dict[str, Reported]) -> None:
    """A manifest that nobody can read."""
    ends[DR.bucket].deliver(files=[{"key": "x"}])


def old(ends: dict[str, Reported]) -> None:
    """All reports are too old."""
    end = ends[DR.bucket]
    end.reports.objects.clear()
    end.deliver(scanned=SCANNED - timedelta(hours=60))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (unconfigure, "no inventory configuration of example-orders-dr in us-west-2 tells enough (there is none)"),
        (configure(IsEnabled=False), "('all': it is disabled)"),
        (configure(to={"Format": "ORC"}), "('all': its format is ORC and not CSV)"),
        (configure(IncludedObjectVersions="Current"), "('all': it has current versions only)"),
        (configure(Filter={"Prefix": "in/"}), "('all': it has only keys below 'in/')"),
        (configure(OptionalFields=["ETag", "Size"]), "('all': it lacks the field LastModifiedDate)"),
        (configure(Id="other"), "there is no complete report on example-orders-dr in example-orders-dr-reports/lists/"),
        (old, "that is younger than 50 hours"),
        (deny, "Allow s3:ListBucket and s3:GetObject on example-orders-dr-reports"),
        (damage, "is not what its checksum says"),
        (of_another, "it is of something else"),
        (narrow, "it lacks Size"),
        (strange, "its manifest cannot be read ('size')"),
    ],
)
def test_without_usable_reports_the_listings_are_compared_and_it_is_said_why(
    change: Callable[[dict[str, Reported]], None], said: str
) -> None:
    by_reports = ByReports(of("a", "b"))
    change(by_reports.ends)
    found = by_reports.run()
    assert (found.engine, found.complete, found.matched) == ("listing", True, 2)
    (notice,) = found.notices
    assert notice.startswith("The listings were compared, although a bucket holds 500,000 objects: ")
    assert said in notice


def test_a_count_that_may_not_be_read_is_said() -> None:
    plan = ByReports(of("a"), objects=error("AccessDenied", "GetMetricStatistics")).plan()
    assert isinstance(plan, str)
    assert plan.startswith("The listings were compared, however many objects there are: ")
    assert "Allow cloudwatch:GetMetricStatistics" in plan


def test_a_role_that_cannot_be_assumed_is_said() -> None:
    plan = ByReports(of("a"), objects=AwsFailure("the role cannot be assumed")).plan()
    assert plan == "The listings were compared, however many objects there are: the role cannot be assumed"


def test_a_report_with_a_prefix_serves_a_comparison_below_it() -> None:
    by_reports = ByReports(of("in/a"))
    for end in by_reports.ends.values():
        end.configurations = [configuration(end.reports.bucket, Filter={"Prefix": "in/"})]
    assert isinstance(by_reports.plan("in/a", "in/b"), Plan)
    assert "only keys below" in str(by_reports.plan("in/", "out/"))


# --- what is wrong with a report -----------------------------------------------------------------------------


def data_file(end: Reported) -> str:
    """The key of its first file."""
    return min(key for key in end.reports.objects if key.endswith(".csv.gz"))


def swap(end: Reported) -> None:
    """Another file in its place."""
    other = Reported(end.store)
    other.deliver([version("z")])
    end.reports.objects[data_file(end)] = other.reports.objects[data_file(other)]


def cut(end: Reported) -> None:
    """Its end is missing."""
    end.reports.objects[data_file(end)] = end.reports.objects[data_file(end)][:-20]


def no_archive(end: Reported) -> None:
    """It is not packed."""
    end.reports.objects[data_file(end)] = b"a,b,c"


def gone(end: Reported) -> None:
    """It was removed."""
    del end.reports.objects[data_file(end)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (swap, "is not what its manifest says"),
        (cut, "cannot be read"),
        (no_archive, "cannot be read"),
        (gone, "is not there any more"),
    ],
)
def test_a_damaged_report_proves_nothing(change: Callable[[Reported], None], said: str) -> None:
    by_reports = ByReports(of(*"abcdef"))
    change(by_reports.ends[DR.bucket])
    found = by_reports.run(1e9)
    assert not found.complete
    assert said in found.reason
    assert "a file of the inventory of example-orders-dr" in found.reason


def test_a_row_that_nobody_understands_proves_nothing() -> None:
    by_reports = ByReports(of("a"), delivered=0)
    for end in by_reports.ends.values():
        end.deliver(fileSchema="Bucket, Key, VersionId, IsLatest, IsDeleteMarker, LastModifiedDate, Size, ETag")
    found = by_reports.run(1e9)
    assert not found.complete
    assert "a row of the inventory reports cannot be read" in found.reason


def test_parts_that_vanish_prove_nothing() -> None:
    by_reports = ByReports(of(*"abc"))
    by_reports.slices(1e9).advance()
    for key in [key for key in by_reports.bucket.objects if "dealt-" in key and "-1-" in key]:
        del by_reports.bucket.objects[key]
    found = by_reports.run(1e9)
    assert not found.complete
    assert "was not there any more" in found.reason


def test_a_version_told_twice_proves_nothing() -> None:
    by_reports = ByReports(of("a"), delivered=0)
    for end in by_reports.ends.values():
        end.deliver([version("a"), version("a")])
    found = by_reports.run(1e9)
    assert not found.complete
    assert "twice" in found.reason


def test_what_is_in_no_report_yet_is_in_flight_and_what_has_gone_since_is_no_difference() -> None:
    rows = [version("a"), version("b"), marker("c")]
    by_reports = ByReports(Sliced([*rows, version("new", age=-1800)], rows), delivered=0)
    left, right = by_reports.ends.values()
    left.deliver([*by_reports.left.rows, version("deleted since")])
    right.deliver([row for row in rows if row.key != "b"])  # arrived after the report
    by_reports.left.answers["b"] = {"ReplicationStatus": "COMPLETED"}
    found = by_reports.run(1e9)
    assert (found.complete, found.in_flight, found.tally.versions) == (True, 1, {})
    assert {one.value: count for one, count in found.solved.items()} == {"gone": 1, "arrived": 1}
