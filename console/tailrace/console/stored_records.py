"""What a worker is told of requests that were begun before: from ClickHouse, once it has it all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tailrace.producers.dispatch.records import (
    RecordedRequest,
    RecordUnavailableError,
    recorded_request,
)
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.names import ARCHIVE
from tailrace.schemas.topic_admin import list_topics
from tailrace.schemas.topics import BODIES, RUNS, STEPS
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.queries.read_trace import read_trace
from tailrace.sinks.queries.trace_id import UnknownTraceError

if TYPE_CHECKING:
    from tailrace.schemas.records import Request

WAIT_S = 60.0
_POLL_S = 0.2
_TOPICS = (RUNS, STEPS, BODIES)


class StoredRecords:
    """A record source over the tables of the archive sink; see `RecordSource`.

    It waits until the sink has stored what the log holds of runs, steps and bodies when it is
    asked, so that what it says is all there is.

    Args:
        kafka: bootstrap servers; the configured ones when None.
        prefix: of the topics' names; the configured one when None.
        clickhouse: the address of ClickHouse; the configured one when None.
        database: the configured one when None.
        wait_s: how long the sink may take.
    """

    def __init__(
        self,
        kafka: str | None = None,
        prefix: str | None = None,
        clickhouse: str | None = None,
        database: str | None = None,
        *,
        wait_s: float = WAIT_S,
    ) -> None:
        self._options = kafka_options(kafka)
        self._prefix = prefix
        self._clickhouse = clickhouse
        self._database = database
        self._wait_s = wait_s

    async def of(self, request: Request) -> RecordedRequest:
        """Return what is stored of a request, once all is.

        Raises:
            RecordUnavailableError: if the sink does not come so far in time, or a server does not
                answer.
        """
        try:
            async with asyncio.timeout(self._wait_s):
                await self._until_stored()
                return await asyncio.to_thread(self._read, request)
        except TimeoutError:
            raise RecordUnavailableError(
                f"the sink has not stored within {self._wait_s:g} s what the log has of the "
                "request, so it is not known what was done: see whether `tailrace sink` runs"
            ) from None
        except (KafkaError, OSError, TailraceError) as error:
            raise RecordUnavailableError(
                f"it is not known what was done of the request: {error}"
            ) from error

    async def _until_stored(self) -> None:
        ends = await self._ends()
        admin: Any = AIOKafkaAdminClient(**self._options)
        await admin.start()
        try:
            while True:
                stored = await admin.list_consumer_group_offsets(ARCHIVE.name(self._prefix))
                if all(_reached(stored.get(each), end) for each, end in ends.items()):
                    return
                await asyncio.sleep(_POLL_S)
        finally:
            await admin.close()

    async def _ends(self) -> dict[TopicPartition, int]:
        there = await list_topics(_TOPICS, prefix=self._prefix, options=self._options)
        consumer: Any = AIOKafkaConsumer(**self._options)
        await consumer.start()
        try:
            ends: dict[TopicPartition, int] = await consumer.end_offsets(
                [
                    TopicPartition(topic.name, number)
                    for topic in there.values()
                    for number in range(topic.partitions)
                ]
            )
            return ends
        finally:
            await stop_consumer(consumer)

    def _read(self, request: Request) -> RecordedRequest:
        client = connect(self._clickhouse, self._database)
        try:
            trace = read_trace(client, request.trace_id)
        except UnknownTraceError:
            return RecordedRequest()
        finally:
            client.close()
        events = [event.flatten() for event in trace.events]
        return recorded_request(events, trace.payload, request.request_id)


def _reached(stored: Any, end: int) -> bool:
    return end == 0 or (stored is not None and stored.offset >= end)
