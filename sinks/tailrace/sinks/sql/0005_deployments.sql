-- Deployments as they were registered, one row for each component of the manifest.
CREATE TABLE deployments
(
    deployment       LowCardinality(String),
    component        LowCardinality(String),
    components       Array(LowCardinality(String)) CODEC (ZSTD(1)),
    manifest         String                        CODEC (ZSTD(1)),
    recorded_only    Bool,
    label            LowCardinality(String),
    registered_at    DateTime64(6, 'UTC')          CODEC (Delta, ZSTD(1)),
    actor            LowCardinality(String),
    actor_kind       LowCardinality(String),
    tailrace_version LowCardinality(String),
    offset           Int64                         CODEC (Delta, ZSTD(1)),
    broker_ts        DateTime64(3, 'UTC')          CODEC (Delta, ZSTD(1)),
    partition        Int32                         CODEC (ZSTD(1)),
    log_id           LowCardinality(String),
    topic            LowCardinality(String),
    -- As in events: what a reader cannot read is a dead letter.
    CONSTRAINT texts_can_be_read CHECK
        isValidUTF8(deployment) AND isValidUTF8(component)
        AND isValidUTF8(arrayStringConcat(components)) AND isValidUTF8(manifest)
        AND isValidUTF8(label) AND isValidUTF8(actor) AND isValidUTF8(actor_kind)
        AND isValidUTF8(tailrace_version),
    CONSTRAINT times_can_be_read CHECK
        toUnixTimestamp64Micro(registered_at)
            BETWEEN -62135596800000000 AND 253402300799999999
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (deployment, component)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
