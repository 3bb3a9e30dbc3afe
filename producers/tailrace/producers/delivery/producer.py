"""aiokafka's idempotent producer as the sender wants it, and an end of it that surely comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCH_BYTES = 512 * 1024
COMPRESSION = "zstd"
STOP_S = 3.0
"""How long stopping may take before connections are cut."""


async def start_producer(options: Mapping[str, Any]) -> Any:
    """Return a producer that is connected; the caller bounds the time.

    Args:
        options: the connection arguments of an aiokafka client.

    Raises:
        KafkaError: or another of aiokafka's errors, if no broker can be used.
    """
    producer: Any = AIOKafkaProducer(
        **options,
        enable_idempotence=True,
        acks="all",
        compression_type=COMPRESSION,
        max_batch_size=BATCH_BYTES,
        max_request_size=4 * BATCH_BYTES,
        linger_ms=0,  # the queue lingers
    )
    try:
        await producer.start()
    except BaseException:
        await stop_producer(producer)
        raise
    return producer


async def stop_producer(producer: Any) -> None:
    """Close a producer, whatever state it is in, within twice `STOP_S`."""
    try:
        await asyncio.wait_for(producer.stop(), STOP_S)
    except (TimeoutError, KafkaError, OSError):
        # It still tries to deliver, or its task has died: take its connections away.
        await asyncio.wait_for(producer.client.close(), STOP_S)
