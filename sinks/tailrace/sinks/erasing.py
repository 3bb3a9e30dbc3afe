"""Takes traces out of the tables: events, scores, dead letters of theirs, bodies nobody else uses.

Mutations, waited for: the parts are written anew without the rows, and the engine removes the old
parts from the disk some minutes later. A lightweight delete would leave them there until a merge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.sinks.clickhouse import ask, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clickhouse_connect.driver.client import Client

_PORTION = 500  # parameters travel in the address, whose length servers limit

_NAMED = """
SELECT groupUniqArray(sha256) AS hashes
FROM
(
    SELECT arrayJoin(bodies) AS sha256 FROM events WHERE trace_id IN {traces:Array(String)}
    UNION ALL
    SELECT sha256 FROM bodies WHERE trace_id IN {traces:Array(String)}
)
"""
_USED = """
SELECT DISTINCT arrayJoin(bodies) AS sha256
FROM events
WHERE trace_id NOT IN {traces:Array(String)} AND hasAny(bodies, {hashes:Array(String)})
"""
_COUNT_EVENTS = """
SELECT uniqExact(run_id, seq) AS events FROM events WHERE trace_id IN {traces:Array(String)}
"""
_COUNT_BODIES = """
SELECT uniqExact(sha256) AS bodies FROM bodies WHERE sha256 IN {hashes:Array(String)}
"""
_DELETE = """
ALTER TABLE {table:Identifier} DELETE WHERE trace_id IN {traces:Array(String)}
SETTINGS mutations_sync = 2
"""
_DELETE_BODIES = """
ALTER TABLE bodies DELETE WHERE sha256 IN {hashes:Array(String)} SETTINGS mutations_sync = 2
"""
_DELETE_LETTERS = """
ALTER TABLE dead_letters DELETE WHERE key IN {traces:Array(String)} SETTINGS mutations_sync = 2
"""


@dataclass
class Erased:
    """What was taken out, each once."""

    events: int = 0
    bodies: int = 0


def erase(client: Client, traces: Iterable[str], *, users: Client | None = None) -> Erased:
    """Take traces out of the tables of the client's database; a second time changes nothing.

    Args:
        client: from `clickhouse.connect`.
        traces: their whole ids.
        users: where events of other traces are looked for that use a body; None for here. A rebuild
            of bodies alone has no events beside it.

    Raises:
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not do it; what is done by
            then stays done, and it can be told again.
    """
    done = Erased()
    for portion in _portions(sorted(set(traces))):
        told = {"traces": portion}
        done.events += ask(client, _COUNT_EVENTS, told)[0]["events"]
        # Bodies first: the events name them, so a deletion that was cut off can be told again.
        for hashes in _portions(unshared_bodies(client, portion, users=users or client)):
            done.bodies += ask(client, _COUNT_BODIES, {"hashes": hashes})[0]["bodies"]
            tell(client, _DELETE_BODIES, {"hashes": hashes})
        tell(client, _DELETE_LETTERS, told)
        for table in ("scores", "traces", "events"):
            tell(client, _DELETE, {**told, "table": table})
    return done


def count(client: Client, traces: Iterable[str]) -> Erased:
    """Return what `erase` would take out now."""
    found = Erased()
    for portion in _portions(sorted(set(traces))):
        found.events += ask(client, _COUNT_EVENTS, {"traces": portion})[0]["events"]
        for hashes in _portions(unshared_bodies(client, portion, users=client)):
            found.bodies += ask(client, _COUNT_BODIES, {"hashes": hashes})[0]["bodies"]
    return found


def unshared_bodies(client: Client, traces: list[str], *, users: Client) -> list[str]:
    """Return the hashes of the traces' bodies that no event of another trace names."""
    hashes = set(ask(client, _NAMED, {"traces": traces})[0]["hashes"])
    hashes |= set(ask(users, _NAMED, {"traces": traces})[0]["hashes"])
    shared: set[str] = set()
    for portion in _portions(sorted(hashes)):
        told = {"traces": traces, "hashes": portion}
        shared |= {str(row["sha256"]) for row in ask(users, _USED, told)}
    return sorted(hashes - shared)


def _portions(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), _PORTION):
        yield values[start : start + _PORTION]
