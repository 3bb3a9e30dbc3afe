"""Traces as a file: JSONL with payloads resolved, or the rows as Parquet by ClickHouse itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tailrace.sinks.clickhouse import ask, ask_bytes
from tailrace.sinks.queries.bodies import load_bodies
from tailrace.sinks.queries.payload_texts import recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

PORTION = 100
"""So many traces are read at once: memory stays flat, however many are exported."""

_PAYLOADS = ("input", "output")
_ROWS = """
SELECT *
FROM events
WHERE trace_id IN {trace_ids:Array(String)}
ORDER BY trace_id, run_id, seq, offset
LIMIT 1 BY run_id, seq
"""
_ALL_ROWS = """
SELECT *
FROM events
ORDER BY trace_id, run_id, seq, offset
LIMIT 1 BY trace_id, run_id, seq
"""
_TRACE_IDS = """
SELECT DISTINCT trace_id
FROM events
WHERE trace_id > {after:String}
ORDER BY trace_id
LIMIT {limit:UInt32}
"""


def export_jsonl(client: Client, trace_ids: Iterable[str] | None = None) -> Iterator[bytes]:
    """Yield an event a line, by trace, run and seq, inputs and outputs as values.

    A line has the wide record's fields under their names, times in ISO 8601 with microseconds, and
    the coordinates in the log. A reference to a body that is not stored stays visible.

    Args:
        client: from `clickhouse.connect`.
        trace_ids: whole ids, in the order of the answer; every stored trace when None.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    portions = _all_portions(client) if trace_ids is None else _portions(trace_ids)
    for portion in portions:
        rows = ask(client, _ROWS, {"trace_ids": portion})
        bodies = load_bodies(client, portion, (row[name] for row in rows for name in _PAYLOADS))
        for row in rows:
            for name in _PAYLOADS:
                row[name] = recorded(row[name], bodies)
            yield json.dumps(row, default=_iso, ensure_ascii=False).encode() + b"\n"


def export_parquet(client: Client, trace_ids: Sequence[str] | None = None) -> Iterator[bytes]:
    """Yield a Parquet file of the rows, each event once, as ClickHouse writes it.

    Inputs and outputs stay JSON with references. Raises as `export_jsonl` does.
    """
    if trace_ids is None:
        return ask_bytes(client, _ALL_ROWS, {}, "Parquet")
    return ask_bytes(client, _ROWS, {"trace_ids": list(trace_ids)}, "Parquet")


def _portions(trace_ids: Iterable[str]) -> Iterator[list[str]]:
    portion: list[str] = []
    for trace_id in trace_ids:
        portion.append(trace_id)
        if len(portion) == PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _all_portions(client: Client) -> Iterator[list[str]]:
    after = ""
    while rows := ask(client, _TRACE_IDS, {"after": after, "limit": PORTION}):
        portion = [str(row["trace_id"]) for row in rows]
        yield portion
        after = portion[-1]


def _iso(value: Any) -> str:
    moment: datetime = value
    return moment.isoformat()
