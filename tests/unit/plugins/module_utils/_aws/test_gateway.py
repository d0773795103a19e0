# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The gateway: reads at the same time, changes in order, and errors that say what to do."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway, asking
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Step
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import pair_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.trail import trail_wish
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    DR,
    EAST,
    PRIMARY,
    WEST,
    a_pair,
    a_trail,
    address,
    two_way,
)

VERSIONED = Step(address("bucket_versioning"), None, {"Status": "Enabled"})


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.sleeps.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        """What time it is."""
        return self.now


@pytest.fixture
def time_() -> Time:
    """A new clock."""
    return Time()


@pytest.fixture
def gateway(aws: FakeAws, time_: Time) -> Gateway:
    """A gateway to the fake, by the new clock."""
    return Gateway(aws.client_for, time_.sleep, time_.clock)


def failing(operation: str, code: str, message: str = "", times: float = float("inf")) -> Callable[[Call], None]:
    """An interruption that lets an operation fail so many times."""
    seen: Counter[str] = Counter()

    def interrupt(call: Call) -> None:
        if call.operation == operation:
            seen[operation] += 1
            if seen[operation] <= times:
                raise client_error(code, message, operation)

    return interrupt


def test_all_documents_are_read_at_the_same_time(aws: FakeAws, gateway: Gateway) -> None:
    wish = pair_wish(a_pair(), ACCOUNT)
    all_begun = threading.Barrier(len(wish))
    aws.interrupt = lambda call: all_begun.wait(timeout=5) and None
    assert list(gateway.observe(wish)) == list(wish)
    assert not all_begun.broken


def test_both_regions_are_read(aws: FakeAws, gateway: Gateway) -> None:
    gateway.observe(pair_wish(two_way(), ACCOUNT))
    assert {call.region for call in aws.calls if call.service == "s3"} == {EAST, WEST}


def test_clients_are_made_in_the_callers_thread(aws: FakeAws) -> None:
    made_in = set()

    def client_for(service: str, region: str, account: str) -> Any:
        client = aws.client_for(service, region, account)
        if (service, region) not in made:
            made.add((service, region))
            made_in.add(threading.current_thread())
        return client

    made: set[tuple[str, str]] = set()
    Gateway(client_for).observe(pair_wish(a_pair(), ACCOUNT))
    assert made_in == {threading.current_thread()}


@pytest.mark.parametrize(
    ("operation", "code", "message"),
    [
        ("PutBucketVersioning", "NoSuchBucket", ""),
        ("PutBucketVersioning", "OperationAborted", ""),
        ("PutBucketReplication", "InvalidRequest", "Versioning must be 'Enabled' on the bucket to apply a replication"),
        ("PutBucketReplication", "InvalidRequest", "Destination bucket must have versioning enabled."),
        ("PutBucketReplication", "InvalidRequest", "Destination bucket must exist."),
        ("PutRolePolicy", "NoSuchEntity", ""),
        ("CreateTrail", "InsufficientS3BucketPolicyException", ""),
        ("StartLogging", "TrailNotFoundException", ""),
    ],
)
def test_an_answer_that_passes_is_waited_for(
    aws: FakeAws, gateway: Gateway, time_: Time, operation: str, code: str, message: str
) -> None:
    wish = {**pair_wish(a_pair(), ACCOUNT), **trail_wish(a_trail(), ACCOUNT)}
    aws.interrupt = failing(operation, code, message, times=3)
    gateway.carry_out(plan(wish, gateway.observe(wish)))
    assert plan(wish, gateway.observe(wish)) == ()
    assert len(time_.sleeps) == 3


def test_waiting_ends_after_two_minutes_and_begins_with_short_pauses(
    aws: FakeAws, gateway: Gateway, time_: Time
) -> None:
    aws.interrupt = failing("PutBucketVersioning", "OperationAborted", "a conflicting operation is in progress")
    with pytest.raises(AwsFailure, match="OperationAborted"):
        gateway.carry_out([VERSIONED])
    assert 100 < time_.now <= 120
    assert time_.sleeps[:3] == [0.5, 1, 2]
    assert max(time_.sleeps) == 5


def test_an_answer_that_does_not_pass_is_not_waited_for(aws: FakeAws, gateway: Gateway, time_: Time) -> None:
    aws.buckets[PRIMARY.bucket] = Bucket(EAST)
    aws.interrupt = failing("PutBucketReplication", "InvalidRequest", "Found duplicate priority 1")
    with pytest.raises(AwsFailure, match="Found duplicate priority 1"):
        gateway.carry_out([Step(address("bucket_replication"), None, {"Role": "r", "Rules": []})])
    assert time_.sleeps == []


def test_removing_what_is_gone_already_is_no_failure(gateway: Gateway) -> None:
    gateway.carry_out([Step(address("bucket"), {"Region": EAST}, None)])
    assert len(gateway.done) == 1


@pytest.mark.parametrize(
    "gone",
    [
        Step(address("bucket_policy"), {"Version": "2012-10-17", "Statement": []}, None),
        Step(address("iam_role_policy", "a-role/a-policy", "global"), {"Version": "2012-10-17"}, None),
        Step(address("trail_logging", "s3-dr"), {"IsLogging": True}, None),
    ],
    ids=lambda step: step.address.kind,
)
def test_what_is_gone_already_is_not_waited_for(gateway: Gateway, time_: Time, gone: Step) -> None:
    gateway.carry_out([gone])
    assert time_.sleeps == []


def test_a_failure_says_what_was_done_and_begins_nothing_after_it(aws: FakeAws, gateway: Gateway) -> None:
    wish = pair_wish(a_pair(), ACCOUNT)
    steps = plan(wish, gateway.observe(wish))
    aws.interrupt = failing("PutRolePolicy", "AccessDenied", "no")
    with pytest.raises(AwsFailure, match=re.escape("iam_role_policy s3-dr-orders-to-us-west-2/s3-dr-replication")):
        gateway.carry_out(steps)
    kinds = Counter(step.address.kind for step in gateway.done)
    assert kinds == {"bucket": 2, "bucket_versioning": 2, "iam_role": 1}
    assert aws.buckets[PRIMARY.bucket].replication is None


def test_a_failure_waits_for_what_runs_beside_it(aws: FakeAws, gateway: Gateway) -> None:
    refused = threading.Event()

    def interrupt(call: Call) -> None:
        if call.operation == "CreateBucket" and call.region == EAST:
            refused.set()
            raise client_error("AccessDenied", "no", "CreateBucket")
        if call.operation == "CreateBucket":
            refused.wait(5)
            time.sleep(0.05)

    aws.interrupt = interrupt
    wish = pair_wish(a_pair(), ACCOUNT)
    with pytest.raises(AwsFailure):
        gateway.carry_out(plan(wish, gateway.observe(wish)))
    assert [step.address.name for step in gateway.done] == [DR.bucket]


def test_steps_on_one_bucket_never_overlap(aws: FakeAws, gateway: Gateway) -> None:
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lock = threading.Lock()

    class Slow:
        """A client that notes which bucket its writing calls are on."""

        def __init__(self, client: Any) -> None:
            self.client = client

        def __getattr__(self, name: str) -> Any:
            method = getattr(self.client, name)
            if not name.startswith("put_"):
                return method

            def noted(**params: Any) -> Any:
                bucket = params["Bucket"]
                with lock:
                    running[bucket] += 1
                    most[bucket] = max(most[bucket], running[bucket])
                    most["together"] = max(most["together"], running.total())
                time.sleep(0.02)
                with lock:
                    running[bucket] -= 1
                return method(**params)

            return noted

    aws.buckets = {PRIMARY.bucket: Bucket(EAST), DR.bucket: Bucket(WEST)}
    steps = [
        Step(address(kind, end.bucket, end.region), None, document)
        for end in (PRIMARY, DR)
        for kind, document in (
            ("bucket_versioning", {"Status": "Enabled"}),
            ("bucket_public_access_block", {"BlockPublicAcls": True}),
        )
    ]
    Gateway(lambda *where: Slow(aws.client_for(*where))).carry_out(steps)
    assert most == {PRIMARY.bucket: 1, DR.bucket: 1, "together": 2}


@pytest.mark.parametrize("code", ["403", "AccessDenied", "AccessDeniedException", "Forbidden", "AuthorizationError"])
def test_a_denied_bucket_may_be_somebody_elses_or_need_a_permission(aws: FakeAws, gateway: Gateway, code: str) -> None:
    aws.interrupt = failing("GetBucketPolicy", code, "no")
    with pytest.raises(AwsFailure) as failure:
        gateway.observe([address("bucket_policy")])
    for part in ("bucket_policy example-orders (us-east-1)", "another account", ACCOUNT.id, "s3:GetBucketPolicy"):
        assert part in str(failure.value)


def test_a_denied_call_names_the_permission_and_the_account(aws: FakeAws, gateway: Gateway) -> None:
    aws.interrupt = failing("GetRole", "AccessDenied", "not authorized")
    with pytest.raises(AwsFailure) as failure:
        gateway.observe([address("iam_role", "a-role", "global")])
    for part in ("iam_role a-role (global)", "GetRole", "not authorized", "Allow iam:GetRole", ACCOUNT.id):
        assert part in str(failure.value)


@pytest.mark.parametrize(
    ("step", "operation", "code", "advice"),
    [
        (Step(address("bucket"), None, {}), "CreateBucket", "BucketAlreadyExists", "Choose another name"),
        (VERSIONED, "PutBucketVersioning", "301", "is not in us-east-1. Correct the `region`"),
        (VERSIONED, "PutBucketVersioning", "AuthorizationHeaderMalformed", "Correct the `region`"),
        (VERSIONED, "PutBucketVersioning", "ExpiredToken", "Renew the AWS credentials"),
        (Step(address("iam_role", "r", "global"), {}, None), "DeleteRole", "DeleteConflict", "Detach them"),
        (VERSIONED, "PutBucketVersioning", "MalformedXML", "Needs s3:PutBucketVersioning"),
    ],
)
def test_each_error_comes_with_the_next_step(
    aws: FakeAws, gateway: Gateway, step: Step, operation: str, code: str, advice: str
) -> None:
    aws.interrupt = failing(operation, code, "AWS's own words")
    with pytest.raises(AwsFailure) as failure:
        gateway.carry_out([step])
    assert str(step.address) in str(failure.value)
    assert f"({code}: AWS's own words)" in str(failure.value)
    assert advice in str(failure.value)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (EndpointConnectionError(endpoint_url="https://s3.example"), "Check the network"),
        (NoCredentialsError(), "AWS_PROFILE"),
    ],
)
@pytest.mark.parametrize("writing", [False, True])
def test_a_call_that_cannot_be_made_names_the_thing_and_the_next_step(
    aws: FakeAws, gateway: Gateway, error: Exception, advice: str, writing: bool
) -> None:
    def interrupt(call: Call) -> None:
        raise error

    aws.interrupt = interrupt
    with pytest.raises(AwsFailure, match=advice) as failure:
        gateway.carry_out([VERSIONED]) if writing else gateway.observe([VERSIONED.address])
    assert "bucket_versioning example-orders (us-east-1)" in str(failure.value)


def test_versions_that_s3_keeps_are_named_and_never_forced(aws: FakeAws, gateway: Gateway) -> None:
    locked = {"Key": "kept", "VersionId": "1", "body": b"1"}
    aws.buckets[PRIMARY.bucket] = Bucket(EAST, versions=[locked], locked={"kept"})
    with pytest.raises(AwsFailure, match=r"kept \(1\): AccessDenied .*Object Lock") as failure:
        gateway.carry_out([Step(address("bucket_contents"), {"versions": 1}, None)])
    assert "never forced" in str(failure.value)
    assert gateway.done == []


def test_no_plan_ever_writes_contents(gateway: Gateway) -> None:
    with pytest.raises(NotImplementedError, match="never written"):
        gateway.carry_out([Step(address("bucket_contents"), None, {"versions": 1})])


def test_asking_names_what_was_asked_and_the_permission() -> None:
    with (
        pytest.raises(AwsFailure, match=r"the alarms of us-east-1: .*ListAlarms.*Allow cloudwatch:X"),
        asking("the alarms of us-east-1", "cloudwatch:X"),
    ):
        raise client_error("AccessDenied", "no", "ListAlarms")
    with pytest.raises(AwsFailure, match="the alarms: there are no usable AWS credentials"), asking("the alarms", "x"):
        raise NoCredentialsError
