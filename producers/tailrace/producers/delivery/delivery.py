"""The sender's own side of the queue: drains it, keeps a producer alive, and settles accounts.

Everything here runs on the sender's thread and loop. Entries of the queue are calls on the ledger
with their arguments; a batch a partition is on its way at a time.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

from tailrace.producers.delivery.backlog import Backlog, Way
from tailrace.producers.delivery.ledger import Ledger, Record
from tailrace.producers.delivery.partition_counts import partition_counts
from tailrace.producers.delivery.partitions import PartitionQueue, PartitionTable
from tailrace.producers.delivery.producer import STOP_S, start_producer, stop_producer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.producers.delivery.spool import Spool

_log = logging.getLogger("tailrace.producers")

_TICK_S = 0.25
_BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_CONNECT_S = 20.0
_TOPICS_WAIT_S = 5.0
_TOPICS_SHARE, _TOPICS_LEAST = 0.7, 0.1
"""How much of the time to open may have passed when a topic is called missing, and how much of it
the topics have, however long connecting took."""

_POLL_S = 0.02
_PORTION = 64
"""Entries that are taken before the loop has its turn: more of them, and requests wait for them."""
_SPOOL_LINGER_S = 0.05

Entry = tuple[Any, ...]
"""A method of the ledger and its arguments."""


class Delivery:
    """Brings what is queued to Kafka, until it is told to close."""

    def __init__(
        self,
        options: Mapping[str, Any],
        prefix: str | None,
        *,
        linger_s: float,
        max_buffer_bytes: int,
        on_tick: Callable[[], None] | None,
        spool: Spool | None = None,
        spool_after_s: float = 1.0,
    ) -> None:
        self.queue: deque[Entry] = deque()
        self.ledger = Ledger()
        self.full = False
        """Whether more than `max_buffer_bytes` are unacknowledged; read by callers."""

        self.room = threading.Event()
        self.room.set()
        self._had_producer = False
        self.restarts = 0
        """How often a producer had to be replaced."""

        self.lost = 0
        """Records that the broker refused for their size, though they were reduced."""

        self._options = options
        self._prefix = prefix
        self._linger_s = linger_s
        self._max_buffer_bytes = max_buffer_bytes
        self._on_tick = on_tick
        self.producer: Any = None
        self.backlog = Backlog(
            self.ledger,
            spool,
            start=self._start_all,
            after_s=spool_after_s,
            above_bytes=max_buffer_bytes * 3 // 4,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._go = asyncio.Event()
        self._broken = asyncio.Event()
        self._settled = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.scheduled = False
        """Whether the queue will be drained soon; set by callers, cleared before draining."""

    async def open(self, timeout_s: float) -> None:
        """Connect and learn the partitions.

        Args:
            timeout_s: how long the caller waits for it; most of that the topics may take to appear.

        Raises:
            KafkaError: or another of aiokafka's errors, if no broker can be used.
            MissingTopicsError: if a topic is not there.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.producer = await start_producer(self._options)
        left_s = _TOPICS_SHARE * timeout_s - (loop.time() - begun)
        await self._learn_partitions(max(left_s, _TOPICS_LEAST * timeout_s))
        self._had_producer = True

    async def _learn_partitions(self, wait_s: float) -> None:
        servers = self._options.get("bootstrap_servers")
        counts = await partition_counts(self.producer.client, self._prefix, servers, wait_s)
        self.backlog.connect(PartitionTable(counts))

    async def abandon(self) -> None:
        """Give up an attempt to open."""
        if self.producer is not None:
            await self._stop_producer()

    async def run(self) -> None:
        """Deliver until cancelled, connecting first where `open` could not."""
        backlog = self.backlog
        helpers = [
            asyncio.create_task(work)
            for work in (self._drain(), self._tick(), backlog.send_spooled(), backlog.take_over())
        ]
        try:
            if backlog.table is None:
                self._broken.set()
            while True:
                await self._broken.wait()
                await self._replace_producer()
        finally:
            for task in (*helpers, *self._tasks):
                task.cancel()
            await asyncio.gather(*helpers, *self._tasks, return_exceptions=True)
            await self._stop_producer()

    async def settled(self) -> None:
        """Wait until everything that was queued is acknowledged, and the spool is sent."""
        while self.queue or self.ledger.outstanding or self.backlog.unsent:
            self._settled.clear()
            self._go.set()
            await self._settled.wait()

    async def stored(self, timeout_s: float) -> bool:
        """Wait until all is acknowledged or in the spool, and spool what is not; say if it is."""
        until = asyncio.get_running_loop().time() + timeout_s
        while self.queue or self.ledger.outstanding:
            if asyncio.get_running_loop().time() > until:
                self.keep()
                break
            self._go.set()
            await asyncio.sleep(_POLL_S)
        return not self.queue and not self.ledger.outstanding

    def keep(self) -> None:
        """Put on disk what is not acknowledged, as no time is left to send it. Blocks for it."""
        self._take_queued(len(self.queue))
        if self.ledger.outstanding:
            self.backlog.spool_all()

    def soon(self) -> None:
        """Have the queue drained after the linger time."""
        if self._timer is None:
            # On the way to the disk a drain is a wait for the disk.
            spooling = self.backlog.way is Way.SPOOLING
            linger_s = max(self._linger_s, _SPOOL_LINGER_S) if spooling else self._linger_s
            self._timer = asyncio.get_running_loop().call_later(linger_s, self.now)

    def now(self) -> None:
        """Have the queue drained."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._go.set()

    async def _drain(self) -> None:
        while True:
            await self._go.wait()
            self._go.clear()
            # Cleared before the draining: who appends after the last look will ask again.
            self.scheduled = False
            if not self.ledger.outstanding:
                self.backlog.note_progress()
            while self._take_queued(_PORTION):
                self._send()
                await asyncio.sleep(0)  # acknowledgements come in meanwhile
            self._send()

    def _send(self) -> None:
        self.backlog.write()
        self._start_all()
        self._account()

    def _take_queued(self, at_most: int) -> bool:
        """Take entries off the queue; say whether there may be more."""
        ledger = self.ledger
        queue = self.queue
        place = self.backlog.place
        for _ in range(at_most):
            if not queue:
                return False
            entry = queue.popleft()
            try:
                record = entry[0](ledger, *entry[1:])
            except Exception:  # noqa: BLE001 - one defect must not stop all others for ever
                _log.exception("tailrace: an entry could not be queued and is lost")
                continue
            if record is not None:
                place(record)
        return True

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            if self._on_tick is not None:
                try:
                    self._on_tick()
                except Exception:  # noqa: BLE001 - see above
                    _log.exception("tailrace: steps that still run could not be announced")
            self.backlog.watch(_TICK_S)
            self._account()

    def _start_all(self) -> None:
        table = self.backlog.table
        for queue in () if table is None else table.all():
            if queue.waiting and not queue.busy and not self._broken.is_set():
                queue.busy = True
                task = asyncio.create_task(self._deliver(queue))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _deliver(self, queue: PartitionQueue) -> None:
        producer = self.producer
        topic = queue.topic.name(self._prefix)
        try:
            while queue.waiting and not self._broken.is_set():
                batch = producer.create_batch()
                queue.fill(batch)
                batch.close()
                sent = await producer.send_batch(batch, topic, partition=queue.partition)
                offset = (await sent).offset
                self._acknowledge(queue.settle(), offset)
        except (MessageSizeTooLargeError, RecordListTooLargeError):
            self._refused(queue)
        except Exception as error:  # noqa: BLE001 - whatever it is, a new producer is the answer
            _log.warning("tailrace: the producer of %s failed and is replaced: %r", topic, error)
            self._broken.set()
        finally:
            queue.busy = False

    def _acknowledge(self, records: Sequence[Record], first_offset: int) -> None:
        self.backlog.note_progress(len(records))
        for released in self.ledger.acknowledge(records, first_offset):
            self.backlog.place(released)
        self.backlog.write()
        self._start_all()
        self._account()

    def _refused(self, queue: PartitionQueue) -> None:
        """Find the record that is too large by sending each alone; it is reduced, or given up."""
        if len(queue.in_flight) > 1:
            queue.one_by_one = len(queue.in_flight)
        elif self.ledger.shrink(queue.in_flight[0]):
            queue.one_by_one = 1
        else:
            for record in queue.settle():
                self._lose(record)
        # The refused batch has used up its sequence numbers, so this producer cannot go on.
        self._broken.set()

    def _lose(self, record: Record) -> None:
        self.lost += 1
        _log.error(
            "tailrace: a record of %d bytes is larger than the broker's topic %s takes and is "
            "lost: raise max.message.bytes there",
            len(record.value),
            record.topic.name(self._prefix),
        )
        for released in self.ledger.lose(record):
            self.backlog.place(released)

    def _account(self) -> None:
        full = self.ledger.outstanding_bytes > self._max_buffer_bytes
        if full != self.full:
            self.full = full
            (self.room.clear if full else self.room.set)()
        if not (self.queue or self.ledger.outstanding or self.backlog.unsent):
            self._settled.set()

    async def _replace_producer(self) -> None:
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=STOP_S)
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
        await self._stop_producer()
        table = self.backlog.table
        for queue in () if table is None else table.all():
            queue.take_back()
        attempt = 0
        while self.producer is None:
            try:
                await asyncio.wait_for(self._connect(), _CONNECT_S)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next try may do
                await self._stop_producer()
                wait_s = _BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)]
                _log.log(
                    logging.DEBUG if attempt else logging.WARNING,
                    "tailrace: Kafka cannot be used and is tried again until it can: %r",
                    error,
                )
                await asyncio.sleep(wait_s)
                attempt += 1
        self.restarts += self._had_producer
        self._had_producer = True
        self._broken.clear()
        self._start_all()
        self._account()

    async def _connect(self) -> None:
        self.producer = await start_producer(self._options)
        if self.backlog.table is None:
            await self._learn_partitions(_TOPICS_WAIT_S)

    async def _stop_producer(self) -> None:
        producer, self.producer = self.producer, None
        if producer is not None:
            await stop_producer(producer)
