-- Sessions, one row each: the executions that a caller joined by `session`, without replays, and
-- what all their ended runs came to. Tokens and cost are null where no call said any.
CREATE VIEW sessions AS
SELECT
    environment, tenant, session,
    min(started_at) AS began_at,
    max(ended_at) AS last_at,
    groupUniqArrayIf(component, run_id = root_run_id) AS components,
    uniqExact(trace_id, root_run_id) AS executions,
    countIf(run_id = root_run_id AND outcome = 'failed') AS failed,
    count() AS runs,
    sum(ended.steps) AS steps,
    sum(ended.errors) AS errors,
    sum(ended.input_tokens) AS input_tokens,
    sum(ended.output_tokens) AS output_tokens,
    sum(ended.cached_tokens) AS cached_tokens,
    sum(ended.cost_usd) AS cost_usd
FROM runs AS ended
WHERE session != '' AND replay_of = ''
GROUP BY environment, tenant, session;
