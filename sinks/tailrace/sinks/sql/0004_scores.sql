-- Scores of executions, runs and steps, sorted so that an execution's scores lie together.
CREATE TABLE scores
(
    score_id              String                              CODEC (ZSTD(1)),
    trace_id              String                              CODEC (ZSTD(1)),
    root_run_id           String                              CODEC (ZSTD(1)),
    revision              Int64                               CODEC (ZSTD(1)),
    run_id                String                              CODEC (ZSTD(1)),
    step_id               String                              CODEC (ZSTD(1)),
    environment           LowCardinality(String),
    component             LowCardinality(String),
    deployment            LowCardinality(String),
    code_digest           LowCardinality(String),
    routing_key           String                              CODEC (ZSTD(1)),
    replay_of             String                              CODEC (ZSTD(1)),
    attempt               Int64                               CODEC (ZSTD(1)),
    source                LowCardinality(String),
    scorer                LowCardinality(String),
    scorer_version        LowCardinality(String),
    scorer_digest         LowCardinality(String),
    name                  LowCardinality(String),
    number                Nullable(Float64)                   CODEC (ZSTD(1)),
    flag                  Nullable(Bool),
    label                 Nullable(String)                    CODEC (ZSTD(1)),
    comment               String                              CODEC (ZSTD(1)),
    error_type            LowCardinality(String),
    error_message         String                              CODEC (ZSTD(1)),
    actor                 LowCardinality(String),
    policy                LowCardinality(String),
    experiment            LowCardinality(String),
    snapshot              LowCardinality(String),
    inclusion_probability Float64                             CODEC (ZSTD(1)),
    content_hash          String                              CODEC (ZSTD(1)),
    judgements            Array(String)                       CODEC (ZSTD(1)),
    ts                    DateTime64(6, 'UTC')                CODEC (Delta, ZSTD(1)),
    event_time            Nullable(DateTime64(6, 'UTC'))      CODEC (Delta, ZSTD(1)),
    duration_us           Nullable(Int64)                     CODEC (ZSTD(1)),
    input_tokens          Nullable(Int64)                     CODEC (ZSTD(1)),
    output_tokens         Nullable(Int64)                     CODEC (ZSTD(1)),
    cost_usd              Nullable(Float64)                   CODEC (ZSTD(1)),
    attributes            Map(LowCardinality(String), String) CODEC (ZSTD(1)),
    offset                Int64                               CODEC (Delta, ZSTD(1)),
    broker_ts             DateTime64(3, 'UTC')                CODEC (Delta, ZSTD(1)),
    partition             Int32                               CODEC (ZSTD(1)),
    log_id                LowCardinality(String),
    topic                 LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (trace_id, root_run_id, score_id)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
