"""Reads the archived topics as a member of a group, and runs a lane for each partition it is given.

aiokafka has no types of its own, so it is met as `Any` here and in the few modules beside.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from aiokafka.errors import KafkaError

from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.errors import TailraceError
from tailrace.sinks.archive.lane import Lane, PartitionLostError
from tailrace.sinks.archive.light_records import lighten
from tailrace.sinks.archive.membership import Membership
from tailrace.sinks.archive.meters import Position

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from tailrace.sinks.archive.cutting import LogRecord
    from tailrace.sinks.archive.options import SinkOptions, SinkStats
    from tailrace.sinks.archive.protocol import Commit

_log = logging.getLogger(__name__)

POLL_MS = 200
SESSION_TIMEOUT_MS = 10_000
COMMIT_PAUSE_S = 0.2
COMMIT_PATIENCE_S = 60.0
_FETCH_BYTES = 4 << 20


class SinkFailedError(TailraceError):
    """The sink stopped for a reason that is not its own."""


class ArchiveConsumer:
    """The group member: assignment, polling, back pressure.

    Args:
        options: of the sink.
        kafka: connection arguments of aiokafka.
        stats: `lag` and `partitions` are kept here.
        begin: called with the partitions of a new assignment; returns where each begins, or raises
            what the sink must stop for.
        lane: makes the lane of a partition that begins at a commit.
    """

    def __init__(
        self,
        options: SinkOptions,
        kafka: Mapping[str, Any],
        stats: SinkStats,
        begin: Callable[[Collection[TopicPartition]], Awaitable[Mapping[TopicPartition, Commit]]],
        lane: Callable[[TopicPartition, Commit, Callable[[Commit], Awaitable[None]]], Lane],
    ) -> None:
        self._options = options
        self._kafka = kafka
        self._stats = stats
        self._begin = begin
        self._make_lane = lane
        # What was written while a fetch travelled is no backlog that larger blocks would pay for.
        self._far_behind = options.limits.offsets // 4
        self._consumer: Any = None
        self._lanes: dict[TopicPartition, Lane] = {}
        self._beginning: asyncio.Task[None] | None = None
        self._ending = False
        self._failure: BaseException | None = None

    async def run(self, topics: Sequence[str], stop: asyncio.Event) -> None:
        """Archive until told to stop; what is unfinished then is sent again by the next owner.

        Raises:
            TailraceError: if the sink must stop.
        """
        self._consumer = cast("Any", AIOKafkaConsumer)(
            **self._kafka,
            group_id=self._options.group_id,
            group_instance_id=self._options.instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=SESSION_TIMEOUT_MS // 5,
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=POLL_MS,
        )
        try:
            await self._consumer.start()
            lighten(self._consumer)
            self._consumer.subscribe(list(topics), listener=_Listener(self))
            while not stop.is_set():
                await self._poll()
        except KafkaError as error:
            raise SinkFailedError(
                f"reading from Kafka failed: {error!r}; the sink goes on where it stopped"
            ) from error
        finally:
            self._ending = True
            await self.give_up_partitions()
            try:
                await stop_consumer(self._consumer)
            except KafkaError as error:  # the reason to stop is the one that is told
                _log.warning("the group was left without a word: %r", error)

    def take_partitions(self, partitions: Collection[TopicPartition]) -> None:
        """Begin with newly assigned partitions; a reason not to is raised by `run`.

        Only begins to: aiokafka sends no heartbeat before its listener has returned, and what is
        asked of both servers first can take longer than a session. Nothing is fetched meanwhile.
        """
        if self._ending:
            return
        self._consumer.pause(*partitions)
        beginning = self._begin_with(partitions, Membership(self._consumer))
        self._beginning = asyncio.get_running_loop().create_task(beginning)

    async def _begin_with(
        self, partitions: Collection[TopicPartition], membership: Membership
    ) -> None:
        try:
            commits = await self._begin(partitions)
        except Exception as error:  # noqa: BLE001 - nobody awaits this task
            self._failure = error
            return
        for partition, commit in commits.items():
            self._consumer.seek(partition, commit.offset)
            lane = self._make_lane(partition, commit, _committer(membership, partition))
            self._lanes[partition] = lane
            lane.start()
        self._consumer.resume(*partitions)
        self._stats.partitions = len(self._lanes)

    async def give_up_partitions(self) -> None:
        """End all lanes, within the bound of `SinkOptions.handover_s`."""
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.wait({self._beginning})
        lanes = list(self._lanes.values())
        await asyncio.gather(*(lane.close() for lane in lanes))
        self._lanes.clear()
        self._stats.partitions = 0
        self._stats.meters.positions = {}

    async def _poll(self) -> None:
        began = time.monotonic()
        batches = cast(
            "dict[TopicPartition, list[LogRecord]]",
            await self._consumer.getmany(timeout_ms=POLL_MS),
        )
        for partition, records in batches.items():
            lane = self._lanes.get(partition)
            if lane is not None:
                end = self._consumer.highwater(partition) or 0
                lane.feed(records, behind=end - records[-1].offset > self._far_behind)
        if batches:
            self._stats.meters.spent("consume", time.monotonic() - began)
        await self._skip_markers()
        self._regulate()
        self._check()

    async def _skip_markers(self) -> None:
        """Move resting lanes over transaction markers, which are offsets without records."""
        for partition, lane in list(self._lanes.items()):
            end = self._consumer.highwater(partition) or 0
            if lane.protocol.at_rest and end > lane.protocol.stored_to:
                lane.skip_to(await self._consumer.position(partition))

    def _regulate(self) -> None:
        limit = self._options.buffer_bytes
        share = limit // max(len(self._lanes), 1)
        total = sum(lane.buffered_bytes for lane in self._lanes.values())
        lag = 0
        positions: dict[tuple[str, int], Position] = {}
        for partition, lane in self._lanes.items():
            held = lane.buffered_bytes
            if total > limit and held > share and not lane.pressed:
                self._consumer.pause(partition)
                lane.press(pressed=True)
            elif lane.pressed and (held <= share // 2 or total <= limit // 2):
                self._consumer.resume(partition)
                lane.press(pressed=False)
            end = self._consumer.highwater(partition) or 0
            lag += max(0, end - lane.protocol.stored_to)
            # What an open transaction holds back cannot be read, so the sink does not lag by it.
            stable = self._consumer.last_stable_offset(partition)
            end = end if stable is None else min(end, stable)
            missing = max(0, end - lane.protocol.stored_to)
            place = (partition.topic, partition.partition)
            compared = self._stats.compared if lane.looking else None
            positions[place] = Position(lane.protocol.stored_to, missing, lane.oldest_ms, compared)
        self._stats.lag = lag
        self._stats.meters.positions = positions
        self._stats.health.turned(positions)

    def _check(self) -> None:
        failure = self._failure or next(
            (lane.failure for lane in self._lanes.values() if lane.failure), None
        )
        if failure is not None:
            self._stats.health.failed(str(failure))
            raise failure


def _committer(
    membership: Membership, partition: TopicPartition
) -> Callable[[Commit], Awaitable[None]]:
    async def commit(commit: Commit) -> None:
        """Commit until the broker says yes or no; only that no two owners say yes counts."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + COMMIT_PATIENCE_S
        what = {partition: OffsetAndMetadata(commit.offset, commit.metadata)}
        while True:
            try:
                await membership.commit(what)
            except PartitionLostError as lost:
                _log.info("%s was given to another member: %r", partition, lost.__cause__)
                raise
            except KafkaError as error:
                if not error.retriable or loop.time() > deadline:
                    raise SinkFailedError(
                        f"the commit for {partition.topic}-{partition.partition} failed: "
                        f"{error!r}; the sink goes on where it stopped"
                    ) from error
                await asyncio.sleep(COMMIT_PAUSE_S)
            else:
                return

    return commit


class _Listener(ConsumerRebalanceListener):
    """Hands the group's decisions on; aiokafka waits for both before it goes on."""

    def __init__(self, consumer: ArchiveConsumer) -> None:
        self._consumer = consumer

    # aiokafka awaits what these return, which its types do not say.
    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, revoked: Collection[TopicPartition]
    ) -> None:
        del revoked  # every partition, always: aiokafka has no cooperative rebalance
        await self._consumer.give_up_partitions()

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, assigned: Collection[TopicPartition]
    ) -> None:
        self._consumer.take_partitions(assigned)
