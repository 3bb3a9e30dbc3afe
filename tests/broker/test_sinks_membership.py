"""Once the group has thrown a member out it commits nothing, even if the group is empty since."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import (
    AIOKafkaConsumer,
    ConsumerRebalanceListener,
    OffsetAndMetadata,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest

from support.log_journal import create_topics, fleet, write_async
from tailrace.sinks.archive.lane import PartitionLostError
from tailrace.sinks.archive.membership import Membership


class Assigned(ConsumerRebalanceListener):
    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.membership: asyncio.Future[Membership] = asyncio.get_running_loop().create_future()

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, revoked: object
    ) -> None: ...

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, assigned: object
    ) -> None:
        del assigned
        if not self.membership.done():
            self.membership.set_result(Membership(self._consumer))


async def throw_out(coordinator: Any, group: str) -> None:
    await coordinator._send_req(LeaveGroupRequest(group, coordinator.member_id))


def test_who_was_thrown_out_sets_no_offset_back_though_nobody_else_is_in_the_group(
    kafka: str, topic_prefix: str
) -> None:
    create_topics(kafka, topic_prefix)
    group, partition = f"{topic_prefix}group", TopicPartition(f"{topic_prefix}runs", 0)

    async def committed(admin: Any) -> int:
        found = await admin.list_consumer_group_offsets(group, partitions=[partition])
        return found[partition].offset

    async def sleep_and_wake() -> None:
        await write_async(kafka, topic_prefix, fleet(20))
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=kafka)
        consumer: Any = AIOKafkaConsumer(
            bootstrap_servers=kafka,
            group_id=group,
            enable_auto_commit=False,
            heartbeat_interval_ms=100_000,  # none comes between, which would join it again
            session_timeout_ms=300_000,
        )
        await admin.start()
        await consumer.start()
        try:
            listener = Assigned(consumer)
            consumer.subscribe([partition.topic], listener=listener)
            membership = await asyncio.wait_for(listener.membership, 30)
            await membership.commit({partition: OffsetAndMetadata(3, "")})
            assert await committed(admin) == 3

            await throw_out(vars(consumer)["_coordinator"], group)
            for _ in range(3):  # as the lanes of several partitions do, one after the other
                with pytest.raises(PartitionLostError):
                    await membership.commit({partition: OffsetAndMetadata(1, "")})
            assert await committed(admin) == 3
        finally:
            await consumer.stop()
            await admin.close()

    asyncio.run(sleep_and_wake())
