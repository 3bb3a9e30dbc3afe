-- What is known to exist and is not stored (yet), by run: events that a run's end or a later event
-- counts, and runs that another names as its child or its parent. `missing` is how many and `named`
-- the run that is named. The newest rows of a live system stand here for a moment. Bodies, and what
-- lies in the log and in no table, are told by `tailrace gaps`.
CREATE VIEW gaps AS
WITH
    by_run AS
    (
        SELECT trace_id, run_id,
            any(events.root_run_id) AS root_run_id,
            any(events.parent_run_id) AS parent_run_id,
            any(events.component) AS component,
            any(events.environment) AS environment,
            groupUniqArrayArray(events.children) AS children,
            greatest(ifNull(max(last_seq), -1), max(seq)) + 1 - uniqExact(seq) AS unstored,
            max(events.broker_ts) AS last_stored_at
        FROM events
        GROUP BY trace_id, run_id
    ),
    by_trace AS
    (
        SELECT trace_id,
            groupArray(run_id) AS stored,
            groupArrayIf
            (
                (
                    run_id, root_run_id, component, environment, last_stored_at, unstored, children,
                    parent_run_id
                ),
                unstored != 0 OR notEmpty(children) OR parent_run_id != ''
            ) AS runs
        FROM by_run
        GROUP BY trace_id
    ),
    found AS
    (
        SELECT trace_id,
            arrayJoin(runs) AS run,
            arrayJoin
            (
                arrayConcat
                (
                    if(run.6 = 0, [], [('events', toInt64(run.6), '')]),
                    arrayMap
                    (
                        child -> ('child', toInt64(1), child),
                        arrayFilter(child -> NOT has(stored, child), run.7)
                    ),
                    if
                    (
                        run.8 = '' OR has(stored, run.8),
                        [],
                        [('parent', toInt64(1), run.8)]
                    )
                )
            ) AS gap
        FROM by_trace
    )
SELECT
    trace_id,
    run.1 AS run_id,
    run.2 AS root_run_id,
    run.3 AS component,
    run.4 AS environment,
    gap.1 AS what,
    gap.2 AS missing,
    gap.3 AS named,
    run.5 AS last_stored_at
FROM found
SETTINGS optimize_aggregation_in_order = 1, max_bytes_before_external_group_by = 1000000000;
