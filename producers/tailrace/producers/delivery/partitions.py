"""Records of one partition, in order, until each is acknowledged.

One batch a partition is on its way at a time; when it fails as a whole, its records go back to the
front, so that order is kept and the same bytes are sent again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, cast

# aiokafka leaves the type of its hash open.
from aiokafka.partitioner import murmur2  # pyright: ignore[reportUnknownVariableType]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.producers.delivery.ledger import Record
    from tailrace.schemas.topics import Topic


class PartitionQueue:
    """What waits for one partition, and the batch that is on its way."""

    __slots__ = ("busy", "in_flight", "one_by_one", "partition", "topic", "waiting")

    def __init__(self, topic: Topic, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.waiting: deque[Record] = deque()
        self.in_flight: list[Record] = []
        self.busy = False
        """Whether a task is delivering from this queue."""

        self.one_by_one = 0
        """How many records are to go alone, after a batch was found too large."""

    def fill(self, batch: Any) -> list[Record]:
        """Move records from the front into an aiokafka batch, until it is full."""
        limit = len(self.waiting)
        if self.one_by_one:
            self.one_by_one -= 1
            limit = 1
        append = batch.append
        waiting = self.waiting
        taken = self.in_flight
        while limit:
            record = waiting[0]
            if append(key=record.key, value=record.value, timestamp=None) is None:
                break
            taken.append(waiting.popleft())
            limit -= 1
        return taken

    def settle(self) -> list[Record]:
        """Take the batch that was acknowledged."""
        settled, self.in_flight = self.in_flight, []
        return settled

    def take_back(self) -> None:
        """Put an unacknowledged batch back to the front."""
        self.waiting.extendleft(reversed(self.in_flight))
        self.in_flight = []
        self.busy = False


class PartitionTable:
    """The queues of every partition that is written to, and which key belongs to which.

    A key's partition is murmur2 of it, as Kafka's own default partitioner has it, over the number
    of partitions that the topic had when the client was opened: a run never changes its partition.
    """

    def __init__(self, counts: Mapping[Topic, int]) -> None:
        # By suffix: a text keeps its hash, a record would be hashed field by field each time.
        self._queues: dict[str, Sequence[PartitionQueue]] = {
            topic.suffix: [PartitionQueue(topic, partition) for partition in range(count)]
            for topic, count in counts.items()
        }
        self._hashes: dict[bytes, int] = {}

    def queue_of(self, record: Record) -> PartitionQueue:
        """Return the queue that a record belongs to."""
        queues = self._queues[record.topic.suffix]
        if len(queues) == 1:
            return queues[0]
        return queues[self._hash(record.key) % len(queues)]

    def all(self) -> list[PartitionQueue]:
        """Return every queue."""
        return [queue for queues in self._queues.values() for queue in queues]

    def _hash(self, key: bytes) -> int:
        # A run's events share a key, and the hash is plain Python: remember the newest ones.
        found = self._hashes.get(key)
        if found is None:
            if len(self._hashes) >= _REMEMBERED:
                self._hashes.clear()
            found = self._hashes[key] = cast("int", murmur2(key)) & 0x7FFF_FFFF
        return found


_REMEMBERED = 8192
