"""What has to be known of the cluster before a worker starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tailrace.schemas import topics
from tailrace.schemas.errors import TailraceError
from tailrace.schemas.topic_settings import MAX_REPLICATION

if TYPE_CHECKING:
    from collections.abc import Mapping


_NEEDED = (topics.RUNS, topics.TRACES, topics.HEALTH, topics.DEAD_LETTERS)


class ClusterError(TailraceError):
    """Kafka does not answer, or lacks a topic."""


@dataclass(frozen=True)
class Cluster:
    """What the streams need of it."""

    log_id: str
    """The cluster's id."""

    partitions: int
    """Of `runs`, and so of the changelog."""

    replication: int
    """Copies that the changelog gets."""


async def look_up(kafka: Mapping[str, Any], prefix: str) -> Cluster:
    """Return what the cluster is like.

    Raises:
        ClusterError: if it does not answer, or a topic is missing.
    """
    admin = cast("Any", AIOKafkaAdminClient)(**kafka)
    needed = [each.name(prefix) for each in _NEEDED]
    try:
        await admin.start()
        missing = sorted(set(needed) - set(await admin.list_topics()))
        if missing:
            raise ClusterError(
                f"the broker has no topic {', '.join(missing)}: `tailrace topics apply` creates "
                "them"
            )
        [runs] = await admin.describe_topics([needed[0]])
        described = await admin.describe_cluster()
    except KafkaError as error:
        raise ClusterError(
            f"no answer from Kafka at {kafka['bootstrap_servers']}: is it running? `tailrace up` "
            f"starts the local one, TAILRACE_KAFKA names another ({error!r})"
        ) from error
    finally:
        await admin.close()
    brokers = len(described["brokers"])
    return Cluster(
        str(described["cluster_id"]), len(runs["partitions"]), min(MAX_REPLICATION, brokers)
    )
