"""Which properties a broker knows, asked of a running one, and which version ours is."""

from __future__ import annotations

import asyncio
import re
from importlib.resources import files
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType


def known_to(bootstrap: str) -> set[str]:
    """Return the name of every property that the broker at this address describes itself with."""
    return asyncio.run(_described(bootstrap))


def embedded_version() -> str:
    """Return the version of the broker that the embedded stack starts."""
    jars = files("tailrace.console.local").joinpath("kafka_jars.txt").read_text(encoding="utf-8")
    match = re.search(r"^org\.apache\.kafka:kafka_[\d.]+:(\S+)", jars, flags=re.MULTILINE)
    assert match
    return match[1]


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
