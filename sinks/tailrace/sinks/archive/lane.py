"""One partition, from its assignment to its revocation: feeds the protocol and does its actions.

The partition's own task begins nothing once it is closed, so a block whose commit was refused is
never inserted, and a commit of a lost assignment is never sent under a later one.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from tailrace.schemas.dead_letter_log import GivenUp
from tailrace.sinks.archive.protocol import Commit, Insert, PartitionProtocol
from tailrace.sinks.archive.storing import Stored, UnknownSchemasError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Executor

    from tailrace.schemas.dead_letter_log import DeadLetterSender
    from tailrace.sinks.archive.blocks import Place
    from tailrace.sinks.archive.cutting import Block, LogRecord
    from tailrace.sinks.archive.options import SinkOptions, SinkStats
    from tailrace.sinks.archive.storing import BlockStore
    from tailrace.sinks.archive.unsettled import Recent

_SCHEMA_POLL_S = 0.1


class PartitionLostError(Exception):
    """The group's coordinator refused a commit: another member owns the partition now."""


class Committer(Protocol):
    """Commits for one partition under the assignment that it was made for."""

    async def __call__(self, commit: Commit, /) -> None:
        """Return when the commit stands; raise PartitionLostError if the partition is not ours."""
        ...


class Lane:
    """Runs the protocol for one partition.

    Args:
        place: the partition.
        committed: what the group's last commit says.
        options: of the sink.
        stats: counted up here.
        store: inserts blocks, on `executor`.
        dead_letters: takes what cannot be stored.
        commit: commits for this partition.
        slots: as many inserts as may run at once.
        executor: where blocking calls run.
        check: holds unsettled rows below an offset to the tables and stores again what is missing;
            returns how many rows that was.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        place: Place,
        committed: Commit,
        *,
        options: SinkOptions,
        stats: SinkStats,
        store: BlockStore,
        dead_letters: DeadLetterSender,
        commit: Callable[[Commit], Awaitable[None]],
        slots: asyncio.Semaphore,
        executor: Executor,
        check: Callable[[Place, Recent, int], Awaitable[int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.place = place
        self.protocol: PartitionProtocol[LogRecord] = PartitionProtocol(
            committed, options.limits, clock()
        )
        self.behind = False
        """Whether the log holds so many more records than were fed that larger blocks pay."""

        self.pressed = False
        """Whether the partition is paused because too much of it waits."""

        self.looking = False
        """Whether rows below the commit are being looked for, or stored again."""

        self._inherited = committed
        self._check = check
        self._options = options
        self._stats = stats
        self._store = store
        self._dead_letters = dead_letters
        self._commit = commit
        self._slots = slots
        self._executor = executor
        self._clock = clock
        self._opened_at = 0.0
        self._first_missed: dict[int, float] = {}
        self._wake = asyncio.Event()
        self._closing = False
        self._closed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def buffered_bytes(self) -> int:
        """Bytes that were fed and whose insert has not begun."""
        return self.protocol.cutter.buffered_bytes

    @property
    def oldest_ms(self) -> int | None:
        """Broker time of the oldest record that was fed and is not stored; None if none waits."""
        record = self.protocol.oldest
        return None if record is None else record.timestamp

    @property
    def failure(self) -> BaseException | None:
        """Why the lane stopped by itself, if it did."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    def start(self) -> None:
        """Begin to work; a pending range waits for its records first."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"lane {self.place}")

    def feed(self, records: Sequence[LogRecord], *, behind: bool) -> None:
        """Take further records, in offset order; never blocks."""
        cutter = self.protocol.cutter
        if not cutter.has_open:
            self._opened_at = self._clock()
        self.behind = behind
        self.protocol.feed(records)
        self._wake.set()

    def press(self, *, pressed: bool) -> None:
        """Have the open block inserted without a wait, because no more records come for now."""
        self.pressed = pressed
        self._wake.set()

    def skip_to(self, position: int) -> None:
        """Note that the log holds no record below `position` any more; only where nothing waits."""
        self.protocol.skip_to(position)
        self._wake.set()

    async def close(self) -> None:
        """Finish a running insert within the bound, drop the rest, and end; the log still has it.

        What is cut off after the bound goes on under its token in its thread, and whoever owns the
        partition next sends the same range again.
        """
        self._closing = True
        self._closed.set()
        self._wake.set()
        task = self._task
        if task is None:
            return
        await asyncio.wait({task}, timeout=self._options.handover_s)
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):  # the consumer has asked for `failure`
            await task

    async def _run(self) -> None:
        protocol = self.protocol
        with suppress(PartitionLostError):
            if self._inherited.recent is not None:
                await self._look(self._inherited.recent, self._inherited.offset)
            while not self._closing:
                if ripe := protocol.unsettled.ripe(self._clock()):
                    await self._look(*ripe)
                elif protocol.cutter.has_closed or self._due_in() <= 0:
                    await self._store_next()
                elif (action := protocol.last_action()) is not None:
                    await self._do(action)
                else:
                    await self._rest()
            if (action := protocol.last_action()) is not None:
                await self._do(action)

    async def _look(self, recent: Recent, end: int) -> None:
        """Hold the tables to what was acknowledged; cut off when the lane is closed."""
        closed = asyncio.ensure_future(self._closed.wait())
        check = asyncio.ensure_future(self._check(self.place, recent, end))
        self.looking = True
        try:
            await asyncio.wait({closed, check}, return_when=asyncio.FIRST_COMPLETED)
            if check.done():
                repaired = check.result()
                self._stats.looks += 1
                self._stats.repaired += repaired
                self._stats.meters.repaired(self.place.topic, repaired)
                self.protocol.unsettled.looked(end, self._clock(), whole=not repaired)
        finally:
            self.looking = False
            closed.cancel()
            check.cancel()

    async def _store_next(self) -> None:
        """Take one block through the protocol, once one of the slots is free.

        The block stays open until then, so that it grows while others are inserted.
        """
        cutter = self.protocol.cutter
        async with self._slots:
            if self._closing:
                return
            if not cutter.has_closed:
                cutter.flush()
            self._opened_at = self._clock()
            while not isinstance(action := self.protocol.next_action(), Insert):
                assert action is not None, "a complete block leads to its insert"
                await self._do(action)
            await self._do(action)

    async def _do(self, action: Commit | Insert[LogRecord]) -> None:
        if isinstance(action, Commit):
            began = self._clock()
            await self._commit(action)
            self._stats.meters.spent("commit", self._clock() - began)
            self.protocol.done(action)
        else:
            rows = await self._insert(action.block)
            self.protocol.done(action, rows=rows, now_s=self._clock())

    async def _insert(self, block: Block[LogRecord]) -> int:
        stored = await self._stored(block)
        place = self.place
        for rejected in stored.rejected:
            bad = rejected.record
            given_up = GivenUp(
                place.log_id, place.topic, place.partition, bad.offset, bad.key, bad.value
            )
            await self._dead_letters.send(given_up, rejected.reason)
        stats = self._stats
        if stored.rejected:
            last = stored.rejected[-1]
            where = f"{place.topic}:{place.partition}:{last.record.offset}"
            stats.last_dead_letter = f"{where}: {last.reason}"
        stats.rows += stored.rows
        stats.skipped += stored.skipped
        stats.narrowed += stored.narrowed
        stats.meters.narrowed(self.place.topic, stored.narrowed)
        stats.dead_letters += len(stored.rejected)
        stats.bytes += block.size_bytes
        stats.blocks += 1
        stats.meters.stored(
            self.place.topic,
            rows=stored.rows,
            skipped=stored.skipped,
            letters=len(stored.rejected),
            size_bytes=block.size_bytes,
        )
        return stored.rows

    async def _stored(self, block: Block[LogRecord]) -> Stored[Any]:
        loop = asyncio.get_running_loop()
        given_up: set[int] = set()
        while True:
            began = self._clock()
            try:
                stored = await loop.run_in_executor(
                    self._executor, self._store.store, self.place, block, frozenset(given_up)
                )
            except UnknownSchemasError as unknown:
                missed = unknown.schema_ids
            else:
                spent_s = self._clock() - began
                self._stats.meters.inserted(self.place.topic, spent_s, stored.splice_s)
                return stored
            finally:
                self._stats.insert_s += self._clock() - began
            given_up |= await self._wait_for_schemas(missed)

    async def _wait_for_schemas(self, schema_ids: frozenset[int]) -> set[int]:
        """Return those ids that are still unknown when their time is up.

        The slot is lent to other partitions meanwhile.
        """
        now = self._clock()
        until = {
            schema_id: self._first_missed.setdefault(schema_id, now) + self._options.schema_wait_s
            for schema_id in schema_ids
        }
        self._slots.release()
        self._stats.waiting_for_schemas += 1
        try:
            missing: set[int] = set(schema_ids)
            while missing and self._clock() < max(until[schema_id] for schema_id in missing):
                await asyncio.sleep(_SCHEMA_POLL_S)
                missing = {schema_id for schema_id in missing if not self._store.knows(schema_id)}
            return missing
        finally:
            self._stats.waiting_for_schemas -= 1
            await self._slots.acquire()

    def _due_in(self) -> float:
        """Return the seconds until the open block is due; infinite if nothing is open."""
        cutter = self.protocol.cutter
        if not cutter.has_open or cutter.recovering:
            return float("inf")
        if self.pressed:
            return 0.0
        linger_ms = self._options.loaded_linger_ms if self.behind else self._options.linger_ms
        return self._opened_at + linger_ms / 1000 - self._clock()

    async def _rest(self) -> None:
        self._wake.clear()
        due_in = min(self._due_in(), max(0.0, self.protocol.unsettled.ripe_in(self._clock())))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), None if due_in == float("inf") else due_in)
