"""Which settings the topics have on the new cluster, while they are copied and afterwards. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tailrace.schemas.topic_settings import MAX_REPLICATION, TopicState, topic_configs
from tailrace.schemas.topics import REQUESTS, TOPICS

if TYPE_CHECKING:
    from tailrace.schemas.topics import Topic

# The records' own times are kept, and nothing may take records out or refuse one without a key.
_WHILE_COPIED = {
    "message.timestamp.type": "CreateTime",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "cleanup.policy": "delete",
}
# What people decide about a topic that is declared; the rest is as declared.
_THEIRS = ("retention.ms", "retention.bytes")
# What a topic of nobody's is: another program's under the same prefix.
_OF_OTHERS = (
    *_THEIRS,
    "cleanup.policy",
    "message.timestamp.type",
    "max.message.bytes",
    "segment.ms",
    "delete.retention.ms",
    "min.compaction.lag.ms",
)


def finished(old: TopicState, prefix: str, brokers: int) -> TopicState:
    """Return how a topic is to be once it is moved: as declared, with the retention that it had.

    Args:
        old: the topic as it is on the old cluster.
        prefix: what the topics' names begin with.
        brokers: how many brokers the new cluster has.
    """
    copies = min(MAX_REPLICATION, brokers)
    topic = _declared(old.name.removeprefix(prefix))
    kept = _OF_OTHERS if topic is None else _THEIRS
    configs = {} if topic is None else topic_configs(topic, brokers, copies)
    configs |= {name: old.configs[name] for name in kept if name in old.configs}
    return TopicState(old.name, old.partitions, copies, configs)


def being_copied(final: TopicState) -> TopicState:
    """Return how the topic is to be while it is copied."""
    return replace(final, configs={**final.configs, **_WHILE_COPIED})


def _declared(suffix: str) -> Topic | None:
    if suffix.startswith(f"{REQUESTS.suffix}."):
        return REQUESTS
    return next((topic for topic in TOPICS if topic.suffix == suffix), None)
