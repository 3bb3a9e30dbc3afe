"""Readers of the log: what those in the background are told, and an end that surely comes."""

from __future__ import annotations

import asyncio
from typing import Any

FOLLOWING: dict[str, Any] = {"retry_backoff_ms": 500}
"""For a reader that follows a topic for as long as its process lives: while the broker is away it
tries, and says so in its log, twice a second instead of ten times."""

_AGAIN_S = 0.5


async def stop_consumer(consumer: Any) -> None:
    """Stop an aiokafka consumer, whatever it waits for.

    `AIOKafkaConsumer.stop` of aiokafka 0.14 cancels the task that fetches and awaits it, then its
    requests. Two things go wrong there. The task may take the cancellation for that of a request
    which it gives up at that moment, and go on for ever: it is cancelled again. And a request that
    pauses before its next try, as after a broker's death, lets its cancellation out: `stop` then
    leaves connections open, and looks to its caller as if that were cancelled.

    Raises:
        KafkaError: if the group could not be left.
    """
    fetcher: Any = consumer._fetcher  # noqa: SLF001 - nothing public ends what it runs
    stopping = asyncio.ensure_future(consumer.stop())
    try:
        while not (await asyncio.wait({stopping}, timeout=_AGAIN_S))[0]:
            if fetcher is not None:
                fetcher._fetch_task.cancel()  # noqa: SLF001 - as above
    except asyncio.CancelledError:
        stopping.cancel()
        raise
    if fetcher is None or not stopping.cancelled():
        stopping.result()
        return
    for request in fetcher._pending_tasks:  # noqa: SLF001 - as above
        request.cancel()
    await asyncio.gather(*fetcher._pending_tasks, return_exceptions=True)  # noqa: SLF001 - as above
    await consumer._client.close()  # noqa: SLF001 - as above
