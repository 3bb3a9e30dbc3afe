"""Takes records from Faust and folds them, partition by partition; publishing is the outbox's."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Protocol

from tailrace.schemas.errors import TailraceError
from tailrace.schemas.topics import RUNS
from tailrace.schemas.wire import UnknownSchemaError
from tailrace.streams.broker_clock import BrokerClock
from tailrace.streams.closing import Source
from tailrace.streams.dead_letters import letter
from tailrace.streams.partition import Partition
from tailrace.streams.reading import read_record
from tailrace.streams.run_state import Place
from tailrace.streams.staging import StagedRows, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tailrace.schemas.schema_book import SchemaBook
    from tailrace.streams.guard import Guard
    from tailrace.streams.options import StreamOptions, StreamStats
    from tailrace.streams.outbox import Outbox
    from tailrace.streams.positions import Positions

MARGIN_MS = 2_000
"""Time is let pass only up to this before the broker's own: brokers' clocks differ a little."""

HOPELESS_S = 60.0
"""So long a schema that did not come in time is not waited for again."""

_log = logging.getLogger(__name__)


class Message(Protocol):
    """A record of `runs` as Faust hands it on."""

    key: bytes | None
    value: bytes | None
    offset: int
    partition: int
    timestamp: float
    """Broker time, seconds since the epoch."""


class StreamWorker:
    """The partitions that this process owns.

    Args:
        options: the settings.
        stats: told of dead letters.
        outbox: takes what comes of records.
        guard: told when the state cannot be read.
        positions: asked before a record is taken, told once it was.
        table: where acknowledged rows lie.
        book: the schemas.
        log_id: the cluster's id.
    """

    def __init__(
        self,
        options: StreamOptions,
        stats: StreamStats,
        *,
        outbox: Outbox,
        guard: Guard,
        positions: Positions,
        table: Table,
        book: SchemaBook,
        log_id: str,
    ) -> None:
        self._options = options
        self._stats = stats
        self._outbox = outbox
        self._guard = guard
        self._table = table
        self._book = book
        self._log_id = log_id
        self._topic = RUNS.name(options.topic_prefix)
        self._clock = BrokerClock()
        self._partitions: dict[int, Partition] = {}
        self._rows: dict[int, StagedRows] = {}
        self._positions = positions
        self._generation = 0
        self._hopeless: dict[int, float] = {}
        self._takes = False

    @property
    def open_executions(self) -> int:
        """How many executions are not closed; looks at each."""
        return sum(partition.open_executions for partition in self._partitions.values())

    @property
    def takes(self) -> bool:
        """Whether a record is being taken: it may wait for its schema, or for room."""
        return self._takes

    async def take(self, message: Message, acknowledge: Callable[[], object]) -> None:
        """Fold a record; `acknowledge` is called once all that came of it is on the log.

        Never raises, for Faust would take that for success: what cannot be folded is dead-lettered,
        and what nothing can be done about ends the worker through its guard.
        """
        generation = self._generation
        if not await self._admits(message):
            return
        self._takes = True
        try:
            read, reason = await self._read(message)
            await self._outbox.room()
            if generation == self._generation:  # else whoever owns the partition reads it again
                self._fold(message, read, reason)
                self._outbox.acknowledge_after(acknowledge)
        except Exception as error:  # noqa: BLE001 - see above
            _log.exception("%s-%s:%s", self._topic, message.partition, message.offset)
            self._guard.fail(error)
        finally:
            self._takes = False

    async def _admits(self, message: Message) -> bool:
        try:
            return await self._positions.admits(message.partition, message.offset)
        except Exception as error:  # noqa: BLE001 - what is not taken now is asked for again
            _log.warning("where partition %s stands is not known: %r", message.partition, error)
            return False

    def due(self, owned: Iterable[int]) -> tuple[int, set[int]]:
        """Return a broker time that has passed, and the partitions in which it changes something.

        Loads the state of owned partitions of which no record has come yet.
        """
        for number in owned:
            self._partition(number)
        now_ms = self._clock.now_ms()
        if now_ms is None:
            return 0, set()
        until_ms = now_ms - MARGIN_MS
        dues = {number: each.next_due_ms for number, each in self._partitions.items()}
        return until_ms, {at for at, due in dues.items() if due is not None and due < until_ms}

    def pass_time(self, until_ms: int, numbers: Iterable[int]) -> None:
        """Let time pass in partitions.

        Args:
            until_ms: what `due` returned.
            numbers: those of which everything up to the end that they had after that was taken.
        """
        for number in numbers:
            partition = self._partitions.get(number)
            if partition is not None:
                self._put(number, partition.pass_time(until_ms))

    async def hand_over(self) -> None:
        """Publish what is folded, then forget all partitions: what is kept is in the changelog."""
        await self._outbox.drain()
        self._generation += 1
        self._partitions.clear()
        self._rows.clear()
        self._positions.clear()

    async def _read(self, message: Message) -> tuple[tuple[str, dict[str, Any]] | None, str]:
        """Return what the record says, or why it cannot be read."""
        while True:
            try:
                return read_record(message.value, self._book), ""
            except UnknownSchemaError as error:
                if time.monotonic() < self._hopeless.get(error.schema_id, 0.0):
                    return None, str(error)
                try:
                    await self._book.wait_for(error.schema_id, self._options.schema_wait_s)
                except UnknownSchemaError:
                    self._hopeless[error.schema_id] = time.monotonic() + HOPELESS_S
            except TailraceError as error:
                return None, str(error)

    def _fold(self, message: Message, read: tuple[str, dict[str, Any]] | None, reason: str) -> None:
        number = message.partition
        broker_ms = round(message.timestamp * 1_000)
        partition = self._partition(number)
        self._clock.observe(broker_ms)
        if read is not None:
            rows = self._rows[number]
            rows.mark()
            try:
                self._put(number, partition.fold(*read, Place(message.offset, broker_ms)))
            except Exception as error:  # noqa: BLE001 - others shall not wait for a defect of ours
                _log.exception("%s-%s:%s", self._topic, number, message.offset)
                rows.roll_back()
                del self._partitions[number]
                reason = f"it could not be folded: {error!r}"
        if reason:
            self._put_aside(message, reason)
        self._positions.took(number, message.offset)

    def _put_aside(self, message: Message, reason: str) -> None:
        self._stats.last_dead_letter = (
            f"{self._topic}-{message.partition}:{message.offset}: {reason}"
        )
        dead = letter(
            Source(self._log_id, self._topic, message.partition),
            message.offset,
            message.key,
            message.value,
            reason=reason,
            reader=self._options.group_id,
            prefix=self._options.topic_prefix,
            now_us=time.time_ns() // 1_000,
        )
        self._partition(message.partition)
        self._put(message.partition, [dead])

    def _put(self, number: int, outgoing: Iterable[Any]) -> None:
        self._outbox.put(outgoing, number, self._rows[number])

    def _partition(self, number: int) -> Partition:
        found = self._partitions.get(number)
        if found is not None:
            return found
        rows = self._rows.setdefault(number, StagedRows(self._table, number))
        source = Source(self._log_id, self._topic, number)
        found = Partition(source, rows, self._options.limits, self._options.topic_prefix)
        self._partitions[number] = found
        if found.newest_ms is not None:
            self._clock.observe(found.newest_ms)
        self._put(number, found.made_up)
        return found
