"""How much is dispatched and not done, by deployment, as the broker knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tailrace.producers.dispatch.requests import requests_topic, worker_group
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.topic_admin import existing_topics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.schemas.topic_settings import TopicState


@dataclass(frozen=True)
class WaitingRequests:
    """One deployment's requests."""

    deployment: str
    sent: int
    """How many records its topic has had."""

    waiting: int
    """How many of them no worker has committed."""

    workers: int
    """How many workers its group has now."""


async def waiting_requests(
    options: Mapping[str, Any], prefix: str | None = None
) -> list[WaitingRequests]:
    """Return what waits in every requests topic. Raises aiokafka's errors.

    Args:
        options: the connection arguments of an aiokafka client.
        prefix: of the topics' names; the configured one when None.
    """
    stem = requests_topic("").name(prefix)
    consumer: Any = AIOKafkaConsumer(**options)
    admin: Any = AIOKafkaAdminClient(**options)
    await consumer.start()
    try:
        await admin.start()
        names = sorted(name for name in await admin.list_topics() if name.startswith(stem))
        there = await existing_topics(admin, names)
        return [
            await _of(consumer, admin, topic, topic.name[len(stem) :], prefix)
            for topic in there.values()
        ]
    finally:
        await admin.close()
        await stop_consumer(consumer)


async def _of(
    consumer: Any, admin: Any, topic: TopicState, deployment: str, prefix: str | None
) -> WaitingRequests:
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    group = worker_group(deployment, prefix)
    done = await admin.list_consumer_group_offsets(group)
    waiting = 0
    for partition, end in ends.items():
        committed = done.get(partition)
        waiting += end - (0 if committed is None else max(0, committed.offset))
    return WaitingRequests(deployment, sum(ends.values()), waiting, await _members(admin, group))


async def _members(admin: Any, group: str) -> int:
    for response in await admin.describe_consumer_groups([group]):
        for described in response.groups:
            return len(described[5])
    return 0
