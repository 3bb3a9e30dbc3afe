"""How long the ledger takes, its run side and its log side, and how much memory, as events grow.

    python bench/gaps.py [--events 10000000] [--run-events 20] [--chunk-rows 1000000]
        [--log-events 300000]

Run side: the events are made by the engine itself, straight into `events`, with a body named by
every run and one event in a million left out. Log side: records of about 1 KB are written to a
broker and archived by the sink before they are compared. Prints seconds, events/s, the peak memory
of this process and of ClickHouse, and what that makes for a billion events.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from archive import PREFIX, publish, records, spliced

from tailrace.console.local.clickhouse import ClickHouse
from tailrace.console.local.kafka import Kafka
from tailrace.sinks.clickhouse import ask, connect, tell
from tailrace.sinks.gaps.ledger import open_ledger
from tailrace.sinks.gaps.options import LedgerOptions
from tailrace.sinks.gaps.run_side import RunSide
from tailrace.sinks.migrations import migrate
from tailrace.sinks.sink import SinkOptions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_LOOK_S = 0.05
_PORTION = 500_000
_EVENTS = """
INSERT INTO events (trace_id, run_id, root_run_id, component, environment, seq, kind, ts, step_id,
    name, step_kind, input, output, bodies, last_seq, offset, broker_ts, partition, log_id, topic)
SELECT
    concat(leftPad(lower(hex(run)), 16, '0'), substring(lower(hex(MD5(toString(run)))), 1, 16)),
    lower(hex(MD5(concat('run', toString(run))))),
    lower(hex(MD5(concat('run', toString(run))))),
    concat('component-', toString(run % 7)), 'prod', number % {size:UInt64} AS place,
    multiIf(place = 0, 'run_started', place = {size:UInt64} - 1, 'run_completed', 'step_completed'),
    fromUnixTimestamp64Micro(toInt64(1790000000000000 + number * 500), 'UTC'),
    leftPad(lower(hex(place)), 16, '0'), concat('tool-', toString(place % 11)), 'tool',
    concat('{"question": "', toString(cityHash64(number)), '"}'), '"found"',
    if(place = 1, [lower(hex(SHA256(toString(run))))], []),
    if(place = {size:UInt64} - 1, toInt64(place), NULL), number,
    fromUnixTimestamp64Milli(toInt64(1790000000000 + intDiv(number, 2)), 'UTC'), 0, 'bench', 'bench'
FROM (SELECT number, intDiv(number, {size:UInt64}) AS run
    FROM numbers({first:UInt64}, {count:UInt64}))
WHERE number % 1000000 != 7
"""
_BODIES = """
INSERT INTO bodies (sha256, trace_id, ts, content, offset, broker_ts, partition, log_id, topic)
SELECT lower(hex(SHA256(toString(number)))),
    concat(leftPad(lower(hex(number)), 16, '0'),
        substring(lower(hex(MD5(toString(number)))), 1, 16)),
    fromUnixTimestamp64Micro(toInt64(1790000000000000 + number), 'UTC'), '{}', number,
    fromUnixTimestamp64Milli(toInt64(1790000000000 + number), 'UTC'), 0, 'bench', 'bench'
FROM numbers({first:UInt64}, {count:UInt64})
"""


class Peak:
    """The highest resident memory of a process while the block runs, in MB."""

    def __init__(self, pid: int) -> None:
        self.mb = 0.0
        self._status = Path(f"/proc/{pid}/status")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self.begin_mb = self._now()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self.mb = max(self.mb, self._now())

    def _now(self) -> float:
        lines = self._status.read_text(encoding="utf-8").splitlines()
        found = next((line for line in lines if line.startswith("VmRSS:")), "VmRSS: 0 kB")
        return int(found.split()[1]) / 1024


def fill(client: Client, events: int, size: int) -> None:
    """Make the events and their bodies, in portions as large as a sink's blocks."""
    for first in range(0, events, _PORTION):
        count = min(_PORTION, events - first)
        tell(client, _EVENTS, {"first": first, "count": count, "size": size})
        tell(client, _BODIES, {"first": first // size, "count": count // size})


def measure(client: Client, pid: int, chunk_rows: int) -> None:
    """Read the run side whole and print what it took."""
    side = RunSide(client, LedgerOptions(chunk_rows=chunk_rows), datetime(2100, 1, 1, tzinfo=UTC))
    own_before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    with Peak(pid) as engine, Peak(os.getpid()) as own:
        gaps = sum(1 for _ in side.gaps())
    took_s = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = used.ru_utime + used.ru_stime - own_before.ru_utime - own_before.ru_stime
    totals = side.totals
    rate = totals.expected / took_s
    print(
        f"  {totals.expected:,} events of {totals.runs:,} runs, {gaps} gaps, {totals.missing} lost"
    )
    print(f"  {took_s:.1f} s, {rate:,.0f} events/s; own CPU {cpu_s:.2f} s")
    print(f"  memory: own {own.mb:.0f} MB, engine {engine.begin_mb:.0f} to {engine.mb:.0f} MB")
    print(f"  a billion events at this rate: {1e9 / rate / 60:.0f} min")


def measure_log_side(clickhouse: str, pid: int, events: int, folder: Path) -> None:
    """Write and archive records, and print what comparing them with their rows took."""
    kafka = Kafka(folder / "kafka", folder / "kafka.log")
    kafka.start()
    try:
        assert kafka.address is not None
        options = SinkOptions(kafka.address, clickhouse, "bench_log", PREFIX)
        asyncio.run(publish(kafka.address, records(events)))
        asyncio.run(spliced(options, events))
        began = time.perf_counter()
        with Peak(pid) as engine, Peak(os.getpid()) as own:
            ledger = asyncio.run(open_ledger(LedgerOptions(options)))
        took_s = time.perf_counter() - began
    finally:
        kafka.stop()
    found = sum(account.stored for account in ledger.partitions)
    lost = sum(account.missing.count for account in ledger.partitions)
    waiting = sum(account.waiting for account in ledger.partitions)
    print(f"log side, load {os.getloadavg()[0]:.1f}")
    print(f"  {found:,} records with their rows, {lost} lost, {waiting} waiting")
    print(f"  {took_s:.1f} s, {found / took_s:,.0f} records/s")
    print(f"  memory: own {own.begin_mb:.0f} to {own.mb:.0f} MB, engine to {engine.mb:.0f} MB")
    print(f"  a billion records at this rate: {1e9 / (found / took_s) / 60:.0f} min")


def main() -> None:
    """Fill in steps, and measure at each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--run-events", type=int, default=20)
    parser.add_argument("--chunk-rows", type=int, default=LedgerOptions().chunk_rows)
    parser.add_argument("--log-events", type=int, default=300_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        engine = ClickHouse(Path(folder) / "clickhouse", Path(folder) / "clickhouse.log")
        engine.start()
        try:
            assert engine.address is not None
            assert engine.process is not None
            pid = engine.process.pid
            if asked.log_events:
                measure_log_side(engine.address, pid, asked.log_events, Path(folder))
            for events in (asked.events // 10, asked.events):
                client = connect(engine.address, f"bench_{events}")
                migrate(client)
                fill(client, events, asked.run_events)
                [parts] = ask(
                    client,
                    "SELECT count() AS parts FROM system.parts WHERE active AND "
                    "database = currentDatabase() AND table = 'events'",
                )
                print(f"{events:,} events, {parts['parts']} parts, load {os.getloadavg()[0]:.1f}")
                measure(client, pid, asked.chunk_rows)
                client.close()
        finally:
            engine.stop()


if __name__ == "__main__":
    main()
