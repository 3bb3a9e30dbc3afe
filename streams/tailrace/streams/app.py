"""The stream processors as one call: what `tailrace stream` runs.

Faust shares the partitions of `runs` out among the workers, reads them, brings state back from its
changelog and commits what is acknowledged. All else is this package's own, for what Faust does not
do: see the modules `state_table`, `outbox`, `guard` and `worker`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import faust

from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.schema_log import SchemaFollower
from tailrace.schemas.topics import RUNS
from tailrace.streams.cluster import Cluster, look_up
from tailrace.streams.guard import Guard
from tailrace.streams.options import HEARTBEAT_S, StreamOptions, StreamStats
from tailrace.streams.outbox import Outbox, Published
from tailrace.streams.pauses import collect_garbage
from tailrace.streams.positions import Positions
from tailrace.streams.publisher import Publisher
from tailrace.streams.state_table import CHANGELOG_CONFIGS, ROCKSDB_OPTIONS, StateTable
from tailrace.streams.transport import FaustReader, QuickTransport
from tailrace.streams.worker import StreamWorker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.schemas.schema_book import SchemaBook

__all__ = ["StreamOptions", "StreamStats", "run_stream"]

_STOP_S = 8.0
_COMMIT_S = 1.0
_LOOK_S = 0.5

_log = logging.getLogger(__name__)


class StreamFailedError(TailraceError):
    """The worker cannot go on."""


async def run_stream(
    options: StreamOptions, stop: asyncio.Event, *, stats: StreamStats | None = None
) -> None:
    """Fold `runs` into closed executions until `stop` is set.

    Any number of these may run at once, in a process each; they share the partitions. After `stop`
    it returns within seconds; whoever takes the partitions over goes on from there.

    Args:
        options: the settings.
        stop: set it to stop gracefully.
        stats: counted up while it runs.

    Raises:
        TailraceError: if it cannot go on, with what to do.
    """
    kafka = kafka_options(options.kafka)
    counted = StreamStats() if stats is None else stats
    cluster = await look_up(kafka, options.topic_prefix)
    options.data.mkdir(parents=True, exist_ok=True)
    async with SchemaFollower(prefix=options.prefix, options=kafka) as follower:
        await _Stream(options, counted, kafka, cluster, follower.book).run(stop)


class _Stream:
    """The parts of one worker, put together."""

    def __init__(
        self,
        options: StreamOptions,
        stats: StreamStats,
        kafka: Mapping[str, Any],
        cluster: Cluster,
        book: SchemaBook,
    ) -> None:
        self._options = options
        self._stats = stats
        self._guard = Guard(options.session_s, stats.health, self._still_member)
        self._app = _faust_app(options, kafka, cluster)
        self._table = StateTable(
            self._app,
            name="state",
            key_type=bytes,
            value_type=bytes,
            partitions=cluster.partitions,
            extra_topic_configs=CHANGELOG_CONFIGS,
            options=dict(ROCKSDB_OPTIONS) if options.store == "rocksdb" else {},
        )
        self._app.tables.add(self._table)
        self._publisher = Publisher(kafka)
        self._outbox = Outbox(self._publisher, self._table, self._guard, self._count)
        self._runs = RUNS.name(options.topic_prefix)
        self._reader = FaustReader(self._app, self._runs)
        self._positions = Positions(self._reader)
        self._worker = StreamWorker(
            options,
            stats,
            outbox=self._outbox,
            guard=self._guard,
            positions=self._positions,
            table=self._table,
            book=book,
            log_id=cluster.log_id,
        )
        self._register()

    async def run(self, stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            await self._publisher.start()
            stack.push_async_callback(self._publisher.stop)
            tasks: list[asyncio.Task[Any]] = [
                asyncio.create_task(each)
                for each in (self._outbox.run(), self._look(), self._tick(), collect_garbage())
            ]
            stack.push_async_callback(_cancel, tasks)
            await self._app.start()
            stack.push_async_callback(self._stop_app)
            stopping = asyncio.create_task(stop.wait())
            tasks.append(stopping)
            await asyncio.wait({stopping, self._guard.failure}, return_when=asyncio.FIRST_COMPLETED)
            if self._guard.failure.done():
                await self._guard.failure
            with suppress(TimeoutError):
                await asyncio.wait_for(self._outbox.drain(), _STOP_S / 2)

    def _register(self) -> None:
        app, worker = self._app, self._worker
        topic = app.topic(self._runs, key_type=bytes, value_type=bytes)

        async def assemble(stream: Any) -> None:
            async for event in stream.noack().events():
                at = event.message.partition, event.message.offset
                await worker.take(event.message, partial(self._reader.reached, *at))

        app.agent(topic, name="assemble", concurrency=1)(assemble)

        async def hand_over(_app: Any, _revoked: Any, **_: Any) -> None:
            self._stats.ready = False
            if not self._guard.failure.done():
                await worker.hand_over()
            self._reader.hand_over()

        app.on_partitions_revoked.connect(hand_over, weak=False)

    async def _still_member(self) -> bool:
        """Commit what is committed, which the group refuses to whoever is no member any more.

        aiokafka commits with the membership that it has at that moment, and a group that is empty
        takes a commit of nobody's: so it has to be the one that the partitions were assigned in.
        """
        consumer = self._app.consumer
        owned = [tp for tp in consumer.assignment() if tp.topic == self._runs][:1]
        committed = {tp: consumer._committed_offset.get(tp) or 0 for tp in owned}  # noqa: SLF001 - Faust has no other way
        held = self._app.consumer_generation_id
        if not committed or self._generation() != held:
            return False
        return bool(await consumer._commit(committed)) and self._generation() == held  # noqa: SLF001 - as above

    def _generation(self) -> int:
        """Return the group's generation that aiokafka is a member of, -1 if of none."""
        driver: Any = self._app.consumer._thread._consumer  # noqa: SLF001 - as above
        return int(driver._coordinator.generation)  # noqa: SLF001 - as above

    async def _look(self) -> None:
        """Say that the process runs, more often than anything could take it for dead."""
        while True:
            self._guard.turned()
            if self._app.crashed:
                self._guard.fail(
                    StreamFailedError(
                        f"Faust ended by itself: {self._app.crash_reason!r}; nothing is lost, "
                        "start the worker again"
                    )
                )
            self._stats.ready = self._reads
            self._stats.health.turned(
                ready=self._reads,
                waits=self._outbox.waits,
                stalled_s=self._positions.stalled_s,
            )
            await asyncio.sleep(_LOOK_S)

    async def _tick(self) -> None:
        """Let time pass, once a second."""
        while True:
            await asyncio.sleep(self._options.tick_s)
            if not self._reads:
                continue
            try:
                await self._let_time_pass()
            except TailraceError as error:
                self._guard.fail(error)
            except Exception as error:  # noqa: BLE001 - a broker that is away for now is asked again
                _log.warning("the ends of the partitions cannot be asked for: %r", error)

    async def _let_time_pass(self) -> None:
        rebalances = self._app.rebalancing_count
        until_ms, due = self._worker.due(self._reader.owned)
        ends = await self._reader.ends()
        positions = {number: await self._positions.next_of(number) for number in ends}
        if rebalances != self._app.rebalancing_count or not self._reads:
            return
        lags = {number: max(end - positions[number], 0) for number, end in ends.items()}
        self._worker.pass_time(until_ms, {at for at in due if lags.get(at) == 0})
        self._measure(lags)
        if not self._worker.takes:
            await self._positions.hurry(ends)

    @property
    def _reads(self) -> bool:
        app = self._app
        return bool(app.tables.actives_ready and not app.rebalancing and not app.in_recovery)

    def _measure(self, lags: dict[int, int]) -> None:
        self._stats.partitions = len(lags)
        self._stats.open_executions = self._worker.open_executions
        self._stats.meters.stands(open_executions=self._stats.open_executions, lags=lags)

    def _count(self, published: Published) -> None:
        stats = self._stats
        stats.events += published.records
        stats.abandoned += published.counts["abandoned"]
        stats.traces += published.counts["ended"] + published.counts["abandoned"]
        stats.dead_letters += published.counts["dead_letter"]
        stats.health.moved()
        stats.meters.published(published)

    async def _stop_app(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._app.stop(), _STOP_S)


def _faust_app(options: StreamOptions, kafka: Mapping[str, Any], cluster: Cluster) -> Any:
    servers = [f"kafka://{server}" for server in str(kafka["bootstrap_servers"]).split(",")]
    app = cast("Any", faust).App(
        options.group_id,
        broker=";".join(servers),
        broker_credentials=credentials(kafka),
        store=f"{options.store}://",
        datadir=str(options.data),
        topic_partitions=cluster.partitions,
        topic_replication_factor=cluster.replication,
        topic_disable_leader=True,
        # A copy in memory is of no use to Faust: whoever takes a partition over reads it anew.
        table_standby_replicas=1 if options.store == "rocksdb" else 0,
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=options.instance,
        broker_session_timeout=options.session_s,
        broker_heartbeat_interval=min(HEARTBEAT_S, options.session_s / 3),
        broker_commit_interval=_COMMIT_S,
        stream_wait_empty=False,
        web_enabled=False,
        key_serializer="raw",
        value_serializer="raw",
        reply_create_topic=False,
        worker_redirect_stdouts=False,
    )
    app.transport = QuickTransport(app.conf.broker_consumer, app)
    return app


def credentials(kafka: Mapping[str, Any]) -> Any:
    """Return how Faust is to speak to Kafka, from aiokafka's arguments; None for plain text."""
    protocol = str(kafka.get("security_protocol", "PLAINTEXT"))
    context = kafka.get("ssl_context")
    if protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=kafka.get("sasl_plain_username"),
            password=kafka.get("sasl_plain_password"),
            mechanism=kafka.get("sasl_mechanism", "PLAIN"),
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if protocol == "SSL" else None


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
