"""What stream workers published, beside what the fold alone makes of the same log."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient

from support.executions import StoredRows
from support.journal import read_topic
from tailrace.schemas import wire
from tailrace.schemas.catalog import shipped
from tailrace.schemas.records.trace import Trace
from tailrace.schemas.topics import RUNS, TRACES
from tailrace.streams.assemble import Assembly, Folded
from tailrace.streams.closing import Source
from tailrace.streams.reading import HEARTBEAT, PoisonError, read_record
from tailrace.streams.run_state import Place

if TYPE_CHECKING:
    from tailrace.streams.execution import Limits

Identity = tuple[str, str, int]


def published(kafka: str, prefix: str) -> dict[Identity, Trace]:
    """Return the published traces by identity; whatever was published twice must be the same."""
    found: dict[Identity, bytes] = {}
    record: Any
    for record in read_topic(kafka, TRACES.name(prefix)):
        trace = Trace.parse(wire.decode(record.value)[1])
        key = trace.trace_id, trace.root_run_id, trace.revision
        assert found.setdefault(key, record.value) == record.value, "a revision was changed"
    return {key: Trace.parse(wire.decode(value)[1]) for key, value in found.items()}


def folded(
    kafka: str, prefix: str, limits: Limits, *, log_id: str, until_ms: int = 0
) -> dict[Identity, Trace]:
    """Return what the fold makes of `runs`, read once from its start, by identity."""
    topic = RUNS.name(prefix)
    partitions: dict[int, list[Any]] = defaultdict(list)
    for record in read_topic(kafka, topic):
        partitions[record.partition].append(record)
    found: dict[Identity, Trace] = {}
    for partition, records in partitions.items():
        assembly = Assembly(Source(log_id, topic, partition), StoredRows(), limits)
        for record in sorted(records, key=lambda each: each.offset):
            for trace in _fold(assembly, record).traces:
                found[trace.trace_id, trace.root_run_id, trace.revision] = trace
        for trace in assembly.pass_time(until_ms).traces:
            found[trace.trace_id, trace.root_run_id, trace.revision] = trace
    return found


def _fold(assembly: Assembly, record: Any) -> Folded:
    try:
        read = read_record(record.value, shipped())
    except PoisonError:
        return Folded()
    if read is None:
        return Folded()
    fold = assembly.fold_heartbeat if read[0] == HEARTBEAT else assembly.fold_event
    return fold(read[1], Place(record.offset, record.timestamp))


def log_id(kafka: str) -> str:
    """Return the cluster's id."""

    async def ask() -> str:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        try:
            return (await admin.describe_cluster())["cluster_id"]
        finally:
            await admin.close()

    return asyncio.run(ask())
