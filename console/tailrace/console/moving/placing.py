"""What is to lie at each offset of the new partition: the old one's record, or a filler. Pure.

A log has holes: where a transaction ended, where one was aborted, where compaction took records
out, below the beginning. A producer cannot leave out an offset, so a filler is put there: a record
without key and without value, under a header of its own. Whoever reads a topic must pass over
records without a value in any case, since a compacted topic has them; compaction takes fillers out
again, because they have no key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tailrace.sinks.archive.cutting import LogRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FILLER_HEADER = "tailrace.filler"
_FILLER_HEADERS = ((FILLER_HEADER, b""),)


class WholeRecord(LogRecord, Protocol):
    """All of a record that is moved; aiokafka's `ConsumerRecord` is one."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """The headers, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Filler:
    """What lies where the old partition has no record."""

    offset: int
    timestamp: int
    key: None = None
    value: None = None
    headers: Sequence[tuple[str, bytes | None]] = _FILLER_HEADERS


def is_filler(record: WholeRecord) -> bool:
    """Return whether a record is a filler, of this move or of an earlier one."""
    return record.key is None and record.value is None and tuple(record.headers) == _FILLER_HEADERS


class Placing:
    """Lays out one partition from a position on, offset by offset.

    Args:
        position: the first offset to lay out.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        """The next offset."""

        self.fillers = 0
        """How many fillers there were."""

        self._timestamp = 0

    def place(self, records: Iterable[WholeRecord]) -> Iterator[WholeRecord]:
        """Yield the records, which ascend, and before each a filler for every offset left out."""
        for record in records:
            if record.offset != self.position:
                yield from self.fill(record.offset)
            self._timestamp = record.timestamp
            self.position += 1
            yield record

    def fill(self, end: int) -> Iterator[Filler]:
        """Yield fillers up to an offset, with the time of what lies before."""
        assert end >= self.position, "records ascend"
        while self.position < end:
            self.fillers += 1
            self.position += 1
            yield Filler(self.position - 1, self._timestamp)
