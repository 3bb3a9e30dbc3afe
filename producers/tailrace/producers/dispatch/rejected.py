"""A record that is no request of the deployment: it goes to the dead letters, its raw bytes too."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from tailrace.schemas.catalog import latest
from tailrace.schemas.topics import DEAD_LETTERS
from tailrace.schemas.wire import encode

if TYPE_CHECKING:
    from tailrace.producers.client import Tailrace

_REASON = "it is no request that this deployment's workers can run"


async def dead_letter(client: Tailrace, record: Any, reader: str) -> None:
    """Write the letter and return once it is acknowledged.

    Args:
        client: an open client towards Kafka.
        record: aiokafka's record.
        reader: the consumer group that gives it up.
    """
    letter = {
        "source_topic": record.topic,
        "source_partition": record.partition,
        "source_offset": record.offset,
        "ts": int(time.time() * 1_000_000),
        "reader": reader,
        "reason": _REASON,
        "key": record.key,
        "value": record.value,
    }
    value = encode(latest("dead_letter"), letter)
    await asyncio.wrap_future(client.outlet.append(DEAD_LETTERS, record.topic.encode(), value))
