"""The metrics, declared once: name with its unit, labels, and what a value means.

Declaring costs nothing and depends on no client library: whoever measures hands values to an
exporter under these names. A counter's name ends in `_total`, every other's in its unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """One declared metric."""

    name: str
    """The full name, as an exporter shows it."""

    kind: Literal["counter", "gauge", "histogram"]
    """A counter only grows while its process lives; a gauge goes either way."""

    labels: tuple[str, ...]
    """What one value is told from another by; each has few values."""

    doc: str
    """What is counted or measured, and when it should worry someone."""


# Of the archive sink.
ARCHIVE_ROWS = Metric(
    "tailrace_archive_rows_total", "counter", ("topic",), "records whose insert was acknowledged"
)
ARCHIVE_BYTES = Metric(
    "tailrace_archive_read_bytes_total",
    "counter",
    ("topic",),
    "bytes of the values of these records",
)
ARCHIVE_BLOCKS = Metric(
    "tailrace_archive_blocks_total", "counter", ("topic",), "blocks whose insert was acknowledged"
)
ARCHIVE_BLOCK_ROWS = Metric(
    "tailrace_archive_block_rows",
    "histogram",
    ("topic",),
    "rows of a block; small ones cost merges",
)
ARCHIVE_INSERT = Metric(
    "tailrace_archive_insert_seconds",
    "histogram",
    ("topic",),
    "from a block's cut to its acknowledgement, splice included",
)
ARCHIVE_RETRIES = Metric(
    "tailrace_archive_insert_retries_total",
    "counter",
    ("table",),
    "inserts sent again under their token; growing means that ClickHouse refuses or times out",
)
ARCHIVE_LINKS = Metric(
    "tailrace_archive_link_seconds_total",
    "counter",
    ("link",),
    "time by link: consume (polls that brought records, the wait for them included), splice, "
    "insert (ClickHouse's part with its retries), commit; what runs at once adds up",
)
ARCHIVE_SKIPPED = Metric(
    "tailrace_archive_skipped_total",
    "counter",
    ("topic",),
    "records without a row by rule: heartbeats and tombstones",
)
ARCHIVE_NARROWED = Metric(
    "tailrace_archive_narrowed_total",
    "counter",
    ("topic",),
    "records of a newer schema whose fields without a column were left out; the log has them whole",
)
ARCHIVE_REPAIRED = Metric(
    "tailrace_archive_repaired_total",
    "counter",
    ("topic",),
    "rows that were acknowledged, were missing later, and were stored again; above 0, find out "
    "whether ClickHouse lost power",
)
ARCHIVE_LAG = Metric(
    "tailrace_archive_lag_offsets",
    "gauge",
    ("topic", "partition"),
    "offsets from what is stored to the end of the partition",
)
ARCHIVE_DELAY = Metric(
    "tailrace_archive_delay_seconds",
    "gauge",
    ("topic", "partition"),
    "age of the oldest record that was read and is not stored, by broker time",
)
ARCHIVE_PARTITIONS = Metric(
    "tailrace_archive_partitions", "gauge", (), "partitions that this process owns"
)
ARCHIVE_WAITING = Metric(
    "tailrace_archive_waiting_partitions",
    "gauge",
    (),
    "partitions that stall until a schema is published; above 0 for long, ask its producer",
)
ARCHIVE_DEAD_LETTERS = Metric(
    "tailrace_archive_dead_letters_total",
    "counter",
    ("topic",),
    "records that could not be stored and were put aside; every one deserves a look",
)

# Of a stream worker.
STREAMS_EVENTS = Metric(
    "tailrace_streams_events_total",
    "counter",
    (),
    "records of the runs topic that are folded and acknowledged",
)
STREAMS_OUTPUTS = Metric(
    "tailrace_streams_outputs_total",
    "counter",
    ("output",),
    "records published: ended and abandoned executions, health, and dead_letter, each of which "
    "deserves a look",
)
STREAMS_PUBLISH = Metric(
    "tailrace_streams_publish_seconds",
    "histogram",
    (),
    "from a batch's first send to the acknowledgement of its last row",
)
STREAMS_PARTITIONS = Metric(
    "tailrace_streams_partitions", "gauge", (), "partitions of runs that this process owns"
)
STREAMS_OPEN = Metric(
    "tailrace_streams_open_executions", "gauge", (), "executions that are not closed"
)
STREAMS_LAG = Metric(
    "tailrace_streams_lag_offsets",
    "gauge",
    ("partition",),
    "offsets from what is folded to the end of the partition",
)

# Of whoever follows the schemas topic.
SCHEMAS_LEARNT = Metric(
    "tailrace_schemas_learnt_total", "counter", (), "schemas of newer producers that were learnt"
)
SCHEMAS_REJECTED = Metric(
    "tailrace_schemas_rejected_total",
    "counter",
    (),
    "records of the schemas topic that are no schema; above 0, find out who writes there",
)

METRICS: tuple[Metric, ...] = (
    ARCHIVE_ROWS,
    ARCHIVE_BYTES,
    ARCHIVE_BLOCKS,
    ARCHIVE_BLOCK_ROWS,
    ARCHIVE_INSERT,
    ARCHIVE_RETRIES,
    ARCHIVE_LINKS,
    ARCHIVE_SKIPPED,
    ARCHIVE_NARROWED,
    ARCHIVE_REPAIRED,
    ARCHIVE_LAG,
    ARCHIVE_DELAY,
    ARCHIVE_PARTITIONS,
    ARCHIVE_WAITING,
    ARCHIVE_DEAD_LETTERS,
    STREAMS_EVENTS,
    STREAMS_OUTPUTS,
    STREAMS_PUBLISH,
    STREAMS_PARTITIONS,
    STREAMS_OPEN,
    STREAMS_LAG,
    SCHEMAS_LEARNT,
    SCHEMAS_REJECTED,
)
