"""What has to be known of the cluster before a worker starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tailrace.schemas import topics
from tailrace.schemas.cluster import describe_cluster, describe_topics
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.lineage import as_move, lineage
from tailrace.schemas.topic_settings import MAX_REPLICATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.schemas.lineage import Move


_NEEDED = (topics.RUNS, topics.TRACES, topics.HEALTH, topics.DEAD_LETTERS, topics.CONTROL)
_READ_MS = 200


class ClusterError(TailraceError):
    """Kafka does not answer, or lacks a topic."""


@dataclass(frozen=True)
class Cluster:
    """What the streams need of it."""

    log_id: str
    """The log's id: that of the cluster on which it began, wherever it was moved since."""

    partitions: int
    """Of `runs`, and so of the changelog."""

    replication: int
    """Copies that the changelog gets."""


async def look_up(kafka: Mapping[str, Any], prefix: str) -> Cluster:
    """Return what the cluster is like.

    Raises:
        ClusterError: if it does not answer, or a topic is missing.
        LogMovedAwayError: if the log lives on another cluster by now.
    """
    admin = cast("Any", AIOKafkaAdminClient)(**kafka)
    needed = [each.name(prefix) for each in _NEEDED]
    try:
        await admin.start()
        there = {each["topic"]: each for each in await describe_topics(admin, needed)}
        missing = sorted(set(needed) - there.keys())
        if missing:
            raise ClusterError(
                f"the broker has no topic {', '.join(missing)}: `tailrace topics apply` creates "
                "them"
            )
        described = await describe_cluster(admin)
        moves = await _moves(kafka, topics.CONTROL.name(prefix))
    except KafkaError as error:
        raise ClusterError(
            f"no answer from Kafka at {kafka['bootstrap_servers']}: is it running? `tailrace up` "
            f"starts the local one, TAILRACE_KAFKA names another ({error!r})"
        ) from error
    finally:
        await admin.close()
    log = lineage(described.cluster_id, moves)
    partitions = len(there[needed[0]]["partitions"])
    return Cluster(log.log_id, partitions, min(MAX_REPLICATION, described.brokers))


async def _moves(kafka: Mapping[str, Any], control: str) -> list[Move]:
    """Return every move that `control` tells of; it is small, kept for ever, and read whole."""
    consumer = cast("Any", AIOKafkaConsumer)(**kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partition = TopicPartition(control, 0)
        consumer.assign([partition])
        [end] = (await consumer.end_offsets([partition])).values()
        found: list[Move] = []
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=_READ_MS)).values():
                moves = [as_move(record.value) for record in records]
                found += [move for move in moves if move is not None]
        return found
    finally:
        await stop_consumer(consumer)
