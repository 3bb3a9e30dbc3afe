"""The pages of what is stored and sent: the records field by field, and the tables of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from reference_pages import markdown
from tailrace.schemas import catalog
from tailrace.sinks.migrations import shipped_migrations
from tailrace.sinks.tables import COORDINATES, TABLES, Table

if TYPE_CHECKING:
    from collections.abc import Iterator


def records_page() -> str:
    """Return the page of the records, each in the newest version that ships."""
    names = sorted({schema.name for schema in catalog.shipped().values()})
    return markdown.page(
        "The records",
        "What a datum on the log holds, after the five bytes of the Confluent frame. Shown is the "
        "newest version that ships, with its id on the wire.",
        *(_record(catalog.latest(name)) for name in names),
    )


def tables_page() -> str:
    """Return the page of the tables in ClickHouse."""
    coordinates = ", ".join(markdown.code(column) for column in COORDINATES)
    return markdown.page(
        "The tables",
        "A table has the fields of its [records](records.md) as columns, then where in the log the "
        f"row came from: {coordinates}. Rows of one identity are one fact, however often they are "
        "there; every query of Tailrace takes one.",
        markdown.table(
            ("table", "records", "topics", "identity", "what its rows are"), map(_table, TABLES)
        ),
        "The views are for people: each fact stands once in them. `DESCRIBE TABLE` says which "
        "columns they have; those with the name of a record's field mean what it means.",
        markdown.table(("view", "what its rows are"), _views()),
    )


def _views() -> Iterator[tuple[str, str]]:
    for migration in shipped_migrations():
        view = re.search(r"^CREATE VIEW (\w+)", migration.sql, re.MULTILINE)
        if view:
            told = migration.sql[: view.start()].replace("--", "")
            yield markdown.code(view[1]), markdown.sentence(told)


def _table(table: Table) -> tuple[str, ...]:
    records = ", ".join(f"[`{record}`](records.md#{record})" for record in table.records)
    topics = ", ".join(markdown.code(topic.suffix) for topic in table.topics)
    identity = ", ".join(markdown.code(column) for column in table.identity)
    return markdown.code(table.name), records, topics, identity, table.doc


def _record(schema: catalog.Schema) -> str:
    rows = (
        (markdown.code(field["name"]), _type(field["type"]), field.get("doc", ""))
        for field in schema.definition["fields"]
    )
    return "\n\n".join(
        [
            f"## {schema.name}",
            markdown.sentence(schema.definition["doc"]),
            f"Version {schema.version}, id {schema.id}.",
            markdown.table(("field", "type", "meaning"), rows),
        ]
    )


def _type(stated: Any) -> str:
    return ", or ".join(_names(stated))


def _names(stated: Any) -> Iterator[str]:
    if isinstance(stated, list):
        for each in cast("list[Any]", stated):
            yield from _names(each)
    elif isinstance(stated, dict):
        definition = cast("dict[str, Any]", stated)
        kind = definition["type"]
        if kind == "array":
            yield f"array of {_type(definition['items'])}"
        elif kind == "map":
            yield f"map of {_type(definition['values'])}"
        elif "logicalType" in definition:
            yield f"{definition['logicalType']}"
        else:
            yield str(definition.get("name", kind))
    else:
        yield str(stated)
