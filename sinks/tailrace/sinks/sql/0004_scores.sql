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
    topic                 LowCardinality(String),
    -- As in events: what a reader cannot read is a dead letter.
    CONSTRAINT texts_can_be_read CHECK
        isValidUTF8(score_id) AND isValidUTF8(trace_id) AND isValidUTF8(root_run_id)
        AND isValidUTF8(run_id) AND isValidUTF8(step_id) AND isValidUTF8(environment)
        AND isValidUTF8(component) AND isValidUTF8(deployment) AND isValidUTF8(code_digest)
        AND isValidUTF8(routing_key) AND isValidUTF8(replay_of) AND isValidUTF8(source)
        AND isValidUTF8(scorer) AND isValidUTF8(scorer_version) AND isValidUTF8(scorer_digest)
        AND isValidUTF8(name) AND isValidUTF8(ifNull(label, '')) AND isValidUTF8(comment)
        AND isValidUTF8(error_type) AND isValidUTF8(error_message) AND isValidUTF8(actor)
        AND isValidUTF8(policy) AND isValidUTF8(experiment) AND isValidUTF8(snapshot)
        AND isValidUTF8(content_hash) AND isValidUTF8(arrayStringConcat(judgements))
        AND isValidUTF8(arrayStringConcat(mapKeys(attributes)))
        AND isValidUTF8(arrayStringConcat(mapValues(attributes))),
    CONSTRAINT times_can_be_read CHECK
        toUnixTimestamp64Micro(ts)
            BETWEEN -62135596800000000 AND 253402300799999999
        AND toUnixTimestamp64Micro(ifNull(event_time, ts))
            BETWEEN -62135596800000000 AND 253402300799999999
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (trace_id, root_run_id, score_id)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
