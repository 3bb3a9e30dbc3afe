"""What is on the log already: runs that have ended, and deployments that are registered.

Read from the log itself, from a given place to its end at the moment of asking; nothing is waited
for. A run counts as known by its last event alone: that one is sent when all before it is there.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from tailrace.console.importing.errors import ImportFailedError
from tailrace.schemas import wire
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.topics import CONTROL, RUNS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tailrace.schemas.topics import Topic

LAST_EVENTS = frozenset({"run_completed", "run_failed", "run_cancelled"})
STALLED_S = 30.0
"""How long the broker may send nothing while there is more to read."""

_CONNECT_S = 10.0


async def ended_runs(options: Mapping[str, Any], prefix: str, first: Mapping[int, int]) -> set[str]:
    """Return the run ids whose last event lies on `runs`.

    Args:
        options: the connection arguments of an aiokafka client.
        prefix: the topics' prefix.
        first: the offset to start from, by partition; from the beginning where there is none.

    Raises:
        ImportFailedError: if the log cannot be read.
    """
    ended: set[str] = set()
    async for record in _records(options, RUNS, prefix, first):
        if record.get("kind") in LAST_EVENTS:
            ended.add(record["run_id"])
    return ended


async def registered_deployments(options: Mapping[str, Any], prefix: str) -> set[str]:
    """Return the ids of all deployments that were ever registered. Raises as `ended_runs`."""
    return {
        record["deployment"]
        async for record in _records(options, CONTROL, prefix, {})
        if "manifest" in record
    }


async def _records(
    options: Mapping[str, Any], topic: Topic, prefix: str, first: Mapping[int, int]
) -> AsyncIterator[dict[str, Any]]:
    name = topic.name(prefix)
    # aiokafka has no types of its own.
    consumer: Any = AIOKafkaConsumer(name, **options, enable_auto_commit=False)
    try:
        await asyncio.wait_for(consumer.start(), _CONNECT_S)
        async for value in _values(consumer, first):
            try:
                yield wire.decode(value)[1]
            except wire.WireError:
                # A record of a newer producer, or none of ours: the sink's business, not ours.
                continue
    except UnknownTopicOrPartitionError as error:
        raise ImportFailedError(
            f"there is no topic {name}: `tailrace topics apply` makes it"
        ) from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise ImportFailedError(
            f"what is already on {name} cannot be read: {error!r}; is Kafka running? "
            "`tailrace up` starts the local one"
        ) from error
    finally:
        await stop_consumer(consumer)


async def _values(consumer: Any, first: Mapping[int, int]) -> AsyncIterator[bytes]:
    partitions: list[Any] = sorted(consumer.assignment())
    begins: dict[Any, int] = await consumer.beginning_offsets(partitions)
    ends: dict[Any, int] = await consumer.end_offsets(partitions)
    for place in partitions:
        consumer.seek(place, max(begins[place], min(first.get(place.partition, 0), ends[place])))
    moved_at = time.monotonic()
    while any([await consumer.position(place) < ends[place] for place in partitions]):
        batches: dict[Any, list[Any]] = await consumer.getmany(timeout_ms=500)
        for place, batch in batches.items():
            moved_at = time.monotonic()
            for record in batch:
                if record.offset < ends[place] and record.value is not None:
                    yield record.value
        if time.monotonic() - moved_at > STALLED_S:
            raise TimeoutError(f"nothing came for {STALLED_S:g} s")
