-- Records that could not be read or stored, raw, with where they lie and why. One row for each
-- reader that gave a record up, however often it did.
CREATE TABLE dead_letters
(
    source_log_id    LowCardinality(String),
    source_topic     LowCardinality(String),
    source_partition Int32,
    source_offset    Int64                  CODEC (Delta, ZSTD(1)),
    ts               DateTime64(6, 'UTC')   CODEC (Delta, ZSTD(1)),
    reader           LowCardinality(String),
    reason           String                 CODEC (ZSTD(1)),
    key              Nullable(String)       CODEC (ZSTD(1)),
    value            Nullable(String)       CODEC (ZSTD(1)),
    offset           Int64                  CODEC (Delta, ZSTD(1)),
    broker_ts        DateTime64(3, 'UTC')   CODEC (Delta, ZSTD(1)),
    partition        Int32                  CODEC (ZSTD(1)),
    log_id           LowCardinality(String),
    topic            LowCardinality(String)
)
ENGINE = ReplacingMergeTree(ts)
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (source_log_id, source_topic, source_partition, source_offset, reader)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
