"""Requests that are given up to people: they go to the dead letters, raw bytes and all.

A record that is no request of the deployment, and a request that waits for a person's decision:
`tailrace dead-letters retry` sends it again, and says so in a header; `drop` leaves it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer

from tailrace.schemas.catalog import latest
from tailrace.schemas.schema_log import send_schemas
from tailrace.schemas.topics import DEAD_LETTERS
from tailrace.schemas.wire import RETRY_HEADER, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_REQUEST = "it is no request that this deployment's workers can run"


def is_decided(record: Any) -> bool:
    """Say whether a person has sent a record again."""
    return any(name == RETRY_HEADER for name, _ in record.headers)


async def dead_letter(
    options: Mapping[str, Any], prefix: str | None, record: Any, *, reader: str, reason: str
) -> None:
    """Write the letter and return once it is acknowledged. Raises aiokafka's errors.

    Args:
        options: the connection arguments of an aiokafka client.
        prefix: of the topics' names; the configured one when None.
        record: aiokafka's record.
        reader: the consumer group that gives it up.
        reason: why, in a sentence.
    """
    schema = latest("dead_letter")
    letter = {
        "source_topic": record.topic,
        "source_partition": record.partition,
        "source_offset": record.offset,
        "ts": int(time.time() * 1_000_000),
        "reader": reader,
        "reason": reason,
        "key": record.key,
        "value": record.value,
    }
    producer: Any = AIOKafkaProducer(**options, acks="all", enable_idempotence=True)
    try:
        await producer.start()
        await send_schemas(producer, [schema], prefix=prefix)
        name, key = DEAD_LETTERS.name(prefix), record.topic.encode()
        await producer.send_and_wait(name, key=key, value=encode(schema, letter))
    finally:
        await producer.stop()
