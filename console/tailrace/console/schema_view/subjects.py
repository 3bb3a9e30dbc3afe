"""Which schemas stand under which subject, and in what order of versions. Pure.

A topic's values are the subject `<topic>-value`, as most tools assume. A topic may hold several
records: its versions are those of the records named last, oldest first, and so on to the first
named, so that `latest` is the newest of the record that the topic is there for. Beside these, each
record is a subject of its own by its full name (`tailrace.JournalEvent`), with our version numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.schemas.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.schemas.catalog import Schema


@dataclass(frozen=True)
class Subjects:
    """The registry's view of a set of schemas."""

    versions: dict[str, tuple[Schema, ...]]
    """The schemas of each subject; a version number counts from 1 in it."""

    def of_schema(self, schema_id: int) -> list[tuple[str, int]]:
        """Return every subject that has the schema, with its version there."""
        return [
            (subject, number)
            for subject, schemas in self.versions.items()
            for number, schema in enumerate(schemas, start=1)
            if schema.id == schema_id
        ]


def subjects_of(schemas: Iterable[Schema], prefix: str | None = None) -> Subjects:
    """Return the subjects of the schemas, sorted by name; those without a schema are left out."""
    by_record: dict[str, list[Schema]] = {}
    for schema in sorted(schemas, key=_age):
        by_record.setdefault(schema.name, []).append(schema)
    found = {
        f"{topic.name(prefix)}-value": tuple(
            schema for record in reversed(topic.records) for schema in by_record.get(record, ())
        )
        for topic in TOPICS
    }
    found |= {_full_name(schemas[0]): tuple(schemas) for schemas in by_record.values()}
    return Subjects({name: found[name] for name in sorted(found) if found[name]})


def _age(schema: Schema) -> tuple[bool, int]:
    # Learnt schemas, of version 0, come from newer producers; a stable sort keeps their order.
    return (schema.version == 0, schema.version)


def _full_name(schema: Schema) -> str:
    namespace = schema.definition.get("namespace")
    name = str(schema.definition["name"])
    return f"{namespace}.{name}" if namespace else name
