"""A topic written and read in two lines, for tests whose subject is the broker itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tailrace.schemas.consumers import stop_consumer

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT_S = 30


def append(bootstrap: str, topic: str, values: Sequence[bytes]) -> None:
    """Write values to partition 0, each acknowledged when this returns."""

    async def write() -> None:
        producer: Any = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
        await producer.start()
        try:
            for value in values:
                await producer.send_and_wait(topic, value, partition=0)
        finally:
            await producer.stop()

    asyncio.run(asyncio.wait_for(write(), _TIMEOUT_S))


def read_all(bootstrap: str, topic: str, *, count: int) -> list[bytes]:
    """Read a topic from its start until `count` values have come."""

    async def read() -> list[bytes]:
        consumer: Any = AIOKafkaConsumer(
            topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            return [cast("bytes", (await consumer.getone()).value) for _ in range(count)]
        finally:
            await stop_consumer(consumer)

    return asyncio.run(asyncio.wait_for(read(), _TIMEOUT_S))
