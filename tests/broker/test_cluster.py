"""Asking a cluster about itself and about topics by name: exactly these, and none is made by it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from support.log_journal import create_topics
from tailrace.schemas.cluster import describe_cluster, describe_topics
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.topics import RUNS, STEPS


def test_topics_that_exist_are_told_and_asking_for_others_creates_none(
    kafka: str, topic_prefix: str
) -> None:
    create_topics(kafka, topic_prefix, partitions=2)
    there, missing = RUNS.name(topic_prefix), f"{topic_prefix}nowhere"

    async def ask() -> None:
        admin = cast("Any", AIOKafkaAdminClient)(bootstrap_servers=kafka)
        consumer = cast("Any", AIOKafkaConsumer)(bootstrap_servers=kafka)
        await admin.start()
        await consumer.start()
        try:
            for client in (admin, consumer):
                [found] = await describe_topics(client, [missing, there])
                assert (found["topic"], len(found["partitions"])) == (there, 2)
                assert await describe_topics(client, []) == []
                described = await describe_cluster(client)
                assert (described.brokers, bool(described.cluster_id)) == (1, True)
            names = await admin.list_topics()
            assert missing not in names
            assert STEPS.name(topic_prefix) in names
        finally:
            await stop_consumer(consumer)
            await admin.close()

    asyncio.run(ask())
