"""The Avro schemas that this version ships: every version of every record, known by id.

A schema's id is a fact about its text (see `schema_id`), so nobody has to be asked for it. Schemas
that a newer producer published are learnt elsewhere, by following the `schemas` topic.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from fastavro import parse_schema

from tailrace.schemas.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID_BITS = 0x7FFF_FFFF


class SchemaNotShippedError(TailraceError):
    """The record or the version asked for does not ship with this version of Tailrace."""


@dataclass(frozen=True)
class Schema:
    """One version of one record, as it stands in its `.avsc` file."""

    name: str
    """The record's name in snake case, such as `journal_event`; it names the folder in `avro/`."""

    version: int
    """Counts from 1; 0 for a schema that was learnt from the log and does not ship here."""

    definition: dict[str, Any]
    """The schema as parsed JSON."""

    @cached_property
    def id(self) -> int:
        """The schema's id on the wire."""
        return schema_id(self.definition)

    @cached_property
    def parsed(self) -> Any:
        """The schema in fastavro's own parsed form."""
        return cast("Any", parse_schema(self.definition))

    @cached_property
    def text(self) -> str:
        """The full sorted JSON that the id is the hash of."""
        return sorted_json(self.definition)

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        """The record's field names in the order of the datum."""
        return tuple(field["name"] for field in self.definition["fields"])

    def __hash__(self) -> int:
        return self.id


def sorted_json(definition: Mapping[str, Any]) -> str:
    """Return the schema's full JSON with sorted keys, no blanks, UTF-8 kept as it is."""
    return json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def schema_id(definition: Mapping[str, Any]) -> int:
    """Return the low 31 bits of the SHA-256 of the schema's full sorted JSON.

    Avro's own canonical form drops `logicalType` and `default`: two schemas that ClickHouse types
    differently would share an id. Here every difference makes another id.
    """
    digest = hashlib.sha256(sorted_json(definition).encode()).digest()
    return int.from_bytes(digest[-4:], "big") & _ID_BITS


@cache
def shipped() -> Mapping[int, Schema]:
    """Return every shipped schema by its id."""
    found: dict[int, Schema] = {}
    for folder in files("tailrace.schemas").joinpath("avro").iterdir():
        for file in folder.iterdir():
            match = re.fullmatch(r"v(\d+)\.avsc", file.name)
            if match is None:
                continue
            definition = cast("dict[str, Any]", json.loads(file.read_text(encoding="utf-8")))
            schema = Schema(folder.name, int(match[1]), definition)
            assert schema.id not in found, f"{folder.name}/{file.name} collides: change its doc"
            found[schema.id] = schema
    return found


@cache
def latest(name: str) -> Schema:
    """Return the newest shipped version of a record; every writer here writes this one.

    Raises:
        SchemaNotShippedError: if no such record ships.
    """
    return max(versions(name), key=lambda schema: schema.version)


@cache
def versions(name: str) -> tuple[Schema, ...]:
    """Return every shipped version of a record, oldest first.

    Raises:
        SchemaNotShippedError: if no such record ships.
    """
    found = [schema for schema in shipped().values() if schema.name == name]
    if not found:
        names = ", ".join(sorted({schema.name for schema in shipped().values()}))
        raise SchemaNotShippedError(f"no record named {name!r} ships here; there are: {names}")
    return tuple(sorted(found, key=lambda schema: schema.version))
