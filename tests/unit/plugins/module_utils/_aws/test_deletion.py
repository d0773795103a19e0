# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Emptying a bucket: everything in it, whatever S3 puts off, and nothing that S3 keeps is passed over in silence."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.parsers import ResponseParserError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.deletion import (
    _MOST_WAITING,
    Ended,
    NotDeleted,
    delete_contents,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.row import Running
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Address, Step
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Answer, Bucket, Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.keeping import KeepingAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import EAST

NAME = "example-orders"
PROTECTED = "Access Denied because object protected by object lock."


@pytest.fixture
def store() -> KeepingAws:
    """An empty one."""
    return KeepingAws()


def version(number: int, **more: Any) -> dict[str, Any]:
    """A version of three bytes with a key that needs quoting."""
    return {"Key": f"a key/{number:05} & é", "VersionId": f"v{number}", "body": b"123", **more}


def bucket_with(aws: FakeAws, versions: int, markers: int = 0, uploads: int = 0) -> tuple[Bucket, Any]:
    """A bucket with contents, and a client."""
    rows = [version(number) for number in range(versions)]
    rows += [version(number, marker=True) for number in range(versions, versions + markers)]
    begun = [{"Key": "big", "UploadId": f"u{number}"} for number in range(uploads)]
    aws.buckets[NAME] = Bucket(EAST, versioning="Enabled", versions=rows, uploads=begun)
    return aws.buckets[NAME], aws.client_for("s3", EAST)


def delete(client: Any, running: Running | None = None) -> Time:
    """Delete all of it, without ever waiting; the time that was waited."""
    time = Time()
    delete_contents(client, NAME, OWNER, running, time.sleep, time.clock)
    return time


def test_versions_markers_and_uploads_are_deleted_over_all_pages(store: KeepingAws) -> None:
    bucket, client = bucket_with(store, versions=1500, markers=700, uploads=2)
    delete(client)
    assert (bucket.versions, bucket.uploads) == ([], [])


def test_no_request_to_delete_is_larger_than_s3_takes_or_empty(store: KeepingAws) -> None:
    _bucket, client = bucket_with(store, versions=2001)
    delete(client)
    sizes = [len(call.params["Delete"]["Objects"]) for call in store.calls if call.operation == "DeleteObjects"]
    assert sum(sizes) == 2001
    assert max(sizes) <= 1000


def test_an_empty_bucket_is_not_asked_to_delete_anything(store: KeepingAws) -> None:
    _bucket, client = bucket_with(store, versions=0)
    delete(client)
    assert store.writes() == []


def test_the_listing_is_not_read_further_ahead_than_the_memory_shall_hold(store: KeepingAws) -> None:
    """While no deletion comes back, so many pages are read, and not the whole bucket."""
    store.page = 10
    _bucket, client = bucket_with(store, versions=1000)
    go_on, listed = threading.Event(), 0

    def interrupt(call: Call) -> None:
        nonlocal listed
        listed += call.operation == "ListObjectVersions"
        if call.operation == "DeleteObjects":
            assert go_on.wait(30)

    store.interrupt = interrupt
    thread = threading.Thread(target=delete, args=(client,))
    thread.start()
    try:
        thread.join(0.5)
        assert listed == _MOST_WAITING
    finally:
        go_on.set()
        thread.join()
    assert listed == 100


def test_keys_that_xml_cannot_hold_are_deleted_one_by_one(store: KeepingAws) -> None:
    bucket, client = bucket_with(store, versions=3)
    for row, key in zip(bucket.versions, ("a\x01b", "plain \U0001f600", "\ufffe"), strict=True):
        row["Key"] = key
    bucket.locked = {"\ufffe"}
    with pytest.raises(NotDeleted, match="S3 kept 1: 1 with AccessDenied"):
        delete(client)
    assert set(store.asked) == {("plain \U0001f600", "v1")}
    assert [row["Key"] for row in bucket.versions] == ["\ufffe"]


# --- what S3 keeps ----------------------------------------------------------------------------------------------------


def test_what_s3_keeps_is_counted_by_its_reason_and_the_first_ones_are_named(store: KeepingAws) -> None:
    bucket, client = bucket_with(store, versions=2500)

    def refuses(key: str, version_id: str) -> Answer | None:
        number = int(version_id[1:])
        if 1001 <= number < 1008:  # of one page, since pages are deleted side by side
            return {"Code": "AccessDenied", "Message": PROTECTED}
        return {"Code": "MalformedKey", "Message": ""} if number == 2000 else None

    store.refuses = refuses
    with pytest.raises(NotDeleted) as kept:
        delete(client)
    said = str(kept.value)
    assert said.startswith(
        f"S3 kept 8: 7 with AccessDenied ({PROTECTED}), for example 'a key/01001 & é' (v1001), "
        "'a key/01002 & é' (v1002), 'a key/01003 & é' (v1003); 1 with MalformedKey, for example "
        "'a key/02000 & é' (v2000). "
    )
    assert said.endswith("2,492 versions and delete markers deleted, 0 uploads aborted.")
    assert len(bucket.versions) == 8
    assert kept.value.deleted == {"versions": 2492, "uploads": 0}


def test_every_refusal_is_in_the_file(store: KeepingAws, tmp_path: Path) -> None:
    _bucket, client = bucket_with(store, versions=2100)
    store.refuses = lambda key, version_id: {"Code": "AccessDenied", "Message": PROTECTED}
    with pytest.raises(NotDeleted) as kept:
        delete(client)
    kept.value.refused.write_all(tmp_path / "kept.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    assert sorted(line["version_id"] for line in lines) == sorted(f"v{number}" for number in range(2100))
    assert lines[0] == {
        "key": lines[0]["key"],
        "version_id": lines[0]["version_id"],
        "code": "AccessDenied",
        "message": PROTECTED,
    }
    assert (tmp_path / "kept.jsonl").stat().st_mode & 0o777 == 0o600
    assert kept.value.refused.all_listed


def test_of_locked_versions_it_says_until_when_and_in_which_mode(store: KeepingAws) -> None:
    _bucket, client = bucket_with(store, versions=3)
    keys = [version(number)["Key"] for number in range(3)]
    store.refuses = lambda key, version_id: {"Code": "AccessDenied", "Message": PROTECTED}
    ends = datetime(2027, 1, 1, tzinfo=UTC)
    store.locks = {
        keys[0]: {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": ends},
        keys[1]: {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": ends.replace(day=2)},
        keys[2]: {"ObjectLockLegalHoldStatus": "ON"},
    }
    with pytest.raises(NotDeleted) as kept:
        delete(client)
    assert (
        "Of 3 that were looked at, 3 are under Object Lock: 1 in COMPLIANCE mode and 1 in GOVERNANCE mode and 1 under "
        "legal hold, until 2027-01-02T00:00:00Z at the latest. Object Lock is never bypassed"
    ) in str(kept.value)


def test_what_is_refused_without_a_lock_is_not_called_locked(store: KeepingAws) -> None:
    _bucket, client = bucket_with(store, versions=30)
    store.refuses = lambda key, version_id: {"Code": "AccessDenied", "Message": "Access Denied"}
    with pytest.raises(NotDeleted, match="MFA Delete, or missing permissions s3:DeleteObject") as kept:
        delete(client)
    assert "Object Lock" not in str(kept.value)
    assert sum(call.operation == "HeadObject" for call in store.calls) == 10


def test_a_lock_that_may_not_be_seen_hides_nothing(store: KeepingAws) -> None:
    _bucket, client = bucket_with(store, versions=1)
    store.refuses = lambda key, version_id: {"Code": "AccessDenied", "Message": PROTECTED}

    def interrupt(call: Call) -> None:
        if call.operation == "HeadObject":
            raise client_error("403", "Forbidden")

    store.interrupt = interrupt
    with pytest.raises(NotDeleted, match="S3 kept 1: 1 with AccessDenied"):
        delete(client)


def test_governance_is_never_bypassed(store: KeepingAws) -> None:
    _bucket, client = bucket_with(store, versions=1)
    delete(client)
    assert all("BypassGovernanceRetention" not in call.params for call in store.calls)


def test_an_upload_that_s3_keeps_is_told_and_one_that_is_gone_is_not(store: KeepingAws) -> None:
    bucket, client = bucket_with(store, versions=1, uploads=3)

    def interrupt(call: Call) -> None:
        if call.operation == "AbortMultipartUpload" and call.params["UploadId"] == "u0":
            raise client_error("AccessDenied", "Access Denied")
        if call.operation == "AbortMultipartUpload" and call.params["UploadId"] == "u1":
            raise client_error("NoSuchUpload", "It is gone")

    store.interrupt = interrupt
    with pytest.raises(NotDeleted, match=r"S3 kept 1: 1 with AccessDenied \(Access Denied\), for example 'big'"):
        delete(client)
    assert bucket.versions == []


# --- what S3 puts off -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "ServiceUnavailable"])
def test_single_versions_that_s3_puts_off_are_asked_for_again_and_no_others(store: KeepingAws, code: str) -> None:
    bucket, client = bucket_with(store, versions=1500)

    def refuses(key: str, version_id: str) -> Answer | None:
        late = version_id in ("v7", "v1200") and store.asked[key, version_id] < 3
        return {"Code": code, "Message": "Please reduce your request rate."} if late else None

    store.refuses = refuses
    time = delete(client)
    assert bucket.versions == []
    assert {name: count for name, count in store.asked.items() if count > 1} == {
        ("a key/00007 & é", "v7"): 3,
        ("a key/01200 & é", "v1200"): 3,
    }
    assert time.sleeps


def test_an_error_without_a_version_id_is_about_all_versions_of_its_key(store: KeepingAws) -> None:
    bucket, client = bucket_with(store, versions=3)
    bucket.versions[1]["Key"] = bucket.versions[0]["Key"]
    put_off = [True]

    def refuses(key: str, version_id: str) -> Answer | None:
        if version_id == "v0" and put_off:
            return {"Code": "SlowDown", "VersionId": None}
        return None

    def interrupt(call: Call) -> None:
        if call.operation == "DeleteObjects" and store.asked:
            put_off.clear()

    store.refuses, store.interrupt = refuses, interrupt
    delete(client)
    assert bucket.versions == []


@pytest.mark.parametrize(
    "error",
    [
        client_error("SlowDown", "Please reduce your request rate."),
        client_error("503", ""),
        ResponseParserError("the answer broke off"),
        ReadTimeoutError(endpoint_url="https://s3"),
    ],
    ids=["SlowDown", "503", "broken answer", "timeout"],
)
@pytest.mark.parametrize("operation", ["ListObjectVersions", "DeleteObjects", "AbortMultipartUpload"])
def test_a_call_that_fails_for_a_while_loses_nothing(store: KeepingAws, operation: str, error: Exception) -> None:
    """Each third call of the operation is answered so."""
    store.page = 50
    bucket, client = bucket_with(store, versions=400, markers=100, uploads=4)
    seen = Counter[str]()

    def interrupt(call: Call) -> None:
        seen[call.operation] += 1
        if call.operation == operation and seen[operation] % 3 == 2:
            raise error

    store.interrupt = interrupt
    delete(client)
    assert (bucket.versions, bucket.uploads) == ([], [])
    assert set(store.asked.values()) == {1}


def test_a_page_that_goes_on_without_saying_where_is_no_end(store: KeepingAws) -> None:
    """Else all behind it would be passed over in silence."""
    bucket, client = bucket_with(store, versions=2500)
    store.tells_markers = False
    with pytest.raises(ResponseParserError, match="NextVersionIdMarker"):
        delete(client)
    assert len(bucket.versions) == 1500


def test_s3_that_never_recovers_is_given_up_with_its_answer(store: KeepingAws) -> None:
    bucket, client = bucket_with(store, versions=10)

    def interrupt(call: Call) -> None:
        if call.operation == "DeleteObjects":
            raise client_error("SlowDown", "Please reduce your request rate.")

    store.interrupt = interrupt
    with pytest.raises(Exception, match="SlowDown"):
        delete(client)
    assert len(bucket.versions) == 10


def test_versions_that_are_put_off_for_ever_are_told_as_kept(store: KeepingAws) -> None:
    bucket, client = bucket_with(store, versions=10)
    store.refuses = lambda key, version_id: {"Code": "SlowDown", "Message": ""} if version_id == "v3" else None
    with pytest.raises(NotDeleted, match=r"S3 kept 1: 1 with SlowDown, for example 'a key/00003 & é' \(v3\)"):
        delete(client)
    assert [row["VersionId"] for row in bucket.versions] == ["v3"]


def test_a_connection_that_never_stood_is_not_waited_for(store: KeepingAws) -> None:
    _bucket, client = bucket_with(store, versions=1)

    def interrupt(call: Call) -> None:
        raise ReadTimeoutError(endpoint_url="https://s3")

    store.interrupt = interrupt
    with pytest.raises(ReadTimeoutError):
        delete(client)
    assert len(store.calls) == 1


# --- cut short --------------------------------------------------------------------------------------------------------


def test_a_run_that_is_told_to_stop_ends_soon_and_says_how_far_it_is(store: KeepingAws) -> None:
    store.page = 100
    bucket, client = bucket_with(store, versions=5000)
    running, deletions = Running(), Counter[str]()

    def interrupt(call: Call) -> None:
        deletions[call.operation] += 1
        if deletions["DeleteObjects"] == 5:
            running.stopped.set()

    store.interrupt = interrupt
    with pytest.raises(Ended):
        delete(client, running)
    gone = 5000 - len(bucket.versions)
    assert 0 < gone <= 1400
    assert running.progress == {NAME: f"{gone:,} versions and delete markers deleted, 0 uploads aborted"}


def killer(fatal: int) -> Callable[[Call], None]:
    """Who kills the run at this call, and at each after it."""
    calls = Counter[str]()

    def interrupt(call: Call) -> None:
        calls["all"] += 1
        if calls["all"] >= fatal:
            raise Killed

    return interrupt


def test_a_run_that_is_cut_short_anywhere_and_repeated_leaves_nothing(store: KeepingAws) -> None:
    fatal, survived = 0, True
    while survived:
        store.page, fatal, survived = 10, fatal + 1, False
        bucket, client = bucket_with(store, versions=60, markers=7, uploads=2)
        store.interrupt = killer(fatal)
        try:
            delete(client)
        except Killed:
            survived = True
        store.interrupt = lambda call: None
        delete(client)
        assert (bucket.versions, bucket.uploads) == ([], []), fatal
    assert fatal > 10


class Killed(BaseException):
    """The process ends here."""


def test_a_signal_ends_a_deletion_that_runs_in_a_thread_of_the_gateway(store: KeepingAws) -> None:
    """The signal is heard where the steps are waited for; what deletes learns of it by `running`."""
    store.page = 10
    bucket, _client = bucket_with(store, versions=2000)
    other = Address("bucket_policy", "example-other", EAST, OWNER)
    store.buckets["example-other"] = Bucket(EAST, policy="{}")
    gateway = Gateway(store.client_for, sleep=lambda seconds: None)

    def interrupt(call: Call) -> None:
        if call.operation == "ListObjectVersions" and len(bucket.versions) < 1900:
            gateway.running.stopped.set()

    store.interrupt = interrupt
    step = Step(Address("bucket_contents", NAME, EAST, OWNER), before={"versions": 2000}, after=None)
    with pytest.raises(Ended):
        gateway.carry_out([step, Step(other, before={}, after=None)])
    assert 1500 < len(bucket.versions) < 1990


def test_the_gateway_says_what_was_kept_of_which_bucket(store: KeepingAws) -> None:
    bucket, _client = bucket_with(store, versions=10)
    store.refuses = lambda key, version_id: (
        {"Code": "AccessDenied", "Message": PROTECTED} if version_id == "v3" else None
    )
    step = Step(Address("bucket_contents", NAME, EAST, OWNER), before={"versions": 10}, after=None)
    with pytest.raises(AwsFailure, match=rf"{NAME}.*: S3 kept 1: 1 with AccessDenied") as failure:
        Gateway(store.client_for).carry_out([step])
    assert isinstance(failure.value.__cause__, NotDeleted)
    assert len(bucket.versions) == 1
