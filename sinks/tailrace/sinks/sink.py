"""The archive sink as one call: what `tailrace sink` runs, what a test starts in its own loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tailrace.schemas.cluster import describe_cluster, describe_topics
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.dead_letter_log import DeadLetterSender
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.lineage import Lineage
from tailrace.schemas.schema_log import SchemaFollower
from tailrace.sinks.archive import log_identity
from tailrace.sinks.archive.blocks import Place
from tailrace.sinks.archive.consumer import ArchiveConsumer, SinkFailedError
from tailrace.sinks.archive.engine_version import check_engine
from tailrace.sinks.archive.lane import Lane
from tailrace.sinks.archive.options import SinkOptions, SinkStats
from tailrace.sinks.archive.protocol import Commit
from tailrace.sinks.archive.reachability import watch
from tailrace.sinks.archive.recheck import Recheck
from tailrace.sinks.archive.storing import BlockStore
from tailrace.sinks.archive.writer import Writer
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.exchange_fence import wait_for_exchange
from tailrace.sinks.gaps.log import open_log
from tailrace.sinks.leaders import learn_leaders
from tailrace.sinks.migrations import migrate
from tailrace.sinks.tables import archived_topics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Generator, Sequence

    from clickhouse_connect.driver.client import Client

    from tailrace.schemas.wire import SchemaSource

__all__ = ["SinkOptions", "SinkStats", "lag", "run_sink", "wait_until_stored"]

COORDINATOR_S = 30.0
"""How long a broker that has just started may take to name the group's coordinator."""

_POLL_S = 0.1


class MissingTopicsError(TailraceError):
    """Topics of the log do not exist on the broker."""


class NotStoredInTimeError(TailraceError):
    """The log's end was not in the tables within the bound."""


async def run_sink(
    options: SinkOptions,
    stop: asyncio.Event,
    *,
    stats: SinkStats | None = None,
    source: SchemaSource | None = None,
) -> None:
    """Migrate the database, then archive the log into it until `stop` is set.

    Any number of these may run at once, in one process or many. Each record is stored once; after
    `stop` it returns within `SinkOptions.handover_s` and a few seconds, and loses nothing.

    Args:
        options: the settings.
        stop: set it to stop gracefully.
        stats: counted up while it runs.
        source: where schemas are looked up; when None, those that ship and those that the log's
            `schemas` topic teaches.

    Raises:
        TailraceError: if it cannot go on, with what to do.
    """
    kafka = kafka_options(options.kafka)
    counted = SinkStats() if stats is None else stats
    counted.meters.waiting_partitions = lambda: counted.waiting_for_schemas
    if source is not None:
        await _Sink(options, counted, source, kafka).run(stop)
        return
    async with SchemaFollower(prefix=options.prefix, options=kafka) as follower:
        counted.meters.schemas = lambda: (follower.book.learnt, follower.rejected)
        await _Sink(options, counted, follower.book, kafka).run(stop)


async def lag(options: SinkOptions) -> int:
    """Return how many offsets of the log are not stored yet, over all archived partitions.

    Asks the broker, so it holds for every sink of the group, wherever it runs.
    """
    async with AsyncExitStack() as stack:
        progress = await _Progress.open(options, stack)
        return await progress.missing(await progress.ends())


async def wait_until_stored(options: SinkOptions, timeout_s: float = 60.0) -> None:
    """Return when everything that lies in the log now is in the tables.

    Raises:
        NotStoredInTimeError: if it is not within `timeout_s`.
        SinkFailedError: if the broker does not answer.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    async with AsyncExitStack() as stack:
        progress = await _Progress.open(options, stack)
        ends = await progress.ends()
        while missing := await progress.missing(ends):
            if loop.time() > deadline:
                raise NotStoredInTimeError(
                    f"{missing} records are not stored after {timeout_s:.0f} s: is `tailrace sink` "
                    "running, and does it report errors?"
                )
            await asyncio.sleep(_POLL_S)


class _Sink:
    """The parts of one sink, put together."""

    def __init__(
        self, options: SinkOptions, stats: SinkStats, source: SchemaSource, kafka: dict[str, Any]
    ) -> None:
        self._options = options
        self._stats = stats
        self._source = source
        self._kafka = kafka
        self._slots = asyncio.Semaphore(options.inserts)
        self._executor = ThreadPoolExecutor(options.inserts, thread_name_prefix="tailrace-insert")
        self._dead_letters = DeadLetterSender(self._kafka, options.group_id, options.prefix)
        self._lineage = Lineage(("",))
        self._admin: Any = None
        self._client: Client | None = None
        self._store: BlockStore | None = None
        self._check: Recheck | None = None

    async def run(self, stop: asyncio.Event) -> None:
        names = [topic.name(self._options.prefix) for topic in archived_topics()]
        async with AsyncExitStack() as stack:
            stack.enter_context(_kafka_sentences(self._kafka))
            stack.callback(self._executor.shutdown, wait=False, cancel_futures=True)
            stack.push_async_callback(self._dead_letters.stop)
            self._admin = await _open_admin(self._kafka, stack)
            await _require_topics(self._admin, names)
            async with open_log(self._options.kafka, self._options.topic_prefix) as log:
                self._lineage = log.lineage
            self._client = await asyncio.to_thread(self._open_database)
            stack.callback(self._client.close)
            writer = Writer(self._client, self._options.patience_s, self._count_retry)
            stack.callback(writer.stop)
            self._store = BlockStore(writer, self._source, self._options.max_rejected_share)
            self._check = Recheck(
                self._options, self._client, writer, self._source, self._count_compared
            )
            consumer = ArchiveConsumer(
                self._options, self._kafka, self._stats, self._begin, self._lane
            )
            ask = {"Kafka": self._kafka_answers, "ClickHouse": self._clickhouse_answers}
            watching = asyncio.create_task(watch(self._stats.health, ask))
            stack.callback(watching.cancel)
            await consumer.run(names, stop)

    def _open_database(self) -> Client:
        client = connect(self._options.clickhouse, self._options.database)
        migrate(client)
        check_engine(client)
        log_identity.check_cluster(client, self._lineage, self._options.topic_prefix)
        return client

    def _count_retry(self, table: str) -> None:
        self._stats.retries += 1
        self._stats.meters.retried(table)

    def _count_compared(self) -> None:
        self._stats.compared += 1

    async def _kafka_answers(self) -> bool:
        return (await describe_cluster(self._admin)).brokers > 0

    async def _clickhouse_answers(self) -> bool:
        assert self._client is not None, "it is watched once it is open"
        return await asyncio.to_thread(self._client.ping)

    async def _begin(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Commit]:
        """Return where each assigned partition begins, once it is known to be the same log."""
        if not partitions:
            return {}
        assert self._client is not None, "partitions are assigned after the database is open"
        await wait_for_exchange(self._client)
        fetched = await _committed(self._admin, self._options.group_id, partitions)
        commits = {
            partition: Commit.parse(max(fetched[partition].offset, 0), fetched[partition].metadata)
            if partition in fetched
            else Commit(0)
            for partition in partitions
        }
        stored = await asyncio.to_thread(self._highest_stored, partitions)
        begins = await log_identity.check_partitions(self._kafka, stored, commits)
        return {tp: commits[tp].beginning_at(begins[tp]) for tp in partitions}

    def _highest_stored(
        self, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, int]]:
        assert self._client is not None, "partitions are assigned after the database is open"
        prefix = self._options.topic_prefix
        found: dict[TopicPartition, tuple[int, int]] = {}
        for topic in {partition.topic for partition in partitions}:
            numbers = [place.partition for place in partitions if place.topic == topic]
            highest = log_identity.highest_stored(
                self._client, self._lineage.log_id, topic, prefix, numbers
            )
            found |= {TopicPartition(topic, number): entry for number, entry in highest.items()}
        return found

    def _lane(
        self,
        partition: TopicPartition,
        committed: Commit,
        commit: Callable[[Commit], Awaitable[None]],
    ) -> Lane:
        assert self._store is not None, "lanes begin after the database is open"
        assert self._check is not None, "likewise"
        return Lane(
            Place(self._lineage.log_id, partition.topic, partition.partition),
            committed,
            options=self._options,
            stats=self._stats,
            store=self._store,
            dead_letters=self._dead_letters,
            commit=commit,
            slots=self._slots,
            executor=self._executor,
            check=self._check,
        )


class _Progress:
    """What the group has committed against where the log ends."""

    def __init__(self, options: SinkOptions, admin: Any, consumer: Any) -> None:
        self._group = options.group_id
        self._names = [topic.name(options.prefix) for topic in archived_topics()]
        self._admin = admin
        self._consumer = consumer

    @classmethod
    async def open(cls, options: SinkOptions, stack: AsyncExitStack) -> _Progress:
        kafka = kafka_options(options.kafka)
        stack.enter_context(_kafka_sentences(kafka))
        admin = await _open_admin(kafka, stack)
        consumer = cast("Any", AIOKafkaConsumer)(**kafka, isolation_level="read_committed")
        stack.push_async_callback(stop_consumer, consumer)
        await consumer.start()
        progress = cls(options, admin, consumer)
        await _require_topics(admin, progress._names)
        return progress

    async def ends(self) -> dict[TopicPartition, int]:
        described = await describe_topics(self._admin, self._names)
        partitions = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]
        learn_leaders(self._consumer, partitions)
        return cast("dict[TopicPartition, int]", await self._consumer.end_offsets(partitions))

    async def missing(self, ends: dict[TopicPartition, int]) -> int:
        committed = await _committed(self._admin, self._group, ends)
        begins = await self._consumer.beginning_offsets(list(ends))
        missing = 0
        for partition, end in ends.items():
            entry = committed.get(partition)
            reached = max(entry.offset if entry else 0, begins[partition])
            missing += max(0, end - reached)
        return missing


@contextmanager
def _kafka_sentences(kafka: dict[str, Any]) -> Generator[None]:
    """Tell what the broker did not answer; it may go away between any two questions.

    The admin client lets the bare error of a bound that ran out through.
    """
    try:
        yield
    except (KafkaError, TimeoutError) as error:
        raise SinkFailedError(
            f"no answer from Kafka at {kafka['bootstrap_servers']}: is it running? `tailrace up` "
            f"starts the local one, TAILRACE_KAFKA names another ({error!r})"
        ) from error


async def _open_admin(kafka: dict[str, Any], stack: AsyncExitStack) -> Any:
    admin = cast("Any", AIOKafkaAdminClient)(**kafka)
    stack.push_async_callback(admin.close)
    await admin.start()
    return admin


async def _committed(
    admin: Any, group: str, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, Any]:
    """Return the group's commits, metadata included; the coordinator is waited for a little."""
    deadline = asyncio.get_running_loop().time() + COORDINATOR_S
    while True:
        try:
            return await admin.list_consumer_group_offsets(group, partitions=list(partitions))
        except (KafkaError, TimeoutError) as error:
            hopeless = isinstance(error, KafkaError) and not error.retriable
            if hopeless or asyncio.get_running_loop().time() > deadline:
                raise SinkFailedError(
                    f"the commits of group {group} cannot be read: {error!r}; see whether the "
                    "broker is well"
                ) from error
        await asyncio.sleep(_POLL_S)


async def _require_topics(admin: Any, names: Sequence[str]) -> None:
    missing = sorted(set(names) - {each["topic"] for each in await describe_topics(admin, names)})
    if missing:
        raise MissingTopicsError(
            f"the broker has no topic {', '.join(missing)}: `tailrace topics apply` creates them"
        )
