"""Records whose offset has no row: is there one of their identity, or were they erased?

A replacing engine keeps one row of an identity, so a repeat takes the earlier one's offset with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.schemas.wire import WireError, decode
from tailrace.sinks.clickhouse import ask
from tailrace.sinks.tables import COORDINATES, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from tailrace.schemas.wire import SchemaSource
    from tailrace.sinks.archive.cutting import LogRecord
    from tailrace.sinks.tables import Table

_PORTION = 500  # parameters travel in the address, whose length servers limit


@dataclass
class Explained:
    """What became of records whose offsets have no row."""

    replaced: frozenset[int]
    """Offsets whose identity has another row."""

    forgotten: frozenset[int]
    """Offsets of records of forgotten traces."""


def explain(
    client: Client,
    source: SchemaSource,
    records: Sequence[LogRecord],
    forgotten: frozenset[str],
) -> Explained:
    """Return which of the records are accounted for without a row of their own; decodes them all.

    Raises:
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer.
    """
    erased: set[int] = set()
    by_table: dict[str, list[tuple[int, tuple[Any, ...]]]] = {}
    tables: dict[str, Table] = {}
    for record in records:
        found = _decoded(record, source)
        if found is None:
            if _text(record.key) in forgotten:
                erased.add(record.offset)
            continue
        table, fields = found
        # A dead letter names its source's key, and a score's own key is no trace.
        if {_text(record.key), fields.get("trace_id"), _text(fields.get("key"))} & forgotten:
            erased.add(record.offset)
        elif not set(table.identity) & set(COORDINATES):
            identity = tuple(fields.get(column, "") for column in table.identity)
            tables[table.name] = table
            by_table.setdefault(table.name, []).append((record.offset, identity))
    replaced = {
        offset
        for name, wanted in by_table.items()
        for portion in _portions(wanted)
        for offset in _with_a_row(client, tables[name], portion)
    }
    return Explained(frozenset(replaced), frozenset(erased))


def _text(key: bytes | None) -> str:
    return (key or b"").decode(errors="replace")


def _decoded(record: LogRecord, source: SchemaSource) -> tuple[Table, Mapping[str, Any]] | None:
    try:
        schema, fields = decode(record.value or b"", source=source)
    except WireError:
        return None
    table = table_of(schema.name)
    return None if table is None else (table, fields)


def _portions(
    wanted: Sequence[tuple[int, tuple[Any, ...]]],
) -> Iterator[Sequence[tuple[int, tuple[Any, ...]]]]:
    for start in range(0, len(wanted), _PORTION):
        yield wanted[start : start + _PORTION]


def _with_a_row(
    client: Client, table: Table, portion: Sequence[tuple[int, tuple[Any, ...]]]
) -> list[int]:
    """Return those offsets whose identity has a row.

    Each column is asked for by itself, because a list of tuples cannot be bound for any types.
    """
    columns = table.identity
    parameters: dict[str, Any] = {}
    conditions: list[str] = []
    for number, column in enumerate(columns):
        values = sorted({identity[number] for _, identity in portion})
        kind = "Int64" if isinstance(values[0], int) else "String"
        parameters[f"value_{number}"] = values
        conditions.append(f"{column} IN {{value_{number}:Array({kind})}}")
    sql = (
        f"SELECT DISTINCT {', '.join(columns)} FROM {table.name} "  # noqa: S608 - declared names
        f"WHERE {' AND '.join(conditions)}"
    )
    there = {tuple(row.values()) for row in ask(client, sql, parameters)}
    return [offset for offset, identity in portion if identity in there]
