-- Rolling figures, one row for each time that a window of a partition was told; the highest
-- revision of a window stands, and windows of several partitions are added up.
CREATE TABLE health
(
    environment      LowCardinality(String),
    component        LowCardinality(String),
    deployment       LowCardinality(String),
    window_start     DateTime64(6, 'UTC')           CODEC (Delta, ZSTD(1)),
    window_end       DateTime64(6, 'UTC')           CODEC (Delta, ZSTD(1)),
    revision         Int64                          CODEC (ZSTD(1)),
    final            Bool,
    started          Int64                          CODEC (ZSTD(1)),
    completed        Int64                          CODEC (ZSTD(1)),
    failed           Int64                          CODEC (ZSTD(1)),
    cancelled        Int64                          CODEC (ZSTD(1)),
    abandoned        Int64                          CODEC (ZSTD(1)),
    p50_us           Nullable(Int64)                CODEC (ZSTD(1)),
    p95_us           Nullable(Int64)                CODEC (ZSTD(1)),
    p99_us           Nullable(Int64)                CODEC (ZSTD(1)),
    step_errors      Int64                          CODEC (ZSTD(1)),
    input_tokens     Nullable(Int64)                CODEC (ZSTD(1)),
    output_tokens    Nullable(Int64)                CODEC (ZSTD(1)),
    cost_usd         Nullable(Float64)              CODEC (ZSTD(1)),
    source_log_id    LowCardinality(String),
    source_partition Int64                          CODEC (ZSTD(1)),
    last_offset      Int64                          CODEC (Delta, ZSTD(1)),
    code_mismatches  Int64                          CODEC (ZSTD(1)),
    durations        Map(String, Int64)             CODEC (ZSTD(1)),
    offset           Int64                          CODEC (Delta, ZSTD(1)),
    broker_ts        DateTime64(3, 'UTC')           CODEC (Delta, ZSTD(1)),
    partition        Int32                          CODEC (ZSTD(1)),
    log_id           LowCardinality(String),
    topic            LowCardinality(String),
    -- As in events: what a reader cannot read is a dead letter.
    CONSTRAINT texts_can_be_read CHECK
        isValidUTF8(environment) AND isValidUTF8(component) AND isValidUTF8(deployment)
        AND isValidUTF8(source_log_id) AND isValidUTF8(arrayStringConcat(mapKeys(durations))),
    CONSTRAINT times_can_be_read CHECK
        toUnixTimestamp64Micro(window_start)
            BETWEEN -62135596800000000 AND 253402300799999999
        AND toUnixTimestamp64Micro(window_end)
            BETWEEN -62135596800000000 AND 253402300799999999
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (window_start, environment, component, deployment, source_partition, revision)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
