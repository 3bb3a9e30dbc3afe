"""The `schemas` topic: writers publish their schemas to it, readers follow it.

A record's key is the schema's id in decimal digits, its value the schema's full sorted JSON, so
that anyone can check the one against the other. What is read goes into a `SchemaBook`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.schema_book import SchemaBook, SchemaRejectedError
from tailrace.schemas.topic_follower import (
    START_TIMEOUT_S,
    TopicFollower,
    TopicUnreachableError,
    unreachable,
)
from tailrace.schemas.topics import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from tailrace.schemas.catalog import Schema

_REJECTIONS_KEPT = 100

_log = logging.getLogger(__name__)


class SchemaLogError(TailraceError):
    """The `schemas` topic cannot be read or written."""


def log_record(schema: Schema) -> tuple[bytes, bytes]:
    """Return key and value of the record that publishes a schema."""
    return str(schema.id).encode(), schema.text.encode()


async def send_schemas(
    producer: Any, schemas: Iterable[Schema], *, prefix: str | None = None
) -> None:
    """Write schemas through the caller's own started aiokafka producer; returns when acknowledged.

    Writing a schema again is harmless: the topic is compacted, and a repetition is ignored.
    """
    topic = SCHEMAS.name(prefix)
    sent = [
        await producer.send(topic, key=key, value=value) for key, value in map(log_record, schemas)
    ]
    await asyncio.gather(*sent)


async def publish_missing(
    schemas: Iterable[Schema],
    *,
    prefix: str | None = None,
    options: Mapping[str, Any] | None = None,
    timeout_s: float = START_TIMEOUT_S,
) -> tuple[Schema, ...]:
    """Write those of the schemas that are not on the topic yet, and return them.

    Two processes that do so at once may both write one: a repetition, see `send_schemas`.

    Raises:
        SchemaLogError: if the topic is missing or the broker does not answer in time.
    """
    connection = dict(kafka_options() if options is None else options)
    async with SchemaFollower(SchemaBook(()), prefix=prefix, options=connection) as follower:
        missing = tuple(schema for schema in schemas if schema.id not in follower.book)
    if not missing:
        return ()
    producer: Any = AIOKafkaProducer(**connection, acks="all", enable_idempotence=True)
    try:
        async with asyncio.timeout(timeout_s):
            await producer.start()
            await send_schemas(producer, missing, prefix=prefix)
    except (KafkaError, TimeoutError) as error:
        raise SchemaLogError(unreachable(SCHEMAS.name(prefix), error)) from error
    finally:
        await producer.stop()
    return missing


class SchemaFollower:
    """Reads the `schemas` topic to its end, then tails it, teaching a book.

    A record that is no schema is counted in `rejections` and logged; it stops nothing.
    """

    def __init__(
        self,
        book: SchemaBook | None = None,
        *,
        prefix: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Follow into the given book, by default a new one of all that ship."""
        self.book = SchemaBook() if book is None else book
        self.topic = SCHEMAS.name(prefix)
        self.rejections: deque[str] = deque(maxlen=_REJECTIONS_KEPT)
        """The newest of them, with reasons."""

        self.rejected = 0
        """How many there were."""

        connection = dict(kafka_options() if options is None else options)
        self._follower = TopicFollower(self.topic, self._learn, options=connection)

    async def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return once the topic has been read to the end that it had when this was called.

        Raises:
            SchemaLogError: if the topic is missing or the broker does not answer in time.
        """
        try:
            await self._follower.start(timeout_s)
        except TopicUnreachableError as error:
            raise SchemaLogError(str(error)) from error

    async def stop(self) -> None:
        """Stop tailing; what was learnt stays in the book. Stopping twice is harmless."""
        await self._follower.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _learn(self, record: Any) -> None:
        try:
            self.book.learn(record.key, record.value)
        except SchemaRejectedError as error:
            where = f"{self.topic} partition 0 offset {record.offset}"
            self.rejections.append(f"{where}: {error}")
            self.rejected += 1
            _log.warning("%s: %s", where, error)
