"""Readers of the log end whole, whatever they wait for."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiokafka import AIOKafkaConsumer

from tailrace.schemas.consumers import stop_consumer


def test_a_consumer_stops_while_a_fetch_of_it_pauses(kafka: str) -> None:
    """As after a broker's death; aiokafka's own stop ends as if the caller were cancelled."""

    async def scenario() -> None:
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=kafka)
        await consumer.start()
        consumer._fetcher._pending_tasks.add(asyncio.create_task(pausing()))
        await stop_consumer(consumer)
        assert not any(each.connected() for each in consumer._client._conns.values())

    asyncio.run(scenario())


async def pausing() -> None:
    """Wait as aiokafka does before it asks a broker again that did not answer."""
    await asyncio.get_running_loop().create_future()


def test_a_consumer_stops_that_was_told_what_to_read_a_moment_ago(kafka: str) -> None:
    """aiokafka's own stop waits for ever: its fetching took the end for that of a request."""

    async def scenario() -> None:
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=kafka)
        await consumer.start()
        swallowed = asyncio.create_task(deaf_once())
        consumer._fetcher._fetch_task.cancel()
        consumer._fetcher._fetch_task = swallowed
        await asyncio.sleep(0)
        await stop_consumer(consumer)
        assert swallowed.done()

    asyncio.run(asyncio.wait_for(scenario(), 60))


async def deaf_once() -> None:
    """Do as aiokafka's fetching does where it gives up a request."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.get_running_loop().create_future()
    await asyncio.get_running_loop().create_future()
