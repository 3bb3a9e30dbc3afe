"""One of the two clusters: what it holds, who reads from it, and readers of it.

aiokafka has no types of its own, so it is met as `Any` here.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError

from tailrace.console.moving.errors import MoveFailedError
from tailrace.schemas.cluster import describe_cluster
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.topic_admin import existing_topics
from tailrace.sinks.gaps.log import Log

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence

    from aiokafka import TopicPartition

    from tailrace.schemas.topic_settings import TopicState

T = TypeVar("T")

COORDINATOR_S = 30.0
"""How long a broker may take to name the coordinator of a group."""

_PAUSE_S = 0.1
_FETCH_BYTES = 4 << 20
_MEMBERS = 5  # DescribeGroups: error, group, state, protocol type, protocol, members


@dataclass(frozen=True)
class Span:
    """Where a partition begins and ends."""

    begin: int
    """The lowest offset that it still has."""

    stable: int
    """The offset after the last one that no open transaction holds back."""

    end: int
    """The offset after the last one."""


class Side:
    """A connected cluster.

    Args:
        kafka: connection arguments of aiokafka.
        admin: a started admin client.
        cluster_id: the cluster's id.
        brokers: how many brokers it has.
    """

    def __init__(self, kafka: Mapping[str, Any], admin: Any, cluster_id: str, brokers: int) -> None:
        self.kafka = kafka
        self.admin = admin
        self.cluster_id = cluster_id
        self.brokers = brokers

    @asynccontextmanager
    async def reader(self, isolation: str = "read_committed") -> AsyncGenerator[Log]:
        """Give a reader of one partition at a time, which knows the topics that there are now."""
        consumer = cast("Any", AIOKafkaConsumer)(
            **self.kafka,
            group_id=None,
            enable_auto_commit=False,
            isolation_level=isolation,
            auto_offset_reset="earliest",  # what is deleted while it is read was not to be kept
            max_partition_fetch_bytes=_FETCH_BYTES,
        )
        try:
            await consumer.start()
            yield Log(self.admin, consumer)
        finally:
            await stop_consumer(consumer)

    async def topics(self, prefix: str) -> dict[str, TopicState]:
        """Return the topics whose names begin with the prefix, by name."""
        names = [name for name in await self.admin.list_topics() if name.startswith(prefix)]
        return await existing_topics(self.admin, sorted(names))

    async def spans(self, names: Sequence[str]) -> dict[TopicPartition, Span]:
        """Return where each partition of those of the topics that exist begins and ends."""
        async with self.reader() as committed, self.reader("read_uncommitted") as every:
            partitions = await committed.partitions(names)
            if not partitions:
                return {}
            await every.partitions(names)
            begins = await committed.begins(partitions)
            stable = await committed.ends(partitions)
            ends = await every.ends(partitions)
        return {tp: Span(begins[tp], stable[tp], ends[tp]) for tp in partitions}

    async def commits(self, topics: Collection[str]) -> dict[str, dict[TopicPartition, Any]]:
        """Return each group's commits on the topics, with their texts; groups without are not."""
        groups = [name for name, _ in await self.ask(self.admin.list_consumer_groups)]
        found: dict[str, dict[TopicPartition, Any]] = {}
        for group in sorted(groups):
            committed = {
                partition: entry
                for partition, entry in (await self.commits_of(group)).items()
                if partition.topic in topics
            }
            if committed:
                found[group] = committed
        return found

    async def commits_of(self, group: str) -> dict[TopicPartition, Any]:
        """Return a group's commits."""
        found = await self.ask(lambda: self.admin.list_consumer_group_offsets(group))
        return {partition: entry for partition, entry in found.items() if entry.offset >= 0}

    async def members(self, groups: Collection[str]) -> dict[str, int]:
        """Return how many processes are in each of the groups; groups without any are left out."""
        found: dict[str, int] = {}
        for group in sorted(groups):
            answers = await self.ask(lambda name=group: self.admin.describe_consumer_groups([name]))
            members = sum(len(each[_MEMBERS]) for answer in answers for each in answer.groups)
            if members:
                found[group] = members
        return found

    async def delete_below(self, begins: Mapping[TopicPartition, int]) -> None:
        """Delete what lies below an offset of each partition."""
        told = {tp: RecordsToDelete(before_offset=begin) for tp, begin in begins.items()}
        if told:
            await self.admin.delete_records(told)

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Ask until the coordinator is there, for at most COORDINATOR_S."""
        deadline = asyncio.get_running_loop().time() + COORDINATOR_S
        while True:
            try:
                return await question()
            except KafkaError as error:
                if not error.retriable or asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(_PAUSE_S)


@asynccontextmanager
async def open_side(kafka: Mapping[str, Any]) -> AsyncGenerator[Side]:
    """Connect to a cluster for the length of the block.

    Raises:
        MoveFailedError: if it does not answer.
    """
    admin = cast("Any", AIOKafkaAdminClient)(**kafka)
    try:
        try:
            await admin.start()
            cluster = await describe_cluster(admin)
        except KafkaError as error:
            raise MoveFailedError(
                f"no answer from Kafka at {kafka['bootstrap_servers']}: is it running, and is it "
                f"spoken to as it wants ({error!r})?"
            ) from error
        yield Side(kafka, admin, cluster.cluster_id, cluster.brokers)
    finally:
        await admin.close()
