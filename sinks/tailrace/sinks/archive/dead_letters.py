"""Sends what cannot be stored to the dead-letter topic: raw, with where it lies and why.

At least once: a block that is sent again sends its dead letters again, and the source's coordinates
tell that they are the same.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from tailrace.schemas import topics
from tailrace.schemas.catalog import latest
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.sinks.archive.blocks import Place
    from tailrace.sinks.archive.cutting import LogRecord
    from tailrace.sinks.archive.isolation import Rejected

MAX_REQUEST_BYTES = 64 << 20


class DeadLetterFailedError(TailraceError):
    """A record could be neither stored nor dead-lettered; the sink must stop before it is lost."""


class DeadLetterSender:
    """Writes to the dead-letter topic; connects at the first letter.

    Args:
        kafka: connection arguments of aiokafka.
        reader: the consumer group that gives the records up.
        prefix: of the topics' names; the configured one when None.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        reader: str,
        prefix: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kafka = kafka
        self._reader = reader
        self._topic = topics.DEAD_LETTERS.name(prefix)
        self._clock = clock
        self._producer: Any = None

    async def send(self, place: Place, rejected: Rejected[LogRecord]) -> None:
        """Send one record away; return when the broker has acknowledged it.

        Raises:
            DeadLetterFailedError: if the broker does not take it.
        """
        try:
            producer = await self._started()
            key = place.topic.encode()
            try:
                await producer.send_and_wait(self._topic, self._letter(place, rejected), key=key)
            except MessageSizeTooLargeError:
                letter = self._letter(place, rejected, whole=False)
                await producer.send_and_wait(self._topic, letter, key=key)
        except KafkaError as error:
            raise DeadLetterFailedError(
                f"the record at {place.topic}-{place.partition}:{rejected.record.offset} cannot be "
                f"stored ({rejected.reason}) and {self._topic} does not take it either: {error!r}"
            ) from error

    async def stop(self) -> None:
        """Close the connection, if one was made."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def _started(self) -> Any:
        if self._producer is None:
            producer = cast("Any", AIOKafkaProducer)(
                **self._kafka, enable_idempotence=True, max_request_size=MAX_REQUEST_BYTES
            )
            await producer.start()
            self._producer = producer
        return self._producer

    def _letter(self, place: Place, rejected: Rejected[LogRecord], *, whole: bool = True) -> bytes:
        record = rejected.record
        reason = rejected.reason
        if not whole:
            reason += " (too large to be copied whole; it lies in the log at these coordinates)"
        return encode(
            latest("dead_letter"),
            {
                "source_log_id": place.log_id,
                "source_topic": place.topic,
                "source_partition": place.partition,
                "source_offset": record.offset,
                "ts": int(self._clock() * 1_000_000),
                "reader": self._reader,
                "reason": reason,
                "key": record.key,
                "value": record.value if whole else None,
            },
        )
