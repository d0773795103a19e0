# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The journal in a bucket: of two who write at the same time one wins, and lost answers change nothing."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.journal_store import JournalStore, Overtaken
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core import journal as journals
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.journal import Journal
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Bucket, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.journeys import JourneyAws
from ansible_collections.crossregion.s3_dr.tests.unit.plugins.module_utils._core.test_journal import a_run

BUCKET, WEST = "s3-dr-111122223333-us-west-2", "us-west-2"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def an_aws() -> JourneyAws:
    aws = JourneyAws()
    aws.buckets[BUCKET] = Bucket(WEST, versioning="Enabled")
    return aws


def store(aws: JourneyAws) -> JournalStore:
    return JournalStore(aws.client_for("s3", WEST), BUCKET, OWNER, "orders")


def a_journal(operator: str = "ops") -> Journal:
    return journals.begun(Journal("orders"), a_run(id=operator))


def test_what_was_saved_is_read_and_nothing_is_no_journal() -> None:
    aws = an_aws()
    assert store(aws).read() is None
    store(aws).save(a_journal())
    assert store(aws).read() == a_journal()
    assert [one["Key"] for one in aws.buckets[BUCKET].versions] == ["journal/orders/state.json"]


def test_of_two_who_begin_at_the_same_time_one_wins() -> None:
    aws = an_aws()
    mine, theirs = store(aws), store(aws)
    assert mine.read() is theirs.read() is None
    theirs.save(a_journal("theirs"))
    for _again in range(2):
        with pytest.raises(Overtaken, match="somebody else has written it"):
            mine.save(a_journal("mine"))
    assert store(aws).read() == a_journal("theirs")


def test_of_two_who_go_on_with_a_run_one_wins() -> None:
    aws = an_aws()
    store(aws).save(a_journal())
    mine, theirs = store(aws), store(aws)
    there = mine.read()
    assert there is not None
    assert theirs.read() == there
    mine.save(journals.beaten(there, NOW))
    with pytest.raises(Overtaken):
        theirs.save(journals.step_begun(there, "flip", {}, NOW))


@given(st.sets(st.integers(1, 12)))
def test_answers_that_are_lost_change_nothing(lost: set[int]) -> None:
    """A call that fails may have been carried out; the writes after it go on all the same."""
    aws = an_aws()
    aws.loses = lost
    ours, journal = store(aws), a_journal()
    assert ours.read() is None
    for _number in range(6):
        with suppress(AwsFailure):
            ours.save(journal)
        journal = journals.beaten(journal, NOW)
    aws.loses = set()
    ours.save(journal)  # had it taken its own write for somebody else's, it would say so from then on
    assert store(aws).read() == journal


def test_a_lost_answer_does_not_let_two_go_on() -> None:
    aws = an_aws()
    aws.loses = {1, 2, 3, 4, 5}
    mine = store(aws)
    with pytest.raises(AwsFailure, match="cannot be reached"):
        mine.save(a_journal("mine"))
    aws.loses = set()
    theirs = store(aws)
    there = theirs.read()
    assert there is not None
    theirs.save(journals.beaten(there, NOW))
    with pytest.raises(Overtaken):
        mine.save(journals.beaten(a_journal("mine"), datetime(2026, 11, 24, tzinfo=UTC)))


def test_two_conditional_writes_that_meet_are_tried_again() -> None:
    """S3 answers 409 ConditionalRequestConflict, and neither of them need have been carried out."""
    aws = an_aws()
    ours = store(aws)
    conflicts = [client_error("ConditionalRequestConflict", "A conflicting operation occurred", "PutObject")] * 2

    def conflict(call: object) -> None:
        if conflicts and getattr(call, "operation", "") == "PutObject":
            raise conflicts.pop()

    aws.interrupt = conflict
    ours.save(a_journal())
    assert store(aws).read() == a_journal()


def test_a_bucket_that_is_not_there_says_how_to_get_it() -> None:
    aws = JourneyAws()
    for act in (lambda: store(aws).read(), lambda: store(aws).save(a_journal())):
        with pytest.raises(
            AwsFailure, match=f"there is no bucket {BUCKET}. setup.yml makes it, .*s3_dr_recovery_bucket"
        ):
            act()


def test_what_is_no_journal_is_named_with_the_way_out() -> None:
    aws = an_aws()
    aws.write(BUCKET, "journal/orders/state.json", body=b"{}")
    with pytest.raises(AwsFailure, match=r"state.json: it is no journal .* restore the last good one"):
        store(aws).read()


def test_a_run_that_is_over_is_kept_under_its_own_name() -> None:
    aws = an_aws()
    store(aws).keep_run(a_run())
    assert aws.buckets[BUCKET].versions[0]["Key"] == "journal/orders/runs/20261123T140403Z-failover-abc.json"


def test_a_copy_never_replaces_what_is_newer() -> None:
    aws = an_aws()
    newer = journals.beaten(a_journal(), NOW)
    store(aws).copy_here(a_journal())
    store(aws).copy_here(newer)
    store(aws).copy_here(a_journal())
    assert store(aws).read() == newer
