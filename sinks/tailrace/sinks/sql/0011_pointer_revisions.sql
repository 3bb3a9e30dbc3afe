-- The moves of pointers that count, decided as every reader of control decides: in the order of the
-- log, a move counts if its id is new, it was decided on the revision that stands, the pointer is
-- not frozen (or a person rolls back), its weights are whole, and no automaton brings back what was
-- rolled back. The state that is folded: revision, whether frozen, what was rolled back, and the
-- offsets of the moves that count.
CREATE VIEW pointer_revisions AS
WITH
    happened AS
    (
        SELECT *
        FROM pointer_moves
        ORDER BY offset
        LIMIT 1 BY component, environment, offset
    ),
    new AS
    (
        SELECT *
        FROM happened
        WHERE record != 'pointer_moved'
            OR offset IN
            (
                SELECT min(offset)
                FROM happened
                WHERE record = 'pointer_moved'
                GROUP BY move_id
            )
    ),
    folded AS
    (
        SELECT component, environment,
            arrayFold
            (
                (state, each) -> if
                (
                    each.2 = 'pointer_moved',
                    if
                    (
                        each.3 = state.1
                            AND (state.2 = 0 OR (each.6 = 'person' AND each.7 = 'rollback'))
                            AND each.5 = 1
                            AND (each.6 = 'person' OR NOT hasAny(state.3, each.4)),
                        (
                            each.1,
                            state.2,
                            arrayFilter
                            (
                                name -> NOT has(each.4, name),
                                arrayDistinct(arrayConcat(state.3, each.8))
                            ),
                            arrayPushBack(state.4, each.1)
                        ),
                        state
                    ),
                    (state.1, toUInt8(each.2 = 'pointer_frozen'), state.3, state.4)
                ),
                arraySort
                (
                    each -> each.1,
                    groupArray
                    (
                        (
                            offset,
                            toString(record),
                            decided_on,
                            CAST(mapKeys(weights), 'Array(String)'),
                            toUInt8(arraySum(mapValues(weights)) = 10000
                                AND arrayAll(each -> each BETWEEN 1 AND 10000, mapValues(weights))),
                            toString(actor_kind),
                            toString(intent),
                            CAST(rolled_back, 'Array(String)')
                        )
                    )
                ),
                (toInt64(-1), toUInt8(0), CAST([], 'Array(String)'), CAST([], 'Array(Int64)'))
            ).4 AS revisions
        FROM new
        GROUP BY component, environment
    ),
    counted AS
    (
        SELECT component, environment, arrayJoin(revisions) AS revision
        FROM folded
    )
SELECT
    happened.component AS component,
    happened.environment AS environment,
    counted.revision AS revision,
    happened.weights AS weights,
    happened.decided_on AS previous_revision,
    happened.intent AS intent,
    happened.salt AS salt,
    happened.rolled_back AS rolled_back,
    happened.actor AS actor,
    happened.actor_kind AS actor_kind,
    happened.reason AS reason,
    happened.verdict AS verdict,
    happened.move_id AS move_id,
    happened.ts AS ts,
    happened.broker_ts AS broker_ts
FROM counted
INNER JOIN happened
    ON happened.component = counted.component
    AND happened.environment = counted.environment
    AND happened.offset = counted.revision;
