-- Closed executions, one row a revision: the highest one of an execution stands, and a query takes
-- it by LIMIT 1 BY, since the rows of an execution lie together.
CREATE TABLE traces
(
    trace_id         String                              CODEC (ZSTD(1)),
    root_run_id      String                              CODEC (ZSTD(1)),
    revision         Int64                               CODEC (ZSTD(1)),
    status           LowCardinality(String),
    outcome          LowCardinality(String),
    component        LowCardinality(String),
    environment      LowCardinality(String),
    deployment       LowCardinality(String),
    code_digest      LowCardinality(String),
    code_mismatch    Bool,
    control_offset   Int64                               CODEC (Delta, ZSTD(1)),
    routing_key      String                              CODEC (ZSTD(1)),
    tenant           LowCardinality(String),
    session          String                              CODEC (ZSTD(1)),
    tags             Array(LowCardinality(String)),
    replay_of        String                              CODEC (ZSTD(1)),
    retry_of         String                              CODEC (ZSTD(1)),
    attempt          Int64                               CODEC (ZSTD(1)),
    started_at       Nullable(DateTime64(6, 'UTC'))      CODEC (Delta, ZSTD(1)),
    ended_at         Nullable(DateTime64(6, 'UTC'))      CODEC (Delta, ZSTD(1)),
    duration_us      Nullable(Int64)                     CODEC (ZSTD(1)),
    closed_at        DateTime64(6, 'UTC')                CODEC (Delta, ZSTD(1)),
    runs             Array(String)                       CODEC (ZSTD(1)),
    components       Array(LowCardinality(String)),
    open_runs        Array(String)                       CODEC (ZSTD(1)),
    unclaimed_offers Array(String)                       CODEC (ZSTD(1)),
    expected_events  Nullable(Int64)                     CODEC (ZSTD(1)),
    steps            Int64                               CODEC (ZSTD(1)),
    errors           Int64                               CODEC (ZSTD(1)),
    input_tokens     Nullable(Int64)                     CODEC (ZSTD(1)),
    output_tokens    Nullable(Int64)                     CODEC (ZSTD(1)),
    cached_tokens    Nullable(Int64)                     CODEC (ZSTD(1)),
    cost_usd         Nullable(Float64)                   CODEC (ZSTD(1)),
    error_type       LowCardinality(String),
    error_message    String                              CODEC (ZSTD(1)),
    not_replayable   LowCardinality(String),
    source_log_id    LowCardinality(String),
    source_topic     LowCardinality(String),
    source_partition Int64                               CODEC (ZSTD(1)),
    first_offset     Int64                               CODEC (Delta, ZSTD(1)),
    last_offset      Int64                               CODEC (Delta, ZSTD(1)),
    last_step        String                              CODEC (ZSTD(1)),
    last_seen_at     Nullable(DateTime64(6, 'UTC'))      CODEC (Delta, ZSTD(1)),
    offset           Int64                               CODEC (Delta, ZSTD(1)),
    broker_ts        DateTime64(3, 'UTC')                CODEC (Delta, ZSTD(1)),
    partition        Int32                               CODEC (ZSTD(1)),
    log_id           LowCardinality(String),
    topic            LowCardinality(String),
    INDEX closed_at_range closed_at TYPE minmax GRANULARITY 1,
    -- As in events: what a reader cannot read is a dead letter.
    CONSTRAINT texts_can_be_read CHECK
        isValidUTF8(trace_id) AND isValidUTF8(root_run_id) AND isValidUTF8(status)
        AND isValidUTF8(outcome) AND isValidUTF8(component) AND isValidUTF8(environment)
        AND isValidUTF8(deployment) AND isValidUTF8(code_digest) AND isValidUTF8(routing_key)
        AND isValidUTF8(tenant) AND isValidUTF8(session) AND isValidUTF8(arrayStringConcat(tags))
        AND isValidUTF8(replay_of) AND isValidUTF8(retry_of) AND isValidUTF8(error_type)
        AND isValidUTF8(error_message) AND isValidUTF8(not_replayable) AND isValidUTF8(last_step)
        AND isValidUTF8(arrayStringConcat(runs)) AND isValidUTF8(arrayStringConcat(components))
        AND isValidUTF8(arrayStringConcat(open_runs))
        AND isValidUTF8(arrayStringConcat(unclaimed_offers)),
    CONSTRAINT times_can_be_read CHECK
        toUnixTimestamp64Micro(closed_at)
            BETWEEN -62135596800000000 AND 253402300799999999
        AND toUnixTimestamp64Micro(ifNull(started_at, closed_at))
            BETWEEN -62135596800000000 AND 253402300799999999
        AND toUnixTimestamp64Micro(ifNull(ended_at, closed_at))
            BETWEEN -62135596800000000 AND 253402300799999999
        AND toUnixTimestamp64Micro(ifNull(last_seen_at, closed_at))
            BETWEEN -62135596800000000 AND 253402300799999999
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (trace_id, root_run_id, revision)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
