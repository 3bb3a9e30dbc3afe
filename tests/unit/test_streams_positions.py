"""No record is taken before one that lies below it in its partition, whatever Faust hands on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.streams.liveness import Liveness
from tailrace.streams.positions import PATIENCE_S, Positions


@dataclass
class Partition:
    """Partition 0 of a log from `start` on, read from its `commit` on; others are not owned."""

    commit: int | None = 0
    start: int = 0
    rewound: list[int] = field(default_factory=list[int])
    now: float = 100.0

    def owns(self, partition: int) -> bool:
        return partition == 0

    async def begins_at(self, partition: int) -> int:
        assert partition == 0
        return self.start if self.commit is None else self.commit

    async def log_start(self, partition: int) -> int:
        assert partition == 0
        return self.start

    async def rewind(self, partition: int, offset: int) -> None:
        assert partition == 0
        self.rewound.append(offset)

    def clock(self) -> float:
        return self.now


def taken(partition: Partition, offsets: list[int]) -> list[int]:
    """Return the offsets among those handed on that are taken."""
    positions = Positions(partition, partition.clock)
    found: list[int] = []

    async def take() -> None:
        for offset in offsets:
            if await positions.admits(0, offset):
                positions.took(0, offset)
                found.append(offset)

    asyncio.run(take())
    return found


@given(st.lists(st.integers(0, 12), max_size=60))
@settings(max_examples=100, deadline=None)
def test_each_record_taken_is_the_next_or_a_repeat(offsets: list[int]) -> None:
    found = taken(Partition(), offsets)
    reached = 0
    for offset in found:
        assert offset <= reached
        reached = max(reached, offset + 1)


def test_what_was_left_out_is_asked_for_once_and_what_follows_it_comes_again() -> None:
    partition = Partition(commit=7)
    assert taken(partition, [7, 8, 11, 12, 13, 9, 10, 11, 12]) == [7, 8, 9, 10, 11, 12]
    assert partition.rewound == [9]


def test_what_the_log_keeps_no_more_is_not_waited_for() -> None:
    partition = Partition(commit=7, start=20)
    assert taken(partition, [20, 21]) == [20, 21]
    assert partition.rewound == []


def test_without_a_commit_a_partition_begins_where_the_log_does() -> None:
    partition = Partition(commit=None, start=20)
    assert taken(partition, [22, 20, 21]) == [20, 21]
    assert partition.rewound == [20]


def test_a_partition_that_others_own_is_not_taken_from() -> None:
    positions = Positions(Partition())
    assert not asyncio.run(positions.admits(1, 0))


def test_records_that_do_not_come_are_asked_for_again() -> None:
    partition = Partition(commit=5)
    positions = Positions(partition, partition.clock)

    async def wait() -> None:
        await positions.hurry({0: 5})
        partition.now += PATIENCE_S + 1
        await positions.hurry({0: 9})
        assert partition.rewound == [], "it was not waited for until now"
        partition.now += PATIENCE_S - 1
        await positions.hurry({0: 9})
        assert partition.rewound == []
        partition.now += 2
        await positions.hurry({0: 9})
        assert partition.rewound == [5]
        assert positions.stalled_s > PATIENCE_S
        health = Liveness(stuck_after_s=1.0, clock=partition.clock)
        health.turned(ready=True, waits=False, stalled_s=positions.stalled_s)
        assert health.trouble() == "records wait, and none has come to the worker for 4 s"
        positions.took(0, 5)
        partition.now += PATIENCE_S + 1
        await positions.hurry({0: 9})
        assert partition.rewound == [5], "it got on"
        assert positions.stalled_s == 0

    asyncio.run(wait())
