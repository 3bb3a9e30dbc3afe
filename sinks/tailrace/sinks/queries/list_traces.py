"""Which executions are there, how do they stand, and what did they do? Told from events.

What takes time to know (abandoned, unclaimed offers) is taken from what the stream processors said
last; where none run, an execution that has not ended is open, however long ago it began.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tailrace.sinks.clickhouse import ask
from tailrace.sinks.queries.list_traces_sql import known_sql, listing_sql, newest_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

STATUSES = ("open", "ended", "complete", "abandoned")
OUTCOMES = ("ok", "failed", "cancelled")

WINDOWS = tuple(timedelta(hours=6**step) for step in range(4))
"""The newest are looked for in the last hour first, then six times as far back, and so on up to
nine days: most lists are full by then, and what is older is not read. Parts are narrow in time, so
a window costs its share, and those that were in vain a fifth of the one that was not."""

_TEXT_WINDOWS = WINDOWS[:2]  # what is searched in vain is searched again, and texts are most of all
_IDS_AT_ONCE = 1_000
# Told by the metadata of parts, without reading a row.
_STORED = "SELECT min(broker_ts) AS oldest, max(broker_ts) AS newest, count() AS stored FROM events"


@dataclass(frozen=True)
class TraceFilter:
    """Which executions are asked for; a field left alone asks for all."""

    component: str = ""
    """The root run's component."""

    environment: str = ""
    """The environment that routed it."""

    deployment: str = ""
    """The deployment's id, or how it begins."""

    session: str = ""
    """The session it belongs to."""

    tag: str = ""
    """A tag among others."""

    status: str = ""
    """One of STATUSES; `ended` finds those that are not complete yet, `open` those not ended."""

    outcome: str = ""
    """One of OUTCOMES."""

    text: str = ""
    """What stands in an input, an output, an error's message or a body named, whatever its case."""

    since: datetime | None = None
    """Executions that began at or after this."""

    updated_since: datetime | None = None
    """Executions of which something arrived at or after this, by the broker's clock: what follows
    a listing asks from its newest `updated_at` on, and knows by it which rows are new."""


@dataclass(frozen=True)
class ListedTrace:
    """One execution, as its stored events tell it."""

    trace_id: str
    root_run_id: str
    component: str
    """The root run's; any run's while the root's own events are not stored."""

    environment: str
    deployment: str
    """Empty when none routed it."""

    session: str
    tags: tuple[str, ...]
    attempt: int
    replay_of: str
    retry_of: str
    started_at: datetime
    """When it began, UTC."""

    updated_at: datetime
    """The broker's time of the newest stored event, UTC."""

    duration_us: int | None
    """How long the root run took; None while it is open or when not recorded."""

    status: str
    """`open`; `ended`: every run that is known of has ended; `complete`: ended, and every event and
    body is stored; `abandoned`: without a sign of life for longer than the limit."""

    outcome: str
    """`ok`, `failed` or `cancelled` as the root run ended; empty while it is open."""

    runs: int
    """Runs of which anything is stored."""

    steps: int
    """Steps that ended, in all runs."""

    errors: int
    """Steps that failed."""

    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cost_usd: float | None
    """Sums over the steps; None when none is known."""

    input: str | None
    """The root run's input as it stands in the event, JSON with references."""

    error_message: str
    """The root run's, when it failed."""

    events_missing: int
    """Events of ended runs that are not stored."""

    bodies_missing: int
    """Bodies that are named and not stored."""


def list_traces(
    client: Client, wanted: TraceFilter | None = None, limit: int = 50
) -> list[ListedTrace]:
    """Return the newest executions that are wanted, newest first.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    asked = TraceFilter() if wanted is None else wanted
    for since in _windows(client, asked):
        found = _rows(client, replace(asked, since=since), limit, whole=False)
        if len(found) >= limit:
            break
    else:
        found = _rows(client, asked, limit, whole=True)
    return [_listed(row) for row in found]


def _rows(client: Client, asked: TraceFilter, limit: int, *, whole: bool) -> list[dict[str, Any]]:
    """Return what is asked for; unless `whole`, only if it is as much as the limit."""
    parameters = {name: value for name, value in vars(asked).items() if value}
    given = frozenset(parameters)
    parameters["limit"] = limit
    ids_sql = newest_sql(given) if limit <= _IDS_AT_ONCE else None
    if ids_sql is not None:
        ids = [tuple(row.values()) for row in ask(client, ids_sql, parameters)]
        if not ids or (len(ids) < limit and not whole):
            return []
        rows = ask(client, known_sql(given), {**parameters, "ids": ids})
        if len(rows) >= limit or len(ids) < limit or not whole:
            return rows
        # Some of the ids began before `since`, and others behind them did not.
    return ask(client, listing_sql(given), parameters)


def _windows(client: Client, asked: TraceFilter) -> Iterator[datetime]:
    """Yield from when on to look, later first, before all that is asked for is looked at."""
    if asked.updated_since is not None:
        return
    [told] = ask(client, _STORED)
    if not told["stored"]:
        return
    begin: datetime = told["oldest"] if asked.since is None else max(told["oldest"], asked.since)
    for window in _TEXT_WINDOWS if asked.text else WINDOWS:
        since: datetime = told["newest"] - window
        if since > begin:
            yield since


def _listed(row: dict[str, Any]) -> ListedTrace:
    tags: Sequence[str] = row.pop("tags")
    del row["told"]
    return ListedTrace(**row, tags=tuple(tags))
