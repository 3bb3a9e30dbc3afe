"""A journal read back, from a real broker or from memory, and looked at as wide records."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from tailrace.schemas import wire
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.topics import BODIES, RUNS, STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.producers.testing import Journal
    from tailrace.schemas.topics import Topic

_TIMEOUT_S = 60


def read_topic(bootstrap: str, name: str) -> list[Any]:
    """Return every record of a topic, from its start to the end that it has now."""

    async def read() -> list[Any]:
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        found: list[Any] = []
        try:
            await consumer._client._wait_on_metadata(name)
            partitions = [
                TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()
            ]
            consumer.assign(partitions)
            ends: Mapping[Any, int] = await consumer.end_offsets(partitions)
            while any([await consumer.position(each) < ends[each] for each in partitions]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found.extend(records)
        finally:
            await stop_consumer(consumer)
        return found

    return asyncio.run(asyncio.wait_for(read(), _TIMEOUT_S))


def read_records(bootstrap: str, prefix: str, *topics: Topic) -> list[dict[str, Any]]:
    """Return the decoded records of topics."""
    return [
        wire.decode(record.value)[1]
        for topic in topics
        for record in read_topic(bootstrap, topic.name(prefix))
    ]


def read_events(bootstrap: str, prefix: str) -> list[dict[str, Any]]:
    """Return every event as a wide record, sorted by run and seq; heartbeats are left out."""
    events = [each for each in read_records(bootstrap, prefix, RUNS, STEPS) if "seq" in each]
    return sorted(events, key=lambda event: (event["run_id"], event["seq"]))


def read_bodies(bootstrap: str, prefix: str) -> dict[str, str]:
    """Return every body's JSON by its hash."""
    return {body["sha256"]: body["content"] for body in read_records(bootstrap, prefix, BODIES)}


def runs_of(events: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Group events by run, each run's in the order of seq."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event["seq"]):
        runs[event["run_id"]].append(event)
    return dict(runs)


def assert_whole(events: Sequence[dict[str, Any]]) -> None:
    """Assert that every run is there once and whole: 0 to last_seq, and no child is missing."""
    runs = runs_of(events)
    for run_id, run in runs.items():
        assert [event["seq"] for event in run] == list(range(len(run))), run_id
        assert run[0]["kind"] == "run_started"
        assert run[-1]["last_seq"] == len(run) - 1
        assert set(run[-1]["children"]) <= runs.keys()


def of_kind(journal: Journal, kind: str) -> list[dict[str, Any]]:
    """Return a memory journal's events of a kind as wide records."""
    return [event.flatten() for event in journal.events if event.kind == kind]


def only(journal: Journal, kind: str) -> dict[str, Any]:
    """Return the one event of a kind."""
    (event,) = of_kind(journal, kind)
    return event


def keys(journal: Journal) -> list[str]:
    """Return the keys of the completed steps, in the order of completion."""
    return [each["step_key"] for each in of_kind(journal, "step_completed")]
