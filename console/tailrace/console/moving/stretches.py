"""Goes through many partitions at once: a few workers, each with readers of its own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from aiokafka import TopicPartition

    from tailrace.console.moving.side import Side
    from tailrace.sinks.gaps.log import Log

WORKERS = 4
"""Partitions that are worked on at the same time."""

Stretch = tuple[int, int]
"""The first offset and the offset after the last one."""


def length(stretches: Mapping[TopicPartition, Stretch]) -> int:
    """Return how many offsets the stretches have together."""
    return sum(max(0, end - first) for first, end in stretches.values())


async def go_through(
    stretches: Mapping[TopicPartition, Stretch],
    sides: Iterable[Side],
    work: Callable[[TopicPartition, Stretch, list[Log]], Awaitable[None]],
) -> None:
    """Do the work for each stretch that is not empty; the first failure ends all of it.

    Args:
        stretches: what to work on.
        sides: the clusters that the work reads from.
        work: called with a partition, its stretch, and a reader of each side.
    """
    queue = [(tp, stretch) for tp, stretch in stretches.items() if stretch[0] < stretch[1]]
    queue.sort(key=lambda entry: entry[1][1] - entry[1][0])  # taken from the end: longest first
    opened = list(sides)

    async def worker() -> None:
        async with AsyncExitStack() as stack:
            logs = [await stack.enter_async_context(side.reader()) for side in opened]
            while queue:
                partition, stretch = queue.pop()
                await work(partition, stretch, logs)

    tasks = [asyncio.create_task(worker()) for _ in range(min(WORKERS, len(queue)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
