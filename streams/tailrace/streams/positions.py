"""Up to where each partition of `runs` was taken, so that Faust can leave no record out.

What is known of how it may do that is closed in `transport`; this is for what is not. A record that
was left out once would be lost for good: those after it are folded, and none is folded twice.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATIENCE_S = 3.0
"""If for so long no record comes although there are some, they are asked for again."""

_log = logging.getLogger(__name__)


class Reader(Protocol):
    """Where a partition is read from."""

    def owns(self, partition: int) -> bool:
        """Say whether the group gave this worker the partition."""
        ...

    async def begins_at(self, partition: int) -> int:
        """Return the offset that the group begins at: its commit, or the log's start."""
        ...

    async def log_start(self, partition: int) -> int:
        """Return the offset of the oldest record that is kept."""
        ...

    async def rewind(self, partition: int, offset: int) -> None:
        """Read on from an offset, whatever was handed on already."""
        ...


@dataclass
class _Waiting:
    """A partition that has more records and was not read."""

    position: int
    since: float
    asked_at: float


class Positions:
    """The next offset of each partition that is owned.

    Args:
        reader: where partitions are read.
        clock: monotonic seconds.
    """

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._next: dict[int, int] = {}
        self._rewound: dict[int, int] = {}
        self._waiting: dict[int, _Waiting] = {}

    @property
    def stalled_s(self) -> float:
        """For how long records of some partition have not come although there are some."""
        now = self._clock()
        return max((now - each.since for each in self._waiting.values()), default=0.0)

    def clear(self) -> None:
        """Forget all partitions: they are handed over."""
        # New ones, since a question that is on its way answers to the old.
        self._next, self._rewound, self._waiting = {}, {}, {}

    async def next_of(self, partition: int) -> int:
        """Return the offset of the record that comes next."""
        known = self._next
        if partition not in known:
            begins_at = await self._reader.begins_at(partition)
            known.setdefault(partition, begins_at)
        return known[partition]

    async def admits(self, partition: int, offset: int) -> bool:
        """Say whether a record may be taken: no record between it and the last one is left out.

        If it may not, those before it are asked for, and it comes again after them. It may not
        either if the partition is no longer owned.
        """
        if not self._reader.owns(partition):
            return False
        known = self._next
        expected = await self.next_of(partition)
        if offset <= expected:
            return True
        if self._rewound.get(partition) == expected:
            return False
        # What the log keeps no more cannot be read again.
        expected = max(expected, await self._reader.log_start(partition))
        known[partition] = expected
        if offset <= expected:
            return True
        self._rewound[partition] = expected
        _log.warning("partition %s: %s came after %s", partition, offset, expected - 1)
        await self._reader.rewind(partition, expected)
        return False

    def took(self, partition: int, offset: int) -> None:
        """Note that a record was taken."""
        self._next[partition] = max(self._next.get(partition, 0), offset + 1)

    async def hurry(self, ends: Mapping[int, int]) -> None:
        """Ask again for records that do not come.

        Args:
            ends: of each partition that is owned and waited for, the offset after its last record.
        """
        waiting, now = self._waiting, self._clock()
        for partition, end in ends.items():
            position = await self.next_of(partition)
            before = waiting.get(partition)
            if position >= end:
                waiting.pop(partition, None)
            elif before is None or before.position != position:
                waiting[partition] = _Waiting(position, now, now)
            elif now - before.asked_at > PATIENCE_S:
                before.asked_at = now
                _log.warning("partition %s: %s does not come", partition, position)
                await self._reader.rewind(partition, position)
