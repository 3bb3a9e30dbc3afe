-- Every journal event of every run, one row an event, columns by the names of the Avro fields.
-- Sorted by identity, so that a run lies together and a repeat is replaced in a merge. Trace ids
-- minted by Tailrace grow with time, so parts and granules are narrow in time as well, and the skip
-- index on ts prunes queries by time; ids from elsewhere only make it prune less.
-- Texts are plain even where few of them differ, but for four that questions look through
-- everywhere: Avro is read into LowCardinality by making a column of each value, which took half
-- of an insert's time (design/017-speed.md).
CREATE TABLE events
(
    trace_id          String                                  CODEC (ZSTD(1)),
    run_id            String                                  CODEC (ZSTD(1)),
    root_run_id       String                                  CODEC (ZSTD(1)),
    parent_run_id     String                                  CODEC (ZSTD(1)),
    caller_step_id    String                                  CODEC (ZSTD(1)),
    offer             String                                  CODEC (ZSTD(1)),
    component         LowCardinality(String),
    deployment        String                                  CODEC (ZSTD(1)),
    code_digest       String                                  CODEC (ZSTD(1)),
    code_mismatch     Bool,
    environment       String                                  CODEC (ZSTD(1)),
    control_offset    Int64                                   CODEC (Delta, ZSTD(1)),
    routing_key       String                                  CODEC (ZSTD(1)),
    tenant            String                                  CODEC (ZSTD(1)),
    session           String                                  CODEC (ZSTD(1)),
    tags              Array(String)                           CODEC (ZSTD(1)),
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
    effect            String                                  CODEC (ZSTD(1)),
    definition_digest String                                  CODEC (ZSTD(1)),
    input_digest      String                                  CODEC (ZSTD(1)),
    config_keys       Array(String)                           CODEC (ZSTD(1)),
    started_at        Nullable(DateTime64(6, 'UTC'))          CODEC (Delta, ZSTD(1)),
    duration_us       Nullable(Int64)                         CODEC (ZSTD(1)),
    first_item_us     Nullable(Int64)                         CODEC (ZSTD(1)),
    input             Nullable(String)                        CODEC (ZSTD(1)),
    output            Nullable(String)                        CODEC (ZSTD(1)),
    bodies            Array(String)                           CODEC (ZSTD(1)),
    error_type        String                                  CODEC (ZSTD(1)),
    error_message     String                                  CODEC (ZSTD(1)),
    error_stack       String                                  CODEC (ZSTD(1)),
    provider          String                                  CODEC (ZSTD(1)),
    model             String                                  CODEC (ZSTD(1)),
    finish_reason     String                                  CODEC (ZSTD(1)),
    input_tokens      Nullable(Int64)                         CODEC (ZSTD(1)),
    output_tokens     Nullable(Int64)                         CODEC (ZSTD(1)),
    cached_tokens     Nullable(Int64)                         CODEC (ZSTD(1)),
    cost_usd          Nullable(Float64)                       CODEC (ZSTD(1)),
    last_seq          Nullable(Int64)                         CODEC (ZSTD(1)),
    children          Array(String)                           CODEC (ZSTD(1)),
    offers            Array(String)                           CODEC (ZSTD(1)),
    not_replayable    String                                  CODEC (ZSTD(1)),
    run_steps         Nullable(Int64)                         CODEC (ZSTD(1)),
    run_errors        Nullable(Int64)                         CODEC (ZSTD(1)),
    run_input_tokens  Nullable(Int64)                         CODEC (ZSTD(1)),
    run_output_tokens Nullable(Int64)                         CODEC (ZSTD(1)),
    run_cached_tokens Nullable(Int64)                         CODEC (ZSTD(1)),
    run_cost_usd      Nullable(Float64)                       CODEC (ZSTD(1)),
    attributes        Map(String, String)                     CODEC (ZSTD(1)),
    offset            Int64                                   CODEC (Delta, ZSTD(1)),
    broker_ts         DateTime64(3, 'UTC')                    CODEC (Delta, ZSTD(1)),
    partition         Int32                                   CODEC (ZSTD(1)),
    log_id            String                                  CODEC (ZSTD(1)),
    topic             String                                  CODEC (ZSTD(1)),
    INDEX ts_range ts TYPE minmax GRANULARITY 1,
    INDEX broker_ts_range broker_ts TYPE minmax GRANULARITY 1,
    INDEX run_id_filter run_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX component_set component TYPE set(64) GRANULARITY 4,
    -- What a reader cannot read is a dead letter: Avro's strings are UTF-8, and a time lies in the
    -- years 1 to 9999.
    CONSTRAINT texts_can_be_read CHECK
        -- One call, because each costs every insert its own time, however small it is. A separator
        -- ends what is cut off, so that no text completes the one before it.
        isValidUTF8(concatWithSeparator(',',
            trace_id, run_id, root_run_id, parent_run_id, caller_step_id, offer, component,
            deployment, code_digest, environment, routing_key, tenant, session,
            arrayStringConcat(tags, ','), replay_of, retry_of, kind, step_id, parent_step_id,
            step_key, name, step_kind, effect, definition_digest, input_digest,
            arrayStringConcat(config_keys, ','), ifNull(input, ''), ifNull(output, ''),
            arrayStringConcat(bodies, ','), error_type, error_message, error_stack, provider, model,
            finish_reason, arrayStringConcat(children, ','), arrayStringConcat(offers, ','),
            not_replayable, arrayStringConcat(mapKeys(attributes), ','),
            arrayStringConcat(mapValues(attributes), ',')
        )),
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
    -- A trace is read with all columns: a quarter of the usual granule is a third less to unpack.
    index_granularity = 2048,
    -- A block of the sink is one file, not two for each column: fewer to make, sync and merge.
    min_bytes_for_wide_part = 134217728,
    -- Insert tokens that a single node remembers; tables.DEDUPLICATION_WINDOW says what it means.
    non_replicated_deduplication_window = 10000,
    -- An acknowledged insert survives a power failure on a single node.
    fsync_after_insert = 1,
    fsync_part_directory = 1;
