"""Which properties a broker knows, asked of a running one, and which ours is started with."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tailrace.console.local.kafka_settings import server_properties

EMBEDDED_VERSION = "4.3.1"


def known_to(bootstrap: str) -> set[str]:
    """Return the name of every property that the broker at this address describes itself with."""
    return asyncio.run(_described(bootstrap))


def embedded() -> dict[str, str]:
    """Return the properties that the embedded stack starts its broker with."""
    text = server_properties(Path("data"), port=9092, controller_port=9093)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


async def _described(bootstrap: str) -> set[str]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        cluster = await client.describe_cluster()
        broker = str(cluster["brokers"][0]["node_id"])
        replies = cast(
            "list[Any]",
            await client.describe_configs([ConfigResource(ConfigResourceType.BROKER, broker)]),
        )
    finally:
        await client.close()
    return {entry[0] for reply in replies for resource in reply.resources for entry in resource[4]}
