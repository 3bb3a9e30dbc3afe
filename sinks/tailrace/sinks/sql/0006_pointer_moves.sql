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
    topic       LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (component, environment, offset)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
