"""The consumer groups, declared once: who reads what, and what its commits mean.

Topics are declared in `topics`, metrics in `metrics`, and tables in `tailrace.sinks.tables`, beside
their columns and SQL.
"""

from __future__ import annotations

from dataclasses import dataclass

from tailrace.schemas.topics import (
    BODIES,
    CONTROL,
    DEAD_LETTERS,
    HEALTH,
    JUDGEMENTS,
    REQUESTS,
    RETRIES,
    RUNS,
    SCORES,
    SNAPSHOT_ROWS,
    STEPS,
    TOPICS,
    TRACES,
    VERDICTS,
    Topic,
    topic_prefix,
)


@dataclass(frozen=True)
class Group:
    """One declared consumer group."""

    suffix: str
    """The name without the configurable prefix."""

    reads: tuple[Topic, ...]
    """The topics that it reads; their partitions are shared out among its members."""

    doc: str
    """What it does, and what its committed offsets mean."""

    def name(self, prefix: str | None = None) -> str:
        """Return the group's full name under the given or the configured prefix."""
        return (topic_prefix() if prefix is None else prefix) + self.suffix


# The only group whose commits carry metadata: the range that is being inserted.
ARCHIVE = Group(
    "archive",
    (
        RUNS,
        STEPS,
        BODIES,
        TRACES,
        HEALTH,
        SCORES,
        VERDICTS,
        JUDGEMENTS,
        SNAPSHOT_ROWS,
        CONTROL,
        DEAD_LETTERS,
    ),
    "stores the log in ClickHouse; what is committed is stored",
)
# Faust adds its own changelog topics under this name.
STREAMS = Group(
    "streams",
    (RUNS,),
    "assembles executions and rolls health windows; what is committed is folded, at least once",
)
# Offsets and scores are committed in one Kafka transaction.
SCORE = Group(
    "score",
    (TRACES, RETRIES),
    "scores complete executions; what is committed is scored or parked, exactly once",
)
# Offsets, window states and verdicts are committed in one Kafka transaction.
WINDOW = Group(
    "window",
    (SCORES,),
    "keeps open eval windows and closes them with a verdict, exactly once",
)
# A move carries its own id, so that deciding again after a crash changes nothing.
GUARD = Group(
    "guard",
    (VERDICTS, CONTROL),
    "moves pointers by verdicts; what is committed is decided",
)

# The name is a stem: each deployment's workers are a group of their own, `requests.<deployment>`.
WORKERS = Group(
    "requests",
    (REQUESTS,),
    "runs what was dispatched to a deployment; of what is committed the last event is on the log",
)
# It has no members: its commits are kept at the cluster that a log is moved to.
MIGRATE_LOG = Group(
    "migrate-log",
    TOPICS,
    "moves the log to another cluster; what is committed there was compared and is equal",
)

GROUPS: tuple[Group, ...] = (ARCHIVE, STREAMS, SCORE, WINDOW, GUARD, WORKERS, MIGRATE_LOG)
