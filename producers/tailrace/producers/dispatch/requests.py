"""Where a deployment's requests lie, and who reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tailrace.schemas.names import WORKERS
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.topics import REQUESTS, Topic

if TYPE_CHECKING:
    from collections.abc import Mapping


def requests_topic(deployment: str) -> Topic:
    """Return the topic of a deployment's requests."""
    return replace(REQUESTS, suffix=f"{REQUESTS.suffix}.{deployment}")


def worker_group(deployment: str, prefix: str | None = None) -> str:
    """Return the name of the consumer group of a deployment's workers."""
    return f"{WORKERS.name(prefix)}.{deployment}"


async def ensure_topic(deployment: str, options: Mapping[str, Any], prefix: str | None) -> None:
    """Create a deployment's topic if it is missing; harmless when done by several at once.

    Raises:
        TopicAdminError: if the broker does not answer in time or refuses.
    """
    await apply((requests_topic(deployment),), prefix=prefix, options=options)
