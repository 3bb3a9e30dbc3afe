"""Stream workers: runs a second, CPU a run, delay to the row in `traces`, state with many open.

Starts servers of its own in a temporary folder. `python bench/streams.py --profile` adds where the
worker's time goes.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import io
import os
import pstats
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.log_journal import create_topics, fleet, run_records, write_async
from support.log_sinks import spawn_sink
from support.stack import address_of, running_clickhouse, running_kafka
from tailrace.schemas.catalog import shipped
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.wire import decode
from tailrace.sinks.clickhouse import ask, connect
from tailrace.sinks.migrations import migrate
from tailrace.sinks.sink import SinkOptions
from tailrace.streams.app import StreamOptions, StreamStats, run_stream
from tailrace.streams.assemble import Assembly
from tailrace.streams.closing import Source
from tailrace.streams.execution import Limits
from tailrace.streams.reading import read_record
from tailrace.streams.run_state import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse_connect.driver.client import Client

    from support.log_journal import Keyed

PARTITIONS = 4
LOOK_S = 0.1
_POLL_S = 0.02
_PORTION = 5_000
_ROWS = """
SELECT trace_id, closed_at FROM traces
WHERE closed_at > now64(3, 'UTC') - INTERVAL {seconds:UInt32} SECOND
"""
_LATELY_S = 10


@dataclass(frozen=True)
class Servers:
    """Where they are."""

    kafka: str
    clickhouse: str


class MemoryRows(dict[bytes, bytes]):
    """Rows in a dictionary."""

    set = dict[bytes, bytes].__setitem__

    def delete(self, key: bytes, /) -> None:
        """Forget a row."""
        self.pop(key, None)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4_000)
    parser.add_argument("--open", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--write", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--kafka", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.write is not None:
        print(asyncio.run(write_at(told.kafka, told.write, told.seconds)))
        return
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {sys.version[:6]}")
    fold_alone(told.runs)
    with (
        running_kafka() as kafka,
        running_clickhouse() as clickhouse,
        tempfile.TemporaryDirectory() as folder,
    ):
        servers = Servers(address_of(kafka), address_of(clickhouse))
        rate = asyncio.run(backlog(servers.kafka, Path(folder), told.runs, profile=told.profile))
        asyncio.run(delays(servers, Path(folder), rate / 2, told))
    many_open(told.open)


def fold_alone(runs: int) -> None:
    """Measure reading and folding, without Faust and without a broker."""
    records = [value for suffix, _, value in fleet(runs) if suffix == "runs"]
    assembly = Assembly(Source("log", "runs", 0), MemoryRows(), Limits())
    begun = time.process_time()
    for offset, value in enumerate(records):
        read = read_record(value, shipped())
        assert read is not None
        assembly.fold_event(read[1], Place(offset, 1_790_000_000_000 + offset))
    spent = time.process_time() - begun
    print(
        f"reading and folding alone: {runs / spent:,.0f} runs/s, {spent / runs * 1e6:,.0f} µs a run"
    )


async def backlog(kafka: str, folder: Path, runs: int, *, profile: bool) -> float:
    """Measure a worker on a backlog; return runs a second."""
    prefix = "backlog."
    await asyncio.to_thread(create_topics, kafka, prefix, PARTITIONS)
    await write_async(kafka, prefix, [each for each in fleet(runs) if each[0] == "runs"])
    stats, stop = StreamStats(), asyncio.Event()
    options = StreamOptions(kafka, prefix, data=folder / prefix)
    profiler = cProfile.Profile()
    work = asyncio.create_task(run_stream(options, stop, stats=stats))
    await until(lambda: stats.traces > 0 or work.done())
    if profile:
        profiler.enable()
    begun, cpu, first = time.monotonic(), time.process_time(), stats.traces
    await until(lambda: stats.traces >= runs or work.done())
    took, spent = time.monotonic() - begun, time.process_time() - cpu
    profiler.disable()
    stop.set()
    await work
    done = runs - first
    rate = done / took
    print(f"a worker on a backlog: {rate:,.0f} runs/s, {spent / done * 1e6:,.0f} µs CPU a run")
    if profile:
        text = io.StringIO()
        pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(25)
        print(text.getvalue())
    return rate


async def delays(servers: Servers, folder: Path, rate: float, told: argparse.Namespace) -> None:
    """Measure from a run's last event to its record on `traces` and to its row, many runs open."""
    kafka, prefix = servers.kafka, "delays."
    await asyncio.to_thread(create_topics, kafka, prefix, PARTITIONS)
    sink = SinkOptions(kafka, servers.clickhouse, "bench", prefix)
    client = connect(servers.clickhouse, "bench")
    migrate(client)
    storing = spawn_sink(sink)
    stats, stop = StreamStats(), asyncio.Event()
    before = resident_bytes()
    options = StreamOptions(kafka, prefix, data=folder / prefix)
    work = asyncio.create_task(run_stream(options, stop, stats=stats))
    for at in range(0, told.open, _PORTION):
        await write_async(kafka, prefix, opened(at, min(_PORTION, told.open - at)))
    await until(lambda: (stats.ready and stats.events >= told.open) or work.done())
    await asyncio.to_thread(gc.collect)
    grown = resident_bytes() - before
    print(f"{stats.events:,} runs open in a worker: {grown / max(told.open, 1):,.0f} bytes each")
    cpu = time.process_time()
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--write", f"{rate:.0f}", "--seconds", f"{told.seconds}"),
        *("--kafka", kafka),
        stdout=asyncio.subprocess.PIPE,
    )
    rows_ms: dict[str, float] = {}
    while writer.returncode is None or await asyncio.to_thread(lacking, client):
        await asyncio.to_thread(look, client, rows_ms, _LATELY_S)
        await asyncio.sleep(LOOK_S)
    await asyncio.to_thread(look, client, rows_ms, 3_600)
    written, _ = await writer.communicate()
    spent = time.process_time() - cpu
    stop.set()
    await work
    storing.terminate()
    storing.wait()
    asked = f"at {rate:,.0f} runs/s asked, {float(written):,.0f} reached"
    print(f"{asked}: {spent / told.seconds:.0%} of a core")
    for what, found in (
        ("record on traces", await trace_delays_ms(kafka, prefix)),
        ("row in traces", list(rows_ms.values())),
    ):
        p50, p99 = statistics.median(found), statistics.quantiles(found, n=100)[98]
        print(
            f"  from last event to {what}: p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, "
            f"max {max(found):,.0f} ms of {len(found):,}"
        )


def opened(first: int, count: int) -> list[Keyed]:
    """Return the first events of runs that do not end."""
    start_us = 1_790_000_000_000_000 + first
    return [
        record
        for at in range(count)
        for record in run_records(steps=0, start_us=start_us + at, end=None)
    ]


def look(client: Client, rows_ms: dict[str, float], seconds: int) -> None:
    """Note of rows that were not seen before how late they are, by at most a look too much."""
    now_ms = time.time() * 1_000
    for row in ask(client, _ROWS, {"seconds": seconds}):
        closed_ms = row["closed_at"].timestamp() * 1_000
        rows_ms.setdefault(row["trace_id"], now_ms - closed_ms)


def lacking(client: Client) -> bool:
    """Say whether rows of ended executions are not there yet."""
    [row] = ask(client, "SELECT uniqExact(trace_id) AS n FROM traces", {})
    [runs] = ask(client, "SELECT countIf(last_seq IS NOT NULL) AS n FROM events", {})
    return row["n"] < runs["n"]


async def write_at(kafka: str, rate: float, seconds: float) -> float:
    """Write whole runs at a rate; return what was reached, in runs a second."""
    count, begun = 0, time.monotonic()
    while time.monotonic() - begun < seconds:
        portion = max(1, round(rate * 0.05))
        records = [each for each in fleet(portion, steps=0) if each[0] == "runs"]
        await write_async(kafka, "delays.", records)
        count += portion
        await asyncio.sleep(max(0.0, begun + count / rate - time.monotonic()))
    return count / (time.monotonic() - begun)


async def until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds."""
    while not condition():  # noqa: ASYNC110 - counts that another task makes
        await asyncio.sleep(_POLL_S)


async def trace_delays_ms(kafka: str, prefix: str) -> list[float]:
    """Return, for each trace, the broker's time of it less that of the event that closed it."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    found: list[float] = []
    try:
        partitions = [TopicPartition(f"{prefix}traces", each) for each in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(each) < ends[each] for each in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    closed = read_trace(record.value)["closed_at"]
                    found.append(record.timestamp - closed.timestamp() * 1_000)
    finally:
        await stop_consumer(consumer)
    return found


def read_trace(value: bytes) -> dict[str, Any]:
    """Return a decoded trace."""
    return decode(value)[1]


def many_open(count: int) -> None:
    """Measure memory and a reload with many runs open."""
    rows = MemoryRows()
    source = Source("log", "runs", 0)
    assembly = Assembly(source, rows, Limits())
    before = resident_bytes()
    for number in range(count):
        [(_, _, value)] = run_records(steps=0, start_us=1_790_000_000_000_000 + number, end=None)
        read = read_record(value, shipped())
        assert read is not None
        assembly.fold_event(read[1], Place(number, 1_790_000_000_000))
    grown = resident_bytes() - before
    size = sum(len(key) + len(row) for key, row in rows.items())
    begun = time.process_time()
    again = Assembly(source, rows, Limits())
    again.load(list(rows.items()))
    loaded = time.process_time() - begun
    print(
        f"{count:,} runs open: {size / count:,.0f} bytes of row a run, "
        f"{grown / count:,.0f} bytes of memory; loaded in {loaded:.1f} s of CPU"
    )


def resident_bytes() -> int:
    """Return this process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
