# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The steps around the comparison: what is loaded, restored, kept of a failure, and told."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, cast

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.evidence_store import EvidenceStore
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Status
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, End, InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.drill import World
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.failure import failed_result, reason_of
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.fleet import finish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.handler import load, take
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.notice import message, metric_data, put_ages
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.restore import (
    MOST_BYTES,
    Place,
    Restored,
    chosen,
    restore,
    restore_check,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.sessions import Sessions, accounts_of
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.settings import Settings
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.work import Work
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import complete_pair
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.objects import ObjectBucket, error
from ansible_collections.crossregion.s3_dr.tests.unit.version_store import marker, version

ORDERS = {
    "name": "orders",
    "primary": {"bucket": "example-orders", "region": "us-east-1"},
    "dr": {"bucket": "example-orders-dr", "region": "us-west-2"},
}
VERIFY = {
    "rpo_seconds": 900,
    "prefixes": [],
    "accepted_causes": [],
    "max_head_requests": 10,
    "head_requests_per_second": 10,
    "max_findings": 10,
    "content": "etag",
    "sample_size": 10,
    "max_transfer_bytes": 0,
    "deadline_seconds": 60,
    "warnings": [],
}


def settings(**pairs: dict[str, Any]) -> Settings:
    """What a function is deployed with."""
    said = {
        "name": "s3-dr-scheduled-drill",
        "region": "us-west-2",
        "account": "111122223333",
        "partition": "aws",
        "evidence_bucket": "example-evidence",
        "recovery_bucket": "example-recovery",
        "topic_arns": [],
        "ops_items": True,
        "inventory": None,
        "verify": VERIFY,
        "pairs": {name: complete_pair(pair) for name, pair in pairs.items()},
    }
    return Settings.of(json.loads(json.dumps(said)))


# --- what is loaded ----------------------------------------------------------------------------------------------


def test_a_run_is_named_by_its_beginning_and_has_all_pairs() -> None:
    found = load({"started": "2026-11-24T04:15:00.123+01:00", "input": {}}, settings(orders=ORDERS))
    assert found == {"run": "20261124T031500Z", "pairs": [{"pair": "orders"}]}


def test_a_pair_that_nobody_deployed_ends_the_run_before_it_begins() -> None:
    event = {"started": "2026-11-24T03:15:00Z", "input": {"only": ["photos"]}}
    with pytest.raises(InvalidInput, match=r"pair 'photos' is not among those .* \(orders\). Run the role"):
        load(event, settings(orders=ORDERS))


def test_a_step_that_nobody_knows_is_refused() -> None:
    event = {"step": "dance", "run": "20261124T031500Z", "execution": "e", "pair": "orders"}
    with pytest.raises(InvalidInput, match="knows no step 'dance'"):
        take(event, settings(orders=ORDERS), lambda: 60.0)


def test_the_role_of_an_end_tells_its_account() -> None:
    role = "arn:aws:iam::222233334444:role/reader"
    options = complete_pair({**ORDERS, "dr": {**ORDERS["dr"], "assume_role_arn": role}})
    accounts = accounts_of(settings(orders=ORDERS).pair("orders"), options, Account("111122223333"))
    assert accounts["example-orders-dr"] == Account("222233334444")
    assert accounts["example-orders"] == Account("111122223333")


def test_an_end_of_an_account_without_a_role_is_somebody_elses() -> None:
    options = complete_pair({**ORDERS, "dr": {**ORDERS["dr"], "account_id": "222233334444"}})
    pair = settings(orders={**ORDERS, "dr": {**ORDERS["dr"], "account_id": "222233334444"}}).pair("orders")
    assert not accounts_of(pair, options, Account("111122223333"))["example-orders-dr"].ours


# --- restore -----------------------------------------------------------------------------------------------------


class Replicas:
    """A DR bucket with the bytes of its versions."""

    def __init__(self, **contents: bytes | Exception) -> None:
        self.contents = contents

    def get_object(self, **params: Any) -> dict[str, Any]:
        """A version's bytes."""
        found = self.contents[params["Key"]]
        if isinstance(found, Exception):
            raise found
        return {"Body": type("Body", (), {"read": lambda self: found})()}


def restored(versions: list[Version], **contents: bytes | Exception) -> tuple[list[Restored], ObjectBucket, Side]:
    """A test of a restore from such replicas."""
    dr = Side(End("example-orders-dr", "us-west-2"), "111122223333", Replicas(**contents))
    bucket = ObjectBucket()
    place = Place(Side(End(bucket.bucket, "us-west-2"), bucket.owner, bucket), "work/restored/")
    return restore(dr, versions, place), bucket, dr


def test_what_is_restored_is_compared_and_removed_again() -> None:
    found, bucket, dr = restored([version("a", size=3)], a=b"abc")
    check = restore_check(dr, found)
    assert (check.status, bucket.objects) == (Status.PASSED, {})
    assert [operation for operation, _key in bucket.calls] == ["put", "get", "delete"]


def test_a_replica_of_another_size_is_broken() -> None:
    found, _bucket, dr = restored([version("a", size=4)], a=b"abc")
    check = restore_check(dr, found)
    assert check.status is Status.BROKEN
    assert "3 bytes were read, and the bucket lists 4" in check.message


def test_a_replica_that_may_not_be_read_is_not_known() -> None:
    found, _bucket, dr = restored([version("a")], a=error("AccessDenied", "GetObject"))
    check = restore_check(dr, found)
    assert check.status is Status.UNKNOWN
    assert "Allow s3:GetObjectVersion" in check.message


def test_a_replica_that_is_gone_is_broken() -> None:
    found, _bucket, dr = restored([version("a")], a=error("NoSuchVersion", "GetObject"))
    assert restore_check(dr, found).status is Status.BROKEN


def test_nothing_to_restore_is_said_and_proves_nothing() -> None:
    assert restore_check(restored([])[2], []).status is Status.SKIPPED


def test_the_smallest_versions_that_can_be_read_at_once_are_chosen() -> None:
    cold = version("cold", size=0, storage_class="DEEP_ARCHIVE")
    large = version("large", size=MOST_BYTES + 1)
    small = [version(f"s{number}", size=number) for number in range(9)]
    assert chosen([large, cold, marker("m"), *reversed(small)]) == small[:5]
    assert chosen([large]) == []


# --- what is told ------------------------------------------------------------------------------------------------


def test_a_failure_is_told_in_lambdas_words_and_in_those_of_step_functions() -> None:
    cause = json.dumps({"errorMessage": "us-east-1 cannot be reached.", "errorType": "AwsFailure"})
    assert reason_of({"Error": "AwsFailure", "Cause": cause}) == "AwsFailure: us-east-1 cannot be reached."
    assert reason_of({"Error": "States.Timeout", "Cause": ""}) == "States.Timeout: no cause was given."
    assert reason_of({"Error": "X", "Cause": "[1]"}) == "X: [1]."
    assert len(reason_of({"Error": "X", "Cause": "y" * 99999})) < 2100


def test_a_drill_that_failed_is_unknown_and_never_proven() -> None:
    result = failed_result("orders", "us-west-2", {"Error": "Sandbox.Timedout", "Cause": "Task timed out"})
    assert result["verdict"] == "unknown"
    assert "Sandbox.Timedout: Task timed out. Mend that" in result["problems"][0]
    assert result["recovery"] is None


def test_only_what_was_measured_is_a_data_point() -> None:
    proven = {
        "verdict": "proven",
        "recovery": {"rpo_seconds": 12, "versions_at_risk": 0},
        "canaries": [{"status": "replicated", "seconds": 2.0}, {"status": "replicated", "seconds": 5.0}],
    }
    assert {one["MetricName"]: one["Value"] for one in metric_data("orders", proven)} == {
        "Proven": 1.0,
        "MeasuredRpo": 12.0,
        "VersionsAtRisk": 0.0,
        "ReplicationTime": 5.0,
    }
    unknown = failed_result("orders", "us-west-2", {})
    assert {one["MetricName"]: one["Value"] for one in metric_data("orders", unknown)} == {"Proven": 0.0}


class Puts:
    """CloudWatch's writes."""

    def __init__(self, refused: bool = False) -> None:
        self.refused = refused
        self.put: list[dict[str, Any]] = []

    def own(self, service: str) -> Puts:
        """The only client."""
        assert service == "cloudwatch"
        return self

    def put_metric_data(self, **params: Any) -> None:
        """Keep or refuse."""
        if self.refused:
            raise error("AccessDenied", "PutMetricData")
        self.put.append(params)


def test_the_age_of_the_last_proof_is_a_metric() -> None:
    puts = Puts()
    assert put_ages(cast(Sessions, puts), {"orders": 86400.0, "photos": 0.0}) == []
    (call,) = puts.put
    assert call["Namespace"] == "S3DR"
    told = [(one["Dimensions"][0]["Value"], one["MetricName"], one["Value"], one["Unit"]) for one in call["MetricData"]]
    assert told == [("orders", "LastProofAge", 86400.0, "Seconds"), ("photos", "LastProofAge", 0.0, "Seconds")]


def test_ages_that_cannot_be_told_are_said_and_without_any_nothing_is_asked() -> None:
    (said,) = put_ages(cast(Sessions, Puts(refused=True)), {"orders": 1.0})
    assert "AccessDenied" in said
    assert put_ages(cast(Sessions, Puts(refused=True)), {}) == []


def test_a_message_names_the_pair_the_first_problems_and_the_evidence() -> None:
    result = {
        "verdict": "at_risk",
        "problems": [f"problem {n}" for n in range(30)],
        "evidence": "s3://e/pairs/orders/r/",
    }
    subject, text = message("orders", result)
    assert subject == "S3 DR: orders is at risk"
    assert "problem 19" in text
    assert "problem 20" not in text
    assert "and 10 more" in text
    assert "s3://e/pairs/orders/r/" in text
    assert len(message("x" * 200, result)[0]) < 100


# --- the end of a run --------------------------------------------------------------------------------------------


def ended(*verdicts: str) -> dict[str, Any]:
    """What a run answers whose pairs, `p0` and so on, were judged so."""
    recovery, evidence = ObjectBucket(), ObjectBucket("example-evidence")
    of_pair = partial(Work, recovery, recovery.bucket, recovery.owner)
    world = World(
        settings=settings(orders=ORDERS),
        sessions=Sessions("us-west-2", Account("111122223333")),
        evidence=EvidenceStore(evidence, evidence.bucket, evidence.owner),
        work=lambda name: of_pair(f"work/{name}/"),
        seconds=lambda: 60.0,
        run="20261124T031500Z",
        execution="e1",
        created="2026-11-24T03:15:00Z",
    )
    answer = finish(world, [{"pair": f"p{number}", "verdict": verdict} for number, verdict in enumerate(verdicts)])
    assert "index.html" in evidence.objects
    assert recovery.objects == {}
    return answer


def test_a_run_is_proven_only_if_all_of_its_pairs_are() -> None:
    assert ended("proven", "proven")["proven"] is True
    assert ended("proven", "unknown")["proven"] is False
    assert ended()["proven"] is False


def test_the_verdicts_are_the_cause_of_a_run_that_is_not_proven() -> None:
    assert json.loads(ended("proven", "broken")["cause"]) == {"p0": "proven", "p1": "broken"}


# --- work --------------------------------------------------------------------------------------------------------


def test_work_comes_back_as_it_was_kept_and_is_cleared() -> None:
    bucket = ObjectBucket()
    work = Work(bucket, bucket.bucket, bucket.owner, "work/")
    bucket.objects["other"] = b"stays"
    work.put("state", {"key": "\ud800 ü"})
    work.put_lines("rows-1", ({"n": number} for number in range(3)))
    assert work.get("state") == {"key": "\ud800 ü"}
    assert work.get("none") is None
    assert list(work.lines("rows-1")) == [{"n": 0}, {"n": 1}, {"n": 2}]
    work.clear()
    assert bucket.objects == {"other": b"stays"}
