"""Which executions were closed, and how: by the stream processors, and told from events alone.

The two must agree wherever an execution has ended: each checks the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.sinks.clickhouse import ask

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

FIELDS = (
    *("trace_id", "root_run_id", "outcome", "component", "environment", "deployment"),
    *("code_digest", "code_mismatch", "control_offset", "routing_key", "tenant", "session", "tags"),
    *("replay_of", "retry_of", "attempt", "started_at", "ended_at", "duration_us", "runs"),
    *("components", "unclaimed_offers", "expected_events", "steps", "errors", "input_tokens"),
    *("output_tokens", "cached_tokens", "cost_usd", "error_type", "error_message"),
    "not_replayable",
)
"""What both tell of an execution that has ended."""

_CLOSED = """
SELECT *
FROM
(
    SELECT *
    FROM traces
    ORDER BY trace_id, root_run_id, revision DESC
    LIMIT 1 BY trace_id, root_run_id
)
WHERE status = {status:String}
"""

# An error's message is kept by the stream processors up to 2,000 characters.
_FROM_EVENTS = """
WITH
    once AS
    (
        SELECT *
        FROM events
        WHERE startsWith(kind, 'run_')
        ORDER BY trace_id, root_run_id, run_id, seq, broker_ts
        LIMIT 1 BY trace_id, root_run_id, run_id, seq
    ),
    run_facts AS
    (
        SELECT trace_id, root_run_id, run_id,
            run_id = root_run_id AS is_root,
            count(once.last_seq) > 0 AS ended,
            min(ifNull(once.started_at, if(kind = 'run_started', once.ts, NULL))) AS began,
            any(once.component) AS of_component,
            max(once.code_mismatch) AS mismatch,
            any(once.offer) AS claimed,
            any(tuple(environment, deployment, code_digest, control_offset, routing_key, tenant,
                session, tags, replay_of, retry_of, attempt)) AS route,
            anyIf(tuple(kind, ts, once.duration_us, once.last_seq, once.run_steps, once.run_errors,
                once.error_type, substringUTF8(once.error_message, 1, 2000), once.not_replayable),
                once.last_seq IS NOT NULL) AS last,
            groupUniqArrayArray(once.children) AS of_children,
            groupUniqArrayArray(once.offers) AS of_offers,
            sum(once.run_input_tokens) AS tokens_in,
            sum(once.run_output_tokens) AS tokens_out,
            sum(once.run_cached_tokens) AS tokens_cached,
            sum(once.run_cost_usd) AS cost
        FROM once
        GROUP BY trace_id, root_run_id, run_id
    ),
    executions AS
    (
        SELECT trace_id, root_run_id,
            countIf(is_root) > 0 AND countIf(NOT ended) = 0
                AND hasAll(groupArray(run_id), groupUniqArrayArray(of_children)) AS has_ended,
            anyIf(route, is_root) AS way,
            anyIf(last, is_root) AS end,
            transform(end.1, ['run_completed', 'run_failed', 'run_cancelled'],
                ['ok', 'failed', 'cancelled'], '') AS outcome,
            anyIf(of_component, is_root) AS component,
            way.1 AS environment, way.2 AS deployment, way.3 AS code_digest,
            max(mismatch) AS code_mismatch,
            way.4 AS control_offset, way.5 AS routing_key, way.6 AS tenant, way.7 AS session,
            way.8 AS tags, way.9 AS replay_of, way.10 AS retry_of, way.11 AS attempt,
            anyIf(began, is_root) AS started_at,
            max(last.2) AS ended_at,
            end.3 AS duration_us,
            arraySort(groupArray(tuple(NOT is_root, isNull(began),
                ifNull(began, toDateTime64(0, 6)), run_id, of_component, last.9))) AS in_order,
            arrayMap(one -> one.4, in_order) AS runs,
            arrayDistinct(arrayMap(one -> one.5, in_order)) AS components,
            arraySort(arrayFilter(offer -> NOT has(groupUniqArray(claimed), offer),
                groupUniqArrayArray(of_offers))) AS unclaimed_offers,
            sum(last.4 + 1) AS expected_events,
            sum(ifNull(last.5, 0)) AS steps,
            sum(ifNull(last.6, 0)) AS errors,
            sum(tokens_in) AS input_tokens, sum(tokens_out) AS output_tokens,
            sum(tokens_cached) AS cached_tokens, sum(cost) AS cost_usd,
            end.7 AS error_type, end.8 AS error_message,
            arrayFirst(one -> one.6 != '', in_order).6 AS not_replayable
        FROM run_facts
        GROUP BY trace_id, root_run_id
    )
SELECT <fields>
FROM executions
WHERE has_ended
"""

# What came since an execution was abandoned has opened it again, until it is closed anew.
_ABANDONED = """
SELECT root_run_id, last_seen_at, last_step, open_runs
FROM
(
    SELECT *
    FROM traces
    WHERE trace_id = {trace_id:String}
    ORDER BY root_run_id, revision DESC
    LIMIT 1 BY root_run_id
)
WHERE status = 'abandoned'
    AND closed_at >= (SELECT max(broker_ts) FROM events WHERE trace_id = {trace_id:String})
ORDER BY root_run_id
"""


def abandoned_executions(client: Client, trace_id: str) -> list[dict[str, Any]]:
    """Return `root_run_id`, `last_seen_at`, `last_step`, `open_runs` of a trace's abandoned ones.

    Raises as `closed_executions` does.
    """
    return ask(client, _ABANDONED, {"trace_id": trace_id})


def closed_executions(client: Client, status: str = "ended") -> list[dict[str, Any]]:
    """Return the last revision of every execution that was closed so, as the streams tell it.

    Raises:
        NotMigratedError: if there is no table yet.
        QueryFailedError, ClickHouseUnreachableError: if ClickHouse does not answer the question.
    """
    return ask(client, _CLOSED, {"status": status})


def ended_by_events(client: Client) -> list[dict[str, Any]]:
    """Return `FIELDS` of every execution that has ended by its stored events alone.

    An offer that nobody claimed keeps none open here: events do not tell how long it was waited
    for. Reads every run's events: for comparison, not for a hot path. Raises as
    `closed_executions` does.
    """
    return ask(client, _FROM_EVENTS.replace("<fields>", ", ".join(FIELDS)))
