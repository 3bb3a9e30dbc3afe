-- Runs that ended, one row a run: what its last event says. Steps, errors, tokens and cost are
-- those of the run itself, without its child runs.
CREATE VIEW runs AS
SELECT
    trace_id, run_id, root_run_id, parent_run_id, caller_step_id, component, environment,
    deployment, code_mismatch, control_offset, tenant, session, tags, replay_of, retry_of, attempt,
    transform
    (
        kind, ['run_completed', 'run_failed', 'run_cancelled'], ['ok', 'failed', 'cancelled'], ''
    ) AS outcome,
    started_at,
    ts AS ended_at,
    duration_us, first_item_us, input, output, bodies, error_type, error_message, error_stack,
    run_steps AS steps,
    run_errors AS errors,
    run_input_tokens AS input_tokens,
    run_output_tokens AS output_tokens,
    run_cached_tokens AS cached_tokens,
    run_cost_usd AS cost_usd,
    not_replayable, attributes, broker_ts
FROM events FINAL
WHERE kind IN ('run_completed', 'run_failed', 'run_cancelled')
SETTINGS optimize_move_to_prewhere_if_final = 1;
