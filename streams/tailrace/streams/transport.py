"""Faust's consumer as this package needs it, and what the package asks of it.

Faust resumes the partitions of a topic, seeks to what is committed, and then, as the last thing of
a rebalance, empties its queues: what was handed on in between is gone. What it hands on during a
rebalance it skips, and acknowledges. So here nothing is handed on until a rebalance is over, and
what is committed is told by whoever took the records. The rest differs since no setting says it:
how long the broker holds a request, what a record costs, and that the thread keeps no process from
ending.
"""

from __future__ import annotations

import asyncio
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import WorkerThread

FETCH_WAIT_MS = 200
"""So long the broker holds a request for records that are not there yet. Faust's own is 1.5 s, and
all that is asked on the same connection waits behind it: each step of a rebalance, each end of a
partition."""

_GET_S = 1.0
_TOGETHER = 100
"""So many records are handed on together: for each time Faust starts four tasks, one of which waits
for a rebalance to begin."""

_HELD_S = 0.05
"""How often it is looked whether a rebalance is over."""

# faust's own annotations leave most of these open.
_Consumer: Any = driver.Consumer
_ConsumerThread: Any = driver.AIOKafkaConsumerThread
_Transport: Any = driver.Transport


class _DaemonThread(WorkerThread):
    """A thread that hangs shall not keep a process that ends from ending."""

    def __init__(self, service: Any, **kwargs: Any) -> None:
        super().__init__(service, **kwargs)
        self.daemon = True


class _QuickThread(_ConsumerThread):
    Worker = _DaemonThread

    def _create_worker_consumer(self, transport: Any) -> Any:
        base: Any = super()
        consumer = base._create_worker_consumer(transport)  # noqa: SLF001 - where Faust makes it
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - read when it starts
        return consumer


class _QuickConsumer(_Consumer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.reached: dict[TP, int] = {}
        """By partition, the offset after the last record that everything came of."""

        base: Any = super()
        base.__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> Any:
        return _QuickThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 - the base's signature
        partitions = set(active_partitions or ())
        if self.app.rebalancing or not self.app.tables.actives_ready:
            partitions = {tp for tp in partitions if self._is_changelog_tp(tp)}
            timeout = min(timeout, _HELD_S)
        if not partitions:  # to aiokafka none would be all
            await asyncio.sleep(_HELD_S)
            return {}
        base: Any = super()
        return await base._getmany(partitions, timeout)  # noqa: SLF001 - the base's own

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001 - as in the base
                await self.sleep(0)
                found = [pair async for pair in self.getmany(timeout=_GET_S)]
                for at in range(0, len(found), _TOGETHER):
                    portion = self._hand_on(found[at : at + _TOGETHER])
                    await self.wait_first(portion, self.suspend_flow.wait())
        except (*self.consumer_stopped_errors, asyncio.CancelledError):
            if not self.transport.app.should_stop:
                raise

    async def _hand_on(self, found: list[tuple[TP, Any]]) -> None:
        generation = self.app.consumer_generation_id
        for tp, message in found:
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            reached = self._read_offset[tp] if self._is_changelog_tp(tp) else None
            if reached is None or message.offset >= reached:
                await self.callback(message)
                self._read_offset[tp] = message.offset

    def ack(self, message: Any) -> bool:  # noqa: ARG002 - the base's signature
        """Take no notice: Faust acknowledges what it skips."""
        return False

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Any:
        return [tp for tp in self.reached if not topics or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: TP) -> int | None:
        return self.reached.get(tp)


class QuickTransport(_Transport):
    """Faust's transport with that consumer."""

    Consumer = _QuickConsumer


class FaustReader:
    """The partitions of one topic, as a Faust app's consumer reads them.

    Args:
        app: the app, started.
        topic: the topic's full name.
    """

    def __init__(self, app: Any, topic: str) -> None:
        self._app = app
        self._topic = topic

    @property
    def owned(self) -> set[int]:
        """The partitions that the group gave this worker."""
        assigned = self._app.consumer.assignment()
        return {tp.partition for tp in assigned if tp.topic == self._topic}

    def owns(self, partition: int) -> bool:
        """Say whether the group gave this worker the partition."""
        return partition in self.owned

    async def begins_at(self, partition: int) -> int:
        """Return the offset that the group begins at: its commit, or the log's start."""
        thread = self._app.consumer._thread  # noqa: SLF001 - Faust has no other way
        tp = TP(self._topic, partition)
        committed: int | None = await thread.call_thread(thread._consumer.committed, tp)  # noqa: SLF001 - as above
        return await self.log_start(partition) if committed is None else committed

    async def log_start(self, partition: int) -> int:
        """Return the offset of the oldest record that is kept."""
        starts = await self._app.consumer.earliest_offsets(TP(self._topic, partition))
        [start] = starts.values()
        return int(start)

    async def ends(self) -> dict[int, int]:
        """Return, of each partition that is owned, the offset after its last record."""
        found = await self._app.consumer.highwaters(*[TP(self._topic, at) for at in self.owned])
        return {tp.partition: end or 0 for tp, end in found.items()}

    def reached(self, partition: int, offset: int) -> None:
        """Have it committed soon that a record and all before it are done with."""
        self._app.consumer.reached[TP(self._topic, partition)] = offset + 1

    def hand_over(self) -> None:
        """Commit nothing more of the partitions that are owned now."""
        self._app.consumer.reached.clear()

    async def rewind(self, partition: int, offset: int) -> None:
        """Read on from an offset, whatever was handed on already."""
        await self._app.consumer.seek_wait({TP(self._topic, partition): offset})
