"""Parsed records of a real broker are those that aiokafka would have copied."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from support.log_journal import create_topics, run_records, write
from tailrace.schemas.topics import STEPS
from tailrace.sinks.archive.light_records import lighten

Fields = tuple[int, int, int, bytes | None, bytes | None]


async def fields(kafka: str, topic: str, count: int, *, light: bool) -> list[Fields]:
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=kafka, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    await consumer.start()
    found: list[Fields] = []
    try:
        if light:
            assert lighten(consumer), "this version of aiokafka holds its records elsewhere"
        consumer.subscribe([topic])
        while len(found) < count:
            batches: dict[Any, list[Any]] = await consumer.getmany(timeout_ms=200)
            for place, records in batches.items():
                assert all(isinstance(record, ConsumerRecord) is not light for record in records)
                found += [
                    (place.partition, record.offset, record.timestamp, record.key, record.value)
                    for record in records
                ]
    finally:
        await consumer.stop()
    return sorted(found, key=lambda row: row[:2])


def test_records_as_they_were_parsed_are_the_same_records(kafka: str, topic_prefix: str) -> None:
    create_topics(kafka, topic_prefix)
    write(kafka, topic_prefix, run_records(steps=20))
    topic = STEPS.name(topic_prefix)

    async def both() -> None:
        async with asyncio.timeout(60):
            light = await fields(kafka, topic, 20, light=True)
            assert light == await fields(kafka, topic, 20, light=False)

    asyncio.run(both())


def test_a_consumer_that_is_built_otherwise_stays_as_it_is() -> None:
    assert not lighten(object())
