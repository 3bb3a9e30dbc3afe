"""Following a topic of one partition: read to its end, then tailed, each record in order."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from tailrace.schemas.cluster import describe_topics
from tailrace.schemas.consumers import FOLLOWING, stop_consumer
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

START_TIMEOUT_S = 30.0
_POLL_MS = 500
_RETRY_S = 0.5
_log = logging.getLogger("tailrace.schemas")


class TopicUnreachableError(TailraceError):
    """A topic that must be read is missing, or the broker does not answer."""


class TopicFollower:
    """Reads a topic from its first record on and goes on reading; at most once each record.

    Args:
        topic: the full name of a topic of one partition.
        take: called with each of aiokafka's records, in the order of the topic, on the event loop
            that started the follower; not with the fillers of a log that was moved.
        options: the connection arguments of an aiokafka client.
    """

    def __init__(
        self, topic: str, take: Callable[[Any], None], *, options: Mapping[str, Any]
    ) -> None:
        self.topic = topic
        self.position = 0
        """Offset of the next record to be taken; what lies below was taken or is no more."""

        self._take = take
        self._options = dict(options)
        self._partition = TopicPartition(topic, 0)
        self._consumer: Any = None
        self._tail: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()

    async def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return once the topic has been read to the end that it had when this was called.

        Raises:
            TopicUnreachableError: if the topic is missing or the broker does not answer in time.
        """
        self.position = 0
        self._consumer = AIOKafkaConsumer(
            **{**FOLLOWING, **self._options}, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            async with asyncio.timeout(timeout_s):
                await self._consumer.start()
                await self._read_to_end()
        except (KafkaError, OSError, TimeoutError) as error:
            await stop_consumer(self._consumer)
            raise TopicUnreachableError(unreachable(self.topic, error)) from error
        except BaseException:
            await stop_consumer(self._consumer)
            raise
        self._tail = asyncio.create_task(self._follow(), name=f"follow {self.topic}")

    async def stop(self) -> None:
        """Stop tailing. Stopping twice is harmless."""
        if self._tail is not None:
            self._tail.cancel()
            await asyncio.gather(self._tail, return_exceptions=True)
            self._tail = None
            await stop_consumer(self._consumer)

    async def refresh(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return once the topic has been read to the end that it has now.

        Raises:
            TopicUnreachableError: if the broker does not answer in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                ends = await self._consumer.end_offsets([self._partition])
                await self._reach(ends[self._partition])
        except (KafkaError, OSError, TimeoutError) as error:
            raise TopicUnreachableError(unreachable(self.topic, error)) from error

    async def reach(self, offset: int, timeout_s: float) -> bool:
        """Wait until the record at an offset was taken, for that long; say whether it was."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._reach(offset + 1)
        except TimeoutError:
            return False
        return True

    @property
    def heard_at(self) -> float | None:
        """When the broker last answered a fetch, in seconds since the epoch; None if never."""
        if self._tail is None:
            return None
        answered_ms = self._consumer.last_poll_timestamp(self._partition)
        return None if answered_ms is None else answered_ms / 1000

    async def _reach(self, position: int) -> None:
        while self.position < position:
            self._moved.clear()
            await self._moved.wait()

    async def _read_to_end(self) -> None:
        if not await describe_topics(self._consumer, [self.topic]):
            raise TopicUnreachableError(
                f"the topic {self.topic} does not exist: create it with `tailrace topics apply`"
            )
        self._consumer.assign([self._partition])
        await self._consumer.seek_to_beginning(self._partition)
        ends = await self._consumer.end_offsets([self._partition])
        while self.position < ends[self._partition]:
            await self._poll()

    async def _follow(self) -> None:
        while True:
            try:
                await self._poll()
            except Exception as error:  # noqa: BLE001 - a reader that ended silently would stall others
                _log.warning("following %s failed, trying again: %r", self.topic, error)
                await asyncio.sleep(_RETRY_S)

    async def _poll(self) -> None:
        batches = await self._consumer.getmany(self._partition, timeout_ms=_POLL_MS)
        for record in batches.get(self._partition, ()):
            self.position = record.offset + 1
            if record.key is None and record.value is None:
                continue  # a moved log's filler, where the old one had no record
            self._take(record)
        # Compaction and transactions leave gaps, the end among them.
        self.position = max(self.position, await self._consumer.position(self._partition))
        self._moved.set()


def unreachable(topic: str, error: Exception) -> str:
    """Return for people that a topic cannot be reached, and why."""
    reason = str(error) or "the broker did not answer in time"
    return f"the topic {topic} cannot be reached: {reason}; see whether Kafka runs"
