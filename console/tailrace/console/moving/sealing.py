"""The record that ends a move: the last one of the old log's `control`, and so of the new one's.

Whoever reads it on the old cluster knows that the log lives elsewhere. On the new cluster it is
copied last, when everything else is in its place: a sink that finds it there may begin.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaProducer

from tailrace.console.actor import actor
from tailrace.schemas import topics
from tailrace.schemas.catalog import latest
from tailrace.schemas.records import LogMoved
from tailrace.schemas.schema_log import publish_missing
from tailrace.schemas.wire import encode
from tailrace.sinks.lineage import read_moves

if TYPE_CHECKING:
    from tailrace.console.moving.side import Side
    from tailrace.schemas.lineage import Move


async def moves_of(side: Side, prefix: str) -> list[Move]:
    """Return the moves that a cluster's `control` tells of."""
    async with side.reader() as log:
        return await read_moves(log, prefix)


async def publish_schema(old: Side, prefix: str) -> None:
    """Have the record's schema in the log before the record, so that any reader can read it."""
    await publish_missing([latest(LogMoved.schema_name)], prefix=prefix, options=old.kafka)


async def seal(old: Side, new: Side, prefix: str) -> None:
    """Append the record to the old log's `control`."""
    record = LogMoved(
        old_cluster_id=old.cluster_id,
        new_cluster_id=new.cluster_id,
        ts=datetime.now(UTC),
        actor=actor(),
        tailrace_version=version("tailrace"),
    )
    value = encode(latest(LogMoved.schema_name), record.flatten())
    producer = cast("Any", AIOKafkaProducer)(**old.kafka, acks="all", enable_idempotence=True)
    try:
        await producer.start()
        name, key = topics.CONTROL.name(prefix), new.cluster_id.encode()
        await producer.send_and_wait(name, value, key=key, partition=0)
    finally:
        await producer.stop()
