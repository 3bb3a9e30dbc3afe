"""A worker that slept asks its group before it writes, and the broker's time is never overtaken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from tailrace.streams.broker_clock import RENEWED_MS, BrokerClock
from tailrace.streams.guard import Guard, LostPartitionsError
from tailrace.streams.liveness import Liveness
from tailrace.streams.outbox import Outbox
from tailrace.streams.publisher import Outgoing
from tailrace.streams.staging import StagedRows

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def answers(clock: Clock, sleeps_s: float, *, member: bool) -> tuple[int, str | None]:
    """Return how often the group was asked, and what the worker's health says then."""
    asked = 0

    async def still_member() -> bool:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return member

    health = Liveness(clock=clock)
    guard = Guard(9.0, health, still_member, clock)
    clock.now += sleeps_s
    guard.turned()
    if member or not sleeps_s > 6:
        await guard.confirm()
        await guard.confirm()
    else:
        for _ in range(2):
            with pytest.raises(LostPartitionsError, match="before it writes anything"):
                await guard.confirm()
        with pytest.raises(LostPartitionsError):
            await guard.failure
    return asked, health.trouble()


def test_a_worker_that_ran_asks_nobody_and_one_that_slept_asks_once() -> None:
    assert asyncio.run(answers(Clock(), 5.9, member=False)) == (0, None)
    assert asyncio.run(answers(Clock(), 6.1, member=True)) == (1, None)
    asked, trouble = asyncio.run(answers(Clock(), 6.1, member=False))
    assert asked == 1
    assert trouble is not None
    assert "gave its partitions to others" in trouble


async def drains_after_loss(sent: list[object]) -> None:
    class Sends:
        async def publish(self, records: list[object]) -> int:
            sent.extend(records)
            return 0

    async def no_member() -> bool:
        return False

    clock = Clock()
    guard = Guard(9.0, Liveness(clock=clock), no_member, clock)
    outbox = Outbox(cast("Any", Sends()), cast("Any", None), guard, lambda _: None)
    running = asyncio.create_task(outbox.run())
    clock.now += 10
    outbox.put([Outgoing("traces", b"k", b"v")], 3, StagedRows(Stored({}), 3))
    async with asyncio.timeout(10):
        await outbox.drain()
        await running
    with pytest.raises(LostPartitionsError):
        await guard.failure


def test_who_lost_its_partitions_publishes_nothing_and_is_waited_for_by_nobody() -> None:
    sent: list[object] = []
    asyncio.run(drains_after_loss(sent))
    assert sent == []


def test_the_brokers_time_is_that_of_the_least_delayed_record_and_goes_on() -> None:
    here = Clock()
    clock = BrokerClock(here)
    assert clock.now_ms() is None
    clock.observe(1_000_000)  # a record of an hour ago tells that it is later than that
    here.now += 2
    assert clock.now_ms() == 1_002_000
    clock.observe(5_000_000)
    assert clock.now_ms() == 5_000_000
    clock.observe(4_000_000)
    here.now += 1
    assert clock.now_ms() == 5_001_000


def test_a_clock_that_runs_fast_is_found_out_in_time() -> None:
    here = Clock()
    clock = BrokerClock(here)
    clock.observe(1_000_000)
    for _ in range(3):
        here.now += RENEWED_MS / 1_000 + 1
        clock.observe(1_000_000)
    assert (clock.now_ms() or 0) <= 1_000_000 + RENEWED_MS + 1_000


class Stored:
    def __init__(self, rows: dict[bytes, bytes]) -> None:
        self.kept = rows

    def row(self, partition: int, key: bytes) -> bytes | None:
        assert partition == 3
        return self.kept.get(key)

    def rows(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        assert partition == 3
        yield from self.kept.items()


def test_rows_on_their_way_are_seen_at_once_and_can_be_taken_back() -> None:
    stored = Stored({b"a": b"1", b"b": b"2"})
    rows = StagedRows(stored, 3)
    rows.set(b"a", b"3")
    rows.mark()
    rows.set(b"a", b"4")
    rows.delete(b"b")
    assert dict(rows.items()) == {b"a": b"4"}
    rows.roll_back()
    assert dict(rows.items()) == {b"a": b"3", b"b": b"2"}
    first = rows.take()
    assert first == [(b"a", b"3")]
    rows.delete(b"a")
    stored.kept[b"a"] = b"3"
    rows.settle(first)
    assert rows.get(b"a") is None, "what overtook it is still on its way"
    second = rows.take()
    del stored.kept[b"a"]
    rows.settle(second)
    assert dict(rows.items()) == {b"b": b"2"}
