"""Reads a topic of one partition to the end that it has now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from tailrace.schemas.consumers import stop_consumer

if TYPE_CHECKING:
    from collections.abc import Mapping

_POLL_MS = 200


async def read_to_end(options: Mapping[str, Any], topic: str) -> list[tuple[int, bytes]]:
    """Return offset and value of every record of partition 0 that has a value, in order.

    The caller bounds the time. Raises aiokafka's errors.
    """
    consumer: Any = AIOKafkaConsumer(
        **options, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    partition = TopicPartition(topic, 0)
    found: list[tuple[int, bytes]] = []
    try:
        await consumer.start()
        consumer.assign([partition])
        end = cast("int", (await consumer.end_offsets([partition]))[partition])
        while await consumer.position(partition) < end:
            batches = cast("dict[Any, list[Any]]", await consumer.getmany(timeout_ms=_POLL_MS))
            for records in batches.values():
                found.extend(
                    (record.offset, record.value) for record in records if record.value is not None
                )
    finally:
        await stop_consumer(consumer)
    return found
