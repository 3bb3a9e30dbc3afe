-- Every run that began, and the move that routed it: the last one that counts at or below the run's
-- control offset. by_pointer is 0 where the caller pinned another deployment than that move names,
-- and where there was no pointer.
CREATE VIEW routed_runs AS
WITH
    begun AS
    (
        SELECT trace_id, run_id, root_run_id, component, environment, deployment, code_digest,
            code_mismatch, control_offset, routing_key, ts
        FROM events
        WHERE kind = 'run_started'
        LIMIT 1 BY run_id
    ),
    moves AS
    (
        SELECT *
        FROM pointer_revisions
    )
SELECT
    begun.trace_id AS trace_id,
    begun.run_id AS run_id,
    begun.root_run_id AS root_run_id,
    begun.component AS component,
    begun.environment AS environment,
    begun.deployment AS deployment,
    begun.code_digest AS code_digest,
    begun.code_mismatch AS code_mismatch,
    begun.control_offset AS control_offset,
    begun.routing_key AS routing_key,
    begun.ts AS started_at,
    if(moves.move_id = '', -1, moves.revision) AS revision,
    moves.weights AS weights,
    mapContains(moves.weights, begun.deployment) AS by_pointer,
    moves.intent AS intent,
    moves.actor AS moved_by,
    moves.actor_kind AS moved_by_kind,
    moves.reason AS reason,
    moves.verdict AS verdict,
    moves.ts AS moved_at
FROM begun
ASOF LEFT JOIN moves
    ON moves.component = begun.component
    AND moves.environment = begun.environment
    AND moves.revision <= begun.control_offset;
