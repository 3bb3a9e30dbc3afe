"""The end of a reader of the log, which aiokafka's own leaves half done."""

from __future__ import annotations

import asyncio
from typing import Any


async def stop_consumer(consumer: Any) -> None:
    """Stop an aiokafka consumer, whatever it waits for.

    aiokafka 0.14 cancels its fetches and awaits them; one that pauses before its next try, as after
    a broker's death, lets the cancellation out of `AIOKafkaConsumer.stop`, which then leaves the
    connections open and looks to the caller as if it were cancelled itself.

    Raises:
        KafkaError: if the group could not be left.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    try:
        await asyncio.wait({stopping})
    except asyncio.CancelledError:
        stopping.cancel()
        raise
    if not stopping.cancelled():
        stopping.result()
        return
    fetches = consumer._fetcher._pending_tasks  # noqa: SLF001 - what is left to do
    for fetch in fetches:
        fetch.cancel()
    await asyncio.gather(*fetches, return_exceptions=True)
    await consumer._client.close()  # noqa: SLF001 - as above
