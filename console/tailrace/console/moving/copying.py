"""Copies one partition from where the new one ends to an offset of the old one's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tailrace.console.moving.appending import Appender, EndMovedError
from tailrace.console.moving.errors import MoveFailedError
from tailrace.console.moving.placing import Placing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka import TopicPartition

    from tailrace.console.moving.placing import WholeRecord
    from tailrace.console.moving.side import Side
    from tailrace.sinks.gaps.log import Log

LOOKS = 5
"""How often the new partition's end is looked up again where it is not what it was."""

_FILLERS_AT_ONCE = 65_536


async def copy_partition(
    old: Log,
    new: Side,
    partition: TopicPartition,
    *,
    begin: int,
    end: int,
    producer: int,
    on_progress: Callable[[int], None],
) -> int:
    """Bring the new partition up to `end`; return how many fillers that took.

    Killed anywhere and called again it goes on at the new partition's end.

    Args:
        old: a reader of the old cluster.
        new: the new cluster.
        partition: which one.
        begin: where the old partition begins.
        end: where to stop, an offset that no open transaction holds back.
        producer: from `appending.producer_id`.
        on_progress: called with offsets done since the last call.

    Raises:
        MoveRefusedError, MoveFailedError, LogUnreadableError: if it cannot be done.
    """
    fillers = 0
    for _ in range(LOOKS):
        async with new.reader("read_uncommitted") as log:
            position = (await log.ends([partition]))[partition]
        if position >= end:
            return fillers
        placing = Placing(position)
        try:
            async with Appender(new.kafka, partition, position, producer) as appender:
                copying = _Copying(old, appender, placing, on_progress)
                await copying.copy(partition, max(begin, position), end)
        except EndMovedError:
            continue
        finally:
            fillers += placing.fillers
    raise MoveFailedError(
        f"another process moves {partition.topic}-{partition.partition} to the same cluster: let "
        "it do so, or stop it and run this again"
    )


class _Copying:
    """One try at one partition."""

    def __init__(
        self, old: Log, appender: Appender, placing: Placing, on_progress: Callable[[int], None]
    ) -> None:
        self._old = old
        self._appender = appender
        self._placing = placing
        self._on_progress = on_progress
        self._reported = placing.position

    async def copy(self, partition: TopicPartition, begin: int, end: int) -> None:
        append, placing = self._appender.append, self._placing
        while placing.position < begin:
            await append(placing.fill(min(begin, placing.position + _FILLERS_AT_ONCE)))
            self._report()
        async for portion in self._old.read(partition, begin, end):
            await append(placing.place(cast("Sequence[WholeRecord]", portion)))
            self._report()
        await append(placing.fill(end))
        await self._appender.flush()
        self._report()

    def _report(self) -> None:
        self._on_progress(self._placing.position - self._reported)
        self._reported = self._placing.position
