"""Sends what comes of the streams, and says when the broker has all of it.

A producer of our own: idempotent, so that rows of a partition arrive in their order and without
gaps, and told of every acknowledgement, which Faust's own producer does not wait for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tailrace.schemas.errors import TailraceError
from tailrace.schemas.topic_settings import MAX_DEAD_LETTER_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BATCH_BYTES = 256 << 10


class PublishFailedError(TailraceError):
    """The broker refuses what the streams publish; the worker must stop before anything is lost."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to be sent."""

    topic: str
    """The full name."""

    key: bytes
    value: bytes | None
    """None deletes in a compacted topic."""

    partition: int | None = None
    """None: by the key, as Kafka's own default partitioner has it."""

    counts_as: str = ""
    """What it is counted as once it is acknowledged: a trace's status, `dead_letter`, `health`."""


class Publisher:
    """Writes to the log; what is published twice must be one by its identity.

    Args:
        kafka: connection arguments of aiokafka.
    """

    def __init__(self, kafka: Mapping[str, Any]) -> None:
        self._kafka = kafka
        self._producer: Any = None

    async def start(self) -> None:
        """Connect.

        Raises:
            PublishFailedError: if the broker does not answer.
        """
        producer = cast("Any", AIOKafkaProducer)(
            **self._kafka,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            max_batch_size=_BATCH_BYTES,
            max_request_size=MAX_DEAD_LETTER_BYTES,
        )
        try:
            await producer.start()
        except KafkaError as error:
            await producer.stop()
            raise PublishFailedError(f"Kafka does not answer: {error!r}; is it running?") from error
        self._producer = producer

    async def stop(self) -> None:
        """Close the connection."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def publish(self, records: Sequence[Outgoing]) -> int:
        """Send records in their order; return the last one's offset once all are acknowledged.

        Waits as long as the broker is away.

        Raises:
            PublishFailedError: if it refuses one.
        """
        record: Outgoing | None = None
        try:
            sent: list[Any] = []
            for record in records:
                future = await self._producer.send(
                    record.topic, key=record.key, value=record.value, partition=record.partition
                )
                sent.append(future)
            done: list[Any] = await asyncio.gather(*sent)
        except KafkaError as error:
            topic = record.topic if record else "the log"
            raise PublishFailedError(
                f"{topic} does not take what the streams publish: {error!r}; nothing is lost, the "
                "next worker goes on from the last commit"
            ) from error
        return int(done[-1].offset) if done else -1
