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
    topic            LowCardinality(String),
    -- As in events: what a reader cannot read is a dead letter.
    CONSTRAINT texts_can_be_read CHECK
        isValidUTF8(source_log_id) AND isValidUTF8(source_topic) AND isValidUTF8(reader)
        AND isValidUTF8(reason),
    CONSTRAINT times_can_be_read CHECK
        toUnixTimestamp64Micro(ts)
            BETWEEN -62135596800000000 AND 253402300799999999
)
ENGINE = ReplacingMergeTree(ts)
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (source_log_id, source_topic, source_partition, source_offset, reader)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
