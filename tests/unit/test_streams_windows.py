"""Health is a function of the executions that are remembered, and its figures merge."""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.executions import (
    MINDFUL,
    SOURCE,
    START_US,
    Entry,
    MadeRun,
    Record,
    StoredRows,
    as_log,
    fleets,
    fold,
)
from tailrace.streams.assemble import Assembly
from tailrace.streams.durations import bucket, quantiles
from tailrace.streams.windows import EVERY_MS, KEPT_MS, MINUTE_MS, Windows

if TYPE_CHECKING:
    from tailrace.schemas.records.health import Health

START_MS = START_US // 1_000
NEXT_MINUTE_MS = START_MS - START_MS % MINUTE_MS + MINUTE_MS


def told(entries: list[Entry], until_ms: int = NEXT_MINUTE_MS) -> list[Health]:
    assembly, windows = Assembly(SOURCE, StoredRows(), MINDFUL), Windows(SOURCE)
    for entry in entries:
        windows.count(fold(assembly, entry))
    windows.count(assembly.pass_time(until_ms))
    return windows.pass_time(until_ms)


def run(number: int, outcome: str = "run_completed") -> list[Record]:
    made = MadeRun(f"{number:032x}", outcome=outcome)
    return made.records(made, f"{number:032x}")


def test_a_minute_tells_what_was_started_and_how_it_was_closed() -> None:
    records = [*run(3), *run(6, "run_failed"), *run(9, "run_cancelled"), run(12)[0]]
    [health] = told(as_log(records), START_MS + 30_000)
    assert (health.started, health.completed, health.failed, health.cancelled) == (4, 1, 1, 1)
    assert health.abandoned == 1
    assert (health.environment, health.component, health.deployment) == (
        *("dev", "component-0"),
        "d" * 64,
    )
    assert health.window_start.timestamp() * 1_000 == NEXT_MINUTE_MS - MINUTE_MS
    assert health.p50_us == pytest.approx(500, rel=0.01)
    assert health.durations == {bucket(500): 3}
    assert not health.final


def test_a_replay_is_left_out() -> None:
    replay = [{**record, "replay_of": "f" * 32} for record in run(3)]
    assert told(as_log(replay)) == []


def test_what_ends_after_all_is_no_longer_abandoned_in_its_minute() -> None:
    entries = as_log(run(3), [0, MINDFUL.abandon_ms + 1])
    [health] = told(entries)
    assert (health.abandoned, health.completed, health.final) == (0, 1, True)


def test_a_window_is_told_when_it_changes_at_the_end_and_then_no_more() -> None:
    windows, assembly = Windows(SOURCE), Assembly(SOURCE, StoredRows(), MINDFUL)
    first, second = as_log(run(3))
    windows.count(fold(assembly, first))
    [begun] = windows.pass_time(first.place.ts_ms)
    windows.count(fold(assembly, second))
    assert windows.pass_time(second.place.ts_ms) == [], "not so often"
    [changed] = windows.pass_time(second.place.ts_ms + EVERY_MS)
    [final] = windows.pass_time(NEXT_MINUTE_MS + EVERY_MS)
    assert begun.revision < changed.revision < final.revision
    assert (begun.completed, changed.completed, final.completed) == (0, 1, 1)
    assert (changed.final, final.final) == (False, True)
    assert windows.pass_time(NEXT_MINUTE_MS + KEPT_MS + 1) == []
    assert windows.next_due_ms is None


@given(fleets(), st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_counted_anew_from_the_state_the_figures_are_the_same(
    fleet: list[list[Record]], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    records = [record for each in fleet for record in each]
    chance.shuffle(records)
    entries = as_log(records, [chance.choice([0, 1, 700, 1_200]) for _ in records])
    rows = StoredRows()
    assembly, windows = Assembly(SOURCE, rows, MINDFUL), Windows(SOURCE)
    for entry in entries:
        windows.count(fold(assembly, entry))
    again = Windows(SOURCE)
    again.count(Assembly(SOURCE, rows, MINDFUL).load(list(rows.rows.items())))
    assert again.pass_time(NEXT_MINUTE_MS) == windows.pass_time(NEXT_MINUTE_MS)


@given(st.lists(st.integers(1, 10**11), min_size=1, max_size=300))
@settings(max_examples=50)
def test_a_quantile_is_within_one_per_cent(durations: list[int]) -> None:
    counts: dict[str, int] = {}
    for each in durations:
        counts[bucket(each)] = counts.get(bucket(each), 0) + 1
    [median] = quantiles(counts, (0.5,))
    assert median is not None
    exact = statistics.median_low(durations)
    assert abs(median - exact) <= exact * 0.0101 + 1
