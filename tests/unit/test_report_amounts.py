"""Amounts are short and say their unit."""

from __future__ import annotations

import pytest

from tailrace.console.report.amounts import age, cost, count, duration, plural


@pytest.mark.parametrize(
    ("duration_us", "text"),
    [
        (None, "–"),  # noqa: RUF001 - the dash of the tables
        (0, "0ms"),
        (420, "0.4ms"),
        (412_300, "412ms"),
        (999_999, "999ms"),
        (1_000_000, "1.0s"),
        (3_440_000, "3.4s"),
        (59_999_999, "59s"),
        (125_000_000, "2m05s"),
        (3_725_000_000, "1h02m"),
        (273_600_000_000, "3d04h"),
    ],
)
def test_a_duration_has_two_or_three_digits(duration_us: int | None, text: str) -> None:
    assert duration(duration_us) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (0.4, "now"),
        (12, "12s"),
        (300, "5m"),
        (7300, "2h"),
        (9e5, "10d"),
    ],
)
def test_an_age_has_one_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "–"),  # noqa: RUF001 - the dash of the tables
        (0, "0"),
        (999, "999"),
        (1_234, "1.2k"),
        (9_990, "10k"),
        (34_499, "34k"),
        (999_700, "1.0M"),
        (12_000_000, "12M"),
    ],
)
def test_a_count_has_at_most_four_characters(number: int | None, text: str) -> None:
    assert count(number) == text


@pytest.mark.parametrize(
    ("cost_usd", "text"),
    [
        (None, "–"),  # noqa: RUF001 - the dash of the tables
        (0.0, "$0"),
        (0.0000012, "$0.0000012"),
        (0.00123, "$0.0012"),
        (0.0456, "$0.046"),
        (0.5, "$0.50"),
        (1234.5, "$1,234.50"),
    ],
)
def test_a_cost_keeps_two_significant_digits(cost_usd: float | None, text: str) -> None:
    assert cost(cost_usd) == text


def test_a_plural_agrees_with_its_number() -> None:
    assert plural(1, "step") == "1 step"
    assert plural(1200, "step") == "1,200 steps"
