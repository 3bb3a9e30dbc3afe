-- Moves, freezes and unfreezings of pointers in the order of the log, told apart by `record`.
-- A repetition on the log is a row too: readers of control decide by the order, and so can a query.
CREATE TABLE pointer_moves
(
    move_id     String                             CODEC (ZSTD(1)),
    component   LowCardinality(String),
    environment LowCardinality(String),
    weights     Map(LowCardinality(String), Int64) CODEC (ZSTD(1)),
    decided_on  Int64                              CODEC (ZSTD(1)),
    salt        LowCardinality(String),
    intent      LowCardinality(String),
    rolled_back Array(LowCardinality(String))      CODEC (ZSTD(1)),
    actor       LowCardinality(String),
    actor_kind  LowCardinality(String),
    reason      String                             CODEC (ZSTD(1)),
    verdict     String                             CODEC (ZSTD(1)),
    ts          DateTime64(6, 'UTC')               CODEC (Delta, ZSTD(1)),
    freeze_id   String                             CODEC (ZSTD(1)),
    unfreeze_id String                             CODEC (ZSTD(1)),
    record      LowCardinality(String),
    offset      Int64                              CODEC (Delta, ZSTD(1)),
    broker_ts   DateTime64(3, 'UTC')               CODEC (Delta, ZSTD(1)),
    partition   Int32                              CODEC (ZSTD(1)),
    log_id      LowCardinality(String),
    topic       LowCardinality(String),
    -- As in events: what a reader cannot read is a dead letter.
    CONSTRAINT texts_can_be_read CHECK
        isValidUTF8(move_id) AND isValidUTF8(component) AND isValidUTF8(environment)
        AND isValidUTF8(arrayStringConcat(mapKeys(weights))) AND isValidUTF8(salt)
        AND isValidUTF8(intent) AND isValidUTF8(arrayStringConcat(rolled_back))
        AND isValidUTF8(actor) AND isValidUTF8(actor_kind) AND isValidUTF8(reason)
        AND isValidUTF8(verdict) AND isValidUTF8(freeze_id) AND isValidUTF8(unfreeze_id),
    CONSTRAINT times_can_be_read CHECK
        toUnixTimestamp64Micro(ts)
            BETWEEN -62135596800000000 AND 253402300799999999
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (component, environment, offset)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
