"""The Confluent frame: `0x00`, a 4-byte big-endian schema id, one Avro datum.

Encoding and decoding one record at a time. Neither knows Kafka; where an unknown id is looked up is
the caller's `SchemaSource`.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, Protocol, cast

# fastavro's stubs leave the stream's type open.
from fastavro import (
    schemaless_reader,  # pyright: ignore[reportUnknownVariableType]
    schemaless_writer,  # pyright: ignore[reportUnknownVariableType]
)

from tailrace.schemas.catalog import Schema, shipped
from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER_BYTES = 5
_HEADER = struct.Struct(">bI")


RETRY_HEADER = "tailrace-retry"
"""The header of a record that a person has sent again from its dead letter, with where it lay."""


class WireError(TailraceError):
    """The bytes are no record: wrong frame, truncated datum, or trailing bytes."""


class UnknownSchemaError(WireError):
    """The frame names a schema id that the source does not know (yet)."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(
            f"schema id {schema_id} is not known here: its writer has not published it to the "
            "schemas topic, or the bytes are no Tailrace record"
        )
        self.schema_id = schema_id


class SchemaSource(Protocol):
    """Where a schema is looked up by its id; raises `KeyError` for an unknown one."""

    def __getitem__(self, schema_id: int, /) -> Schema: ...


def frame_header(schema: Schema) -> bytes:
    """Return the five bytes that stand before each datum of the schema."""
    return _HEADER.pack(0, schema.id)


def encode(schema: Schema, record: Mapping[str, Any]) -> bytes:
    """Return the framed record. Fields left out take the schema's default.

    Raises:
        WireError: if a value does not fit its field.
    """
    buffer = io.BytesIO()
    buffer.write(frame_header(schema))
    try:
        schemaless_writer(buffer, schema.parsed, record)
    except (TypeError, ValueError, AttributeError, OverflowError, KeyError) as error:
        raise WireError(f"a {schema.name} record does not fit its schema: {error}") from error
    return buffer.getvalue()


def split_frame(data: bytes) -> tuple[int, memoryview]:
    """Return the schema id and the datum's bytes, without copying or decoding.

    Raises:
        WireError: if the bytes are shorter than a frame or do not start with `0x00`.
    """
    if len(data) < HEADER_BYTES:
        raise WireError(f"{len(data)} bytes are too short for a record's frame of {HEADER_BYTES}")
    magic, schema_id = _HEADER.unpack_from(data)
    if magic != 0:
        raise WireError(f"the frame starts with byte {data[0]:#04x}, not 0x00")
    return schema_id, memoryview(data)[HEADER_BYTES:]


def decode(
    data: bytes, *, source: SchemaSource | None = None, reader: Schema | None = None
) -> tuple[Schema, dict[str, Any]]:
    """Return the writer's schema and the record, whole bytes consumed.

    Args:
        data: the framed record.
        source: where ids are looked up; the shipped schemas when None.
        reader: the schema to resolve to; the writer's own when None.

    Raises:
        UnknownSchemaError: if the source does not know the id.
        WireError: if the bytes are no such record.
    """
    schema_id, datum = split_frame(data)
    try:
        writer = (shipped() if source is None else source)[schema_id]
    except KeyError:
        raise UnknownSchemaError(schema_id) from None
    stream = io.BytesIO(datum)
    try:
        record = schemaless_reader(stream, writer.parsed, reader.parsed if reader else None)
    except Exception as error:  # corrupt bytes surface as any error
        raise WireError(
            f"the datum is no {writer.name}: {error or type(error).__name__}"
        ) from error
    trailing = len(datum) - stream.tell()
    if trailing:
        raise WireError(f"{trailing} bytes follow a {writer.name} record")
    return writer, cast("dict[str, Any]", record)
