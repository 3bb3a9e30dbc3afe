-- Steps that ended, one row a step: model calls, tools, retrievals and all others by step_kind.
-- Large inputs and outputs name their bodies, as in events.
CREATE VIEW steps AS
SELECT
    trace_id, run_id, root_run_id, component, environment, deployment, code_mismatch, tenant,
    session, replay_of, attempt, seq, step_id, parent_step_id, step_key, name, step_kind, effect,
    transform
    (
        kind, ['step_completed', 'step_failed', 'step_cancelled'], ['ok', 'failed', 'cancelled'], ''
    ) AS outcome,
    started_at,
    ts AS ended_at,
    duration_us, first_item_us, input, output, bodies, error_type, error_message, error_stack,
    provider, model, finish_reason, input_tokens, output_tokens, cached_tokens, cost_usd,
    definition_digest, input_digest, attributes, broker_ts
FROM events FINAL
WHERE kind IN ('step_completed', 'step_failed', 'step_cancelled')
SETTINGS optimize_move_to_prewhere_if_final = 1;
