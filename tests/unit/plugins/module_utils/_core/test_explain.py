# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Every difference gets one cause, and what is lost never gets one that is accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import (
    ACCEPTED,
    NEVER_ACCEPTED,
    REMEDIES,
    UNASKED,
    Cause,
    Expiration,
    Finding,
    Gap,
    Head,
    Scope,
    iso,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.explain import (
    Explainer,
    Rank,
    Solved,
    same_content,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.march import Difference, Kind
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import NULL, Version
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ARCHIVE, DR, KEYS, PRIMARY
from ansible_collections.crossregion.s3_dr.tests.unit.version_strategies import (
    NOON,
    differences,
    explainers,
    heads,
    hiding_markers,
)

MANY = settings(max_examples=250)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
SINCE = NOON - 100 * DAY
ALL = Rule("all")
RED = Rule("red", 2, tags=(("team", "red"),))
MARKERS = replace(ALL, delete_markers=True)
GONE, FOUND = Head(False), Head(True)


def head(status: str | None = None, **changes: Any) -> Head:
    """An object of 10 bytes with SSE-S3."""
    return replace(Head(True, status=status, size=10, etag="e", encryption="AES256"), **changes)


def scope(*rules: Rule, **changes: Any) -> Scope:
    """From primary to DR, replicating since 100 days."""
    return Scope(**{"source": PRIMARY, "destination": DR, "rules": rules or (ALL,), "since": SINCE, **changes})


def back(*rules: Rule, **changes: Any) -> Scope:
    """The way back."""
    return scope(*rules, **{"source": DR, "destination": PRIMARY, **changes})


def explainer(*rules: Rule, **changes: Any) -> Explainer:
    """Of a one-way pair."""
    return Explainer(scope(*rules, **changes), None, NOON, rpo_seconds=900)


def both_ways(*rules: Rule, **changes: Any) -> Explainer:
    """Of a two-way pair, with the same rules each way."""
    forward = scope(*rules, **changes)
    return Explainer(forward, back(*rules, **changes), NOON, rpo_seconds=900)


def missing(age: timedelta = HOUR, **changes: Any) -> Difference:
    """A version of that age that only the source holds."""
    return Difference(Kind.MISSING, Version("k", "v1", NOON - age, 10, "e"), **changes)


def extra(age: timedelta = HOUR, **changes: Any) -> Difference:
    """A version of that age that only the destination holds."""
    return missing(age, at_left=False, **changes)


def marker(age: timedelta = HOUR, **changes: Any) -> Difference:
    """A current delete marker of that age at one end."""
    version = Version("k", "m1", NOON - age, is_latest=True)
    return Difference(Kind.MISSING, version, **changes)


def differs(size: int | None = 10, **changes: Any) -> Difference:
    """A version that both ends hold, with other content."""
    version = Version("k", "v1", NOON - HOUR, 10, "e")
    return Difference(Kind.DIFFERS, version, other=replace(version, size=size, etag="f"), **changes)


def cause(of: Explainer, difference: Difference, here: Head = UNASKED, there: Head = UNASKED) -> Cause | Solved:
    """Only the cause."""
    found = of.explain(difference, here, there)
    return found.cause if isinstance(found, Finding) else found


# --- each cause -----------------------------------------------------------------------------------------------

KMS = head(encryption="aws:kms")
PAUSED = Gap(NOON - 2 * HOUR, NOON - HOUR / 2)
YEAR = Expiration("", 365)
MONTH = Expiration("", 30)
AFTER_MONTH = {"previous": NOON - 40 * DAY}

SCENARIOS = {
    # what S3 says
    "pending": (explainer(), missing(SECOND), head("PENDING"), UNASKED, Cause.PENDING),
    "pending for as long as the target": (explainer(), missing(900 * SECOND), head("PENDING"), UNASKED, Cause.PENDING),
    "pending for longer": (explainer(), missing(901 * SECOND), head("PENDING"), UNASKED, Cause.LATE),
    "failed": (explainer(), missing(), head("FAILED"), UNASKED, Cause.FAILED),
    "completed and gone": (explainer(), missing(), head("COMPLETED"), GONE, Cause.VERSION_DELETED_AT_DESTINATION),
    "complete and gone": (explainer(), missing(), head("COMPLETE"), GONE, Cause.VERSION_DELETED_AT_DESTINATION),
    "completed to another destination, before this one": (
        explainer(fan_out=True),
        missing(101 * DAY),
        head("COMPLETED"),
        GONE,
        Cause.WRITTEN_BEFORE_RULE,
    ),
    "completed to all destinations": (
        explainer(fan_out=True),
        missing(),
        head("COMPLETED"),
        GONE,
        Cause.VERSION_DELETED_AT_DESTINATION,
    ),
    "completed to some destination, nobody knows since when": (
        explainer(fan_out=True, since=None),
        missing(),
        head("COMPLETED"),
        GONE,
        Cause.VERSION_DELETED_AT_DESTINATION,
    ),
    "completed before the role was made": (
        explainer(),
        missing(101 * DAY),
        head("COMPLETED"),
        GONE,
        Cause.VERSION_DELETED_AT_DESTINATION,
    ),
    "a replica at the source": (explainer(), missing(), head("REPLICA"), GONE, Cause.REPLICA_OF_ANOTHER_SOURCE),
    "a replica of a third bucket, of a key that does not come back": (
        Explainer(scope(), back(Rule("other", prefix="other/")), NOON, 900),
        missing(),
        head("REPLICA"),
        GONE,
        Cause.REPLICA_OF_ANOTHER_SOURCE,
    ),
    "a replica that came back": (
        both_ways(),
        missing(),
        head("REPLICA"),
        GONE,
        Cause.VERSION_DELETED_AT_DESTINATION,
    ),
    "a replica whose modification fails": (both_ways(), missing(), head("FAILED"), UNASKED, Cause.FAILED),
    "a replica whose modification is on its way": (
        both_ways(),
        missing(SECOND),
        head("PENDING"),
        UNASKED,
        Cause.PENDING,
    ),
    "a status that nobody knows": (explainer(), missing(), head("NEW"), UNASKED, Cause.UNEXPLAINED),
    # no status
    "of another prefix": (explainer(Rule("r", prefix="x")), missing(), UNASKED, UNASKED, Cause.NO_RULE_MATCHES),
    "of other tags": (explainer(RED), missing(), head(tags=(("team", "blue"),)), UNASKED, Cause.NO_RULE_MATCHES),
    "tagged too late": (explainer(RED), missing(), head(tags=RED.tags), UNASKED, Cause.TAGGED_AFTER_CREATION),
    "tagged too late, and the other rule is off": (
        explainer(RED, replace(ALL, enabled=False)),
        missing(),
        head(tags=RED.tags),
        UNASKED,
        Cause.TAGGED_AFTER_CREATION,
    ),
    "tagged, and before the rule": (
        explainer(RED),
        missing(101 * DAY),
        head(tags=RED.tags),
        UNASKED,
        Cause.WRITTEN_BEFORE_RULE,
    ),
    "before the rule": (explainer(), missing(100 * DAY + SECOND), head(), UNASKED, Cause.WRITTEN_BEFORE_RULE),
    "at the very second": (explainer(), missing(100 * DAY), head(), UNASKED, Cause.WRITTEN_WHILE_RULE_OFF),
    "before the first that arrived": (
        explainer(first_arrived=NOON - DAY),
        missing(2 * DAY),
        head(),
        UNASKED,
        Cause.WRITTEN_BEFORE_RULE,
    ),
    "an older one has arrived by backfill": (
        explainer(first_arrived=NOON - 200 * DAY),
        missing(101 * DAY),
        head(),
        UNASKED,
        Cause.WRITTEN_BEFORE_RULE,
    ),
    "nothing has ever arrived": (explainer(since=None), missing(), head(), UNASKED, Cause.WRITTEN_BEFORE_RULE),
    "older ones have arrived": (explainer(), missing(), head(), UNASKED, Cause.WRITTEN_WHILE_RULE_OFF),
    "in a pause": (explainer(gaps=(PAUSED,)), missing(), head(), UNASKED, Cause.WRITTEN_WHILE_RULE_OFF),
    "in a pause before the oldest that arrived": (
        explainer(gaps=(PAUSED,), first_arrived=NOON),
        missing(),
        head(),
        UNASKED,
        Cause.WRITTEN_WHILE_RULE_OFF,
    ),
    "of a disabled rule": (
        explainer(replace(ALL, enabled=False), since=None),
        missing(),
        head(),
        UNASKED,
        Cause.WRITTEN_WHILE_RULE_OFF,
    ),
    "in Glacier": (explainer(), missing(), head(storage_class="GLACIER"), UNASKED, Cause.ARCHIVED_CLASS),
    "in Deep Archive": (explainer(), missing(), head(storage_class="DEEP_ARCHIVE"), UNASKED, Cause.ARCHIVED_CLASS),
    "in an archive tier": (
        explainer(),
        missing(),
        head(storage_class="INTELLIGENT_TIERING", archive_status="ARCHIVE_ACCESS"),
        UNASKED,
        Cause.ARCHIVED_CLASS,
    ),
    "in Glacier Instant Retrieval": (
        explainer(),
        missing(),
        head(storage_class="GLACIER_IR"),
        UNASKED,
        Cause.WRITTEN_WHILE_RULE_OFF,
    ),
    "with KMS": (explainer(), missing(), KMS, UNASKED, Cause.KMS_NOT_SELECTED),
    "with DSSE": (explainer(), missing(), head(encryption="aws:kms:dsse"), UNASKED, Cause.KMS_NOT_SELECTED),
    "with KMS that the rule selects": (
        explainer(replace(ALL, kms_objects=True)),
        missing(),
        KMS,
        UNASKED,
        Cause.WRITTEN_WHILE_RULE_OFF,
    ),
    "with KMS that the rule's own destination has a key for": (
        explainer(replace(ALL, destination=replace(DR, kms_key_arn=KEYS[DR.bucket]))),
        missing(),
        KMS,
        UNASKED,
        Cause.WRITTEN_WHILE_RULE_OFF,
    ),
    "with KMS that only a rule of lower priority selects": (
        explainer(Rule("low", 1, kms_objects=True), Rule("high", 2)),
        missing(),
        KMS,
        UNASKED,
        Cause.KMS_NOT_SELECTED,
    ),
    "with KMS that the rule selects that applies": (
        explainer(Rule("low", 1, kms_objects=True), Rule("high", 2, enabled=False)),
        missing(),
        KMS,
        UNASKED,
        Cause.WRITTEN_WHILE_RULE_OFF,
    ),
    # not looked at
    "not asked": (explainer(), missing(), UNASKED, UNASKED, Cause.UNEXAMINED),
    "refused": (explainer(), missing(101 * DAY), Head(None, "AccessDenied"), UNASKED, Cause.UNEXAMINED),
    "not asked, but by its time": (explainer(), missing(101 * DAY), UNASKED, UNASKED, Cause.UNEXAMINED),
    "completed, and the other end was not asked": (
        explainer(),
        missing(101 * DAY),
        head("COMPLETED"),
        UNASKED,
        Cause.UNEXAMINED,
    ),
    "came back, and the other end was not asked": (both_ways(), missing(), head("REPLICA"), UNASKED, Cause.UNEXAMINED),
    "tags not readable": (explainer(RED), missing(), head(refused="AccessDenied"), UNASKED, Cause.UNEXAMINED),
    "tags not readable, but a rule without them": (
        explainer(RED, ALL),
        missing(),
        head(refused="AccessDenied"),
        UNASKED,
        Cause.WRITTEN_WHILE_RULE_OFF,
    ),
    "extra, and not asked": (explainer(), extra(), UNASKED, UNASKED, Cause.UNEXAMINED),
    # delete markers of the source
    "a marker by choice": (explainer(), marker(), UNASKED, UNASKED, Cause.DELETE_MARKER_BY_CHOICE),
    "a marker with rules by tags": (explainer(RED), marker(), UNASKED, UNASKED, Cause.DELETE_MARKER_BY_CHOICE),
    "a marker by choice of the rule that applies": (
        explainer(replace(MARKERS, id="low"), Rule("high", 2)),
        marker(SECOND),
        UNASKED,
        UNASKED,
        Cause.DELETE_MARKER_BY_CHOICE,
    ),
    "a marker, and the rule that applies takes it": (
        explainer(Rule("low"), Rule("high", 2, delete_markers=True)),
        marker(SECOND),
        UNASKED,
        UNASKED,
        Cause.PENDING,
    ),
    "a marker of no rule": (explainer(Rule("r", prefix="x")), marker(), UNASKED, UNASKED, Cause.NO_RULE_MATCHES),
    "a marker on its way": (explainer(MARKERS), marker(SECOND), FOUND, GONE, Cause.PENDING),
    "a marker that is late": (explainer(MARKERS), marker(), FOUND, GONE, Cause.LATE),
    "a marker in a pause": (
        explainer(MARKERS, gaps=(PAUSED,)),
        marker(),
        FOUND,
        GONE,
        Cause.WRITTEN_WHILE_RULE_OFF,
    ),
    "a marker before the rule": (explainer(MARKERS), marker(101 * DAY), FOUND, GONE, Cause.WRITTEN_BEFORE_RULE),
    "a marker of a disabled rule": (
        explainer(replace(MARKERS, enabled=False)),
        marker(SECOND),
        FOUND,
        GONE,
        Cause.WRITTEN_WHILE_RULE_OFF,
    ),
    "a marker by lifecycle": (
        explainer(MARKERS, expirations=(MONTH,)),
        marker(**AFTER_MONTH),
        FOUND,
        GONE,
        Cause.DELETE_MARKER_BY_LIFECYCLE,
    ),
    "a marker too early for lifecycle": (
        explainer(MARKERS, expirations=(YEAR,)),
        marker(**AFTER_MONTH),
        FOUND,
        GONE,
        Cause.LATE,
    ),
    "a marker that the destination's lifecycle would put": (
        explainer(MARKERS, destination_expirations=(MONTH,)),
        marker(**AFTER_MONTH),
        FOUND,
        GONE,
        Cause.LATE,
    ),
    # extra versions
    "extra": (explainer(), extra(key_at_other=False), head(), GONE, Cause.FOREIGN_OBJECT),
    "extra, of a known key": (explainer(), extra(), head(), GONE, Cause.CONFLICT),
    "extra, and replicated to a third bucket": (
        explainer(),
        extra(key_at_other=False),
        head("COMPLETED"),
        GONE,
        Cause.FOREIGN_OBJECT,
    ),
    "an extra replica": (explainer(), extra(), head("REPLICA"), GONE, Cause.VERSION_DELETED_AT_SOURCE),
    "a replica at the far end of a two-way pair": (
        both_ways(),
        extra(),
        head("REPLICA"),
        GONE,
        Cause.VERSION_DELETED_AT_SOURCE,
    ),
    "a replica of a third bucket at the far end": (
        Explainer(scope(Rule("other", prefix="other/")), back(), NOON, 900),
        extra(),
        head("REPLICA"),
        GONE,
        Cause.REPLICA_OF_ANOTHER_SOURCE,
    ),
    "written at the far end of a two-way pair": (both_ways(), extra(SECOND), head("PENDING"), GONE, Cause.PENDING),
    "written at the far end, of a key that does not go back": (
        Explainer(scope(), back(Rule("other", prefix="other/")), NOON, 900),
        extra(),
        head(),
        GONE,
        Cause.CONFLICT,
    ),
    "an extra marker": (explainer(), marker(at_left=False, key_at_other=False), FOUND, GONE, Cause.FOREIGN_OBJECT),
    "an extra marker that came by replication": (
        explainer(MARKERS),
        marker(at_left=False),
        FOUND,
        GONE,
        Cause.VERSION_DELETED_AT_SOURCE,
    ),
    "an extra marker over replicas of a key that is gone": (
        explainer(MARKERS),
        marker(at_left=False, key_at_other=False, previous=NOON - DAY),
        FOUND,
        GONE,
        Cause.VERSION_DELETED_AT_SOURCE,
    ),
    "an extra marker over nothing": (
        explainer(MARKERS),
        marker(at_left=False, key_at_other=False),
        FOUND,
        GONE,
        Cause.FOREIGN_OBJECT,
    ),
    "an extra marker by lifecycle": (
        explainer(destination_expirations=(MONTH,)),
        marker(at_left=False, **AFTER_MONTH),
        FOUND,
        GONE,
        Cause.DELETE_MARKER_BY_LIFECYCLE,
    ),
    "an extra marker by lifecycle of both": (
        explainer(MARKERS, expirations=(MONTH,), destination_expirations=(MONTH,)),
        marker(at_left=False, **AFTER_MONTH),
        FOUND,
        GONE,
        Cause.DELETE_MARKER_BY_LIFECYCLE,
    ),
    "a marker that hides": (explainer(), marker(at_left=False, hides=True), FOUND, GONE, Cause.CONFLICT),
    "a marker by lifecycle of both that hides for now": (
        explainer(expirations=(MONTH,), destination_expirations=(MONTH,)),
        marker(3 * DAY, at_left=False, hides=True, **AFTER_MONTH),
        FOUND,
        GONE,
        Cause.DELETE_MARKER_BY_LIFECYCLE,
    ),
    "a marker by lifecycle of both that hides for long": (
        explainer(expirations=(MONTH,), destination_expirations=(MONTH,)),
        marker(3 * DAY + SECOND, at_left=False, hides=True, **AFTER_MONTH),
        FOUND,
        GONE,
        Cause.CONFLICT,
    ),
    "a marker by a lifecycle that is shorter than the source's": (
        explainer(expirations=(YEAR,), destination_expirations=(MONTH,)),
        marker(at_left=False, hides=True, **AFTER_MONTH),
        FOUND,
        GONE,
        Cause.CONFLICT,
    ),
    "a marker of the far end that hides, by choice": (
        both_ways(),
        marker(at_left=False, hides=True),
        UNASKED,
        UNASKED,
        Cause.CONFLICT,
    ),
    "a marker of the far end that hides, by its lifecycle": (
        Explainer(scope(MARKERS), back(MARKERS, expirations=(MONTH,)), NOON, 900),
        marker(at_left=False, hides=True, **AFTER_MONTH),
        FOUND,
        GONE,
        Cause.CONFLICT,
    ),
    "a marker of the far end that hides, on its way": (
        both_ways(MARKERS),
        marker(SECOND, at_left=False, hides=True),
        FOUND,
        GONE,
        Cause.PENDING,
    ),
    "a marker of the far end that hides nothing": (
        both_ways(),
        marker(at_left=False),
        UNASKED,
        UNASKED,
        Cause.DELETE_MARKER_BY_CHOICE,
    ),
    "a marker of the source that hides": (
        explainer(),
        marker(hides=True),
        UNASKED,
        UNASKED,
        Cause.DELETE_MARKER_BY_CHOICE,
    ),
    # both hold it
    "other sizes": (explainer(), differs(size=11), UNASKED, UNASKED, Cause.CONTENT_DIFFERS),
    "an object and a marker": (explainer(), differs(size=None), UNASKED, UNASKED, Cause.CONTENT_DIFFERS),
    "other ETags": (explainer(), differs(), head(), head(etag="f"), Cause.CONTENT_DIFFERS),
    "other ETags, not asked": (explainer(), differs(), UNASKED, UNASKED, Cause.UNEXAMINED),
    "other ETags, one refused": (explainer(), differs(), head(), Head(None, "AccessDenied"), Cause.UNEXAMINED),
    "another that is deleted meanwhile": (explainer(), differs(), head(), GONE, Cause.VERSION_DELETED_AT_DESTINATION),
    "another current version": (
        explainer(),
        Difference(Kind.CURRENT, missing().version, other=missing().version),
        UNASKED,
        UNASKED,
        Cause.CONFLICT,
    ),
    # arrived meanwhile, with other content
    "arrived with another size": (explainer(), missing(), head("COMPLETED"), head(size=11), Cause.CONTENT_DIFFERS),
    "arrived with another ETag": (explainer(), missing(), head("COMPLETED"), head(etag="f"), Cause.CONTENT_DIFFERS),
    # no difference after all
    "deleted meanwhile": (explainer(), missing(), GONE, UNASKED, Solved.GONE),
    "another, deleted meanwhile": (explainer(), differs(), GONE, head(), Solved.GONE),
    "another, deleted meanwhile at both": (explainer(), differs(), GONE, GONE, Solved.GONE),
    "arrived meanwhile": (explainer(), missing(), head("COMPLETED"), head("REPLICA"), Solved.ARRIVED),
    "an extra one that arrived": (explainer(), extra(), head("REPLICA"), head("COMPLETED"), Solved.ARRIVED),
    "a marker that arrived": (explainer(MARKERS), marker(), FOUND, FOUND, Solved.ARRIVED),
    "a marker that hid until another arrived": (
        explainer(),
        marker(at_left=False, hides=True),
        FOUND,
        FOUND,
        Solved.ARRIVED,
    ),
    "the same ETag": (explainer(), differs(), head(), head(), Solved.SAME_CONTENT),
    "ETags of KMS": (explainer(), differs(), KMS, replace(KMS, etag="f"), Solved.NOT_COMPARABLE),
    "ETags of KMS, not asked": (
        explainer(replace(ALL, kms_objects=True)),
        differs(),
        UNASKED,
        UNASKED,
        Solved.NOT_LOOKED_AT,
    ),
    "a replica stands in place of what the source shows": (
        explainer(),
        replace(extra(), hides=True),
        head("REPLICA"),
        Head(False),
        Cause.CONFLICT,
    ),
    "what stands in place of it was not asked": (
        explainer(),
        replace(extra(), hides=True),
        UNASKED,
        UNASKED,
        Cause.CONFLICT,
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_has_its_cause(name: str) -> None:
    of, difference, here, there, expected = SCENARIOS[name]
    assert cause(of, difference, here, there) is expected


def test_each_cause_and_each_solution_has_a_scenario() -> None:
    assert {scenario[4] for scenario in SCENARIOS.values()} == {*Cause, *Solved}


def test_each_cause_has_a_remedy_that_is_a_sentence() -> None:
    assert set(REMEDIES) == set(Cause)
    for remedy in REMEDIES.values():
        assert remedy[0].isupper()
        assert remedy.endswith(".")


def test_what_is_accepted_is_never_what_must_not_be() -> None:
    assert not {*ACCEPTED} & {*NEVER_ACCEPTED}


# --- laws -----------------------------------------------------------------------------------------------------


@MANY
@given(explainers(), differences(), heads(), heads())
def test_any_difference_is_explained_or_solved(of: Explainer, difference: Difference, here: Head, there: Head) -> None:
    found = of.explain(difference, here, there)
    assert isinstance(of.rank(difference), Rank)
    if isinstance(found, Solved):
        return
    result = found.as_result(NOON)
    assert result["remedy"]
    assert (found.key, found.version_id) == (difference.version.key, difference.version.version_id)
    buckets = {found.source, found.destination}
    assert buckets == {PRIMARY.bucket, DR.bucket}
    assert found.rule not in found.maybe_rules
    assert found.rule is not None or not found.maybe_rules


@MANY
@given(explainers(), differences(Kind.MISSING), heads(), heads(), st.booleans())
def test_an_object_that_a_rule_selects_and_the_copy_lacks_is_never_accepted(
    of: Explainer, difference: Difference, here: Head, there: Head, enabled: bool
) -> None:
    """The worst that could happen: something is lost, and the run says that this is as it should be."""
    version = replace(difference.version, size=difference.version.size or 7)
    difference = replace(difference, version=version, at_left=True, hides=False, previous=None)
    rules = (*of.forward.rules, replace(ALL, enabled=enabled, priority=0))
    of = replace(of, forward=replace(of.forward, rules=rules))
    found = of.explain(difference, here, there)
    if isinstance(found, Finding):
        assert found.cause not in ACCEPTED
        assert found.missing
        assert (found.source, found.destination) == (PRIMARY.bucket, DR.bucket)
    elif found is Solved.ARRIVED:
        assert there.found
        assert there.size in (None, version.size)
    else:
        assert found is Solved.GONE
        assert here.found is not None


@MANY
@given(explainers(), differences(Kind.DIFFERS), heads(), heads())
def test_a_copy_of_other_content_is_never_accepted(
    of: Explainer, difference: Difference, here: Head, there: Head
) -> None:
    found = of.explain(difference, here, there)
    if isinstance(found, Finding):
        assert found.cause not in ACCEPTED
        assert found.missing
    elif found is Solved.GONE:
        assert here.found is not None
    else:
        assert difference.other is not None
        assert difference.version.size == difference.other.size


@MANY
@given(explainers(), hiding_markers(), heads(), heads())
def test_a_copy_that_hides_what_the_source_shows_is_accepted_only_while_lifecycle_follows(
    of: Explainer, difference: Difference, here: Head, there: Head
) -> None:
    found = of.explain(difference, here, there)
    if isinstance(found, Finding) and found.cause in ACCEPTED:
        assert found.cause is Cause.DELETE_MARKER_BY_LIFECYCLE
        assert any(one.explains(difference.version, difference.previous) for one in of.forward.expirations)
        assert NOON - difference.version.modified <= 3 * DAY


@MANY
@given(explainers(), differences(), heads(), heads())
def test_what_is_settled_is_not_changed_by_asking(
    of: Explainer, difference: Difference, here: Head, there: Head
) -> None:
    if of.rank(difference) is Rank.SETTLED and here.found is not False:
        settled = of.explain(difference, UNASKED, UNASKED)
        asked = of.explain(difference, replace(here, modified=None), replace(there, found=None))
        assert isinstance(settled, Finding)
        assert settled == asked
        assert settled.cause is not Cause.UNEXAMINED


@MANY
@given(explainers(), differences(), heads())
def test_what_the_other_end_says_counts_only_if_it_is_asked(of: Explainer, difference: Difference, here: Head) -> None:
    """Whoever is not asked does not change the cause by not being there."""
    if not of.asks_other_end(difference, here) and difference.kind is Kind.MISSING:
        assert of.explain(difference, here, UNASKED) == of.explain(difference, here, GONE)


@MANY
@given(explainers(), differences(), heads())
def test_tags_count_only_if_they_are_asked(of: Explainer, difference: Difference, here: Head) -> None:
    if not of.asks_tags(difference, here):
        causes = {cause(of, difference, replace(here, tags=tags), GONE) for tags in (None, (), RED.tags)}
        assert len(causes) == 1


# --- null -----------------------------------------------------------------------------------------------------

NULL_VERSION = Version("k", NULL, NOON - HOUR, 10, "e")
ONLY_HERE = Difference(Kind.MISSING, NULL_VERSION)
AT, LATER = NULL_VERSION.modified, NULL_VERSION.modified + SECOND


def test_another_null_version_at_the_other_end_is_not_this_one() -> None:
    here = head("COMPLETED", modified=AT)
    lost = Cause.VERSION_DELETED_AT_DESTINATION
    assert cause(explainer(), ONLY_HERE, here, head(modified=LATER)) is lost
    assert cause(explainer(), ONLY_HERE, here, head(modified=AT)) is Solved.ARRIVED
    part = replace(ONLY_HERE, version=replace(NULL_VERSION, modified=AT + SECOND / 2))
    assert cause(explainer(), part, here, head(modified=AT)) is Solved.ARRIVED


def test_a_null_version_of_which_the_time_is_not_known_has_not_arrived() -> None:
    found = explainer().explain(ONLY_HERE, head("COMPLETED"), head())
    assert isinstance(found, Finding)
    assert found.cause is Cause.UNEXAMINED
    assert "null" in found.detail


def test_a_null_version_that_another_took_the_place_of_is_gone() -> None:
    assert cause(explainer(), ONLY_HERE, head("PENDING", modified=LATER)) is Solved.GONE
    assert cause(explainer(), ONLY_HERE, head("PENDING")) is Cause.LATE


def test_null_versions_that_differ_and_were_replaced_are_not_compared() -> None:
    both = Difference(Kind.DIFFERS, NULL_VERSION, other=replace(NULL_VERSION, etag="f"))
    here, there = head(modified=AT), head(etag="f", modified=AT)
    assert cause(explainer(), both, here, there) is Cause.CONTENT_DIFFERS
    assert cause(explainer(), both, here, replace(there, modified=None)) is Cause.CONTENT_DIFFERS
    assert cause(explainer(), both, replace(here, modified=LATER), there) is Solved.GONE
    replaced = replace(there, modified=LATER)
    assert cause(explainer(), both, here, replaced) is Cause.VERSION_DELETED_AT_DESTINATION


# --- what a finding says --------------------------------------------------------------------------------------


def finding(of: Explainer, difference: Difference, here: Head = UNASKED, there: Head = GONE) -> Finding:
    """The finding, which must be one."""
    found = of.explain(difference, here, there)
    assert isinstance(found, Finding)
    return found


def test_what_is_extra_loses_nothing_and_what_is_not_there_does() -> None:
    assert not finding(explainer(), extra(), head()).missing
    assert not finding(explainer(), marker(at_left=False, hides=True)).missing
    assert not finding(both_ways(), extra(), head("REPLICA")).missing
    assert not finding(explainer(), Difference(Kind.CURRENT, NULL_VERSION, other=NULL_VERSION)).missing
    assert finding(explainer(), missing(), head()).missing
    assert finding(both_ways(), missing(), head("REPLICA")).missing
    assert finding(explainer(), differs(11)).missing


def test_a_finding_names_the_direction_in_which_something_lacks() -> None:
    back_lacks = finding(both_ways(), extra(), head("FAILED"))
    assert (back_lacks.source, back_lacks.destination) == (DR.bucket, PRIMARY.bucket)
    too_much = finding(both_ways(), extra(), head("REPLICA"))
    assert (too_much.source, too_much.destination) == (PRIMARY.bucket, DR.bucket)


def named(*rules: Rule, of: Difference | None = None, here: Head = UNASKED) -> tuple[str | None, tuple[str, ...]]:
    """The rule of a finding, and those that it may be instead."""
    found = finding(explainer(*rules), of or missing(), here)
    return found.rule, found.maybe_rules


def test_a_finding_names_the_rule_that_applies_or_all_that_may() -> None:
    gold = Rule("gold", 3, tags=(("tier", "gold"),))
    low = Rule("low", 0)
    assert named(ALL, low) == ("all", ())
    assert named(replace(ALL, enabled=False), low) == ("low", ())
    assert named(replace(ALL, enabled=False), replace(low, enabled=False)) == ("all", ())
    assert named(ALL, low, RED, gold, here=head("PENDING")) == ("gold", ("red", "all"))
    assert named(RED, gold, here=head("PENDING")) == ("gold", ("red",))
    assert named(ALL, low, RED, gold, here=head(tags=RED.tags)) == ("red", ())
    assert named(ALL, replace(RED, enabled=False), here=head(tags=RED.tags)) == ("all", ())
    assert named(RED, here=head(tags=())) == (None, ())
    assert named(ALL, RED, of=marker()) == ("all", ())
    assert named(Rule("r", prefix="x")) == (None, ())


@pytest.mark.parametrize(
    ("here", "changes", "said"),
    [
        (head("FAILED", object_lock=True), {"destination_has_object_lock": False}, "DstBucketObjectLockConfigMissing"),
        (head("FAILED", object_lock=True), {}, "OperationFailedReplication"),
        (head("FAILED"), {"destination_has_object_lock": False}, "OperationFailedReplication"),
        (head("FAILED", customer_key=True), {"destination_blocks_sse_c": True}, f"{DR.bucket} blocks SSE-C"),
        (head("FAILED"), {"destination_blocks_sse_c": True}, "OperationFailedReplication"),
        (head("FAILED", encryption="aws:kms", kms_key="arn:other"), {}, "likely the key arn:other"),
        (head("FAILED", encryption="aws:kms", kms_key=KEYS[PRIMARY.bucket]), {}, "the policy of the keys"),
        (head("FAILED", encryption="aws:kms"), {}, "the policy of the keys"),
        (head("FAILED"), {"fan_out": True}, "one status for all destinations"),
    ],
)
def test_a_failure_says_what_usually_is_its_reason(here: Head, changes: dict[str, Any], said: str) -> None:
    of = explainer(source=replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket]), **changes)
    assert said in finding(of, missing(), here).detail


def test_one_destination_is_not_told_of_others() -> None:
    assert "all destinations" not in finding(explainer(), missing(), head("FAILED")).detail


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("other sizes", "10 bytes and 11 bytes"),
        ("an object and a marker", "10 bytes and a delete marker"),
        ("arrived with another size", "10 and 11 bytes"),
        ("other ETags, one refused", "AccessDenied"),
        ("refused", "AccessDenied"),
        ("in Glacier", "GLACIER"),
        ("in an archive tier", "ARCHIVE_ACCESS"),
        ("with KMS", "aws:kms"),
        ("a marker that is late", "no status of delete markers"),
        ("before the rule", "2025-11-21T12:00:00Z"),
        ("a replica that came back", DR.bucket),
        ("completed to another destination, before this one", "filter COMPLETED"),
        ("a marker that hides", f"{PRIMARY.bucket} shows"),
        ("another current version", "version v1"),
        ("a status that nobody knows", "NEW"),
        ("completed, and the other end was not asked", "not asked"),
    ],
)
def test_the_detail_says_what_was_seen(scenario: str, said: str) -> None:
    of, difference, here, there, _cause = SCENARIOS[scenario]
    assert said in finding(of, difference, here, there).detail


def test_a_finding_as_plain_values() -> None:
    assert finding(explainer(), marker(HOUR), FOUND).as_result(NOON) == {
        "cause": "delete_marker_by_choice",
        "source": PRIMARY.bucket,
        "destination": DR.bucket,
        "key": "k",
        "version_id": "m1",
        "modified": "2026-03-01T11:00:00Z",
        "age_seconds": 3600,
        "size": 0,
        "delete_marker": True,
        "missing": True,
        "rule": "all",
        "detail": "",
        "remedy": REMEDIES[Cause.DELETE_MARKER_BY_CHOICE],
    }
    of_object = finding(explainer(), missing(-HOUR), head("FAILED")).as_result(NOON)
    assert (of_object["age_seconds"], of_object["size"], of_object["delete_marker"]) == (0, 10, False)


# --- what is looked at first, and what is asked ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "difference", "rank"),
    [
        (explainer(), missing(), Rank.MISSING),
        (explainer(), missing(100 * DAY), Rank.MISSING),
        (explainer(), missing(100 * DAY + SECOND), Rank.BEFORE_RULE),
        (explainer(since=None), missing(1000 * DAY), Rank.MISSING),
        (explainer(Rule("r", prefix="x")), missing(), Rank.SETTLED),
        (explainer(RED), missing(), Rank.MISSING),
        (explainer(), marker(), Rank.SETTLED),
        (explainer(MARKERS), marker(), Rank.MISSING),
        (explainer(), extra(), Rank.EXTRA),
        (both_ways(), extra(), Rank.MISSING),
        (Explainer(scope(), back(Rule("r", prefix="x")), NOON, 900), extra(), Rank.EXTRA),
        (explainer(), differs(), Rank.DIFFERS),
        (explainer(replace(ALL, kms_objects=True)), differs(), Rank.KMS_CONTENT),
        (explainer(replace(ALL, kms_objects=True)), differs(11), Rank.DIFFERS),
        (Explainer(scope(), back(replace(ALL, kms_objects=True)), NOON, 900), differs(), Rank.KMS_CONTENT),
        (explainer(), Difference(Kind.CURRENT, NULL_VERSION, other=NULL_VERSION), Rank.SETTLED),
    ],
)
def test_what_matters_most_is_looked_at_first(of: Explainer, difference: Difference, rank: Rank) -> None:
    assert of.rank(difference) is rank


@pytest.mark.parametrize(
    ("of", "difference", "here", "asked"),
    [
        (explainer(RED), missing(), head(), True),
        (explainer(RED, ALL), missing(), head(), True),
        (explainer(), missing(), head(), False),
        (explainer(RED), missing(), head("PENDING"), False),
        (explainer(RED), missing(), UNASKED, False),
        (explainer(RED), missing(), GONE, False),
        (explainer(RED), extra(), head(), False),
        (explainer(RED), differs(), head(), False),
    ],
)
def test_tags_are_asked_for_where_they_decide(of: Explainer, difference: Difference, here: Head, asked: bool) -> None:
    assert of.asks_tags(difference, here) is asked


@pytest.mark.parametrize(
    ("of", "difference", "here", "asked"),
    [
        (explainer(), missing(), head("COMPLETED"), True),
        (explainer(), missing(), head("COMPLETE"), True),
        (explainer(), missing(), head("PENDING"), False),
        (explainer(), missing(), head("REPLICA"), False),
        (both_ways(), missing(), head("REPLICA"), True),
        (explainer(), missing(), UNASKED, False),
        (explainer(), missing(), GONE, False),
        (explainer(MARKERS), marker(), FOUND, True),
        (explainer(), extra(), head("REPLICA"), True),
        (explainer(), differs(), head(), True),
    ],
)
def test_the_other_end_is_asked_again_where_it_may_have_changed(
    of: Explainer, difference: Difference, here: Head, asked: bool
) -> None:
    assert of.asks_other_end(difference, here) is asked


def test_what_arrived_first_is_told_to_the_direction_that_it_came_from() -> None:
    of = both_ways().arrived_from(NOON - DAY)
    assert of.forward.first_arrived == NOON - DAY
    assert of.backward is not None
    assert of.backward.first_arrived is None


# --- content --------------------------------------------------------------------------------------------------

WHOLE = {"checksum_type": "FULL_OBJECT"}
PARTS = {"checksum_type": "COMPOSITE"}


@pytest.mark.parametrize(
    ("here", "there", "same"),
    [
        (head(), head(), True),
        (head(), head(etag="f"), False),
        (head(), head(size=11), False),
        (head(), head(size=None), True),
        (head(size=None), head(), True),
        (head(), head(etag="f", encryption="aws:kms"), None),
        (head(encryption=None), head(etag="f"), None),
        (head(customer_key=True), head(etag="f"), None),
        (head(), head(etag="f", customer_key=True), None),
        (KMS, replace(KMS, etag="f"), None),
        (KMS, KMS, True),
        (head(etag=""), head(etag=""), None),
        (head(etag=""), head(), None),
        (head(), head(etag=""), None),
        (head(etag="e-2"), head(etag="f-2"), False),
        (head(etag="e-2"), head(etag="f-3"), None),
        (head(etag="e-2"), head(etag="f"), None),
        (head(etag="e-2", parts=2), head(etag="f-2"), None),
        # full-object checksums decide, whatever the ETags are
        (head(checksums=(("CRC32", "x"),), **WHOLE), head(etag="f", checksums=(("CRC32", "x"),), **WHOLE), True),
        (head(checksums=(("CRC32", "x"),), **WHOLE), head(checksums=(("CRC32", "y"),), **WHOLE), False),
        (head(checksums=(("CRC32", "x"),)), head(checksums=(("CRC32", "y"),)), False),
        (
            replace(KMS, checksums=(("CRC32", "x"), ("SHA1", "s")), **WHOLE),
            replace(KMS, checksums=(("CRC32", "x"), ("SHA1", "t")), **WHOLE),
            False,
        ),
        (
            replace(KMS, checksums=(("CRC32", "x"), ("SHA1", "s")), **WHOLE),
            replace(KMS, etag="f", checksums=(("CRC32", "x"), ("MD5", "t")), **WHOLE),
            True,
        ),
        # of another algorithm or type they say nothing
        (head(checksums=(("CRC32", "x"),), **WHOLE), head(checksums=(("SHA1", "y"),), **WHOLE), True),
        (head(checksums=(("CRC32", "x"),), **WHOLE), head(checksums=(("CRC32", "y"),), **PARTS), True),
        # composite ones prove that it is the same, and not that it is not
        (
            replace(KMS, checksums=(("CRC32", "x-2"),), **PARTS),
            replace(KMS, etag="f", checksums=(("CRC32", "x-2"),), **PARTS),
            True,
        ),
        (
            replace(KMS, checksums=(("CRC32", "x-2"),), **PARTS),
            replace(KMS, checksums=(("CRC32", "y-3"),), **PARTS),
            None,
        ),
        (replace(KMS, checksums=(("CRC32", "x"),), **PARTS), replace(KMS, checksums=(("CRC32", "y"),), **PARTS), None),
        (replace(KMS, checksums=(("CRC32", "x-2"),)), replace(KMS, checksums=(("CRC32", "y-3"),)), None),
        (head(checksums=(("CRC32", "x-2"),), **PARTS), head(checksums=(("CRC32", "y-3"),), **PARTS), None),
        (head(checksums=(("CRC32", "x-2"),), **PARTS), head(etag="f", checksums=(("CRC32", "y-3"),), **PARTS), False),
        (
            head(etag="e-2", checksums=(("CRC32", "x-2"),), **PARTS),
            head(etag="f-3", checksums=(("CRC32", "y-3"),), **PARTS),
            None,
        ),
    ],
)
def test_content_is_compared_only_by_what_may_be_compared(here: Head, there: Head, same: bool | None) -> None:
    for ends in ((here, there), (there, here)):
        assert same_content(*ends) is same


# --- small things ---------------------------------------------------------------------------------------------

MIDNIGHT = NOON.replace(hour=0)


@pytest.mark.parametrize(
    ("days", "previous", "put", "explained"),
    [
        (1, NOON, MIDNIGHT + 2 * DAY, True),
        (1, NOON, MIDNIGHT + 2 * DAY - SECOND, False),
        (1, NOON, NOON + DAY, False),
        (1, MIDNIGHT, MIDNIGHT + DAY, True),
        (1, MIDNIGHT, MIDNIGHT + DAY - SECOND, False),
        (1, MIDNIGHT + SECOND / 2, MIDNIGHT + DAY + SECOND, False),
        (None, NOON, NOON, True),
        (1, None, NOON, True),
    ],
)
def test_lifecycle_acts_at_the_midnight_after_the_days(
    days: int | None, previous: datetime | None, put: datetime, explained: bool
) -> None:
    version = Version("logs/k", "m", put)
    assert Expiration("logs/", days).explains(version, previous) is explained
    assert Expiration("log/", days).explains(version, previous) is False


@given(st.integers(-5, 5))
def test_a_gap_holds_both_of_its_ends(hours: int) -> None:
    moment = NOON + hours * HOUR
    assert Gap(NOON, NOON + 2 * HOUR).holds(moment) is (0 <= hours <= 2)
    assert Gap(NOON).holds(moment) is (hours >= 0)


def test_rules_come_by_priority_and_select_by_prefix_and_by_all_of_their_tags() -> None:
    two = Rule("two", 5, "a", tags=(("team", "red"), ("tier", "gold")))
    of = scope(ALL, RED, two)
    assert [rule.id for rule in of.rules_for("a")] == ["two", "red", "all"]
    assert [rule.id for rule in of.rules_for("b")] == ["red", "all"]
    assert [rule.id for rule in of.rules_for("a", ())] == ["all"]
    assert [rule.id for rule in of.rules_for("a", RED.tags)] == ["red", "all"]
    assert [rule.id for rule in of.rules_for("a", (*two.tags, ("x", "y")))] == ["two", "red", "all"]


def test_the_copy_begins_with_the_later_of_what_is_known() -> None:
    assert scope(since=None).begin is None
    assert scope().begin == SINCE
    assert scope(first_arrived=NOON).begin == NOON
    assert scope(first_arrived=SINCE - DAY).begin == SINCE
    assert scope(since=None, first_arrived=NOON).begin == NOON


def test_moments_are_written_in_utc() -> None:
    assert iso(NOON) == "2026-03-01T12:00:00Z"
    assert iso(NOON + SECOND / 2) == "2026-03-01T12:00:00.500000Z"


def test_a_further_destination_lacks_what_came_back_as_a_replica() -> None:
    """It was written to the DR bucket while that was in use; S3 does not send it on to a third bucket."""
    of = Explainer(scope(destination=ARCHIVE), None, NOON, 900)
    found = finding(of, missing(), head("REPLICA"))
    assert found.cause is Cause.REPLICA_OF_ANOTHER_SOURCE
    assert found.destination == ARCHIVE.bucket
