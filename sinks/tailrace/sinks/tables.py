"""The tables, each described once: which records of which topics it holds, what tells rows apart.

The SQL in `sql/` creates them; a test holds the two, and the Avro schemas, to each other. A table's
columns are the record's fields by name, then the record's coordinates in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.schemas import topics

if TYPE_CHECKING:
    from tailrace.schemas.topics import Topic

COORDINATES = ("offset", "broker_ts", "partition", "log_id", "topic")
"""The columns that say where in the log a row came from: the record's offset, the time at which the
broker (or, by the topic's setting, the producer) stamped it, its partition, the id of the log (of
the cluster that it began on, see `schemas.lineage`) and the full name of the topic."""

RECORD_COLUMN = "record"
"""A table of several records has this column too: the record's name."""

DEDUPLICATION_WINDOW = 10_000
"""How many insert tokens a table remembers on a single node: a stale writer is told from a new one
for as long. With a block each 300 ms and 8 partitions that is six minutes, with full blocks hours;
after it, the identity and the replacing engine tell repeats apart."""


@dataclass(frozen=True)
class Table:
    """One table of the archive."""

    name: str
    """Its name in the database."""

    records: tuple[str, ...]
    """The Avro records that its rows are, by name."""

    topics: tuple[Topic, ...]
    """Where such records lie."""

    identity: tuple[str, ...]
    """The columns that identify a row: repeats of them are one fact, and every query takes one."""

    doc: str
    """What its rows are."""


EVENTS = Table(
    "events",
    ("journal_event",),
    (topics.RUNS, topics.STEPS),
    ("trace_id", "run_id", "seq"),
    "every journal event of every run",
)
BODIES = Table(
    "bodies",
    ("body",),
    (topics.BODIES,),
    ("trace_id", "sha256"),
    "large or repeated payloads by their content's hash",
)
DEAD_LETTERS = Table(
    "dead_letters",
    ("dead_letter",),
    (topics.DEAD_LETTERS,),
    ("source_log_id", "source_topic", "source_partition", "source_offset", "reader"),
    "records that could not be read or stored, with the reason",
)
DEAD_LETTER_DECISIONS = Table(
    "dead_letter_decisions",
    ("dead_letter_decision",),
    (topics.DEAD_LETTERS,),
    ("source_log_id", "source_topic", "source_partition", "source_offset", "ts", "decision"),
    "what people decided about dead letters; the newest of a source stands",
)
SCORES = Table(
    "scores",
    ("score",),
    (topics.SCORES,),
    ("trace_id", "root_run_id", "score_id"),
    "scores by scorers, judges and people",
)
DEPLOYMENTS = Table(
    "deployments",
    ("deployment_registered",),
    (topics.CONTROL,),
    ("deployment", "component"),
    "deployments as they were registered",
)
POINTER_MOVES = Table(
    "pointer_moves",
    ("pointer_moved", "pointer_frozen", "pointer_unfrozen"),
    (topics.CONTROL,),
    ("component", "environment", "offset"),
    "moves, freezes and unfreezings of pointers, in the order of the log",
)
LOG_MOVES = Table(
    "log_moves",
    ("log_moved",),
    (topics.CONTROL,),
    ("new_cluster_id", "offset"),
    "moves of the log from one cluster to another",
)
TRACES = Table(
    "traces",
    ("trace",),
    (topics.TRACES,),
    ("trace_id", "root_run_id", "revision"),
    "closed executions, each revision of each; the highest stands",
)
HEALTH = Table(
    "health",
    ("health",),
    (topics.HEALTH,),
    (
        *("window_start", "environment", "component", "deployment"),
        *("source_partition", "revision"),
    ),
    "rolling figures of deployments, minute by minute; the highest revision stands",
)
TABLES: tuple[Table, ...] = (
    EVENTS,
    BODIES,
    DEAD_LETTERS,
    DEAD_LETTER_DECISIONS,
    SCORES,
    DEPLOYMENTS,
    POINTER_MOVES,
    LOG_MOVES,
    TRACES,
    HEALTH,
)

SKIPPED_RECORDS = frozenset({"heartbeat"})
"""Records that lie in archived topics and have no table on purpose."""


def archived_topics() -> tuple[Topic, ...]:
    """Return every topic that ends in a table, in the order of the log's own declaration."""
    wanted = {topic.suffix for table in TABLES for topic in table.topics}
    return tuple(topic for topic in topics.TOPICS if topic.suffix in wanted)


def table_of(record: str) -> Table | None:
    """Return the table of a record by the record's name, None if it has none."""
    return next((table for table in TABLES if record in table.records), None)
