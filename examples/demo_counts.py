"""Counts the demo's events: as the runs name them, as they lie in the log, as they are stored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer

from tailrace.schemas import wire
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.endpoints import kafka_options
from tailrace.schemas.topics import BODIES, RUNS, STEPS
from tailrace.sinks.clickhouse import ask, connect
from tailrace.sinks.queries.count_events import count_events

TIMEOUT_S = 60
AGENT = "support"
"""The component that the fleet calls."""


@dataclass
class Counts:
    """What each place says; all numbers of events must be the same."""

    calls: int = 0
    """Calls of the agent, as the fleet that made them counted."""

    answered: int = 0
    """Runs of that agent in the log that have ended, well or not."""

    runs: int = 0
    """Runs in the log that have ended, child runs included."""

    named: int = 0
    """Events that the last events of the runs name: the producers' own count."""

    records: int = 0
    """Records of events in the log."""

    identities: int = 0
    """Different (run_id, seq) in the log."""

    rows: int = 0
    """Rows in ClickHouse's table of events."""

    stored: int = 0
    """Different (run_id, seq) in that table."""

    bodies: int = 0
    """Different bodies in the log."""

    bodies_stored: int = 0
    """Different bodies in ClickHouse."""

    def agree(self) -> bool:
        """Say whether nothing is lost and nothing is doubled."""
        events = {self.named, self.records, self.identities, self.rows, self.stored}
        same = self.calls == self.answered and self.bodies == self.bodies_stored
        return len(events) == 1 and same and self.records > 0

    def lines(self) -> list[str]:
        """Return the counts as a table for people."""
        table = (
            ("calls of the agent, counted by the fleet", self.calls),
            ("runs of the agent in the log", self.answered),
            ("all runs in the log, child runs included", self.runs),
            ("events that the runs' last events name", self.named),
            ("events in the log, counted one by one", self.records),
            ("  of them with a (run_id, seq) of their own", self.identities),
            ("rows of events in ClickHouse", self.rows),
            ("  of them with a (run_id, seq) of their own", self.stored),
            ("bodies in the log, each content once", self.bodies),
            ("bodies in ClickHouse, each content once", self.bodies_stored),
        )
        return [f"  {what:<48}{count:>10,}" for what, count in table]


async def count(calls: int) -> Counts:
    """Count everything; the log must be at rest and stored. `calls`: what the fleet counted."""
    counts = Counts(calls)
    await asyncio.wait_for(_count_log(counts), TIMEOUT_S)
    await asyncio.to_thread(_count_stored, counts)
    return counts


async def _count_log(counts: Counts) -> None:
    identities: set[tuple[str, int]] = set()
    bodies: set[str] = set()
    names = [topic.name() for topic in (RUNS, STEPS, BODIES)]
    # aiokafka has no types of its own.
    consumer: Any = AIOKafkaConsumer(*names, **kafka_options())
    await consumer.start()
    try:
        ends: dict[Any, int] = await consumer.end_offsets(consumer.assignment())
        for place in ends:
            consumer.seek(place, 0)
        left = sum(ends.values())
        while left > 0:
            batches: dict[Any, list[Any]] = await consumer.getmany(timeout_ms=500)
            for message in (one for batch in batches.values() for one in batch):
                left -= 1
                schema, record = wire.decode(message.value)
                if schema.name == "body":
                    bodies.add(record["sha256"])
                elif schema.name == "journal_event":
                    counts.records += 1
                    identities.add((record["run_id"], record["seq"]))
                    if record["last_seq"] is not None:
                        counts.runs += 1
                        counts.answered += record["component"] == AGENT
                        counts.named += record["last_seq"] + 1
    finally:
        await stop_consumer(consumer)
    counts.identities, counts.bodies = len(identities), len(bodies)


def _count_stored(counts: Counts) -> None:
    client = connect()
    try:
        stored = count_events(client)
        (bodies,) = ask(client, "SELECT uniqExact(sha256) AS bodies FROM bodies")
    finally:
        client.close()
    counts.rows, counts.stored = stored.rows, stored.events
    counts.bodies_stored = bodies["bodies"]
