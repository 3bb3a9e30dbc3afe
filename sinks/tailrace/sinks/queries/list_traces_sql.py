"""The SQL of `list_traces`: fixed fragments, chosen by which filters are given, values bound.

Three layers: which executions may be meant (narrow columns of all events), their runs (each event
once), and the executions made of these. The engine works out a layer anew wherever it is named, so
the first is a question of its own where it can be: where single events tell what is asked for, it
finds no more than are asked for.
"""

from __future__ import annotations

_EVENT_FILTERS = {
    "since": "ts >= {since:DateTime64(6, 'UTC')}",
    "updated_since": "broker_ts >= {updated_since:DateTime64(3, 'UTC')}",
}
_ROOT_FILTERS = {
    "component": "component = {component:String}",
    "environment": "environment = {environment:String}",
    "deployment": "startsWith(deployment, {deployment:String})",
    "session": "session = {session:String}",
    "tag": "has(tags, {tag:String})",
}
_WHOLE_FILTERS = {
    "since": "started_at >= {since:DateTime64(6, 'UTC')}",
    "status": "status = {status:String}",
    "outcome": "outcome = {outcome:String}",
}
# The end of the root run tells the outcome. What arrived later can be another run's.
_OUTCOME_FILTER = """last_seq IS NOT NULL AND kind = transform({outcome:String},
                ['ok', 'failed', 'cancelled'],
                ['run_completed', 'run_failed', 'run_cancelled'], '')"""
# What stands for any text in a pattern is escaped. ILIKE costs no more than reading the text does.
# Bodies are looked up in a set: hasAny compares each name with each, and common words make many.
_PATTERN = r"concat('%', replaceRegexpAll({text:String}, '([\\\\%_])', '\\\\\\1'), '%')"
_TEXT_FILTER = """(trace_id, root_run_id) IN
        (
            SELECT trace_id, root_run_id
            FROM events
            WHERE <since>
                AND (input ILIKE <pattern>
                OR output ILIKE <pattern>
                OR error_message ILIKE <pattern>
                OR arrayExists(name -> name IN
                (
                    SELECT sha256
                    FROM bodies
                    WHERE <named> AND content ILIKE <pattern>
                ), bodies))
        )""".replace("<pattern>", _PATTERN)
_NAMED_SINCE = "sha256 IN (SELECT arrayJoin(bodies) FROM events WHERE <since>)"

# A terminal event tells its run's start even where the first event is not stored.
_CANDIDATES = """
        SELECT trace_id, root_run_id
        FROM events
        WHERE <event filters>
        GROUP BY trace_id, root_run_id"""
_NEWEST = """
        ORDER BY min(ifNull(started_at, ts)) DESC, trace_id, root_run_id
        LIMIT {limit:UInt32}"""
_KNOWN = """
        SELECT id.1 AS trace_id, id.2 AS root_run_id
        FROM (SELECT arrayJoin({ids:Array(Tuple(String, String))}) AS id)"""
_ONCE = """
    once AS
    (
        SELECT trace_id, root_run_id, run_id, seq, kind, ts, started_at, broker_ts, component,
            environment, deployment, session, tags, attempt, replay_of, retry_of, offer,
            duration_us, last_seq, children, offers, bodies, input_tokens, output_tokens,
            cached_tokens, cost_usd, error_message,
            if(run_id = root_run_id AND startsWith(kind, 'run_'), input, NULL) AS root_input
        FROM events
        WHERE trace_id IN (SELECT trace_id FROM candidates)
            AND (trace_id, root_run_id) IN (SELECT trace_id, root_run_id FROM candidates)
        ORDER BY run_id, seq, broker_ts DESC
        LIMIT 1 BY run_id, seq
    )"""
_RUNS = """
    runs AS
    (
        SELECT trace_id, root_run_id, run_id,
            min(ifNull(started_at, ts)) AS began,
            max(broker_ts) AS updated,
            count() AS stored,
            max(once.last_seq) AS last,
            anyIf(kind, once.last_seq IS NOT NULL) AS end_kind,
            anyIf(once.duration_us, once.last_seq IS NOT NULL) AS took,
            anyIf(once.error_message, once.last_seq IS NOT NULL) AS why,
            groupUniqArrayArray(once.children) AS named_children,
            groupUniqArrayArray(once.offers) AS named_offers,
            any(once.offer) AS claimed,
            any(once.component) AS of_component,
            any(once.environment) AS of_environment,
            any(once.deployment) AS of_deployment,
            any(once.session) AS of_session,
            any(once.tags) AS of_tags,
            any(once.attempt) AS of_attempt,
            any(once.replay_of) AS of_replay,
            any(once.retry_of) AS of_retry,
            any(root_input) AS of_input,
            countIf(kind IN ('step_completed', 'step_failed', 'step_cancelled')) AS ended_steps,
            countIf(kind = 'step_failed') AS failed_steps,
            sumOrNull(once.input_tokens) AS tokens_in,
            sumOrNull(once.output_tokens) AS tokens_out,
            sumOrNull(once.cached_tokens) AS tokens_cached,
            sumOrNull(once.cost_usd) AS cost
        FROM once
        GROUP BY trace_id, root_run_id, run_id
    )"""
_UNSTORED = """
    unstored AS
    (
        SELECT trace_id, root_run_id, count() AS missing
        FROM (SELECT DISTINCT trace_id, root_run_id, arrayJoin(bodies) AS sha256 FROM once)
        WHERE sha256 NOT IN
        (
            SELECT sha256 FROM bodies WHERE sha256 IN (SELECT arrayJoin(bodies) FROM once)
        )
        GROUP BY trace_id, root_run_id
    )"""
_EXECUTIONS = """
    executions AS
    (
        SELECT trace_id, root_run_id,
            argMax(of_component, run_id = root_run_id) AS component,
            argMax(of_environment, run_id = root_run_id) AS environment,
            argMax(of_deployment, run_id = root_run_id) AS deployment,
            argMax(of_session, run_id = root_run_id) AS session,
            argMax(of_tags, run_id = root_run_id) AS tags,
            argMax(of_attempt, run_id = root_run_id) AS attempt,
            argMax(of_replay, run_id = root_run_id) AS replay_of,
            argMax(of_retry, run_id = root_run_id) AS retry_of,
            min(began) AS started_at,
            max(updated) AS updated_at,
            anyIf(took, run_id = root_run_id) AS duration_us,
            anyIf(end_kind, run_id = root_run_id) AS root_end,
            groupArrayIf(run_id, last IS NOT NULL) AS ended_runs,
            groupArrayIf(claimed, last IS NOT NULL) AS claimed_offers,
            has(ended_runs, root_run_id) AND countIf(last IS NULL) = 0
                AND hasAll(ended_runs, groupUniqArrayArray(named_children))
                AND hasAll(claimed_offers, groupUniqArrayArray(named_offers)) AS ended,
            toInt64(sumIf(greatest(ifNull(last, -1) + 1 - toInt64(stored), 0), last IS NOT NULL))
                AS events_missing,
            transform(root_end, ['run_completed', 'run_failed', 'run_cancelled'],
                ['ok', 'failed', 'cancelled'], '') AS outcome,
            count() AS runs,
            sum(ended_steps) AS steps,
            sum(failed_steps) AS errors,
            sumOrNull(tokens_in) AS input_tokens,
            sumOrNull(tokens_out) AS output_tokens,
            sumOrNull(tokens_cached) AS cached_tokens,
            sumOrNull(cost) AS cost_usd,
            any(of_input) AS input,
            anyIf(why, run_id = root_run_id) AS error_message
        FROM runs
        GROUP BY trace_id, root_run_id
    )"""
# What takes time to know is told by the stream processors; what came since makes it open again.
_CLOSED = """
    closed AS
    (
        SELECT trace_id, root_run_id, traces.status AS closed_as, closed_at
        FROM traces
        WHERE trace_id IN (SELECT trace_id FROM candidates)
        ORDER BY trace_id, root_run_id, revision DESC
        LIMIT 1 BY trace_id, root_run_id
    )"""
_LISTING = """
SELECT trace_id, root_run_id, component, environment, deployment, session, tags, attempt, replay_of,
    retry_of, started_at, updated_at, duration_us,
    if(closed.closed_at >= updated_at, closed.closed_as, '') AS told,
    multiIf(NOT ended AND told = 'abandoned', 'abandoned', NOT ended AND told != 'ended', 'open',
        events_missing = 0 AND bodies_missing = 0, 'complete', 'ended') AS status,
    outcome, runs, steps, errors, input_tokens, output_tokens, cached_tokens, cost_usd, input,
    error_message, events_missing, ifNull(unstored.missing, 0) AS bodies_missing
FROM executions
LEFT JOIN unstored USING (trace_id, root_run_id)
LEFT JOIN closed USING (trace_id, root_run_id)
WHERE <whole filters>
ORDER BY started_at DESC, trace_id, root_run_id
LIMIT {limit:UInt32}
"""

_LAYERS = (_ONCE, _RUNS, _UNSTORED, _EXECUTIONS, _CLOSED)


def listing_sql(given: frozenset[str]) -> str:
    """Return the query for the filters that are given, by the names of their parameters."""
    sql = _CANDIDATES.replace("<event filters>", _event_filters(given))
    return _listing(sql if given & _WHOLE_FILTERS.keys() else sql + _NEWEST, given)


def newest_sql(given: frozenset[str]) -> str | None:
    """Return the query for the ids of the newest executions; None if events alone do not tell them.

    An execution that began before `since` and went on after it is among them, as if it had begun
    with its first event since then. So the ids are exact up to the first of such.
    """
    if "status" in given or {"outcome", "updated_since"} <= given:
        return None
    return _CANDIDATES.replace("<event filters>", _event_filters(given)) + _NEWEST


def known_sql(given: frozenset[str]) -> str:
    """Return the query for executions whose `ids` are known; those that a filter refuses go."""
    return _listing(_KNOWN, given)


def _listing(candidates: str, given: frozenset[str]) -> str:
    whole_filters = _all_of([sql for name, sql in _WHOLE_FILTERS.items() if name in given])
    first = f"\n    candidates AS\n    ({candidates}\n    )"
    layers = ",".join((first, *_LAYERS))
    return f"WITH{layers}{_LISTING.replace('<whole filters>', whole_filters)}"


def _event_filters(given: frozenset[str]) -> str:
    event_filters = [sql for name, sql in _EVENT_FILTERS.items() if name in given]
    root_filters = [sql for name, sql in _ROOT_FILTERS.items() if name in given]
    if "outcome" in given and "updated_since" not in given:
        root_filters.append(_OUTCOME_FILTER)
    if root_filters:
        event_filters += ["run_id = root_run_id", *root_filters]
    if "text" in given:
        event_filters.append(_text_filter("since" in given))
    return _all_of(event_filters)


def _text_filter(since: bool) -> str:  # noqa: FBT001 - whether that filter is given
    """Return the filter; what began since a time has no older events, and names its bodies."""
    named = _NAMED_SINCE if since else "true"
    return _TEXT_FILTER.replace("<named>", named).replace(
        "<since>", _EVENT_FILTERS["since"] if since else "true"
    )


def _all_of(conditions: list[str]) -> str:
    return "\n            AND ".join(conditions) or "true"
