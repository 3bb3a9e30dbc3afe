"""The dead-letter topic, as readers write to it: raw records, with where they lie and why.

At least once: work that is done again sends its dead letters again, and the source's coordinates
tell that they are the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from tailrace.schemas import topics
from tailrace.schemas.catalog import latest
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_REQUEST_BYTES = 64 << 20


class DeadLetterFailedError(TailraceError):
    """A record is given up and was not dead-lettered; its reader must stop before it is lost."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A record that its reader can do nothing with, and where it lies."""

    log_id: str
    """The cluster's id of the log; empty where it is not known."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def letter(given_up: GivenUp, *, reader: str, reason: str, ts_us: int, whole: bool = True) -> bytes:
    """Return the framed letter of a record; made again, it is the same letter.

    Args:
        given_up: the record.
        reader: the consumer group that gives it up.
        reason: why, in a sentence.
        ts_us: when, in microseconds since the epoch.
        whole: whether its value is in it.
    """
    if not whole:
        reason += " (too large to be copied whole; it lies in the log at these coordinates)"
    return encode(
        latest("dead_letter"),
        {
            "source_log_id": given_up.log_id,
            "source_topic": given_up.topic,
            "source_partition": given_up.partition,
            "source_offset": given_up.offset,
            "ts": ts_us,
            "reader": reader,
            "reason": reason,
            "key": given_up.key,
            "value": given_up.value if whole else None,
        },
    )


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

    async def send(self, given_up: GivenUp, reason: str) -> None:
        """Send one record away; return when the broker has acknowledged it.

        Raises:
            DeadLetterFailedError: if the broker does not take it.
        """
        key = given_up.topic.encode()
        try:
            producer = await self._started()
            try:
                await producer.send_and_wait(self._topic, self._letter(given_up, reason), key=key)
            except MessageSizeTooLargeError:
                small = self._letter(given_up, reason, whole=False)
                await producer.send_and_wait(self._topic, small, key=key)
        except KafkaError as error:
            raise DeadLetterFailedError(
                f"the record at {given_up.topic}-{given_up.partition}:{given_up.offset} is given "
                f"up ({reason}) and {self._topic} does not take it either: {error!r}"
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

    def _letter(self, given_up: GivenUp, reason: str, *, whole: bool = True) -> bytes:
        ts_us = int(self._clock() * 1_000_000)
        return letter(given_up, reader=self._reader, reason=reason, ts_us=ts_us, whole=whole)
