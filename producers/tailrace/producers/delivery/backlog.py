"""What Kafka does not take for now: where it waits, and how it gets onto its way again.

There are three ways for a record. *Direct*: to the queue of its partition. *Spooling*: to the disk,
because nothing was acknowledged for a while or too much is in memory; on disk a record counts as
safe, so that nobody waits for the broker. *Holding*: in memory, behind a spool that is being sent
and will be empty soon, or because the disk takes nothing either.

What lies on disk goes out segment by segment, in order (`replay`). A record that was with the
broker already when it was spooled is not sent by its copy on disk, unless the process dies: then
whoever takes the spool over sends it again, the same bytes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

from tailrace.producers.delivery.replay import Replay
from tailrace.producers.delivery.spool import SpoolFullError
from tailrace.schemas.topics import CONTROL, SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.producers.delivery.ledger import Ledger, Record
    from tailrace.producers.delivery.partitions import PartitionTable
    from tailrace.producers.delivery.spool import Segment, Spool

_log = logging.getLogger("tailrace.producers")

_PORTION = 2048
"""How many records are written at a time."""

_RETRY_S = 5.0


class Way(Enum):
    """Where a record goes that may be sent."""

    DIRECT = "direct"
    SPOOLING = "spooling"
    HOLDING = "holding"


# Found through its class, a member costs as much as all else that is done to place a record.
_DIRECT = Way.DIRECT


class Backlog:
    """Keeps what is not on its way. The sender's thread alone calls it.

    Args:
        ledger: the lanes' accounts.
        spool: where to write; None to hold everything in memory.
        start: called when partitions' queues have got something.
        after_s: how long nothing may be acknowledged before the spool is used.
        above_bytes: how much may be in memory before it is.
    """

    def __init__(
        self,
        ledger: Ledger,
        spool: Spool | None,
        *,
        start: Callable[[], None],
        after_s: float,
        above_bytes: int,
    ) -> None:
        self.ledger = ledger
        self.spool = spool
        self.way = Way.HOLDING
        """Holding until the partitions are known."""

        self.table: PartitionTable | None = None
        self.spooled = 0
        """Records that were written to the spool."""

        self.replayed = 0
        """Records that were sent from this process's spool."""

        self.replay = Replay(queue=self._queue, start=start)
        self._start = start
        self._after_s = after_s
        self._above_bytes = above_bytes
        self._held: deque[Record] = deque()
        self._to_spool: list[Record] = []
        self._written = asyncio.Event()
        self.connected = asyncio.Event()
        """Set when the partitions are known."""

        self._silent_s = 0.0
        self._acknowledged = 0
        self._acknowledged_at_entry = 0
        self._retry_at = 0.0
        self._said = False
        self._disk_failed = False

    @property
    def unsent(self) -> int:
        """How many records lie on disk, as far as this process put them there."""
        return 0 if self.spool is None else self.spool.count

    def connect(self, table: PartitionTable) -> None:
        """Learn the partitions, and let what waited for that go on."""
        self.table = table
        self.connected.set()
        self.note_progress()
        if self.spool is None or (self.way is Way.HOLDING and not self.unsent):
            self._go_direct()

    def place(self, record: Record) -> None:
        """Put a record that may be sent where it belongs now."""
        if self.way is _DIRECT or (self.table is not None and _stays_in_memory(record)):
            self._queue(record)
        elif self.way is Way.SPOOLING and not _stays_in_memory(record):
            self._to_spool.append(record)
        else:
            self._held.append(record)

    def note_progress(self, acknowledged: int = 0) -> None:
        """Say that the broker acknowledged records, or that only now something is on its way."""
        self._silent_s = 0.0
        if acknowledged:
            self._acknowledged += acknowledged
            if self.way is Way.SPOOLING:
                self._written.set()

    def write(self) -> None:
        """Put on disk what is to go there. Blocks for the disk."""
        while self._to_spool:
            records, self._to_spool = self._to_spool, []
            if not self._store(records):
                return

    def watch(self, passed_s: float) -> None:
        """Begin to spool if it is time to; called again and again.

        Args:
            passed_s: what the caller slept since the last call. The time is not taken from a clock:
                while this process gets no time of the processor itself, no broker is to blame.
        """
        if self.spool is None or self.way is Way.SPOOLING or not self.ledger.outstanding:
            return
        self._silent_s += passed_s
        stalled = self._silent_s > self._after_s
        crowded = self.ledger.outstanding_bytes > self._above_bytes
        if (stalled or crowded) and time.monotonic() >= self._retry_at:
            self.spool_all()

    def spool_all(self) -> None:
        """Put everything on disk that is in memory, and what comes from now on. Blocks for it."""
        if self.spool is None:
            return
        if not self._said:
            self._said = True
            _log.warning(
                "tailrace: Kafka acknowledges nothing or too slowly: events go to the spool at %s "
                "until it does",
                self.spool.root,
            )
        self.way = Way.SPOOLING
        self._acknowledged_at_entry = self._acknowledged
        live: list[Record] = []
        moved: list[Record] = []
        for queue in self.table.all() if self.table is not None else ():
            live.extend(each for each in queue.in_flight if not _stays(each))
            moved.extend(each for each in queue.waiting if not _stays(each))
            queue.waiting = deque(each for each in queue.waiting if _stays(each))
        moved.extend(each for each in self._held if not _stays_in_memory(each))
        self._held = deque(each for each in self._held if _stays_in_memory(each))
        if self._store([*live, *moved], live):
            self.write()

    async def send_spooled(self) -> None:
        """Send what lies in this process's spool, for ever."""
        if self.spool is None:
            return
        await self.connected.wait()
        while True:
            segment = self._next_segment(self.spool)
            if segment is None:
                if self.way is Way.HOLDING or self._acknowledged > self._acknowledged_at_entry:
                    self._go_direct()
                await self._written.wait()
                self._written.clear()
                continue
            sent = await self.replay.send(segment)
            if sent is None:
                self.spool.leave(segment)
            else:
                self.replayed += sent
                self.spool.remove(segment)

    async def take_over(self) -> None:
        """Send what processes of this host left in their spools, now and every half a minute."""
        if self.spool is not None:
            await self.connected.wait()
            await self.replay.take_over(self.spool)

    def _next_segment(self, spool: Spool) -> Segment | None:
        segment = spool.oldest()
        if segment is None and spool.seal():
            segment = spool.oldest()
            if self._acknowledged > self._acknowledged_at_entry:
                # The broker takes records, and this is the end of the spool: what comes from now
                # on waits the moment in memory.
                self.way = Way.HOLDING
                self.note_progress()
        return segment

    def _store(self, records: Sequence[Record], live: Sequence[Record] = ()) -> bool:
        """Put records on disk, in portions; what the disk does not take is held."""
        assert self.spool is not None
        sent = frozenset(live)
        for begin in range(0, len(records), _PORTION):
            portion = records[begin : begin + _PORTION]
            try:
                self.spool.append(portion, sent)
            except (OSError, SpoolFullError) as error:
                self._give_up_disk([each for each in records[begin:] if each not in sent], error)
                return False
            self.spooled += len(portion)
            for released in self.ledger.store(portion):
                self.place(released)
        if records:
            self._written.set()
        return True

    def _give_up_disk(self, records: Sequence[Record], error: Exception) -> None:
        """Hold in memory what the disk did not take; it is tried again a little later."""
        if not self._disk_failed:
            self._disk_failed = True
            _log.error("tailrace: events are held in memory, as the spool takes none: %s", error)
        self._held.extend(records)
        self._held.extend(self._to_spool)
        self._to_spool.clear()
        self.way = Way.HOLDING
        self._retry_at = time.monotonic() + _RETRY_S
        self._written.set()

    def _go_direct(self) -> None:
        if self._said and not self._disk_failed:
            self._said = False
            _log.warning("tailrace: Kafka acknowledges again, and the spool is sent")
        self.way = Way.DIRECT
        held, self._held = self._held, deque()
        for record in held:
            self._queue(record)
        self.note_progress()
        self._start()

    def _queue(self, record: Record) -> None:
        assert self.table is not None, "a record is queued when the partitions are known"
        self.table.queue_of(record).waiting.append(record)


def _stays(record: Record) -> bool:
    return record.disk is not None or _stays_in_memory(record)


def _stays_in_memory(record: Record) -> bool:
    # Their writers need the offset, or write them anew in the next process; they are few.
    return record.topic is CONTROL or record.topic is SCHEMAS
