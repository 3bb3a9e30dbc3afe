"""What each declared topic's settings on a broker are to be, and how an existing one differs.

Pure: asking and changing a broker is `topic_admin`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tailrace.schemas.topics import (
    CLUSTER_PARTITIONS,
    DEAD_LETTERS,
    LOCAL_PARTITIONS,
    LONG_MS,
    REQUESTS,
    TOPICS,
    Topic,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_REPLICATION = 3
"""Copies of each partition, unless told otherwise: three, or one a broker where there are fewer."""

MAX_MESSAGE_BYTES = 16 * 2**20
"""A batch of records as compressed by the producer; far above one body or snapshot chunk."""

MAX_DEAD_LETTER_BYTES = MAX_MESSAGE_BYTES + 2**20
"""A dead letter holds a whole record, which may be as long as a batch, and where it lay."""

FOREVER = "-1"

LOCAL_SEGMENT_BYTES = 64 * 2**20
"""Segments on a single broker, whose disk is a laptop's; a cluster keeps Kafka's 1 GiB."""

COMPACTED_SEGMENT_MS = 24 * 3600 * 1000
"""Only closed segments are compacted: a slow topic's segment is closed once a day."""

STANDING_TOPICS: tuple[Topic, ...] = tuple(topic for topic in TOPICS if topic is not REQUESTS)
"""All but `requests`, which is a stem: each deployment's own topic is made when it is deployed."""


@dataclass(frozen=True)
class TopicState:
    """A topic as it is to be, or as it is on a broker."""

    name: str
    """The full name, prefix included."""

    partitions: int
    """How many partitions it has."""

    replication: int
    """How many copies of each partition there are; of the partition that has least."""

    configs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Settings by Kafka's own names."""


@dataclass(frozen=True)
class Difference:
    """One thing in which a topic on a broker is not as declared."""

    topic: str
    """The topic's full name."""

    what: str
    """`topic`, `partitions`, `replication`, or the name of a setting."""

    declared: str
    """What it is to be."""

    existing: str
    """What it is; empty when the topic does not exist."""

    remedy: Literal["create", "alter", "by hand"]
    """`create` and `alter` can be done by `apply`; `by hand` needs a decision of people's."""

    def __str__(self) -> str:
        """Return the difference as one sentence that says what to do."""
        if self.remedy == "create":
            return f"{self.topic} does not exist"
        text = f"{self.topic}: {self.what} is {self.existing}, declared is {self.declared}"
        if self.what == "partitions":
            return (
                f"{text}; partitions are never added to a topic in use, since its keys would move "
                "to others: write into a new prefix, or keep it and pass --partitions"
            )
        if self.what == "replication":
            return f"{text}; move it with kafka-reassign-partitions, or pass --replication"
        return f"{text}; change it with --fix"


def declare(
    topics: Iterable[Topic],
    *,
    brokers: int,
    prefix: str | None = None,
    partitions: int | None = None,
    replication: int | None = None,
) -> tuple[TopicState, ...]:
    """Return how the topics are to be on a cluster of so many brokers.

    Args:
        topics: the declared topics.
        brokers: how many brokers there are.
        prefix: what names begin with; the configured prefix when None.
        partitions: N; when None 4 on a single broker, else 32.
        replication: copies of each partition; when None three, or as many as there are brokers.
    """
    n = partitions or (LOCAL_PARTITIONS if brokers == 1 else CLUSTER_PARTITIONS)
    copies = replication or min(MAX_REPLICATION, brokers)
    return tuple(
        TopicState(
            topic.name(prefix), topic.partitions(n), copies, topic_configs(topic, brokers, copies)
        )
        for topic in topics
    )


def topic_configs(topic: Topic, brokers: int, copies: int) -> dict[str, str]:
    """Return a topic's settings by Kafka's names."""
    compacted = topic.retention == "compacted"
    largest = MAX_DEAD_LETTER_BYTES if topic is DEAD_LETTERS else MAX_MESSAGE_BYTES
    configs = {
        "cleanup.policy": "compact" if compacted else "delete",
        "retention.ms": str(LONG_MS) if topic.retention == "long" else FOREVER,
        "retention.bytes": FOREVER,  # what is stated is a time; a disk is watched by people
        "compression.type": "producer",  # kept as it came, so a broker never recompresses
        "message.timestamp.type": "LogAppendTime",  # time is the broker's, see the design
        "max.message.bytes": str(largest),
        # Two of three must have a record before it is acknowledged: one broker may then be lost.
        "min.insync.replicas": "2" if copies >= MAX_REPLICATION else "1",
        "unclean.leader.election.enable": "false",  # an acknowledged record is never given up
    }
    if compacted:
        configs["segment.ms"] = str(COMPACTED_SEGMENT_MS)
    if brokers == 1:
        configs["segment.bytes"] = str(LOCAL_SEGMENT_BYTES)
    return configs


def plan(
    declared: Iterable[TopicState], existing: Mapping[str, TopicState]
) -> tuple[Difference, ...]:
    """Return every difference between what is declared and what exists, in the declared order.

    Settings that are not declared are nobody's business here, nor are topics that are not.
    """
    found: list[Difference] = []
    for topic in declared:
        there = existing.get(topic.name)
        if there is None:
            settings = f"{topic.partitions} partitions, {topic.replication} copies"
            found.append(Difference(topic.name, "topic", settings, "", "create"))
        else:
            found += _differences(topic, there)
    return tuple(found)


def _differences(declared: TopicState, there: TopicState) -> list[Difference]:
    found: list[Difference] = []
    for what, wanted, has in (
        ("partitions", declared.partitions, there.partitions),
        ("replication", declared.replication, there.replication),
    ):
        if wanted != has:
            found.append(Difference(declared.name, what, str(wanted), str(has), "by hand"))
    for key, value in declared.configs.items():
        has_value = there.configs.get(key, "")
        if has_value != value:
            found.append(Difference(declared.name, key, value, has_value or "unknown", "alter"))
    return found
