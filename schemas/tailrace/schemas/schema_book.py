"""The schemas that a process can read: those shipped with it, and those it learnt from the log.

Pure but for waiting: how records of the `schemas` topic come here is `schema_log`'s.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

from tailrace.schemas.catalog import Schema, schema_id, shipped
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.wire import UnknownSchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_SCHEMA_BYTES = 256 * 1024
"""A schema's JSON may be this long; ours are under 20 KiB."""

MAX_LEARNT = 10_000
"""How many schemas a process learns at most, so that a flooded topic cannot fill its memory."""

LEARNT_VERSION = 0
"""The version number of a schema that does not ship here."""

_PLAIN = frozenset({"string", "int", "long", "float", "double", "boolean", "bytes"})


class SchemaRejectedError(TailraceError):
    """A record of the `schemas` topic is no schema that may be used."""


class SchemaBook:
    """Schemas by their id: a `wire.SchemaSource` that learns.

    Not thread-safe: it belongs to one event loop, or to one thread if nobody waits.
    """

    def __init__(self, schemas: Iterable[Schema] | None = None) -> None:
        """Begin with the given schemas, by default all that ship."""
        known = shipped().values() if schemas is None else schemas
        self._schemas = {schema.id: schema for schema in known}
        self._learnt = 0
        self._waiting: dict[int, set[asyncio.Future[Schema]]] = {}

    def __getitem__(self, schema_id: int, /) -> Schema:
        """Return a schema by its id; raises `KeyError` for an unknown one."""
        return self._schemas[schema_id]

    def __contains__(self, schema_id: int, /) -> bool:
        return schema_id in self._schemas

    def __iter__(self) -> Iterator[Schema]:
        return iter(tuple(self._schemas.values()))

    def __len__(self) -> int:
        return len(self._schemas)

    @property
    def learnt(self) -> int:
        """How many schemas were learnt, beside those that it began with."""
        return self._learnt

    @property
    def awaited(self) -> frozenset[int]:
        """The ids that somebody waits for now."""
        return frozenset(self._waiting)

    def learn(self, key: bytes | None, value: bytes | None) -> Schema:
        """Take in one record of the `schemas` topic; learning it again changes nothing.

        Raises:
            SchemaRejectedError: if the value is no flat record schema, is too long, does not hash
                to its key, has the id of another schema, or if there are too many already.
        """
        schema = read_schema(key, value)
        known = self._schemas.get(schema.id)
        if known is not None:
            if known.text != schema.text:
                raise SchemaRejectedError(
                    f"schema {schema.name} has the id {schema.id} of {known.name}, with another "
                    "text: change its doc, so that it gets an id of its own"
                )
            return known
        if self._learnt >= MAX_LEARNT:
            raise SchemaRejectedError(
                f"schema id {schema.id} is not learnt: there are {MAX_LEARNT} already, which no "
                "set of producers needs; find out who writes to the schemas topic"
            )
        self._learnt += 1
        self._schemas[schema.id] = schema
        for future in self._waiting.pop(schema.id, ()):
            if not future.done():
                future.set_result(schema)
        return schema

    async def wait_for(self, schema_id: int, timeout_s: float) -> Schema:
        """Return the schema as soon as it is known, within the given seconds.

        Raises:
            UnknownSchemaError: if it has not come by then.
        """
        if schema_id in self._schemas:
            return self._schemas[schema_id]
        future: asyncio.Future[Schema] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(schema_id, set())
        waiting.add(future)
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            raise UnknownSchemaError(schema_id) from None
        finally:
            waiting.discard(future)
            if not waiting and self._waiting.get(schema_id) is waiting:
                del self._waiting[schema_id]


def read_schema(key: bytes | None, value: bytes | None) -> Schema:
    """Return the schema that a record of the `schemas` topic holds.

    Raises:
        SchemaRejectedError: if it holds none, or not the one that its key names.
    """
    asked = _id_of(key)
    if value is None or len(value) > MAX_SCHEMA_BYTES:
        size = "no value" if value is None else f"{len(value)} bytes"
        raise SchemaRejectedError(f"schema id {asked} has {size}, at most {MAX_SCHEMA_BYTES} fit")
    try:
        definition: Any = json.loads(value)
        flat = _is_flat(definition)
        real = schema_id(definition) if flat else None
    except (ValueError, RecursionError) as error:
        raise SchemaRejectedError(f"schema id {asked} is no JSON: {error}") from error
    if not flat:
        raise SchemaRejectedError(
            f"schema id {asked} is no flat record schema: its fields may be plain types, null "
            "unions of them, and arrays or maps of them"
        )
    if real != asked:
        raise SchemaRejectedError(f"schema id {asked} is the key of a schema that hashes to {real}")
    schema = Schema(snake_case(definition["name"]), LEARNT_VERSION, definition)
    try:
        assert schema.parsed
    except Exception as error:  # whatever fastavro thinks of a stranger's schema
        raise SchemaRejectedError(f"schema id {asked} is no Avro schema: {error}") from error
    return schema


def snake_case(name: str) -> str:
    """Return the catalog's name of an Avro record: `journal_event` for `JournalEvent`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _id_of(key: bytes | None) -> int:
    text = (key or b"").decode("ascii", "replace")
    if not re.fullmatch(r"0|[1-9]\d{0,9}", text):
        raise SchemaRejectedError(f"the key {text[:40]!r} is no schema id in decimal digits")
    return int(text)


def _is_flat(definition: Any) -> bool:
    # Flatness is what bounds decoding: an item of any array takes at least a byte of the datum.
    match definition:
        case {"type": "record", "name": str(), "fields": list()}:
            return all(map(_is_flat_field, definition["fields"]))
        case _:
            return False


def _is_flat_field(field: Any) -> bool:
    match field:
        case {"name": str(), "type": ["null", kind]} | {"name": str(), "type": [kind, "null"]}:
            return _is_plain(kind)
        case {"name": str(), "type": {"type": "array", "items": kind}}:
            return _is_plain(kind)
        case {"name": str(), "type": {"type": "map", "values": kind}}:
            return _is_plain(kind)
        case {"name": str(), "type": kind}:
            return _is_plain(kind)
        case _:
            return False


def _is_plain(kind: Any) -> bool:
    match kind:
        case str():
            return kind in _PLAIN
        case {"type": str(inner)}:
            return inner in _PLAIN
        case _:
            return False
