"""One trace, whole: every execution's events, typed, and the bodies that they name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.schemas.events import EventError, parse_event
from tailrace.schemas.payload_reading import resolve
from tailrace.sinks.queries.bodies import load_bodies
from tailrace.sinks.queries.raw_events import raw_events
from tailrace.sinks.queries.trace_id import is_whole, whole_trace_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickhouse_connect.driver.client import Client

    from tailrace.schemas.events import Event


@dataclass(frozen=True)
class Unreadable:
    """A stored row that this version cannot make an event of."""

    row: Mapping[str, Any]
    """The row, coordinates included."""

    reason: str
    """Why not, in a sentence."""


@dataclass(frozen=True)
class StoredTrace:
    """What is stored of one trace."""

    trace_id: str
    """The whole id."""

    events: tuple[Event, ...]
    """Every event once, by run and seq; executions are told apart by `run.root_run_id`."""

    bodies: Mapping[str, str]
    """The stored content of every body that inputs and outputs need, by hash."""

    unreadable: tuple[Unreadable, ...] = ()
    """Rows of kinds that a newer producer wrote."""

    def payload(self, text: str | None) -> Any:
        """Return the value of an input or output; references to what is not stored stay visible."""
        return resolve(text, self.bodies)


def read_trace(client: Client, prefix: str) -> StoredTrace:
    """Return what is stored of the one trace whose id begins like this.

    Raises:
        UnknownTraceError: if none is stored.
        AmbiguousTraceError: if several are, naming them.
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    trace_id = prefix.strip().lower()
    rows = raw_events(client, trace_id) if is_whole(trace_id) else []
    if not rows:
        trace_id = whole_trace_id(client, prefix)
        rows = raw_events(client, trace_id)
    events: list[Event] = []
    unreadable: list[Unreadable] = []
    texts: list[str | None] = []
    for row in rows:
        texts += (row["input"], row["output"], *row["attributes"].values())
        try:
            events.append(parse_event(row))
        except EventError as error:
            unreadable.append(Unreadable(row, str(error)))
    bodies = load_bodies(client, [trace_id], texts)
    return StoredTrace(trace_id, tuple(events), bodies, tuple(unreadable))
