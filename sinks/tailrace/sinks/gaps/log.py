"""The log as the ledger sees it: where its partitions begin and end, the commits, the records.

Reading needs no group: nothing is committed, and no sink is disturbed.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tailrace.schemas.cluster import describe_cluster, describe_topics
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.lineage import Lineage
from tailrace.sinks.leaders import learn_leaders
from tailrace.sinks.lineage import read_lineage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Sequence

    from tailrace.sinks.archive.cutting import LogRecord

COORDINATOR_S = 30.0
READ_S = 60.0
"""How long a read may bring nothing, neither a record nor a marker, before it counts as failed."""

_PAUSE_S = 0.1
_POLL_MS = 500
_WAIT_MS = 100
_FETCH_BYTES = 4 << 20
_MEMBERS = 5  # DescribeGroups: error, group, state, protocol type, protocol, members


class LogUnreadableError(TailraceError):
    """The log cannot be read as far as it must be."""


class Log:
    """A reader of any partitions, one at a time.

    Args:
        admin: a started admin client.
        consumer: a started consumer without a group, that reads what is committed.
    """

    def __init__(self, admin: Any, consumer: Any) -> None:
        self.lineage = Lineage(("",))
        """Which log it is and where it lived before; `open_log` finds it out."""

        self._admin = admin
        self._consumer = consumer

    @property
    def log_id(self) -> str:
        """The log's id, as rows name it."""
        return self.lineage.log_id

    async def topics(self, stem: str) -> list[str]:
        """Return the names of the topics that begin so, sorted."""
        names = cast("list[str]", await self._admin.list_topics())
        return sorted(name for name in names if name.startswith(stem))

    async def partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """Return the partitions of those of the topics that exist, by name and number.

        Not while one is read: the reader turns to these.
        """
        found = sorted(
            TopicPartition(topic["topic"], partition["partition"])
            for topic in await describe_topics(self._admin, topics)
            for partition in topic["partitions"]
        )
        learn_leaders(self._consumer, found)
        return found

    async def begins(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the lowest offset that each partition still has."""
        return await self._consumer.beginning_offsets(list(partitions))

    async def ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset after the last committed record or marker of each partition."""
        return await self._consumer.end_offsets(list(partitions))

    async def offsets_at(
        self, partitions: Collection[TopicPartition], time_ms: int
    ) -> dict[TopicPartition, int]:
        """Return each partition's first offset from a time on; it is left out where there is none.

        Args:
            partitions: where to look.
            time_ms: milliseconds since the epoch, by the broker's clock.
        """
        found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, time_ms))
        return {partition: entry.offset for partition, entry in found.items() if entry is not None}

    async def committed(
        self, group: str, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Return what the group has committed; a partition without a commit is left out."""
        deadline = asyncio.get_running_loop().time() + COORDINATOR_S
        while True:
            try:
                found = await self._admin.list_consumer_group_offsets(
                    group, partitions=list(partitions)
                )
            except KafkaError as error:
                if not error.retriable or asyncio.get_running_loop().time() > deadline:
                    raise LogUnreadableError(
                        f"the commits of group {group} cannot be read: {error!r}; see whether the "
                        "broker is well"
                    ) from error
            else:
                return {tp: entry.offset for tp, entry in found.items() if entry.offset >= 0}
            await asyncio.sleep(_PAUSE_S)

    async def members(self, group: str) -> int:
        """Return how many processes are in the group now; one that died counts for its session."""
        [answer] = await self._admin.describe_consumer_groups([group])
        return sum(len(described[_MEMBERS]) for described in answer.groups)

    async def read(
        self, partition: TopicPartition, begin: int, end: int
    ) -> AsyncGenerator[Sequence[LogRecord]]:
        """Yield the records from `begin` on that lie before `end`, in order, in portions.

        Raises:
            LogUnreadableError: if nothing comes for READ_S although the end is not reached.
        """
        loop = asyncio.get_running_loop()
        self._consumer.assign([partition])
        self._consumer.seek(partition, begin)
        position, moved_at = begin, loop.time()
        while position < end:
            found = await self._consumer.getmany(partition, timeout_ms=_POLL_MS)
            records = cast("Sequence[LogRecord]", found.get(partition, ()))
            reached = cast("int", await self._consumer.position(partition))
            if reached > position:
                position, moved_at = reached, loop.time()
            elif loop.time() - moved_at > READ_S:
                raise LogUnreadableError(
                    f"{partition.topic}-{partition.partition} brought nothing after offset "
                    f"{position} for {READ_S:.0f} s, though it ends at {end}: see whether the "
                    "broker is well"
                )
            if records:
                yield [record for record in records if record.offset < end]


@asynccontextmanager
async def open_log(bootstrap: str | None, prefix: str) -> AsyncGenerator[Log]:
    """Connect to the log for the length of the block.

    Args:
        bootstrap: Kafka's bootstrap servers; None for the configured ones.
        prefix: what the topics' names begin with.

    Raises:
        LogUnreadableError: if the broker does not answer, there or later.
        LogMovedAwayError: if the log lives on another cluster by now.
    """
    kafka = kafka_options(bootstrap)
    try:
        async with AsyncExitStack() as stack:
            admin = cast("Any", AIOKafkaAdminClient)(**kafka)
            stack.push_async_callback(admin.close)
            await admin.start()
            consumer = cast("Any", AIOKafkaConsumer)(
                **kafka,
                group_id=None,
                enable_auto_commit=False,
                isolation_level="read_committed",
                auto_offset_reset="earliest",  # what is deleted meanwhile is passed over, no more
                max_partition_fetch_bytes=_FETCH_BYTES,
                # A poll of the partition before, at its end, holds up the next one's first fetch.
                fetch_max_wait_ms=_WAIT_MS,
            )
            stack.push_async_callback(stop_consumer, consumer)
            await consumer.start()
            cluster = await describe_cluster(admin)
            log = Log(admin, consumer)
            log.lineage = await read_lineage(log, cluster.cluster_id, prefix)
            yield log
    except KafkaError as error:
        raise LogUnreadableError(
            f"no answer from Kafka at {kafka['bootstrap_servers']}: is it running? `tailrace up` "
            f"starts the local one, TAILRACE_KAFKA names another ({error!r})"
        ) from error
