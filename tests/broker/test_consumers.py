"""Readers of the log end whole, whatever they wait for."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer

from tailrace.schemas.consumers import stop_consumer


def test_a_consumer_stops_while_a_fetch_of_it_pauses(kafka: str) -> None:
    """As after a broker's death; aiokafka's own stop ends as if the caller were cancelled."""

    async def scenario() -> None:
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=kafka)
        await consumer.start()
        consumer._fetcher._pending_tasks.add(asyncio.create_task(asyncio.sleep(60)))
        await stop_consumer(consumer)
        assert not any(each.connected() for each in consumer._client._conns.values())

    asyncio.run(scenario())
