# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Conflicts found and resolved on the fake AWS: in whichever order a destination puts what arrives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws import conflict_search
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.conflict_resolution import (
    NotAgreed,
    Resolved,
    await_agreement,
    resolve,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.conflict_search import Found, find_conflicts
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.examination import Budget
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core import journal
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Scope
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.conflicts import (
    LARGEST_COPY,
    Action,
    Clash,
    Policy,
    Ways,
    decide,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Rule
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, Call, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.calls import OWNER
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.replicating import ReplicatingAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, PRIMARY

KEEP = (Policy.KEEP_DR, Policy.KEEP_PRIMARY, Policy.NEWEST)


class World:
    """Two buckets that replicate into each other, and a switch of all writers from the one to the other."""

    def __init__(self, by_arrival: bool = False, markers: bool = True) -> None:
        self.aws = ReplicatingAws()
        self.aws.by_arrival = by_arrival
        self.time = Time()
        rules = (Rule("s3-dr-orders", delete_markers=markers),)
        self.ways = Ways(Scope(PRIMARY, DR, rules), Scope(DR, PRIMARY, rules))
        for end, other in ((PRIMARY, DR), (DR, PRIMARY)):
            rule = {
                "ID": "s3-dr-orders",
                "Status": "Enabled",
                "Priority": 1,
                "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Enabled" if markers else "Disabled"},
                "Destination": {"Bucket": f"arn:aws:s3:::{other.bucket}"},
            }
            replication = {"Role": "arn:aws:iam::111122223333:role/r", "Rules": [rule]}
            self.aws.buckets[end.bucket] = Bucket(end.region, versioning="Enabled", replication=replication)
        self.flip = datetime.max.replace(tzinfo=UTC)
        self.safe = self.flip
        """When all had arrived that was written before."""

    @property
    def ends(self) -> dict[journal.Side, Side]:
        """Both ends with their clients."""
        ends = {journal.Side.PRIMARY: PRIMARY, journal.Side.DR: DR}
        return {side: Side(end, OWNER, self.aws.client_for("s3", end.region)) for side, end in ends.items()}

    def fail_over(self) -> None:
        """From now on the DR bucket is written to."""
        self.flip = self.aws.now = self.aws.now + timedelta(seconds=60)

    def search(self, requests: int = 1000) -> Found:
        """All conflicts, an hour later."""
        self.aws.now += timedelta(hours=1)
        ends = self.ends
        since = (min(self.safe, self.flip), self.flip)
        budget = Budget(requests, 1e9)
        return find_conflicts(ends[journal.Side.PRIMARY], ends[journal.Side.DR], self.ways, since, budget)

    def resolve(self, policy: Policy) -> list[Resolved]:
        """Find them and write the winners."""
        conflicts = self.search().conflicts
        return resolve(self.ends, [(one, decide(one, policy, self.ways)) for one in conflicts])

    def wait(self, resolved: list[Resolved], seconds: float = 60) -> None:
        """Until both ends agree."""
        await_agreement(self.ends, resolved, self.ways, seconds, self.time.sleep, self.time.clock)

    def shown(self, key: str) -> set[str | None]:
        """What both ends show."""
        return {self.aws.shown(end.bucket, key) for end in (PRIMARY, DR)}

    def body(self, key: str) -> set[bytes]:
        """The bytes that both ends show; b"" for a delete marker."""
        return {
            one["body"]
            for end in (PRIMARY, DR)
            for one in self.aws.buckets[end.bucket].versions
            if (one["Key"], one["VersionId"]) == (key, self.aws.shown(end.bucket, key))
        }


def both_wrote(world: World, key: str = "a") -> None:
    """The primary's last version did not arrive before its Region was lost; then the DR bucket was written to."""
    world.aws.write(PRIMARY.bucket, key, body=b"old")
    world.safe = world.aws.now + timedelta(seconds=1)
    world.aws.lagging = True
    world.aws.write(PRIMARY.bucket, key, body=b"primary")
    world.fail_over()
    world.aws.write(DR.bucket, key, body=b"dr")
    world.aws.arrive()
    world.aws.lagging = False


@pytest.fixture(params=[False, True], ids=["by time", "by arrival"])
def world(request) -> Iterator[World]:
    """Two ends that order versions by their time, or by their arrival."""
    return World(by_arrival=request.param)


# --- searching -----------------------------------------------------------------------------------------------


def test_a_key_that_both_wrote_is_found_and_others_are_not(world):
    world.aws.write(PRIMARY.bucket, "quiet")
    both_wrote(world)
    world.aws.write(DR.bucket, "new")
    world.aws.write(DR.bucket, "new")
    found = world.search()
    (one,) = found.conflicts
    assert (one.key, found.keys, found.unasked) == ("a", 3, 0)
    assert one.clash is (Clash.OTHER_CURRENT if world.aws.by_arrival else Clash.BOTH_WROTE)
    assert (one.primary.version.version_id[:2], one.dr.version.version_id[:2]) == ("rs", "dr")


def test_nothing_is_asked_of_keys_that_nobody_wrote_since(world):
    for number in range(20):
        world.aws.write(PRIMARY.bucket, f"quiet/{number}")
    world.fail_over()
    world.aws.write(DR.bucket, "one")
    world.aws.calls.clear()
    assert world.search().conflicts == ()
    assert {call.operation for call in world.aws.calls} == {"ListObjectVersions"}


def test_what_the_budget_does_not_pay_for_is_counted(world):
    both_wrote(world)
    found = world.search(requests=0)
    assert (found.conflicts, found.unasked) == ((), 1)


def test_who_wrote_a_version_must_be_told(world):
    both_wrote(world)
    world.aws.interrupt = refusing("HeadObject", "403")
    with pytest.raises(AwsFailure, match=r"Version \w+ of s3://example-orders/a: .* Allow s3:GetObjectVersion"):
        world.search()


def test_a_version_that_is_gone_meanwhile_is_no_failure(world):
    both_wrote(world)
    world.aws.interrupt = refusing("HeadObject", "404")
    world.search()


def test_a_bucket_that_cannot_be_listed_is_a_failure(world):
    del world.aws.buckets[PRIMARY.bucket]
    with pytest.raises(AwsFailure, match="There is no bucket example-orders"):
        world.search()


def test_too_many_conflicts_are_no_accident(world, monkeypatch):
    monkeypatch.setattr(conflict_search, "MOST_CONFLICTS", 0)
    both_wrote(world)
    with pytest.raises(AwsFailure, match="more than 0 keys were written at both ends, or show different versions"):
        world.search()


def refusing(operation: str, code: str):
    """Each call of the operation is refused."""

    def interrupt(call: Call) -> None:
        if call.operation == operation:
            raise client_error(code, "said so")

    return interrupt


# --- resolving -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", KEEP)
def test_the_winner_is_shown_at_both_ends_and_nothing_is_deleted(world, policy):
    both_wrote(world)
    before = {end.bucket: {one["VersionId"] for one in world.aws.buckets[end.bucket].versions} for end in (PRIMARY, DR)}
    world.wait(world.resolve(policy))
    assert len(world.shown("a")) == 1
    assert world.body("a") == {b"primary" if policy is Policy.KEEP_PRIMARY else b"dr"}
    for bucket, versions in before.items():
        assert versions <= {one["VersionId"] for one in world.aws.buckets[bucket].versions}
    assert not [call for call in world.aws.calls if call.operation == "DeleteObject"]


@pytest.mark.parametrize("policy", KEEP)
def test_a_second_time_nothing_is_written(world, policy):
    both_wrote(world)
    world.wait(world.resolve(policy))
    world.aws.calls.clear()
    world.wait(world.resolve(policy))
    assert world.aws.writes() == []


@pytest.mark.parametrize("policy", KEEP)
def test_killed_at_any_call_and_run_again_it_ends_the_same(policy):
    calls = 0
    while True:
        world = World(by_arrival=True)
        both_wrote(world)
        both_wrote(world, "b")
        world.aws.calls.clear()
        world.aws.interrupt = killing_after(world, calls)
        try:
            world.wait(world.resolve(policy))
            break
        except KeyboardInterrupt:
            world.aws.interrupt = lambda call: None
        world.wait(world.resolve(policy))
        assert all(len(world.shown(key)) == 1 for key in ("a", "b"))
        assert world.body("a") == world.body("b") == {b"primary" if policy is Policy.KEEP_PRIMARY else b"dr"}
        calls += 1
    assert calls > 8


def killing_after(world: World, calls: int):
    """The process ends at the call after so many."""

    def interrupt(_call: Call) -> None:
        if len(world.aws.calls) > calls:
            raise KeyboardInterrupt

    return interrupt


def test_metadata_class_and_tags_are_kept(world):
    both_wrote(world)
    versions = [one for end in (PRIMARY, DR) for one in world.aws.buckets[end.bucket].versions]
    for one in versions:
        one |= {"storage_class": "STANDARD_IA", "metadata": {"owner": "shop"}, "settings": {"Tagging": "tier=gold"}}
    world.aws.refuses_plain_copies = True
    (resolved,) = world.resolve(Policy.KEEP_PRIMARY)
    (copy,) = [
        one for one in world.aws.buckets[PRIMARY.bucket].versions if one["VersionId"] in resolved.written.values()
    ]
    assert (copy["storage_class"], copy["metadata"]) == ("STANDARD_IA", {"owner": "shop"})
    assert copy["settings"] == {"Tagging": "tier=gold"}
    copies = [call.params for call in world.aws.calls if call.operation == "CopyObject"]
    assert [one.get("MetadataDirective") for one in copies] == [None, "REPLACE"]
    assert all(one["ServerSideEncryption"] == "AES256" for one in copies)


def test_a_marker_that_replicates_is_put_once():
    world = World(by_arrival=True)
    world.aws.write(PRIMARY.bucket, "a", body=b"old")
    world.safe = world.aws.now + timedelta(seconds=1)
    world.aws.lagging = True
    world.aws.write(PRIMARY.bucket, "a", body=b"primary")
    world.fail_over()
    world.aws.write(DR.bucket, "a", marker=True, body=b"")
    world.aws.arrive()
    world.aws.lagging = False
    resolved = world.resolve(Policy.KEEP_DR)
    world.wait(resolved)
    assert [(one.decision.action, list(one.written)) for one in resolved] == [(Action.DELETE, [journal.Side.DR])]
    assert world.body("a") == {b""}
    assert len(world.shown("a")) == 1


def test_a_deletion_that_never_replicates_is_done_at_the_other_end_too():
    world = World(markers=False)
    world.aws.write(PRIMARY.bucket, "a", body=b"old")
    world.fail_over()
    world.aws.write(DR.bucket, "a", marker=True, body=b"")
    (resolved,) = world.resolve(Policy.KEEP_DR)
    world.wait([resolved])
    assert list(resolved.written) == [journal.Side.PRIMARY]
    assert world.body("a") == {b""}
    assert world.search().conflicts == ()


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"ContentLength": LARGEST_COPY + 1}, "multipart"),
        ({"SSECustomerAlgorithm": "AES256"}, "SSE-C"),
        ({"ArchiveStatus": "DEEP_ARCHIVE_ACCESS"}, "restore it"),
        ({"StorageClass": "GLACIER"}, "restore it"),
    ],
)
def test_what_s3_would_not_copy_is_left_to_a_person(world, told, says):
    both_wrote(world)
    world.aws.told = {("a", one["VersionId"]): told for one in world.aws.buckets[DR.bucket].versions}
    (resolved,) = world.resolve(Policy.KEEP_PRIMARY)
    assert not resolved.written
    assert says in resolved.by_hand
    world.wait([resolved])  # nothing to wait for


def test_object_lock_is_told_and_stays_where_it_is(world):
    both_wrote(world)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": datetime(2030, 1, 1, tzinfo=UTC)}
    world.aws.told = {
        ("a", one["VersionId"]): {**lock, "ObjectLockLegalHoldStatus": "ON"}
        for one in world.aws.buckets[DR.bucket].versions
    }
    (resolved,) = world.resolve(Policy.KEEP_PRIMARY)
    assert "GOVERNANCE until 2030-01-01" in resolved.note
    assert "legal hold" in resolved.note


def test_a_copy_that_is_refused_names_the_permission(world):
    both_wrote(world)
    world.aws.interrupt = refusing("CopyObject", "AccessDenied")
    with pytest.raises(AwsFailure, match=r"onto s3://example-orders/a: .* Allow s3:PutObject"):
        world.resolve(Policy.KEEP_PRIMARY)


def test_agreement_is_awaited_and_not_for_ever(world):
    both_wrote(world)
    world.aws.lagging = True
    resolved = world.resolve(Policy.KEEP_PRIMARY)
    with pytest.raises(NotAgreed, match="1 keys were resolved, and both ends do not show the same yet after 60 s"):
        world.wait(resolved)
    assert 60 <= world.time.now < 70
    world.aws.arrive()
    world.wait(resolved)
