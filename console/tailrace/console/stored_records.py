"""What a worker is told of requests that were begun before: from ClickHouse, once it has it all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tailrace.producers.dispatch.records import (
    RecordedRequest,
    RecordUnavailableError,
    recorded_request,
)
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.names import ARCHIVE
from tailrace.schemas.topics import BODIES, RUNS, STEPS, topic_prefix
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.gaps.log import open_log
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
        self._kafka = kafka
        self._prefix = topic_prefix() if prefix is None else prefix
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
        except TailraceError as error:
            raise RecordUnavailableError(
                f"it is not known what was done of the request: {error}"
            ) from error

    async def _until_stored(self) -> None:
        async with open_log(self._kafka, self._prefix) as log:
            partitions = await log.partitions([topic.name(self._prefix) for topic in _TOPICS])
            ends = {each: end for each, end in (await log.ends(partitions)).items() if end}
            while True:
                stored = await log.committed(ARCHIVE.name(self._prefix), partitions)
                if all(stored.get(each, 0) >= end for each, end in ends.items()):
                    return
                await asyncio.sleep(_POLL_S)

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
