"""The splice: framed records of the log become Avro containers that ClickHouse reads, undecoded.

An Avro record is the plain concatenation of its fields, so a longer record is the shorter one and
more bytes. Each datum gets its coordinates appended, and a container's header names a schema that
has them too. What is the same in every row (the log's id, the topic, the record's name) is an Avro
enum with a single symbol: the text stands once in the header, a row spends one byte on it, and
after a datum that is out of step the engine refuses that byte.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tailrace.schemas.wire import HEADER_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.schemas.catalog import Schema
    from tailrace.sinks.archive.cutting import LogRecord

_SYNC = b"tailrace-archive"
_CONSTANTS = b"\x00\x00\x00"  # the only symbols of log_id, topic and record
_SEVEN_BITS = 0x7F
_MORE = 0x80
_FINE_BITS = 6  # an offset's lowest six bits fill the first byte of its varint
_FIRST_BYTES = [bytes([low << 1]) for low in range(1 << _FINE_BITS)]
_FIRST_OF_MORE = [bytes([low << 1 | _MORE]) for low in range(1 << _FINE_BITS)]


@dataclass(frozen=True)
class Place:
    """Where the records of a container come from."""

    log_id: str
    """The id of the Kafka cluster."""

    topic: str
    """The topic's full name."""

    partition: int
    """The partition's number."""


def zigzag(number: int) -> bytes:
    """Return Avro's encoding of an int or a long."""
    return _varint((number << 1) ^ (number >> 63))


def splice(schema: Schema, place: Place, records: Iterable[LogRecord]) -> list[bytes]:
    """Return the parts of one container that holds the records, coordinates appended.

    Neighbours share all but the first byte of their offset and mostly the time, so those bytes are
    made once for them: this loop is what the sink spends its own time on.

    Args:
        schema: the writer's schema of every one of the records; the frame is not looked at again.
        place: where the records lie.
        records: with a value each, in any order.
    """
    parts: list[bytes] = []
    add = parts.append
    constants = zigzag(place.partition) + _CONSTANTS
    first_bytes = _FIRST_BYTES
    tail = b""
    coarse = stamp = -1
    for record in records:
        offset = record.offset
        if offset >> _FINE_BITS != coarse or record.timestamp != stamp:
            coarse, stamp = offset >> _FINE_BITS, record.timestamp
            first_bytes = _FIRST_OF_MORE if coarse else _FIRST_BYTES
            tail = (_varint(coarse) if coarse else b"") + zigzag(stamp) + constants
        value = record.value
        assert value is not None, "a tombstone has no row"
        add(value[HEADER_BYTES:])
        add(first_bytes[offset & 0x3F])
        add(tail)
    body = b"".join(parts)
    head = container_header(schema, place.log_id, place.topic)
    return [head, zigzag(len(parts) // 3), zigzag(len(body)), body, _SYNC]


@cache
def container_header(schema: Schema, log_id: str, topic: str) -> bytes:
    """Return what an Avro container of the schema, with coordinates, begins with."""
    text = json.dumps(with_coordinates(schema, log_id, topic), ensure_ascii=False)
    metadata = {"avro.schema": text, "avro.codec": "null"}
    entries = b"".join(_text(key) + _text(value) for key, value in metadata.items())
    return b"Obj\x01" + zigzag(len(metadata)) + entries + b"\x00" + _SYNC


def with_coordinates(schema: Schema, log_id: str, topic: str) -> dict[str, Any]:
    """Return the schema's definition with the coordinates as further fields."""
    fields: list[dict[str, Any]] = [
        {"name": "offset", "type": "long"},
        {"name": "broker_ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "partition", "type": "int"},
        {"name": "log_id", "type": {"type": "enum", "name": "LogId", "symbols": [log_id]}},
        {"name": "topic", "type": {"type": "enum", "name": "Topic", "symbols": [topic]}},
        # Tables of one record have no such column, and the engine passes over it.
        {"name": "record", "type": {"type": "enum", "name": "Record", "symbols": [schema.name]}},
    ]
    return {**schema.definition, "fields": [*schema.definition["fields"], *fields]}


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > _SEVEN_BITS:
        out.append((number & _SEVEN_BITS) | _MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def _text(text: str) -> bytes:
    data = text.encode()
    return zigzag(len(data)) + data
