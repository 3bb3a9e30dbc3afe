"""Is this the log that the tables were filled from? Asked before anything is inserted from it.

Offsets mean something in one log only. A broker with another id, a topic that was recreated, or a
log whose end was lost would have the sink skip records or store others under taken offsets.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.errors import TailraceError
from tailrace.sinks.clickhouse import ask
from tailrace.sinks.leaders import learn_leaders
from tailrace.sinks.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

    from tailrace.schemas.lineage import Lineage
    from tailrace.sinks.archive.protocol import Commit

READ_BACK_S = 30.0
_WAY_OUT = (
    "use the database that belongs to this log (--database, TAILRACE_DATABASE), or an empty one"
)
_WINDOWS = (timedelta(minutes=10), timedelta(hours=12))
_SPAN = """
SELECT min(broker_ts) AS oldest, max(broker_ts) AS newest, count() AS stored
FROM {table:Identifier}
"""  # told by the metadata
_HIGHEST = """
SELECT partition AS part, max(offset) AS last,
    toUnixTimestamp64Milli(argMax(broker_ts, offset)) AS stamp
FROM {table:Identifier}
WHERE log_id = {log_id:String} AND topic = {topic:String}
    AND partition IN {partitions:Array(Int32)} AND broker_ts >= {since:DateTime64(3, 'UTC')}
GROUP BY partition
"""
_LAST_MOVE = """
SELECT new_cluster_id, ts
FROM log_moves
WHERE log_id = {log_id:String}
ORDER BY offset DESC
LIMIT 1
"""


class AnotherLogError(TailraceError):
    """The tables and the log do not belong together."""


def check_cluster(client: Client, lineage: Lineage, prefix: str) -> None:
    """Refuse tables that were filled from other logs only, or from where this log moved to.

    Raises:
        AnotherLogError: naming both.
    """
    log_id, here = lineage.log_id, lineage.clusters[-1]
    for table in TABLES:
        names = [topic.name(prefix) for topic in table.topics]
        rows = ask(
            client,
            "SELECT DISTINCT log_id FROM {table:Identifier} WHERE topic IN {topics:Array(String)}",
            {"table": table.name, "topics": names},
        )
        known = {str(row["log_id"]) for row in rows}
        if known and log_id not in known:
            raise AnotherLogError(
                f"table {client.database}.{table.name} was filled from the log "
                f"{', '.join(sorted(known))}, and this broker is the log {log_id}: {_WAY_OUT}"
            )
    # The old cluster's own record of the move may be gone, as when a backup of it was restored.
    moves = ask(client, _LAST_MOVE, {"log_id": log_id})
    if moves and moves[0]["new_cluster_id"] not in lineage.clusters:
        raise AnotherLogError(
            f"the log {log_id}, which {client.database} was filled from, lives on the cluster "
            f"{moves[0]['new_cluster_id']} since {moves[0]['ts']:%Y-%m-%d %H:%M} UTC, and this "
            f"broker is the cluster {here}: point TAILRACE_KAFKA at the one it lives on"
        )


def highest_stored(
    client: Client, log_id: str, topic: str, prefix: str, partitions: Collection[int]
) -> dict[int, tuple[int, int]]:
    """Return for those of a topic's partitions that are stored the highest offset, its time in ms.

    Offsets grow with the broker's time, by which the tables prune: the newest rows are read first,
    and older ones for partitions that have none among them. All are read only for a partition that
    was never written to or long ago.
    """
    found: dict[int, tuple[int, int]] = {}
    for table in TABLES:
        if topic not in {declared.name(prefix) for declared in table.topics}:
            continue
        missing = set(partitions)
        asked = {"table": table.name, "log_id": log_id, "topic": topic}
        for since in _begins(client, table.name):
            rows = ask(client, _HIGHEST, {**asked, "since": since, "partitions": sorted(missing)})
            for row in rows:
                entry = (int(row["last"]), int(row["stamp"]))
                found[row["part"]] = max(entry, found.get(row["part"], entry))
            missing -= {row["part"] for row in rows}
            if not missing:
                break
    return found


def _begins(client: Client, table: str) -> Iterator[datetime]:
    """Yield from when on to read a table, later first, and nothing if it is empty."""
    [told] = ask(client, _SPAN, {"table": table})
    if not told["stored"]:
        return
    for window in _WINDOWS:
        if (since := told["newest"] - window) > told["oldest"]:
            yield since
    yield told["oldest"]


async def check_partitions(
    kafka: Mapping[str, Any],
    stored: Mapping[TopicPartition, tuple[int, int]],
    committed: Mapping[TopicPartition, Commit],
) -> dict[TopicPartition, int]:
    """Compare partitions with what is stored and committed; return where each begins now.

    Args:
        kafka: connection arguments of aiokafka.
        stored: the highest stored offset and its record's time in ms, where any is stored.
        committed: the group's last commits; every partition has one.

    Raises:
        AnotherLogError: if a log is shorter than it was, or its record is not the stored one.
    """
    consumer = cast("Any", AIOKafkaConsumer)(**kafka, group_id=None, enable_auto_commit=False)
    try:
        await consumer.start()
        partitions = list(committed)
        learn_leaders(consumer, partitions)
        begins = cast("dict[TopicPartition, int]", await consumer.beginning_offsets(partitions))
        ends = cast("dict[TopicPartition, int]", await consumer.end_offsets(partitions))
        for partition, commit in committed.items():
            _check_end(partition, commit, stored.get(partition), ends[partition])
        present = [tp for tp, (last, _) in stored.items() if last >= begins[tp]]
        await _check_records(consumer, present, stored)
    finally:
        await stop_consumer(consumer)
    return begins


def _check_end(
    partition: TopicPartition, commit: Commit, stored: tuple[int, int] | None, end: int
) -> None:
    reached = commit.offset if commit.pending is None else commit.pending.last + 1
    if stored is not None:
        reached = max(reached, stored[0] + 1)
    if reached > end:
        raise AnotherLogError(
            f"{_name(partition)} ends at offset {end}, but was read up to {reached} before: its "
            f"end was lost, or the topic was recreated; {_WAY_OUT}"
        )


async def _check_records(
    consumer: Any, present: Sequence[TopicPartition], stored: Mapping[TopicPartition, Any]
) -> None:
    if not present:
        return
    consumer.assign(list(present))
    for partition in present:  # all before the first fetch, which then brings the records of all
        consumer.seek(partition, stored[partition][0])
    for partition in present:
        last, stamp = stored[partition]
        try:
            async with asyncio.timeout(READ_BACK_S):
                record = await consumer.getone(partition)
        except TimeoutError:
            raise AnotherLogError(
                f"the record at {_name(partition)}:{last}, which is stored, cannot be read back in "
                f"{READ_BACK_S:.0f} s: check the broker, then start again"
            ) from None
        if (record.offset, record.timestamp) != (last, stamp):
            raise AnotherLogError(
                f"the record at {_name(partition)}:{last} is not the one that is stored: the topic "
                f"was recreated; {_WAY_OUT}"
            )


def _name(partition: TopicPartition) -> str:
    return f"{partition.topic}-{partition.partition}"
