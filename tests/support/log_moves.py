"""Two clusters for tests that move a log from one to the other, and moves that can be killed."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tailrace.console.moving import appending
from tailrace.console.moving.moving import Moved, move_log
from tailrace.schemas.catalog import latest
from tailrace.schemas.cluster import describe_topics
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.wire import encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from support.log_journal import Keyed

_NODE = "1"
FILLER = (("tailrace.filler", b""),)
"""The headers of what a move puts where the old log has no record."""

Row = tuple[int, int, bytes | None, bytes | None, tuple[Any, ...]]
"""Offset, time, key, value and headers of a record."""


async def move(
    old: str, new: str, prefix: str, *, switch: bool = False, tell: Callable[[str], None] = print
) -> Moved:
    """Move a log from one cluster to another."""
    kafka: list[dict[str, Any]] = [{"bootstrap_servers": each} for each in (old, new)]
    return await move_log(kafka[0], kafka[1], prefix, switch=switch, tell=tell)


def spawn_move(old: str, new: str, prefix: str) -> subprocess.Popen[bytes]:
    """Start a move in a process of its own, in small batches; the caller ends it by its pid."""
    return subprocess.Popen([sys.executable, __file__, old, new, prefix])


async def rows(bootstrap: str, partition: TopicPartition) -> list[Row]:
    """Return every committed record of a partition."""
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        found: list[Row] = []
        while await consumer.position(partition) < end:
            batches = await consumer.getmany(partition, timeout_ms=200)
            found += [
                (each.offset, each.timestamp, each.key, each.value, tuple(each.headers))
                for each in batches.get(partition, ())
            ]
        return found
    finally:
        await stop_consumer(consumer)


async def bounds(bootstrap: str, partition: TopicPartition) -> tuple[int, int]:
    """Return where a partition begins and ends; nothing is held back by open transactions."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        begins = await consumer.beginning_offsets([partition])
        ends = await consumer.end_offsets([partition])
        return begins[partition], ends[partition]
    finally:
        await stop_consumer(consumer)


def pointer_move(number: int) -> Keyed:
    """Return a record of `control`."""
    fields = {"move_id": f"{number}", "component": "support", "environment": "dev"}
    return "control", b"support", encode(latest("pointer_moved"), fields)


def partition(prefix: str, suffix: str) -> TopicPartition:
    """Return the first partition of a topic of the log."""
    return TopicPartition(f"{prefix}{suffix}", 0)


async def assert_same(old: str, new: str, where: TopicPartition) -> None:
    """Hold the copy to the original by bytes and offsets, without what moved it."""
    assert await bounds(new, where) == await bounds(old, where)
    there = [row for row in await rows(new, where) if row[4] != FILLER]
    here = await rows(old, where)
    if where.topic.endswith("windows"):  # it may have been compacted further since
        there = [row for row in there if row[0] in {kept[0] for kept in here}]
    assert there == here


async def send_in_transactions(
    bootstrap: str,
    topic: str,
    portions: Sequence[Sequence[bytes]],
    *,
    aborted: Sequence[int] = (),
    headers: bool = False,
    meanwhile: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Write each portion in a transaction of its own, to partition 0; some are aborted."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{topic}.tx")
    told = [("a", b"1"), ("b", b"")] if headers else []
    await producer.start()
    try:
        for number, portion in enumerate(portions):
            await producer.begin_transaction()
            for value in portion:
                await producer.send_and_wait(topic, value, key=b"k", partition=0, headers=told)
            try:
                if meanwhile is not None:
                    await meanwhile()
            finally:
                end = producer.abort_transaction if number in aborted else None
                await (end or producer.commit_transaction)()
    finally:
        await producer.stop()


async def commit(
    bootstrap: str, group: str, commits: Mapping[TopicPartition, OffsetAndMetadata]
) -> None:
    """Commit for a group without members."""
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign(list(commits))
        await consumer.commit(dict(commits))
    finally:
        await stop_consumer(consumer)


async def commits(bootstrap: str, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    """Return what a group has committed."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()


async def exists(bootstrap: str, topic: str) -> bool:
    """Say whether a topic exists."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return bool(await describe_topics(admin, [topic]))
    finally:
        await admin.close()


async def first_record(bootstrap: str, partition: TopicPartition) -> None:
    """Return as soon as a partition, whose topic exists, has a record."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        await consumer.getone()
    finally:
        await stop_consumer(consumer)


async def delete_below(bootstrap: str, begins: Mapping[TopicPartition, int]) -> None:
    """Delete what lies below an offset, as retention does."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        told = {tp: RecordsToDelete(before_offset=begin) for tp, begin in begins.items()}
        await admin.delete_records(told)
    finally:
        await admin.close()


async def configure(bootstrap: str, topic: str, settings: Mapping[str, str]) -> None:
    """Set settings of a topic; where there is no topic, of the broker."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    kind = ConfigResourceType.TOPIC if topic else ConfigResourceType.BROKER
    await admin.start()
    try:
        resource = ConfigResource(kind, topic or _NODE, dict(settings))
        answers = await admin.alter_configs([resource])
        assert not any(told[0] for answer in answers for told in answer.resources), answers
    finally:
        await admin.close()


def main() -> None:
    """Be the process of `spawn_move`."""
    parser = argparse.ArgumentParser()
    for name in ("old", "new", "prefix"):
        parser.add_argument(name)
    told = parser.parse_args()
    appending.BATCH_BYTES = 2_000
    asyncio.run(move(told.old, told.new, told.prefix))


if __name__ == "__main__":
    main()
