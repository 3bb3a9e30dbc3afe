"""The bodies that payloads refer to, found by the trace first and the rest by hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.sinks.clickhouse import ask
from tailrace.sinks.queries.payload_texts import bodies_named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clickhouse_connect.driver.client import Client

DEPTH = 10_000
"""How many links of references are followed; a longer chain stays unresolved from there on."""

_BY_TRACE = """
SELECT sha256, any(content) AS content
FROM bodies
WHERE trace_id IN {trace_ids:Array(String)}
GROUP BY sha256
"""
_BY_HASH = """
SELECT sha256, any(content) AS content
FROM bodies
WHERE sha256 IN {hashes:Array(String)}
GROUP BY sha256
"""
_PORTION = 1_000


def load_bodies(
    client: Client, trace_ids: Iterable[str], texts: Iterable[str | None]
) -> dict[str, str]:
    """Return the content of every stored body that the texts need, by hash.

    Bodies refer to bodies, as a conversation's later lists do to earlier ones: those are loaded
    too. A trace's own bodies come in one query, so mostly that is the only one.

    Args:
        client: from `clickhouse.connect`.
        trace_ids: the traces that the texts belong to.
        texts: inputs and outputs of events, JSON with references.

    Raises:
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    wanted = bodies_named(texts)
    if not wanted:
        return {}
    found = _contents(client, _BY_TRACE, "trace_ids", sorted(set(trace_ids)))
    asked: set[str] = set()
    needed: dict[str, str] = {}
    for _ in range(DEPTH):
        missing = sorted(wanted - set(found) - asked)
        if missing:
            asked |= set(missing)
            for start in range(0, len(missing), _PORTION):
                portion = missing[start : start + _PORTION]
                found |= _contents(client, _BY_HASH, "hashes", portion)
        here = {sha256: found[sha256] for sha256 in wanted if sha256 in found}
        needed |= here
        wanted = bodies_named(here.values()) - set(needed) - (asked - set(found))
        if not wanted:
            break
    return needed


def _contents(client: Client, sql: str, name: str, values: list[str]) -> dict[str, str]:
    rows = ask(client, sql, {name: values})
    return {str(row["sha256"]): str(row["content"]) for row in rows}
