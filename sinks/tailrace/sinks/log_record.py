"""One record as the log has it: its bytes, and all that its own schema says of them.

A table has the columns of this version; the log has every field of whoever wrote the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aiokafka import TopicPartition

from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.schema_log import SchemaFollower
from tailrace.schemas.topics import topic_prefix
from tailrace.schemas.wire import WireError, decode
from tailrace.sinks.gaps.log import open_log

if TYPE_CHECKING:
    from tailrace.schemas.catalog import Schema
    from tailrace.schemas.schema_book import SchemaBook


class NoSuchRecordError(TailraceError):
    """The log has no record at these coordinates."""


@dataclass(frozen=True)
class LoggedRecord:
    """A record and where it lies."""

    log_id: str
    topic: str
    """The full name."""

    partition: int
    offset: int
    time_ms: int
    """Milliseconds since the epoch, by the broker's clock."""

    key: bytes | None
    value: bytes | None
    """None is a tombstone."""

    headers: tuple[tuple[str, bytes], ...]
    schema: Schema | None
    """The schema that the value names, None if it is not known or there is none."""

    fields: dict[str, Any] | None
    """The value as its own schema has it, fields that this version does not know included."""

    fault: str
    """Why there are no fields; empty if there are."""


async def read_logged_record(
    topic: str,
    partition: int,
    offset: int,
    *,
    kafka: str | None = None,
    prefix: str | None = None,
) -> LoggedRecord:
    """Return the record at an offset; reads that one alone, without a group.

    Args:
        topic: its name, with or without the prefix.
        partition: its number.
        offset: of the record.
        kafka: bootstrap servers; None for the configured ones.
        prefix: of the topics' names; the configured one when None.

    Raises:
        NoSuchRecordError: if there is none, with why: never written, or not any more.
        LogUnreadableError: if the broker does not answer.
        SchemaLogError: if the schemas cannot be read.
    """
    begins_with = topic_prefix() if prefix is None else prefix
    name = topic if topic.startswith(begins_with) else begins_with + topic
    at = TopicPartition(name, partition)
    async with open_log(kafka, begins_with) as log:
        if at not in await log.partitions([name]):
            raise NoSuchRecordError(
                f"the log has no partition {partition} of {name}: `tailrace topics ls` lists topics"
            )
        begin, end = (await log.begins([at]))[at], (await log.ends([at]))[at]
        if not begin <= offset < end:
            why = "that was deleted when its time was over" if offset < begin else "it ends before"
            raise NoSuchRecordError(
                f"{name}-{partition} has the offsets from {begin} to before {end}, and {offset} is "
                f"none of them: {why}"
            )
        async for records in log.read(at, offset, offset + 1):
            for record in records:
                async with SchemaFollower(prefix=prefix, options=kafka_options(kafka)) as follower:
                    schema, fields, fault = _decoded(record.value, follower.book)
                return LoggedRecord(
                    log_id=log.log_id,
                    topic=name,
                    partition=partition,
                    offset=offset,
                    time_ms=record.timestamp,
                    key=record.key,
                    value=record.value,
                    headers=tuple(cast("Any", record).headers),  # aiokafka's own record has them
                    schema=schema,
                    fields=fields,
                    fault=fault,
                )
    raise NoSuchRecordError(
        f"{name}-{partition} has no record at {offset}: there is a marker of a transaction, or a "
        "record that was compacted away or whose transaction was given up"
    )


def _decoded(
    value: bytes | None, book: SchemaBook
) -> tuple[Schema | None, dict[str, Any] | None, str]:
    if value is None:
        return None, None, "a tombstone has no fields"
    try:
        schema, fields = decode(value, source=book)
    except WireError as error:
        return None, None, str(error)
    return schema, fields, ""
