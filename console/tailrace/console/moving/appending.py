"""Appends records to one partition at the offsets that they are to have, or not at all.

The broker takes a batch of an idempotent producer only if its sequence number follows the last one.
Here that number *is* the offset, and every process that moves a log between the same two clusters
is the same producer. So each batch is a compare-and-set on the partition's end: a request that was
under way when its process was killed, a second process, a retry after a lost reply, each either
finds the end where it expects it, or is found to have been written, or is refused. Somebody else's
records are not held back by that; they shift the next batch, which is told from its reply.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, OutOfOrderSequenceNumber

from tailrace.console.moving.errors import MoveFailedError, MoveRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from aiokafka import TopicPartition

    from tailrace.console.moving.placing import WholeRecord

ACKNOWLEDGED_S = 120.0
"""How long a batch may take to be acknowledged."""

COMPRESSION = "zstd"
BATCH_BYTES = 1 << 20
_SEQUENCES = 2**31
_OURS = 2**62  # brokers give out ids from 0 on
_STOP_S = 5.0


class EndMovedError(Exception):
    """The partition's end is not where this appender thought: look again."""


def producer_id(old_cluster_id: str, new_cluster_id: str) -> int:
    """Return the one producer id of all processes that move a log between two clusters."""
    digest = sha256(f"{old_cluster_id}\n{new_cluster_id}".encode()).digest()
    return _OURS | int.from_bytes(digest[:7], "big")


class Appender:
    """Appends to one partition; an async context manager around its connection.

    Args:
        kafka: connection arguments of aiokafka.
        partition: where to append.
        position: the partition's end.
        producer: from `producer_id`.
    """

    def __init__(
        self, kafka: Mapping[str, Any], partition: TopicPartition, position: int, producer: int
    ) -> None:
        self._partition = partition
        self._next = position
        self._id = producer
        self._kafka = kafka
        self._producer: Any = None
        self._batch: Any = None
        self._under_way: tuple[int, asyncio.Future[Any]] | None = None

    async def __aenter__(self) -> Self:
        self._producer = cast("Any", AIOKafkaProducer)(
            **self._kafka,
            acks="all",
            enable_idempotence=True,
            compression_type=COMPRESSION,
            max_batch_size=BATCH_BYTES,
        )
        # aiokafka has no public way to say which producer this is and what its next number is.
        self._producer._txn_manager.set_pid_and_epoch(self._id, 0)  # noqa: SLF001
        await self._producer.start()
        self._batch = self._producer.create_batch()
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(TimeoutError, KafkaError):
            await asyncio.wait_for(self._producer.stop(), _STOP_S)

    async def append(self, records: Iterable[WholeRecord]) -> None:
        """Take records that follow each other without a gap; they are sent as batches fill.

        Raises:
            EndMovedError: if the partition's end is elsewhere; nothing of the batch was written.
            MoveRefusedError: if somebody else wrote to the partition.
            MoveFailedError: if the broker does not take it, or not in ACKNOWLEDGED_S.
        """
        for record in records:
            if not self._add(record):
                await self._send()
                added = self._add(record)
                assert added, "a batch takes one record of any size"

    async def flush(self) -> None:
        """Send what is left; returns when everything is acknowledged. Raises as `append` does."""
        if self._batch.record_count():
            await self._send()
        await self._acknowledged()

    def _add(self, record: WholeRecord) -> bool:
        added = self._batch.append(
            timestamp=record.timestamp,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
        )
        return added is not None

    async def _send(self) -> None:
        # The next batch fills while this one is under way, and waits for it.
        await self._acknowledged()
        batch, self._batch = self._batch, self._producer.create_batch()
        batch.close()
        first = self._next
        numbers = self._producer._txn_manager._sequence_numbers  # noqa: SLF001 - as above
        numbers[self._partition] = first % _SEQUENCES
        sent = await self._producer.send_batch(
            batch, self._partition.topic, partition=self._partition.partition
        )
        self._under_way = (first, sent)
        self._next += batch.record_count()

    async def _acknowledged(self) -> None:
        if self._under_way is None:
            return
        expected, sent = self._under_way
        self._under_way = None
        name = f"{self._partition.topic}-{self._partition.partition}"
        try:
            reply = await asyncio.wait_for(sent, ACKNOWLEDGED_S)
        except OutOfOrderSequenceNumber as error:
            raise EndMovedError(name) from error
        except (KafkaError, TimeoutError) as error:
            raise MoveFailedError(
                f"the new cluster did not take offset {expected} of {name}: "
                f"{error or 'no answer'}; put it right and run this again, it goes on there"
            ) from error
        if reply.offset < 0:  # written before, and too long ago for the broker to say where
            raise EndMovedError(name)
        if reply.offset != expected:
            raise MoveRefusedError(
                f"somebody else writes to {name} on the new cluster: what was to lie at offset "
                f"{expected} lies at {reply.offset}; nothing may write there before the switch, so "
                "stop it, delete the topic there and run this again"
            )
