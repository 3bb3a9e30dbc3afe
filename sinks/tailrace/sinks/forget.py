"""Forgets traces: recorded on `forgotten` first, then taken out of the tables.

In that order, because what is recorded is kept out by every rebuild and can be erased again, while
a trace that was erased and not recorded would come back. The journal's own topics cannot be
changed: they lose the trace when their retention ends, and `Forgot` says by when.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaProducer

from tailrace.schemas import topics
from tailrace.schemas.catalog import latest
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.schema_log import publish_missing
from tailrace.schemas.topic_admin import list_topics
from tailrace.schemas.wire import encode
from tailrace.sinks.clickhouse import connect
from tailrace.sinks.erasing import Erased, count, erase
from tailrace.sinks.forgotten import read_forgotten
from tailrace.sinks.gaps.log import open_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

    from tailrace.sinks.archive.options import SinkOptions
    from tailrace.sinks.gaps.log import Log

HOLD_TRACES = (
    topics.RUNS,
    topics.STEPS,
    topics.BODIES,
    topics.TRACES,
    topics.SCORES,
    topics.DEAD_LETTERS,
)
"""The topics that hold content of a trace and lose it by retention alone."""

KEYED_BY_TRACE = (topics.SNAPSHOT_ROWS,)
"""Compacted topics whose keys name a trace: a tombstone takes the content out."""

_CHECKED_EVERY = timedelta(minutes=5)  # log.retention.check.interval.ms


@dataclass(frozen=True)
class Forgot:
    """What forgetting did."""

    erased: Erased
    tombstones: int
    gone_by: dict[str, datetime | None]
    """For each topic when the last of it is deleted at the latest, UTC; None where that is never,
    because the topic's own setting keeps records for ever."""


async def forget(
    options: SinkOptions, traces: Sequence[str], *, actor: str, reason: str = ""
) -> Forgot:
    """Forget traces; a second time erases what has come since and is recorded as well.

    Args:
        options: of the sink whose tables they are in.
        traces: their whole ids.
        actor: who asked for it.
        reason: why, such as the number of a request; nothing of the content.

    Raises:
        LogUnreadableError, SchemaLogError, TopicAdminError: if the log cannot be read or written;
            nothing is erased then.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not do it; it is recorded
            then, and can be told again.
    """
    kafka = kafka_options(options.kafka)
    prefix = options.topic_prefix
    async with AsyncExitStack() as stack:
        client = await asyncio.to_thread(connect, options.clickhouse, options.database)
        stack.callback(client.close)
        log = await stack.enter_async_context(open_log(options.kafka, prefix))
        await publish_missing([latest("forgotten")], prefix=prefix, options=kafka)
        producer = cast("Any", AIOKafkaProducer)(**kafka, acks="all", enable_idempotence=True)
        stack.push_async_callback(producer.stop)
        await producer.start()
        for trace_id in traces:
            record = _record(client, trace_id, actor, reason)
            name = topics.FORGOTTEN.name(prefix)
            await producer.send_and_wait(name, record, key=trace_id.encode())
        tombstones = await _bury(log, producer, prefix, traces)
        erased = await asyncio.to_thread(erase, client, traces)
    gone_by = await _gone_by(kafka, prefix, datetime.now(UTC))
    return Forgot(erased, tombstones, gone_by)


async def forget_again(options: SinkOptions) -> tuple[int, Erased]:
    """Erase what has come since of all traces that were ever forgotten; return how many they are.

    Raises as `forget` does.
    """
    async with open_log(options.kafka, options.topic_prefix) as log:
        traces = await read_forgotten(log, options.topic_prefix)
    client = await asyncio.to_thread(connect, options.clickhouse, options.database)
    try:
        return len(traces), await asyncio.to_thread(erase, client, traces)
    finally:
        client.close()


def _record(client: Client, trace_id: str, actor: str, reason: str) -> bytes:
    found = count(client, [trace_id])
    fields = {
        "trace_id": trace_id,
        "actor": actor,
        "reason": reason,
        "events": found.events,
        "bodies": found.bodies,
        "ts": int(time.time() * 1_000_000),
    }
    return encode(latest("forgotten"), fields)


async def _bury(log: Log, producer: Any, prefix: str, traces: Sequence[str]) -> int:
    """Write a tombstone for every key of a compacted topic that names one of the traces."""
    wanted = {trace_id.encode() for trace_id in traces}
    partitions = await log.partitions([topic.name(prefix) for topic in KEYED_BY_TRACE])
    begins, ends = await log.begins(partitions), await log.ends(partitions)
    buried = 0
    for partition in partitions:
        standing: set[bytes] = set()
        async for records in log.read(partition, begins[partition], ends[partition]):
            for record in records:
                if record.key is None or not wanted & set(record.key.split(b":")):
                    continue
                (standing.discard if record.value is None else standing.add)(record.key)
        for key in sorted(standing):
            await producer.send_and_wait(
                partition.topic, None, key=key, partition=partition.partition
            )
        buried += len(standing)
    return buried


async def _gone_by(kafka: dict[str, Any], prefix: str, now: datetime) -> dict[str, datetime | None]:
    """Return when each topic has lost what was written until now.

    A segment is deleted when its newest record is older than the retention, and is written to for
    up to `segment.ms` after its first one.
    """
    states = await list_topics(HOLD_TRACES, prefix=prefix, options=kafka)
    found: dict[str, datetime | None] = {}
    for name, state in states.items():
        retention_ms = int(state.configs["retention.ms"])
        kept = timedelta(milliseconds=retention_ms + int(state.configs["segment.ms"]))
        found[name] = None if retention_ms < 0 else now + kept + _CHECKED_EVERY
    return found
