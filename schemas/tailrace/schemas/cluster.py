"""What a cluster says of itself, and of topics by their names.

aiokafka's own questions of this kind (`list_topics`, `describe_cluster`, a consumer's `topics`)
have the broker tell of every topic there is, of which a shared cluster has thousands: 60 ms of
decoding for 2,000 of them, each time. And asked for a topic by name, it lets the broker create it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.metadata import MetadataRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_TO_BE_SEEN = {
    UnknownTopicOrPartitionError.errno,
    TopicAuthorizationFailedError.errno,
}


@dataclass(frozen=True, slots=True)
class ClusterDescription:
    """A Kafka cluster."""

    cluster_id: str
    """The id that it was formatted with."""

    brokers: int
    """How many are there now."""


async def describe_cluster(client: Any) -> ClusterDescription:
    """Return what a cluster says of itself.

    Args:
        client: a started admin client or consumer of aiokafka.

    Raises:
        KafkaError: if none of its brokers answers.
    """
    told = await _metadata(client, [])
    return ClusterDescription(str(told["cluster_id"]), len(told["brokers"]))


async def describe_topics(client: Any, names: Iterable[str]) -> list[dict[str, Any]]:
    """Return those of the topics that exist and may be seen; none is created for being asked for.

    Args:
        client: a started admin client or consumer of aiokafka.
        names: of topics.

    Raises:
        KafkaError: if none of the cluster's brokers answers.
    """
    told = await _metadata(client, list(names))
    found = cast("list[dict[str, Any]]", told["topics"])
    return [topic for topic in found if topic["error_code"] not in _NOT_TO_BE_SEEN]


async def _metadata(client: Any, names: list[str]) -> dict[str, Any]:
    """Ask one broker after the other, in any order, until one answers."""
    connections = client._client  # noqa: SLF001 - nothing public asks so
    nodes = [broker.nodeId for broker in connections.cluster.brokers()]
    random.shuffle(nodes)
    failure: KafkaError = KafkaConnectionError("no broker is known")
    for node in nodes:
        try:
            request = MetadataRequest(names, allow_auto_topic_creation=False)
            answer = await connections.send(node, request)
        except KafkaError as error:
            failure = error
        else:
            return cast("dict[str, Any]", answer.to_object())
    raise failure
