"""From the broker into `events`: the archive sink, its limit, and decode-and-insert, in one run.

    python bench/archive.py [--events 300000] [--rounds 3]

Three sides take turns on the same records, each round into a fresh database:

- *spliced*: `run_sink`, from the first assignment to the last commit's row;
- *limit*: the same records as containers made beforehand, inserted by the same writer through the
  same gateway, as many at once, without Kafka;
- *decoded*: aiokafka, fastavro and clickhouse-connect's columns, in blocks of the same size.

Prints rows/s as min/median/max over the rounds, CPU seconds of this process and of ClickHouse per
million events, and this process's peak memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tailrace.console.local.clickhouse import ClickHouse
from tailrace.console.local.kafka import Kafka
from tailrace.schemas.catalog import latest
from tailrace.schemas.topic_admin import apply
from tailrace.schemas.wire import decode, encode
from tailrace.sinks.archive.blocks import Place, splice
from tailrace.sinks.archive.cutting import Cutter, Limits
from tailrace.sinks.archive.writer import Writer
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.migrations import migrate
from tailrace.sinks.sink import SinkOptions, SinkStats, run_sink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PREFIX = "bench."
STEPS = f"{PREFIX}steps"
STEPS_A_RUN = 20
START_US = 1_790_000_000_000_000
_POLL_S = 0.005


@dataclass
class Side:
    """What one side measured, a value a round."""

    rows_per_s: list[float] = field(default_factory=list[float])
    own_cpu_s: list[float] = field(default_factory=list[float])
    engine_cpu_s: list[float] = field(default_factory=list[float])


def records(count: int) -> list[tuple[bytes, bytes]]:
    """Return made-up step events, about 1 KB each, keyed by trace."""
    schema = latest("journal_event")
    made: list[tuple[bytes, bytes]] = []
    for run in range(count // STEPS_A_RUN):
        trace_id = f"{START_US // 1000 + run:012x}{uuid.uuid4().hex[:20]}"
        constant = {
            "trace_id": trace_id,
            "run_id": uuid.uuid4().hex,
            "root_run_id": uuid.uuid4().hex,
            "component": f"component-{run % 7}",
            "deployment": f"{run % 3:064x}",
            "code_digest": f"{run % 5:064x}",
            "environment": "prod",
            "session": f"session-{run // 3}",
            "tags": ["vip", "eu"],
        }
        for seq in range(STEPS_A_RUN):
            fields = {
                "seq": seq,
                "kind": "step_completed",
                "ts": START_US + run * 1_000_000 + seq * 1000,
                "step_id": f"{seq:016x}",
                "step_key": f"plan#0/search#{seq}",
                "name": f"tool-{seq % 11}",
                "step_kind": "llm" if seq % 2 else "tool",
                "effect": "read",
                "definition_digest": f"{seq % 11:064x}",
                "input_digest": uuid.uuid4().hex * 2,
                "started_at": START_US + run * 1_000_000 + seq * 990,
                "duration_us": 900 + seq,
                "input": f'{{"q":"{uuid.uuid4().hex}","n":{seq}}}' + " lorem ipsum" * 10,
                "output": f'{{"a":"{uuid.uuid4().hex}"}}' + " dolor sit amet" * 10,
                "model": "gpt-x",
                "input_tokens": 100 + seq,
                "output_tokens": 7,
                "cost_usd": 0.001,
                "attributes": {"region": "eu"},
            }
            made.append((trace_id.encode(), encode(schema, {**constant, **fields})))
    return made


async def publish(bootstrap: str, made: list[tuple[bytes, bytes]], partitions: int = 4) -> None:
    """Create the topics and write the records."""
    await apply(prefix=PREFIX, partitions=partitions, options={"bootstrap_servers": bootstrap})
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=bootstrap, linger_ms=20, max_batch_size=1 << 18
    )
    await producer.start()
    waiting = [await producer.send(STEPS, key=key, value=value) for key, value in made]
    await asyncio.gather(*waiting)
    await producer.stop()


async def spliced(options: SinkOptions, count: int) -> float:
    """Return the seconds that the sink takes."""
    stop = asyncio.Event()
    stats = SinkStats()
    sink = asyncio.create_task(run_sink(options, stop, stats=stats))
    while not stats.partitions and not sink.done():  # noqa: ASYNC110 - the sink only counts
        await asyncio.sleep(_POLL_S)
    began = time.perf_counter()
    while stats.rows < count and not sink.done():  # noqa: ASYNC110 - the sink only counts
        await asyncio.sleep(_POLL_S)
    took = time.perf_counter() - began
    stop.set()
    await sink
    return took


def containers(made: list[Any], limits: Limits) -> list[list[bytes]]:
    """Return the records as the sink would insert them."""
    schema = latest("journal_event")
    found: list[list[bytes]] = []
    by_partition: dict[int, list[Any]] = {}
    for record in made:
        by_partition.setdefault(record.partition, []).append(record)
    for partition, inside in by_partition.items():
        cutter: Cutter[Any] = Cutter(0, None, limits)
        cutter.feed(inside)
        cutter.flush()
        while (block := cutter.take()) is not None:
            parts = splice(schema, Place("bench", STEPS, partition), block.records)
            found.append([b"".join(parts)])
    return found


async def limit(options: SinkOptions, prepared: list[list[bytes]]) -> float:
    """Return the seconds that the engine takes for containers made beforehand."""
    client = connect(options.clickhouse, options.database)
    migrate(client)
    writer = Writer(client)
    began = time.perf_counter()
    with ThreadPoolExecutor(options.inserts) as threads:
        done = [
            threads.submit(writer.insert, "events", container, f"{number}")
            for number, container in enumerate(prepared)
        ]
        for future in done:
            future.result()
    took = time.perf_counter() - began
    client.close()
    return took


async def read(bootstrap: str, count: int, handle: Callable[[list[Any]], Awaitable[None]]) -> None:
    """Hand all records of the topic on, as they are fetched."""
    consumer: Any = AIOKafkaConsumer(
        STEPS,
        bootstrap_servers=bootstrap,
        group_id=f"{PREFIX}{uuid.uuid4().hex}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 << 20,
    )
    await consumer.start()
    seen = 0
    while seen < count:
        batches = await consumer.getmany(timeout_ms=200)
        for inside in batches.values():
            seen += len(inside)
            await handle(inside)
    await consumer.stop()


async def decoded(options: SinkOptions, count: int) -> float:
    """Return the seconds of decoding every record and inserting columns."""
    assert options.kafka is not None
    client: Any = connect(options.clickhouse, options.database)
    migrate(client)
    names = list(latest("journal_event").field_names)
    waiting: list[Any] = []

    def insert(taken: list[Any]) -> None:
        rows = [decode(record.value)[1] for record in taken]
        columns: list[list[Any]] = [[row[name] for row in rows] for name in names]
        columns.append([record.offset for record in taken])
        columns.append([record.partition for record in taken])
        client.insert(
            "events", columns, column_names=[*names, "offset", "partition"], column_oriented=True
        )

    async def handle(inside: list[Any]) -> None:
        waiting.extend(inside)
        if len(waiting) >= options.limits.offsets // 4:
            taken = list(waiting)
            waiting.clear()
            await asyncio.to_thread(insert, taken)

    began = time.perf_counter()
    await read(options.kafka, count, handle)
    if waiting:
        await asyncio.to_thread(insert, waiting)
    return time.perf_counter() - began


def family(pid: int) -> list[int]:
    """Return a process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(found for child in children for found in family(int(child)))]


def cpu_of(pids: list[int]) -> float:
    """Return the CPU seconds that processes have used."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def own_cpu() -> float:
    """Return the CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def compare(kafka: str, clickhouse: str, pids: list[int], told: argparse.Namespace) -> None:
    """Run the sides in turn and print what they measured."""
    made = records(told.events)
    count = len(made)
    size = sum(len(value) for _, value in made)
    print(f"{count} events of {size // count} B")
    await publish(kafka, made)
    del made
    kept: list[Any] = []

    async def keep(inside: list[Any]) -> None:
        kept.extend(inside)

    began = time.perf_counter()
    await read(kafka, count, keep)
    print(f"consuming alone: {count / (time.perf_counter() - began):,.0f} rows/s")
    prepared = containers(kept, Limits())
    began = time.perf_counter()
    containers(kept, Limits())
    print(f"cutting and splicing alone: {count / (time.perf_counter() - began):,.0f} rows/s")
    kept.clear()
    sides = {name: Side() for name in ("spliced", "limit", "decoded")}
    for turn in range(told.rounds):
        for name in list(sides)[turn % 3 :] + list(sides)[: turn % 3]:
            options = SinkOptions(
                kafka=kafka,
                clickhouse=clickhouse,
                database=f"bench_{uuid.uuid4().hex[:8]}",
                prefix=PREFIX,
                group=uuid.uuid4().hex,
            )
            client = connect(clickhouse, options.database)
            migrate(client)  # making the tables is not what is measured
            client.close()
            before, engine_before = own_cpu(), cpu_of(pids)
            if name == "spliced":
                took = await spliced(options, count)
            elif name == "limit":
                took = await limit(options, prepared)
            else:
                took = await decoded(options, count)
            side = sides[name]
            side.rows_per_s.append(count / took)
            side.own_cpu_s.append((own_cpu() - before) * 1e6 / count)
            side.engine_cpu_s.append((cpu_of(pids) - engine_before) * 1e6 / count)
            client = connect(clickhouse, options.database)
            [found] = ask(client, "SELECT count() AS rows FROM events")
            assert found["rows"] == count, f"{name}: {found['rows']} rows of {count}"
            tell(client, "DROP DATABASE {name:Identifier} SYNC", {"name": options.database})
            client.close()
    report(sides)


def report(sides: dict[str, Side]) -> None:
    """Print a line a side."""
    print(
        f"{'side':10}{'min':>10}{'median':>10}{'max':>10}  rows/s   own CPU   engine CPU, s/million"
    )
    for name, side in sides.items():
        low, high = min(side.rows_per_s), max(side.rows_per_s)
        middle = statistics.median(side.rows_per_s)
        own, engine = statistics.median(side.own_cpu_s), statistics.median(side.engine_cpu_s)
        print(f"{name:10}{low:10,.0f}{middle:10,.0f}{high:10,.0f}{own:18.1f}{engine:13.1f}")
    medians = {name: statistics.median(side.rows_per_s) for name, side in sides.items()}
    print(f"spliced / limit: {medians['spliced'] / medians['limit']:.2f}")
    print(f"spliced / decoded: {medians['spliced'] / medians['decoded']:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process, all sides together: {peak:.0f} MiB")


def main() -> None:
    """Start the servers and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        place = Path(folder)
        kafka = Kafka(place / "kafka", place / "kafka.log")
        clickhouse = ClickHouse(place / "clickhouse", place / "clickhouse.log")
        try:
            kafka.start()
            clickhouse.start()
            assert kafka.address is not None
            assert clickhouse.address is not None
            assert clickhouse.process is not None
            pids = family(clickhouse.process.pid)
            asyncio.run(compare(kafka.address, clickhouse.address, pids, told))
        finally:
            clickhouse.stop()
            kafka.stop()


if __name__ == "__main__":
    main()
