"""A journal made up for the sinks' tests, written to the log as bytes, without our producers."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer

from tailrace.schemas.catalog import latest
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.wire import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

START_US = 1_790_000_000_000_000
"""When the first made-up run began: September 2026."""

Keyed = tuple[str, bytes, bytes]
"""A topic's suffix, a key and a value."""


def create_topics(bootstrap: str, prefix: str, partitions: int = 2) -> None:
    """Create every topic of the log under the prefix."""
    options = {"bootstrap_servers": bootstrap}
    asyncio.run(apply(prefix=prefix, partitions=partitions, options=options))


def event(**fields: Any) -> bytes:
    """Return one framed journal event."""
    return encode(latest("journal_event"), fields)


def run_records(
    *,
    steps: int = 3,
    start_us: int = START_US,
    end: str | None = "run_completed",
    payload: str = '{"question": "Where is my parcel?"}',
    failed_steps: int = 0,
    step_fields: dict[str, Any] | None = None,
    end_fields: dict[str, Any] | None = None,
    **run: Any,
) -> list[Keyed]:
    """Return the records of one made-up run: its start, `steps` finished steps, and its end."""
    trace_id = run.get("trace_id") or f"{start_us:016x}{uuid.uuid4().hex[:16]}"
    run_id = run.get("run_id") or uuid.uuid4().hex
    constant = {"root_run_id": run_id, "component": "support", "environment": "dev", **run}
    constant |= {"trace_id": trace_id, "run_id": run_id}
    key = trace_id.encode()
    begun = event(**constant, seq=0, kind="run_started", ts=start_us, input=payload)
    records: list[Keyed] = [("runs", key, begun)]
    for number in range(1, steps + 1):
        failed = number <= failed_steps
        fields = {
            "seq": number,
            "kind": "step_failed" if failed else "step_completed",
            "ts": start_us + number * 1000,
            "step_id": f"{number:016x}",
            "step_key": f"find_order#{number - 1}",
            "name": "find_order",
            "step_kind": "tool",
            "started_at": start_us + number * 1000 - 500,
            "duration_us": 500,
            "input": payload,
            "output": None if failed else '"found"',
            "error_type": "LookupError" if failed else "",
            **(step_fields or {}),
        }
        records.append(("steps", key, event(**constant, **fields)))
    if end is not None:
        last = {
            "seq": steps + 1,
            "kind": end,
            "ts": start_us + (steps + 1) * 1000,
            "started_at": start_us,
            "duration_us": (steps + 1) * 1000,
            "input": payload,
            "output": '"on its way"' if end == "run_completed" else None,
            "last_seq": steps + 1,
            "run_steps": steps,
            "run_errors": failed_steps,
            **(end_fields or {}),
        }
        records.append(("runs", key, event(**constant, **last)))
    return records


def fleet(runs: int, *, steps: int = 3, **run: Any) -> list[Keyed]:
    """Return the records of many made-up runs, each a second later than the one before."""
    return [
        record
        for number in range(runs)
        for record in run_records(steps=steps, start_us=START_US + number * 1_000_000, **run)
    ]


def write(bootstrap: str, prefix: str, records: Iterable[Keyed]) -> None:
    """Write records to the log by their keys; acknowledged when this returns."""
    asyncio.run(write_async(bootstrap, prefix, records))


async def write_async(bootstrap: str, prefix: str, records: Iterable[Keyed]) -> None:
    """Do what `write` does, in a running loop."""
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=5
    )
    await producer.start()
    try:
        sent = [
            await producer.send(prefix + suffix, key=key, value=value)
            for suffix, key, value in records
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def counts(records: Sequence[Keyed], *suffixes: str) -> int:
    """Return how many of the records lie in the named topics."""
    return sum(1 for suffix, _, _ in records if suffix in suffixes)
