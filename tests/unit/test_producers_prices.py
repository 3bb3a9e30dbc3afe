"""Prices: what a table knows is counted, what it does not know stays unknown."""

from __future__ import annotations

from typing import Any

import pytest

from support.journal import only
from tailrace.producers import component, current_run, step
from tailrace.producers.content.usage import Usage
from tailrace.producers.prices import Price, cost_of
from tailrace.producers.testing import memory_journal

PRICES = {
    "m": Price(1.0, 2.0),
    "p/m": Price(3.0, 4.0),
    "m-*": Price(5.0, 6.0),
    "m-mini-*": Price(7.0, 8.0),
}


@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [("", "m", 1.0), ("p", "m", 3.0), ("", "m-2026", 5.0), ("p", "m-mini-1", 7.0)],
)
def test_the_nearest_name_counts(provider: str, model: str, dollars: float) -> None:
    used = Usage(provider, model, input_tokens=1_000_000, output_tokens=0)
    assert cost_of(used, PRICES) == dollars


@pytest.mark.parametrize(
    "used",
    [
        Usage(model="other", input_tokens=1, output_tokens=1),
        Usage(model="m", output_tokens=1),
        Usage(model="m", input_tokens=1),
    ],
)
def test_what_is_not_known_stays_unknown(used: Usage) -> None:
    assert cost_of(used, PRICES) is None


def test_cached_and_written_tokens_have_their_own_price_or_that_of_others() -> None:
    used = Usage("", "m", "", 100, 0, 60, None, 30)
    assert cost_of(used, {"m": Price(1.0, 1.0)}) == pytest.approx(100 / 1e6)
    assert cost_of(used, {"m": Price(1.0, 1.0, 0.1, 2.0)}) == pytest.approx(76 / 1e6)


def answered(prices: Any, *, told: float | None = None) -> float | None:
    @step(kind="llm")
    def ask() -> dict[str, Any]:
        if told is not None:
            current_run().usage(cost_usd=told)
        return {"model": "m", "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 0}}

    @component
    def run() -> None:
        ask()

    with memory_journal(prices=prices) as journal:
        run()
    return only(journal, "step_completed")["cost_usd"]


def nine_for_each_million(used: Usage) -> float:
    return (used.input_tokens or 0) / 1e6 * 9


def test_a_table_or_a_function_gives_the_cost_and_what_was_told_stands_above_it() -> None:
    assert answered(None) is None
    assert answered(PRICES) == 1.0
    assert answered(nine_for_each_million) == 9.0
    assert answered(PRICES, told=0.5) == 0.5


def test_a_function_that_raises_loses_the_cost_and_not_the_step() -> None:
    def broken(_: Usage) -> float:
        raise RuntimeError("no such table")

    assert answered(broken) is None
