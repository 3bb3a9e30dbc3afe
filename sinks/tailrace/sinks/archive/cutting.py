"""Which records of a partition make a block: contiguous offset ranges, cut at fixed borders.

Pure: no clock, no I/O. A range's borders name its insert token, so that a reader who starts at the
same offset and has enough records to see arrives at the same ranges, whatever portions the broker
handed them out in.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class LogRecord(Protocol):
    """What the archive needs of a record; aiokafka's `ConsumerRecord` is one."""

    @property
    def offset(self) -> int:
        """The record's place in its partition."""
        ...

    @property
    def timestamp(self) -> int:
        """When the broker took it, milliseconds since the epoch, UTC."""
        ...

    @property
    def key(self) -> bytes | None:
        """The key, None if it has none."""
        ...

    @property
    def value(self) -> bytes | None:
        """The framed record; None for a tombstone."""
        ...


R = TypeVar("R", bound=LogRecord)


@dataclass(frozen=True)
class Range:
    """Offsets from `first` to `last`, both included; some of them may hold no record."""

    first: int
    last: int

    def __post_init__(self) -> None:
        assert 0 <= self.first <= self.last, f"no range: {self.first}-{self.last}"

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Limits:
    """How large a block may get."""

    offsets: int = 65_536
    """A block never crosses a multiple of this; far below the engine's own limit of rows."""

    size_bytes: int = 32 << 20
    """A block ends with the record that brings it to this many bytes of values."""


@dataclass(frozen=True)
class Block(Generic[R]):
    """One range and the records that lie in it."""

    range: Range
    records: Sequence[R]
    size_bytes: int


class Cutter(Generic[R]):
    """Cuts the records of one partition, fed in offset order, into blocks.

    Args:
        position: the first offset that no stored range covers.
        pending: a range that an earlier owner may or may not have inserted: it is cut first, whole.
        limits: how large a block may get.
    """

    def __init__(self, position: int, pending: Range | None, limits: Limits) -> None:
        assert pending is None or pending.first == position, "a pending range starts the rest"
        self.buffered_bytes = 0
        """Bytes of all records that were fed and not taken."""

        self._limits = limits
        self._next = position
        self._pending_last = None if pending is None else pending.last
        self._closed: deque[Block[R]] = deque()
        self._open: list[R] = []
        self._open_bytes = 0

    @property
    def has_closed(self) -> bool:
        """Whether a block is complete."""
        return bool(self._closed)

    @property
    def has_open(self) -> bool:
        """Whether records wait in a block that is not complete."""
        return bool(self._open)

    @property
    def oldest(self) -> R | None:
        """The first record that was fed and not taken, if any."""
        if self._closed and self._closed[0].records:
            return self._closed[0].records[0]
        return self._open[0] if self._open else None

    @property
    def recovering(self) -> bool:
        """Whether the pending range has not been fed whole yet."""
        return self._pending_last is not None

    def feed(self, records: Sequence[R]) -> None:
        """Take further records, in offset order."""
        if not records:
            return
        size = sum(len(record.value or b"") for record in records)
        full = self._open_bytes + size >= self._limits.size_bytes
        if records[-1].offset < self._open_last(records[0].offset) and not full:
            self._open += records
            self._open_bytes += size
            self.buffered_bytes += size
        else:
            self._feed_singly(records)

    def _feed_singly(self, records: Sequence[R]) -> None:
        for record in records:
            offset = record.offset
            if offset > self._open_last(offset):
                self._close(self._open_last(offset))
            size = len(record.value or b"")
            self._open.append(record)
            self._open_bytes += size
            self.buffered_bytes += size
            full = self._open_bytes >= self._limits.size_bytes and not self.recovering
            if full or offset == self._open_last(offset):
                self._close(offset)

    def flush(self) -> None:
        """Complete the open block where it is, unless it is a pending range that goes on."""
        if self._open and not self.recovering:
            self._close(self._open[-1].offset)

    def skip_to(self, position: int) -> None:
        """Let the next range begin here: nothing is buffered, and no record lies below."""
        assert not self._open, "records that were fed are not skipped"
        assert not self._closed, "blocks that were cut are not skipped"
        self._next = max(self._next, position)

    def take(self) -> Block[R] | None:
        """Return the oldest complete block and forget it; None if there is none."""
        if not self._closed:
            return None
        block = self._closed.popleft()
        self.buffered_bytes -= block.size_bytes
        return block

    def _open_last(self, offset: int) -> int:
        """Return the last offset that the open block may hold, if `offset` is the next record's."""
        if self._pending_last is not None:
            return self._pending_last
        first = self._open[0].offset if self._open else offset
        stride = self._limits.offsets
        return (first // stride + 1) * stride - 1

    def _close(self, last: int) -> None:
        if self._open or self.recovering:
            block = Block(Range(self._next, last), self._open, self._open_bytes)
            self._closed.append(block)
            self._next = last + 1
        self._pending_last = None
        self._open = []
        self._open_bytes = 0
