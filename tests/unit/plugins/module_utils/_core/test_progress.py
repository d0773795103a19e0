# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The line about a long comparison says no more than is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.progress import (
    SHORTEST,
    WINDOW,
    Count,
    Reading,
    last_line,
    line,
    rate,
    remembered,
)


def readings(*seen: tuple[float, int], expected: int | None = None) -> tuple[Reading, ...]:
    """What was read at which second."""
    return tuple(Reading(at, Count(compared, expected)) for at, compared in seen)


def steady(a_second: float, expected: int | None = None) -> str:
    """The line of a pair of which so many versions have been compared in each of ten seconds."""
    return line("orders", readings((0, 0), (10, round(a_second * 10)), expected=expected))


def test_the_line_says_how_much_how_fast_and_how_long() -> None:
    seen = readings((100, 1_142_000), (110, 1_240_000), expected=3_004_000)
    assert line("orders", seen) == "orders: 1,240,000 versions compared, 9,800 a second, about 3 min left"


def test_without_an_expectation_no_time_is_said() -> None:
    assert steady(9_800) == "orders: 98,000 versions compared, 9,800 a second"


@pytest.mark.parametrize("expected", [98_000, 97_999, 0])
def test_an_expectation_that_is_reached_or_passed_says_no_time(expected: int) -> None:
    assert steady(9_800, expected) == "orders: 98,000 versions compared, 9,800 a second"


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (readings((0, 50), expected=100), "50 versions"),
        (readings((0, 1), (SHORTEST - 0.1, 50), expected=100), "50 versions"),
        (readings((0, 1), (20, 1), expected=100), "1 version"),
    ],
    ids=["one reading", "too short a time", "nothing moves"],
)
def test_without_a_rate_neither_rate_nor_time_is_said(seen: tuple[Reading, ...], text: str) -> None:
    assert line("orders", seen) == f"orders: {text} compared"


def test_nothing_read_has_no_rate() -> None:
    assert rate(()) is None


@pytest.mark.parametrize(
    ("a_second", "text"),
    [
        (0.1, "0.1"),
        (0.5, "0.5"),
        (3, "3"),
        (3.4, "3.4"),
        (9.9, "9.9"),
        (12.4, "12"),
        (99.7, "100"),
        (104, "100"),
        (996, "1,000"),
        (9_849, "9,800"),
        (1_250_001, "1,300,000"),
    ],
)
def test_a_rate_has_two_digits(a_second: float, text: str) -> None:
    assert steady(a_second).endswith(f" compared, {text} a second")


def test_a_rate_that_is_rounded_up_to_ten_has_no_decimals() -> None:
    assert line("orders", readings((0, 0), (30, 299))) == "orders: 299 versions compared, 10 a second"


def test_a_very_low_rate_is_not_rounded_to_nothing() -> None:
    assert line("orders", readings((0, 0), (25, 1))) == "orders: 1 version compared, less than 0.1 a second"


@given(st.floats(min_value=1, max_value=1e7))
def test_a_rate_is_rounded_by_less_than_a_twentieth(a_second: float) -> None:
    exact = round(a_second * 10) / 10
    said = float(steady(a_second).rsplit(", ", maxsplit=1)[-1].removesuffix(" a second").replace(",", ""))
    assert said == pytest.approx(exact, rel=0.0501)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "a few seconds"),
        (9, "a few seconds"),
        (10, "about 10 s"),
        (54, "about 50 s"),
        (55, "about 1 min"),
        (89, "about 1 min"),
        (91, "about 2 min"),
        (3_569, "about 59 min"),
        (3_570, "about 1 h"),
        (7_800, "about 2 h 10 min"),
        (86_400, "about 24 h"),
        (2 * 86_400, "about 2 days"),
        (1_500 * 86_400, "about 1,500 days"),
    ],
)
def test_the_time_left_is_as_exact_as_a_forecast_can_be(seconds: int, text: str) -> None:
    assert steady(100, expected=1_000 + 100 * seconds).endswith(f", 100 a second, {text} left")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (7.9, "7 s"),
        (60, "1 min"),
        (130, "2 min 10 s"),
        (3_599, "59 min 59 s"),
        (3_600, "1 h"),
        (7_859, "2 h 10 min"),
        (200_000, "55 h 33 min"),
    ],
)
def test_the_last_line_says_how_long_it_took(seconds: float, text: str) -> None:
    assert last_line("orders", Count(1_300_000, 5), seconds) == f"orders: 1,300,000 versions compared in {text}"


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    seen: tuple[Reading, ...] = ()
    for second in range(100):
        compared = 1_000 * second if second < 60 else 60_000 + 10 * (second - 60)
        seen = remembered(seen, Reading(float(second), Count(compared)))
    assert rate(seen) == 10
    assert len(seen) == WINDOW + 1


def test_a_count_that_begins_anew_has_a_rate_of_its_own() -> None:
    seen = remembered(readings((0, 0), (10, 1_000_000)), Reading(11, Count(5)))
    assert rate(seen) is None
    assert rate(remembered(seen, Reading(21, Count(105)))) == 10


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 1_000)), min_size=1, max_size=60))
def test_a_rate_is_never_negative_and_never_older_than_the_window(steps: list[tuple[float, int]]) -> None:
    seen: tuple[Reading, ...] = ()
    at = 0.0
    for pause, compared in steps:
        at += pause
        seen = remembered(seen, Reading(at, Count(compared)))
        speed = rate(seen)
        assert speed is None or speed > 0
        assert seen[-1].at - seen[0].at <= WINDOW
        assert seen[-1] == Reading(at, Count(compared))


def test_what_is_replicated_after_all_was_compared_has_a_rate_and_a_word_of_its_own() -> None:
    compared = remembered((), Reading(0.0, Count(100)))
    replicated = remembered(compared, Reading(4.0, Count(200, 300, "replicated")))
    assert replicated == (Reading(4.0, Count(200, 300, "replicated")),)
    assert line("orders", replicated) == "orders: 200 versions replicated"


@given(st.integers(0, 10**12), st.none() | st.integers(0, 10**12), st.sampled_from(["compared", "replicated"]))
def test_a_count_is_read_as_it_was_written(compared: int, expected: int | None, what: str) -> None:
    assert Count.of_text(Count(compared, expected, what).as_text()) == Count(compared, expected, what)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "7",
        "[]",
        "null",
        "{}",
        '{"compared": 1}',
        '{"expected": 1}',
        '{"compared": "1", "expected": null, "what": "compared"}',
        '{"compared": null, "expected": null, "what": "compared"}',
        '{"compared": 1, "expected": "2", "what": "compared"}',
        '{"compared": 1, "expected": 2, "what": 3}',
        '{"compared": 1, "expected": 2}',
    ],
)
def test_what_is_no_count_is_none(text: str) -> None:
    assert Count.of_text(text) is None
