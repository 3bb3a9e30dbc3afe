-- What people decided about dead letters; the newest of a source's coordinates stands.
CREATE TABLE dead_letter_decisions
(
    source_log_id    LowCardinality(String),
    source_topic     LowCardinality(String),
    source_partition Int32,
    source_offset    Int64                  CODEC (Delta, ZSTD(1)),
    ts               DateTime64(6, 'UTC')   CODEC (Delta, ZSTD(1)),
    decision         LowCardinality(String),
    actor            LowCardinality(String),
    reason           String                 CODEC (ZSTD(1)),
    sent_offset      Int64                  CODEC (Delta, ZSTD(1)),
    offset           Int64                  CODEC (Delta, ZSTD(1)),
    broker_ts        DateTime64(3, 'UTC')   CODEC (Delta, ZSTD(1)),
    partition        Int32                  CODEC (ZSTD(1)),
    log_id           LowCardinality(String),
    topic            LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (source_log_id, source_topic, source_partition, source_offset, ts, decision)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
