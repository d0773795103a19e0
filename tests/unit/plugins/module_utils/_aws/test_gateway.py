# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The gateway: reads at the same time, changes in order, and errors that say what to do."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.parsers import ResponseParserError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway, asking
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Step, is_seen
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.trail import trail_wish
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, Call, FakeAws, Key, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    DR,
    EAST,
    KEYS,
    OTHER,
    PRIMARY,
    TWO_ACCOUNTS,
    WEST,
    a_pair,
    a_trail,
    address,
    everything,
    two_way,
    wished,
)

BROKEN_OFF = ResponseParserError("invalid XML received:\nb'<the answer itself'")
VERSIONED = Step(address("bucket_versioning"), None, {"Status": "Enabled"})


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
    wish = wished(a_pair())
    all_begun = threading.Barrier(len(wish))
    aws.interrupt = lambda call: all_begun.wait(timeout=5) and None
    assert list(gateway.observe(wish)) == list(wish)
    assert not all_begun.broken


def test_both_regions_are_read(aws: FakeAws, gateway: Gateway) -> None:
    gateway.observe(wished(two_way()))
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
    Gateway(client_for).observe(wished(a_pair()))
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
        ("PutObjectLockConfiguration", "InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply"),
        ("PutBucketPolicy", "MalformedPolicy", "Invalid principal in policy"),
        ("PutKeyPolicy", "MalformedPolicyDocumentException", "Policy contains a statement with an invalid principal"),
        ("CreateBucket", "SlowDown", "Please reduce your request rate"),
        ("PutKeyPolicy", "ThrottlingException", "Rate exceeded"),
        ("CreateTrail", "InsufficientS3BucketPolicyException", ""),
        ("CreateTrail", "InsufficientEncryptionPolicyException", ""),
        ("StartLogging", "TrailNotFoundException", ""),
    ],
)
def test_an_answer_that_passes_is_waited_for(
    aws: FakeAws, gateway: Gateway, time_: Time, operation: str, code: str, message: str
) -> None:
    aws.keys = {key: Key('{"Statement": []}') for key in KEYS.values()}
    wish = {**wished(everything(), TWO_ACCOUNTS), **trail_wish(a_trail(), ACCOUNT)}
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


@pytest.mark.parametrize(
    ("writing", "operation", "code"),
    [(True, "PutBucketVersioning", "OperationAborted"), (False, "GetBucketVersioning", "SlowDown")],
)
def test_who_gives_up_says_how_often_and_how_long_it_was_tried(
    aws: FakeAws, gateway: Gateway, time_: Time, *, writing: bool, operation: str, code: str
) -> None:
    aws.interrupt = failing(operation, code, "AWS's own words.")
    with pytest.raises(AwsFailure) as failure:
        gateway.carry_out([VERSIONED]) if writing else gateway.observe([VERSIONED.address])
    tries = len([call for call in aws.calls if call.operation == operation])
    assert tries == len(time_.sleeps) + 1
    assert f"AWS's own words. This answer usually passes by itself; it came {tries} times in {time_.now:.0f} s" in str(
        failure.value
    )


@pytest.mark.parametrize("code", ["Throttling", "SlowDown", "503", "ServiceUnavailable", "InternalError"])
def test_a_read_that_aws_is_too_busy_for_is_tried_again(aws: FakeAws, gateway: Gateway, time_: Time, code: str) -> None:
    aws.buckets[PRIMARY.bucket] = Bucket(EAST, versioning="Enabled")
    aws.interrupt = failing("GetBucketVersioning", code, times=3)
    assert gateway.observe([VERSIONED.address]) == {VERSIONED.address: {"Status": "Enabled"}}
    assert time_.sleeps == [0.5, 1, 2]


def test_a_read_that_is_refused_is_not_tried_again(aws: FakeAws, gateway: Gateway, time_: Time) -> None:
    aws.interrupt = failing("GetBucketVersioning", "AccessDenied")
    with pytest.raises(AwsFailure):
        gateway.observe([VERSIONED.address])
    assert time_.sleeps == []


def test_a_read_does_not_wait_for_what_only_a_change_waits_for(gateway: Gateway, time_: Time) -> None:
    """A bucket that is not there is an answer, and no reason to wait for two minutes."""
    assert gateway.observe([VERSIONED.address]) == {VERSIONED.address: None}
    assert time_.sleeps == []


# --- documents that the credentials need not be allowed to read ----------------------------------------------

POLICY = address("bucket_policy")


@pytest.mark.parametrize(
    ("kind", "operation", "code", "permission"),
    [
        ("bucket_policy", "GetBucketPolicy", "AccessDenied", "s3:GetBucketPolicy"),
        ("bucket_policy", "GetBucketPolicy", "MethodNotAllowed", "s3:GetBucketPolicy"),
        ("kms_key_policy", "GetKeyPolicy", "AccessDeniedException", "kms:GetKeyPolicy"),
    ],
)
def test_an_optional_document_that_may_not_be_read_is_unseen_and_says_why(
    aws: FakeAws, gateway: Gateway, kind: str, operation: str, code: str, permission: str
) -> None:
    at = address(kind, KEYS[PRIMARY.bucket] if kind == "kms_key_policy" else PRIMARY.bucket)
    aws.interrupt = failing(operation, code)
    (found,) = gateway.observe([at], [at]).values()
    assert not is_seen(found)
    assert permission in str(found)


def test_a_document_that_is_not_optional_may_not_be_denied(aws: FakeAws, gateway: Gateway) -> None:
    aws.interrupt = failing("GetBucketPolicy", "AccessDenied")
    with pytest.raises(AwsFailure, match="s3:GetBucketPolicy"):
        gateway.observe([POLICY], [address("bucket_policy", DR.bucket, WEST)])


@pytest.mark.parametrize("code", ["PermanentRedirect", "ExpiredToken", "InvalidRequest"])
def test_an_optional_document_still_fails_for_any_other_reason(aws: FakeAws, gateway: Gateway, code: str) -> None:
    aws.interrupt = failing("GetBucketPolicy", code)
    with pytest.raises(AwsFailure, match=code):
        gateway.observe([POLICY], [POLICY])


def test_an_optional_document_that_does_not_exist_is_none(gateway: Gateway) -> None:
    assert gateway.observe([POLICY], [POLICY]) == {POLICY: None}


def test_an_optional_document_is_read_even_if_it_is_not_among_the_others(aws: FakeAws, gateway: Gateway) -> None:
    assert list(gateway.observe([VERSIONED.address], [POLICY])) == [VERSIONED.address, POLICY]
    gateway.observe([POLICY, POLICY], [POLICY])
    assert len([call for call in aws.calls if call.operation == "GetBucketPolicy"]) == 2


# --- what AWS sees later -------------------------------------------------------------------------------------


def versioning_seen_after(aws: FakeAws, reads: float) -> None:
    """AWS goes on to read the old versioning for so many reads."""
    seen: Counter[str] = Counter()

    def interrupt(call: Call) -> None:
        if call.operation == "GetBucketVersioning":
            seen["reads"] += 1
            aws.buckets[PRIMARY.bucket].versioning = "Enabled" if seen["reads"] > reads else None

    aws.buckets[PRIMARY.bucket] = Bucket(EAST)
    aws.interrupt = interrupt


def test_versioning_counts_as_done_when_aws_reads_it_back(aws: FakeAws, gateway: Gateway, time_: Time) -> None:
    versioning_seen_after(aws, reads=3)
    gateway.carry_out([VERSIONED])
    assert time_.sleeps == [0.5, 1, 2]
    assert (gateway.done, gateway.seen) == ([VERSIONED], {VERSIONED.address})
    assert [call.operation for call in aws.writes()] == ["PutBucketVersioning"]


def test_a_bucket_counts_as_made_when_aws_knows_it(aws: FakeAws, gateway: Gateway, time_: Time) -> None:
    created = Step(address("bucket"), None, {"Region": EAST})
    aws.interrupt = failing("HeadBucket", "404", times=3)
    gateway.carry_out([created])
    assert time_.sleeps == [0.5, 1, 2]
    assert (gateway.done, gateway.seen) == ([created], {created.address})


def test_reading_back_ends_after_two_minutes_and_leaves_it_to_the_next_step(
    aws: FakeAws, gateway: Gateway, time_: Time
) -> None:
    versioning_seen_after(aws, reads=float("inf"))
    gateway.carry_out([VERSIONED])
    assert 115 < time_.now < 130
    assert (gateway.done, gateway.seen) == ([VERSIONED], set())


def test_what_later_steps_do_not_wait_for_is_not_read_back(aws: FakeAws, gateway: Gateway) -> None:
    aws.buckets[PRIMARY.bucket] = Bucket(EAST)
    gateway.carry_out([Step(POLICY, None, {"Version": "2012-10-17", "Statement": []})])
    assert [call.operation for call in aws.calls] == ["GetBucketPolicy", "PutBucketPolicy"]


def test_each_account_is_reached_with_its_own_credentials(aws: FakeAws, gateway: Gateway) -> None:
    aws.keys = {key: Key('{"Statement": []}') for key in KEYS.values()}
    wish = wished(everything(), TWO_ACCOUNTS)
    gateway.carry_out(plan(wish, gateway.observe(wish)))
    buckets = {call.params["Bucket"]: call.account for call in aws.calls if "Bucket" in call.params}
    assert buckets == {bucket: TWO_ACCOUNTS[bucket].id for bucket in buckets}
    assert {role.owner for role in aws.roles.values()} == {ACCOUNT.id, OTHER.id}


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
    wish = wished(a_pair())
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
    wish = wished(a_pair())
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


@pytest.mark.parametrize(
    "code", ["403", "AccessDenied", "AccessDeniedException", "Forbidden", "AuthorizationError", "MethodNotAllowed"]
)
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
        (BROKEN_OFF, r"the answer broke off or .* \(invalid XML received\)\. Run again; if it stays"),
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
    with pytest.raises(AwsFailure, match=r"S3 kept 1: 1 with AccessDenied .*Object Lock.*'kept' \(1\)"):
        gateway.carry_out([Step(address("bucket_contents"), {"versions": 1}, None)])
    assert gateway.done == []
    assert [kept.bucket for kept in gateway.kept] == [PRIMARY.bucket]


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
    with pytest.raises(AwsFailure, match="the alarms: the answer broke off") as failure, asking("the alarms", "x"):
        raise BROKEN_OFF
    assert "the answer itself" not in str(failure.value)


class Ended(Exception):
    """What a signal raises."""


def test_a_signal_ends_the_reads_at_once_and_no_thread_is_waited_for(aws: FakeAws, gateway: Gateway) -> None:
    """Python waits for a pool's threads even when it exits; a read may hang for minutes."""
    reading, go_on, begun = threading.Event(), threading.Event(), []

    def hang(call: Call) -> None:
        begun.append(call)
        reading.set()
        go_on.wait(10)

    def end(_number: int, _frame: object) -> None:
        raise Ended

    def signal_me() -> None:
        assert reading.wait(10)
        signal.raise_signal(signal.SIGUSR1)

    aws.interrupt = hang
    before = signal.signal(signal.SIGUSR1, end)
    signaller = threading.Thread(target=signal_me)
    try:
        signaller.start()
        with pytest.raises(Ended):
            gateway.observe([address("bucket_versioning", f"bucket-{number}") for number in range(100)])
        hanging = [thread for thread in threading.enumerate() if thread.name == "observe"]
        assert hanging
        assert all(thread.daemon for thread in hanging)
    finally:
        signal.signal(signal.SIGUSR1, before)
        go_on.set()
        signaller.join()
    for thread in hanging:
        thread.join(10)
    assert len(begun) <= 32, "a read was begun after the signal"


# --- documents of which others write a part ------------------------------------------------------------------


def test_what_somebody_changed_after_the_plan_is_not_written_over(aws: FakeAws, gateway: Gateway) -> None:
    aws.buckets["example-orders"] = Bucket(EAST, policy='{"Version": "1", "Statement": [{"Sid": "New"}]}')
    step = Step(address("bucket_policy"), None, {"Version": "1", "Statement": [{"Sid": "Ours"}]})
    with pytest.raises(AwsFailure, match=r"bucket_policy example-orders .*somebody changed it while.*Run again"):
        gateway.carry_out([step])
    assert [call.operation for call in aws.calls] == ["GetBucketPolicy"]


def test_what_is_there_already_is_no_change_by_somebody(aws: FakeAws, gateway: Gateway) -> None:
    after = {"Version": "1", "Statement": [{"Sid": "Ours"}]}
    aws.buckets["example-orders"] = Bucket(EAST, policy=json.dumps(after))
    gateway.carry_out([Step(address("bucket_policy"), None, after)])
    assert gateway.done
