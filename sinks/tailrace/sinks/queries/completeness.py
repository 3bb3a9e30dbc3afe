"""Is an execution complete: known to have ended, and all its events and bodies stored?

The only place that says so. What is not complete within a bound is *waiting*: it is looked at again
later and never taken for complete.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clickhouse_connect.driver.client import Client

FIRST_POLL_S, LONGEST_POLL_S = 0.05, 1.0
_PORTION = 500  # parameters travel in the address, whose length servers limit

# A trace's own bodies are one range of the table; only what is left is asked for by hash.
_STATES = """
WITH
    closed AS
    (
        SELECT trace_id, root_run_id, revision, status, expected_events
        FROM traces
        WHERE trace_id IN {traces:Array(String)}
        ORDER BY trace_id, root_run_id, revision DESC
        LIMIT 1 BY trace_id, root_run_id
    ),
    stored AS
    (
        SELECT trace_id, root_run_id, uniqExact(run_id, seq) AS events
        FROM events
        WHERE trace_id IN {traces:Array(String)}
        GROUP BY trace_id, root_run_id
    ),
    named AS
    (
        SELECT DISTINCT trace_id, root_run_id, arrayJoin(bodies) AS sha256
        FROM events
        WHERE trace_id IN {traces:Array(String)}
    ),
    left_over AS
    (
        SELECT trace_id, root_run_id, sha256
        FROM named
        WHERE sha256 NOT IN (SELECT sha256 FROM bodies WHERE trace_id IN {traces:Array(String)})
    ),
    unstored AS
    (
        SELECT trace_id, root_run_id, count() AS missing
        FROM left_over
        WHERE sha256 NOT IN
        (
            SELECT sha256 FROM bodies WHERE sha256 IN (SELECT sha256 FROM left_over)
        )
        GROUP BY trace_id, root_run_id
    )
SELECT closed.trace_id AS trace_id, closed.root_run_id AS root_run_id, revision, status,
    expected_events, toInt64(ifNull(stored.events, 0)) AS stored_events,
    toInt64(ifNull(unstored.missing, 0)) AS bodies_missing
FROM closed
LEFT JOIN stored USING (trace_id, root_run_id)
LEFT JOIN unstored USING (trace_id, root_run_id)
SETTINGS join_use_nulls = 1
"""


@dataclass(frozen=True)
class ExecutionState:
    """How a closed execution stands, by its highest revision."""

    trace_id: str
    root_run_id: str
    revision: int
    status: str
    """`ended` or `abandoned`."""

    expected_events: int | None
    """How many events it has; None where a run did not end."""

    stored_events: int
    """How many of them are stored, each once."""

    bodies_missing: int
    """Bodies that stored events name and that are not stored."""

    @property
    def is_complete(self) -> bool:
        """Whether it ended and everything of it is stored."""
        whole = self.expected_events == self.stored_events and not self.bodies_missing
        return self.status == "ended" and whole


@dataclass(frozen=True)
class Completeness:
    """Which of the executions that were asked for are complete."""

    complete: tuple[ExecutionState, ...]
    abandoned: tuple[ExecutionState, ...]
    """Closed by their silence: they are not waited for."""

    waiting: tuple[tuple[str, str], ...]
    """The others, by trace and root run: still open, or not all of them stored."""


def execution_states(client: Client, traces: Iterable[str]) -> list[ExecutionState]:
    """Return how the closed executions of traces stand.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    wanted = sorted(set(traces))
    rows: list[dict[str, Any]] = []
    for start in range(0, len(wanted), _PORTION):
        rows += ask(client, _STATES, {"traces": wanted[start : start + _PORTION]})
    return [ExecutionState(**row) for row in rows]


async def wait_until_complete(
    client: Client, executions: Sequence[tuple[str, str]], timeout_s: float
) -> Completeness:
    """Return once every execution is complete or abandoned, or the bound has passed.

    Args:
        client: from `clickhouse.connect`.
        executions: by trace and root run.
        timeout_s: the bound; what is not complete by then is waiting.

    Raises:
        As `execution_states` does.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    pause_s = FIRST_POLL_S
    settled: dict[tuple[str, str], ExecutionState] = {}
    waiting = list(dict.fromkeys(executions))
    while True:
        traces = [trace_id for trace_id, _ in waiting]
        for state in await asyncio.to_thread(execution_states, client, traces):
            if state.is_complete or state.status == "abandoned":
                settled[state.trace_id, state.root_run_id] = state
        waiting = [each for each in waiting if each not in settled]
        if not waiting or loop.time() >= deadline:
            break
        await asyncio.sleep(min(pause_s, max(deadline - loop.time(), 0.0)))
        pause_s = min(pause_s * 2, LONGEST_POLL_S)
    wanted = [settled[each] for each in dict.fromkeys(executions) if each in settled]
    return Completeness(
        tuple(state for state in wanted if state.is_complete),
        tuple(state for state in wanted if not state.is_complete),
        tuple(waiting),
    )
