"""The splice: framed records of the log become Avro containers that ClickHouse reads, undecoded.

An Avro record is the plain concatenation of its fields, so a longer record is the shorter one and
more bytes. Each datum gets its coordinates put before it and a seal after it, and a container's
header names a schema that has them too. Each is an Avro block of its own, which the engine never
reads beyond: a datum that is too long or too short, by accident or made so, cannot take its
neighbours' bytes, and the count of rows is the count of blocks.

What is the same in every row (the log's id, the topic, the record's name) is an Avro enum with a
single symbol: the text stands once in the header, a row spends one byte on it, and where a datum is
out of step the engine refuses that byte. The seal is two of them after a byte that they would
refuse, so that bytes which follow a datum are noticed, be they zeros.
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
_ONLY_SYMBOL = b"\x00"
_SEAL = b"\x02" + 2 * _ONLY_SYMBOL  # the number 1, which is no index of a single symbol
_END = _SEAL + _SYNC
_ONE_RECORD = b"\x02"  # an Avro block begins with its count
_SEVEN_BITS = 0x7F
_MORE = 0x80
_FINE_BITS = 6  # an offset's lowest six bits fill the first byte of its varint
_FINE_MASK = (1 << _FINE_BITS) - 1
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
    """Return the parts of one container that holds the records, with coordinates and seals.

    Neighbours share all but the first byte of their offset and mostly the time, so those bytes are
    made once for them: this loop is what the sink spends its own time on.

    Args:
        schema: the writer's schema of every one of the records; the frame is not looked at again.
        place: where the records lie.
        records: with a value each, in any order.
    """
    parts: list[bytes] = [container_header(schema, place.log_id, place.topic)]
    constants = zigzag(place.partition) + _ONLY_SYMBOL
    first_bytes = _FIRST_BYTES
    fine = _FINE_MASK
    heads: dict[int, bytes] = {}  # what a block begins with, by the size of the framed record
    rest = b""
    coarse = stamp = -1
    for record in records:
        offset = record.offset
        if offset >> _FINE_BITS != coarse or record.timestamp != stamp:
            coarse, stamp = offset >> _FINE_BITS, record.timestamp
            first_bytes = _FIRST_OF_MORE if coarse else _FIRST_BYTES
            former = len(rest)
            rest = (_varint(coarse) if coarse else b"") + zigzag(stamp) + constants
            if len(rest) != former:
                heads.clear()
        value = record.value
        assert value is not None, "a tombstone has no row"
        size = len(value)
        head = heads.get(size)
        if head is None:
            inside = 1 + len(rest) + size - HEADER_BYTES + len(_SEAL)
            head = heads[size] = _ONE_RECORD + zigzag(inside)
        parts += (head, first_bytes[offset & fine], rest, value[HEADER_BYTES:], _END)
    return parts


@cache
def container_header(schema: Schema, log_id: str, topic: str) -> bytes:
    """Return what an Avro container of the schema, with coordinates, begins with."""
    text = json.dumps(with_coordinates(schema, log_id, topic), ensure_ascii=False)
    metadata = {"avro.schema": text, "avro.codec": "null"}
    entries = b"".join(_text(key) + _text(value) for key, value in metadata.items())
    return b"Obj\x01" + zigzag(len(metadata)) + entries + b"\x00" + _SYNC


def with_coordinates(schema: Schema, log_id: str, topic: str) -> dict[str, Any]:
    """Return the schema's definition with the coordinates and the seal as further fields."""
    before: list[dict[str, Any]] = [
        {"name": "offset", "type": "long"},
        {"name": "broker_ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "partition", "type": "int"},
        # Tables of one record have no such column, and the engine passes over it.
        {"name": "record", "type": {"type": "enum", "name": "Record", "symbols": [schema.name]}},
    ]
    after: list[dict[str, Any]] = [
        {"name": "seal", "type": "int"},
        {"name": "log_id", "type": {"type": "enum", "name": "LogId", "symbols": [log_id]}},
        {"name": "topic", "type": {"type": "enum", "name": "Topic", "symbols": [topic]}},
    ]
    return {**schema.definition, "fields": [*before, *schema.definition["fields"], *after]}


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
