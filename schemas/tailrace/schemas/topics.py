"""The topics of the log, declared once: key, partitions, retention, and what lies in them.

Creating and checking them on a broker is `topic_admin`'s; the reference page is made from here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

DEFAULT_PREFIX = "tailrace."
LONG_MS = 30 * 24 * 3600 * 1000
"""What *long* means unless told otherwise per topic: 30 days, in milliseconds."""

LOCAL_PARTITIONS = 4
CLUSTER_PARTITIONS = 32

Retention = Literal["long", "compacted", "forever", "drained"]


@dataclass(frozen=True)
class Topic:
    """One declared topic."""

    suffix: str
    """The name without the configurable prefix."""

    key: str
    """What a record's key is; records of one key are in one order."""

    doc: str
    """What lies in it."""

    retention: Retention = "long"
    """`long`: deleted after LONG_MS; `compacted`: the last record a key; `forever`; `drained`: kept
    until the work in it is done, which the broker cannot know, so nothing is deleted by time."""

    single_partition: bool = False
    """Whether all records are in one order, in one partition; else N partitions."""

    records: tuple[str, ...] = ()
    """The records that may lie in it, by name; empty for a topic that is not framed Avro."""

    def name(self, prefix: str | None = None) -> str:
        """Return the topic's full name under the given or the configured prefix."""
        return (topic_prefix() if prefix is None else prefix) + self.suffix

    def partitions(self, n: int) -> int:
        """Return the partitions it has where N is `n`."""
        return 1 if self.single_partition else n


def topic_prefix() -> str:
    """Return `TAILRACE_PREFIX`, by default `tailrace.`: what every topic and group begins with."""
    return os.environ.get("TAILRACE_PREFIX", DEFAULT_PREFIX)


# Events of runs themselves: about two a run, so that slow readers need not read every step.
RUNS = Topic(
    "runs",
    "trace_id",
    "run started, heartbeat, completed, failed, cancelled",
    records=("journal_event", "heartbeat"),
)
# Events of steps, the bulk of the log.
STEPS = Topic(
    "steps",
    "trace_id",
    "step (llm, tool, retrieval…) started, completed, failed, cancelled",
    records=("journal_event",),
)
# Content-addressed, so a repeated payload is sent once.
BODIES = Topic(
    "bodies", "sha-256", "large or repeated payloads, content-addressed", records=("body",)
)
# From the stream processors.
TRACES = Topic(
    "traces", "trace_id", "one record a closed execution and revision", records=("trace",)
)
HEALTH = Topic(
    "health", "environment:component", "rolling windows of a deployment", records=("health",)
)
# Scores of scorers, judges and people alike.
SCORES = Topic(
    "scores", "environment:component", "one score: scorer, judge or person", records=("score",)
)
# Partitioned by environment:component, so that one owner sees all windows of a component.
WINDOWS = Topic(
    "windows",
    "policy:environment:component:deployment:window",
    "state of open eval windows",
    retention="compacted",
    records=("window",),
)
VERDICTS = Topic(
    "verdicts",
    "environment:component",
    "window and experiment verdicts, guard decisions",
    records=("verdict",),
)
# Acknowledged here before a judge's reply is used, so that a crash never asks twice.
JUDGEMENTS = Topic(
    "judgements", "judge digest:content hash", "a judge's reply", records=("judgement",)
)
SNAPSHOT_ROWS = Topic(
    "snapshot_rows",
    "snapshot:trace:root run:part",
    "the pinned copies themselves, chunked; a sealing record ends a manifest",
    retention="compacted",
    records=("snapshot_row",),
)
# One partition: the log itself is the compare-and-set of every pointer.
CONTROL = Topic(
    "control",
    "component",
    "deployments registered, pointers moved, frozen, unfrozen; that the log moved",
    retention="forever",
    single_partition=True,
    records=(
        "deployment_registered",
        "pointer_moved",
        "pointer_frozen",
        "pointer_unfrozen",
        "log_moved",
    ),
)
# The name is a stem: each deployment has a topic of its own, `requests.<deployment>`.
REQUESTS = Topic(
    "requests",
    "the caller's key",
    "dispatched invocations, one topic a deployment",
    retention="drained",
    records=("request",),
)
RETRIES = Topic(
    "retries",
    "policy:trace_id",
    "executions and rows that wait, with a not-before time",
    retention="drained",
    records=("retry",),
)
FORGOTTEN = Topic(
    "forgotten",
    "trace_id",
    "what was erased, when, by whom; no content",
    retention="forever",
    single_partition=True,
    records=("forgotten",),
)
DEAD_LETTERS = Topic(
    "dead_letters",
    "source topic",
    "what could not be read: raw bytes, coordinates, reason; and what was decided about it",
    records=("dead_letter", "dead_letter_decision"),
)
# Plain JSON, not framed: it is what frames are read with.
SCHEMAS = Topic(
    "schemas",
    "schema id",
    "every writer schema ever used, as sorted JSON",
    retention="compacted",
    single_partition=True,
)

TOPICS: tuple[Topic, ...] = (
    RUNS,
    STEPS,
    BODIES,
    TRACES,
    HEALTH,
    SCORES,
    WINDOWS,
    VERDICTS,
    JUDGEMENTS,
    SNAPSHOT_ROWS,
    CONTROL,
    REQUESTS,
    RETRIES,
    FORGOTTEN,
    DEAD_LETTERS,
    SCHEMAS,
)
