"""The log as the destination of an import: publishes what is not on it yet, once.

A run is known if ClickHouse holds its last event, or if that event lies in the part of `runs` that
the archive sink has not stored yet. Where no ClickHouse answers, all of `runs` is read instead.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaError,
    NotCoordinatorForGroupError,
)

from tailrace.console.importing.errors import ImportFailedError
from tailrace.console.importing.known import ended_runs, registered_deployments
from tailrace.producers.delivery.sender import KafkaSender
from tailrace.producers.deployments.manifest import deployment_id
from tailrace.producers.writer import JournalWriter
from tailrace.schemas.catalog import latest
from tailrace.schemas.endpoints import NoEndpointError, kafka_options
from tailrace.schemas.schema_log import publish_missing
from tailrace.schemas.topics import RUNS, topic_prefix
from tailrace.sinks.archive.options import SinkOptions
from tailrace.sinks.clickhouse import ClickHouseUnreachableError, NotMigratedError, connect
from tailrace.sinks.queries.stored_runs import stored_runs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from tailrace.console.importing.journal import RecordedRun

WRITTEN_RECORDS = ("journal_event", "body", "deployment_registered")
OPEN_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 30.0
ACTOR = "tailrace import"
_RETRY_S = 0.2


class LogDestination:
    """Publishes runs to Kafka. Get one from `open_log`."""

    def __init__(
        self,
        writer: JournalWriter,
        *,
        in_log: set[str],
        deployments: set[str],
        client: Client | None,
        publish_schemas: Callable[[], Awaitable[object]],
    ) -> None:
        """Take what was found on the log when it was opened."""
        self._writer = writer
        self._publish_schemas = publish_schemas
        self._introduced = False
        self._in_log = in_log
        self._deployments = deployments
        self._client = client

    async def known(self, run_ids: Iterable[str]) -> set[str]:
        """Return those of the runs whose last event is stored, or on the log to be stored."""
        asked = list(run_ids)
        stored: set[str] = set()
        if self._client is not None and asked:
            stored = set(await asyncio.to_thread(stored_runs, self._client, asked))
        return stored | self._in_log.intersection(asked)

    async def register(self, manifest: dict[str, Any], label: str) -> None:
        """Register a recorded-only deployment, unless the control topic holds it."""
        name = deployment_id(manifest)
        if name in self._deployments:
            return
        await self._introduce()
        await asyncio.to_thread(
            self._writer.register_deployment,
            manifest,
            recorded_only=True,
            label=label,
            actor=ACTOR,
        )
        self._deployments.add(name)

    async def publish(self, runs: Sequence[RecordedRun]) -> None:
        """Publish whole runs; returns when their last events are acknowledged."""
        await self._introduce()
        bodies = {body.sha256: body for run in runs for body in run.bodies}
        events = [event for run in runs for event in run.events]
        await self._writer.publish(events, list(bodies.values()))

    async def _introduce(self) -> None:
        """Publish our schemas before the first record, so that an import of nothing new is none."""
        if not self._introduced:
            await self._publish_schemas()
            self._introduced = True


@asynccontextmanager
async def open_log(
    *, kafka: str | None = None, clickhouse: str | None = None, prefix: str | None = None
) -> AsyncGenerator[LogDestination]:
    """Open the log for an import: learn what is on it, then connect a producer.

    Raises:
        NoEndpointError: if no address of Kafka is known.
        ImportFailedError: if the log cannot be read.
        KafkaUnreachableError: if no producer can be opened.
    """
    options = kafka_options(kafka)
    topics = topic_prefix() if prefix is None else prefix
    async with AsyncExitStack() as held:
        deployments = await registered_deployments(options, topics)
        client = await asyncio.to_thread(_client, clickhouse)
        first: Mapping[int, int] = {}
        if client is not None:
            held.callback(client.close)
            first = await _stored_up_to(options, topics)
        in_log = await ended_runs(options, topics, first)
        sender = KafkaSender(options, prefix=topics)
        await asyncio.to_thread(sender.open, OPEN_TIMEOUT_S)
        held.push_async_callback(asyncio.to_thread, sender.close, CLOSE_TIMEOUT_S)
        yield LogDestination(
            JournalWriter(sender),
            in_log=in_log,
            deployments=deployments,
            client=client,
            publish_schemas=lambda: publish_missing(
                map(latest, WRITTEN_RECORDS), prefix=topics, options=options
            ),
        )


def _client(url: str | None) -> Client | None:
    """Return a client of a ClickHouse that can be asked for stored runs, None if there is none."""
    try:
        client = connect(url)
    except (NoEndpointError, ClickHouseUnreachableError):
        return None
    try:
        stored_runs(client, [])
    except (ClickHouseUnreachableError, NotMigratedError):
        client.close()
        return None
    return client


async def _stored_up_to(options: Mapping[str, Any], prefix: str) -> dict[int, int]:
    """Return the offset of `runs` below which all is stored, by partition."""
    # aiokafka's admin client has no types of its own.
    admin: Any = AIOKafkaAdminClient(**options)
    group = SinkOptions(prefix=prefix).group_id
    try:
        await admin.start()
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            committed = await _committed(admin, group)
    except (KafkaError, OSError, TimeoutError) as error:
        raise ImportFailedError(
            f"the offsets of the group {group} cannot be read: {error!r}"
        ) from error
    finally:
        await admin.close()
    name = RUNS.name(prefix)
    return {
        place.partition: entry.offset
        for place, entry in committed.items()
        if place.topic == name and entry.offset > 0
    }


async def _committed(admin: Any, group: str) -> dict[Any, Any]:
    """Return the group's commits; a broker that has just started has no coordinator for it yet."""
    while True:
        try:
            return await admin.list_consumer_group_offsets(group)
        except (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError):
            await asyncio.sleep(_RETRY_S)
