-- Payloads by the hash of their content. Sorted so that one range holds a trace's bodies, and a
-- body's last sending is kept; the filter finds the rest by hash. Granules are small because a
-- content is large.
CREATE TABLE bodies
(
    sha256    String                 CODEC (ZSTD(1)),
    trace_id  String                 CODEC (ZSTD(1)),
    ts        DateTime64(6, 'UTC')   CODEC (Delta, ZSTD(1)),
    content   String                 CODEC (ZSTD(3)),
    offset    Int64                  CODEC (Delta, ZSTD(1)),
    broker_ts DateTime64(3, 'UTC')   CODEC (Delta, ZSTD(1)),
    partition Int32                  CODEC (ZSTD(1)),
    log_id    String                 CODEC (ZSTD(1)),
    topic     String                 CODEC (ZSTD(1)),
    INDEX sha256_filter sha256 TYPE bloom_filter(0.001) GRANULARITY 1,
    -- As in events: what a reader cannot read is a dead letter.
    CONSTRAINT texts_can_be_read CHECK
        isValidUTF8(sha256) AND isValidUTF8(trace_id) AND isValidUTF8(content),
    CONSTRAINT times_can_be_read CHECK
        toUnixTimestamp64Micro(ts)
            BETWEEN -62135596800000000 AND 253402300799999999
)
ENGINE = ReplacingMergeTree(broker_ts)
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (trace_id, sha256)
SETTINGS
    min_bytes_for_wide_part = 134217728,
    index_granularity_bytes = 1048576,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
