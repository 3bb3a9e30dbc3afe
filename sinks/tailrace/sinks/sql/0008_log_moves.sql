-- Moves of the log from one cluster to another. Its rows keep the log's id, which is that of the
-- first cluster; here stands which cluster holds the log that the tables were filled from.
CREATE TABLE log_moves
(
    old_cluster_id   String               CODEC (ZSTD(1)),
    new_cluster_id   String               CODEC (ZSTD(1)),
    ts               DateTime64(6, 'UTC') CODEC (Delta, ZSTD(1)),
    actor            String               CODEC (ZSTD(1)),
    tailrace_version String               CODEC (ZSTD(1)),
    offset           Int64                CODEC (Delta, ZSTD(1)),
    broker_ts        DateTime64(3, 'UTC') CODEC (Delta, ZSTD(1)),
    partition        Int32                CODEC (ZSTD(1)),
    log_id           LowCardinality(String),
    topic            LowCardinality(String),
    -- As in events: what a reader cannot read is a dead letter.
    CONSTRAINT texts_can_be_read CHECK
        isValidUTF8(old_cluster_id) AND isValidUTF8(new_cluster_id) AND isValidUTF8(actor)
        AND isValidUTF8(tailrace_version),
    CONSTRAINT times_can_be_read CHECK
        toUnixTimestamp64Micro(ts)
            BETWEEN -62135596800000000 AND 253402300799999999
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (new_cluster_id, offset)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
