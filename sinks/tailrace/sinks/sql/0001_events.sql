-- Every journal event of every run, one row an event, columns by the names of the Avro fields.
-- Sorted by identity, so that a run lies together and a repeat is replaced in a merge. Trace ids
-- minted by Tailrace grow with time, so parts and granules are narrow in time as well, and the skip
-- index on ts prunes queries by time; ids from elsewhere only make it prune less.
CREATE TABLE events
(
    trace_id          String                                  CODEC (ZSTD(1)),
    run_id            String                                  CODEC (ZSTD(1)),
    root_run_id       String                                  CODEC (ZSTD(1)),
    parent_run_id     String                                  CODEC (ZSTD(1)),
    caller_step_id    String                                  CODEC (ZSTD(1)),
    offer             String                                  CODEC (ZSTD(1)),
    component         LowCardinality(String),
    deployment        LowCardinality(String),
    code_digest       LowCardinality(String),
    code_mismatch     Bool,
    environment       LowCardinality(String),
    control_offset    Int64                                   CODEC (Delta, ZSTD(1)),
    routing_key       String                                  CODEC (ZSTD(1)),
    tenant            LowCardinality(String),
    session           String                                  CODEC (ZSTD(1)),
    tags              Array(LowCardinality(String)),
    replay_of         String                                  CODEC (ZSTD(1)),
    retry_of          String                                  CODEC (ZSTD(1)),
    attempt           Int32                                   CODEC (ZSTD(1)),
    seq               Int64                                   CODEC (Delta, ZSTD(1)),
    kind              LowCardinality(String),
    ts                DateTime64(6, 'UTC')                    CODEC (Delta, ZSTD(1)),
    step_id           String                                  CODEC (ZSTD(1)),
    parent_step_id    String                                  CODEC (ZSTD(1)),
    step_key          String                                  CODEC (ZSTD(1)),
    name              LowCardinality(String),
    step_kind         LowCardinality(String),
    effect            LowCardinality(String),
    definition_digest LowCardinality(String),
    input_digest      String                                  CODEC (ZSTD(1)),
    config_keys       Array(LowCardinality(String)),
    started_at        Nullable(DateTime64(6, 'UTC'))          CODEC (Delta, ZSTD(1)),
    duration_us       Nullable(Int64)                         CODEC (ZSTD(1)),
    first_item_us     Nullable(Int64)                         CODEC (ZSTD(1)),
    input             Nullable(String)                        CODEC (ZSTD(1)),
    output            Nullable(String)                        CODEC (ZSTD(1)),
    bodies            Array(String)                           CODEC (ZSTD(1)),
    error_type        LowCardinality(String),
    error_message     String                                  CODEC (ZSTD(1)),
    error_stack       String                                  CODEC (ZSTD(1)),
    provider          LowCardinality(String),
    model             LowCardinality(String),
    finish_reason     LowCardinality(String),
    input_tokens      Nullable(Int64)                         CODEC (ZSTD(1)),
    output_tokens     Nullable(Int64)                         CODEC (ZSTD(1)),
    cached_tokens     Nullable(Int64)                         CODEC (ZSTD(1)),
    cost_usd          Nullable(Float64)                       CODEC (ZSTD(1)),
    last_seq          Nullable(Int64)                         CODEC (ZSTD(1)),
    children          Array(String)                           CODEC (ZSTD(1)),
    offers            Array(String)                           CODEC (ZSTD(1)),
    not_replayable    LowCardinality(String),
    run_steps         Nullable(Int64)                         CODEC (ZSTD(1)),
    run_errors        Nullable(Int64)                         CODEC (ZSTD(1)),
    run_input_tokens  Nullable(Int64)                         CODEC (ZSTD(1)),
    run_output_tokens Nullable(Int64)                         CODEC (ZSTD(1)),
    run_cached_tokens Nullable(Int64)                         CODEC (ZSTD(1)),
    run_cost_usd      Nullable(Float64)                       CODEC (ZSTD(1)),
    attributes        Map(LowCardinality(String), String)     CODEC (ZSTD(1)),
    offset            Int64                                   CODEC (Delta, ZSTD(1)),
    broker_ts         DateTime64(3, 'UTC')                    CODEC (Delta, ZSTD(1)),
    partition         Int32                                   CODEC (ZSTD(1)),
    log_id            LowCardinality(String),
    topic             LowCardinality(String),
    INDEX ts_range ts TYPE minmax GRANULARITY 1,
    INDEX broker_ts_range broker_ts TYPE minmax GRANULARITY 1,
    INDEX run_id_filter run_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX component_set component TYPE set(64) GRANULARITY 4,
    -- What a reader cannot read is a dead letter: Avro's strings are UTF-8, and a time lies in the
    -- years 1 to 9999. Its cost is not measurable.
    CONSTRAINT texts_can_be_read CHECK
        isValidUTF8(trace_id) AND isValidUTF8(run_id) AND isValidUTF8(root_run_id)
        AND isValidUTF8(parent_run_id) AND isValidUTF8(caller_step_id) AND isValidUTF8(offer)
        AND isValidUTF8(component) AND isValidUTF8(deployment) AND isValidUTF8(code_digest)
        AND isValidUTF8(environment) AND isValidUTF8(routing_key) AND isValidUTF8(tenant)
        AND isValidUTF8(session) AND isValidUTF8(arrayStringConcat(tags))
        AND isValidUTF8(replay_of) AND isValidUTF8(retry_of) AND isValidUTF8(kind)
        AND isValidUTF8(step_id) AND isValidUTF8(parent_step_id) AND isValidUTF8(step_key)
        AND isValidUTF8(name) AND isValidUTF8(step_kind) AND isValidUTF8(effect)
        AND isValidUTF8(definition_digest) AND isValidUTF8(input_digest)
        AND isValidUTF8(arrayStringConcat(config_keys)) AND isValidUTF8(ifNull(input, ''))
        AND isValidUTF8(ifNull(output, '')) AND isValidUTF8(arrayStringConcat(bodies))
        AND isValidUTF8(error_type) AND isValidUTF8(error_message) AND isValidUTF8(error_stack)
        AND isValidUTF8(provider) AND isValidUTF8(model) AND isValidUTF8(finish_reason)
        AND isValidUTF8(arrayStringConcat(children)) AND isValidUTF8(arrayStringConcat(offers))
        AND isValidUTF8(not_replayable) AND isValidUTF8(arrayStringConcat(mapKeys(attributes)))
        AND isValidUTF8(arrayStringConcat(mapValues(attributes))),
    CONSTRAINT times_can_be_read CHECK
        toUnixTimestamp64Micro(ts)
            BETWEEN -62135596800000000 AND 253402300799999999
        AND toUnixTimestamp64Micro(ifNull(started_at, ts))
            BETWEEN -62135596800000000 AND 253402300799999999
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(broker_ts)
ORDER BY (trace_id, run_id, seq)
SETTINGS
    -- Insert tokens that a single node remembers; tables.DEDUPLICATION_WINDOW says what it means.
    non_replicated_deduplication_window = 10000,
    -- An acknowledged insert survives a power failure on a single node.
    fsync_after_insert = 1,
    fsync_part_directory = 1;
