"""A backlog of millions: is memory flat, and does an event cost the same with several sinks?

    python bench/backlog.py [--events 5000000] [--sinks 1 2 3]

The same records are archived anew for each number of sink processes, which share the partitions of
one topic. Prints rows/s, the CPU seconds of all sinks and of ClickHouse a million events with their
ratio to those of one sink, and the resident memory of both over the backlog: each fifth's highest.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from archive import PREFIX, STEPS_A_RUN, cpu_of, family, publish, records

from tailrace.console.local.clickhouse import ClickHouse
from tailrace.console.local.kafka import Kafka
from tailrace.sinks.clickhouse import NotMigratedError, ask, connect, tell
from tailrace.sinks.sink import SinkOptions, run_sink

PARTITIONS = 6
_PORTION = 100_000
_LOOK_S = 0.5
_STALL_S = 120.0
_FIFTHS = 5


@dataclass(frozen=True)
class Look:
    """What was seen at one moment."""

    rows: int
    sink_mb: float
    engine_mb: float


def memory_mb(pids: list[int]) -> float:
    """Return the resident memory of processes, summed."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return total / 1024


def fill(kafka: str, events: int) -> int:
    """Write the records in portions, so that this process stays small; return how many."""
    count = 0
    while count < events:
        made = records(min(_PORTION, max(events - count, STEPS_A_RUN)))
        asyncio.run(publish(kafka, made, PARTITIONS))
        count += len(made)
    return count


def drain(kafka: str, engine: ClickHouse, count: int, sinks: int) -> tuple[float, float]:
    """Archive all of it with so many sinks; print; return sinks' and engine's CPU s a million."""
    assert engine.address is not None
    assert engine.process is not None
    database, group = f"backlog_{sinks}", uuid.uuid4().hex
    pids = family(engine.process.pid)
    engine_before = cpu_of(pids)
    command = [sys.executable, __file__, "--sink", kafka, engine.address, database, PREFIX, group]
    running = [subprocess.Popen(command) for _ in range(sinks)]
    own = [process.pid for process in running]
    try:
        began, looks = time.perf_counter(), list[Look]()
        changed = began
        client = connect(engine.address, database)
        while not looks or looks[-1].rows < count:
            time.sleep(_LOOK_S)
            seen = 0
            with suppress(NotMigratedError):
                seen = int(ask(client, "SELECT count() AS stored FROM events")[0]["stored"])
            if not looks or seen > looks[-1].rows:
                changed = time.perf_counter()
            looks.append(Look(seen, memory_mb(own), memory_mb(pids)))
            assert time.perf_counter() - changed < _STALL_S, f"it stalls at {seen} of {count}"
        took = time.perf_counter() - began
        million = count / 1e6
        sink_s, engine_s = cpu_of(own) / million, (cpu_of(pids) - engine_before) / million
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
    assert looks[-1].rows == count, f"{looks[-1].rows} rows of {count}"
    tell(client, "DROP DATABASE {name:Identifier} SYNC", {"name": database})
    client.close()
    print(
        f"{sinks} sinks: {count / took:,.0f} rows/s with their start; CPU s/million: sinks "
        f"{sink_s:.1f}, engine {engine_s:.1f}; load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    tell_memory(looks, count)
    return sink_s, engine_s


def tell_memory(looks: list[Look], count: int) -> None:
    """Print the highest memory of each fifth of the backlog."""
    for name in ("sink_mb", "engine_mb"):
        highest = [0.0] * _FIFTHS
        for look in looks:
            fifth = min(_FIFTHS * look.rows // count, _FIFTHS - 1)
            highest[fifth] = max(highest[fifth], getattr(look, name))
        shown = ", ".join(f"{value:.0f}" for value in highest)
        print(f"  {name.removesuffix('_mb')}: {shown} MB in each fifth", flush=True)


def main() -> None:
    """Fill the log once, then drain it with each number of sinks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--sinks", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--sink", nargs=5, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.sink:
        names = ("kafka", "clickhouse", "database", "prefix", "group")
        options = SinkOptions(**dict(zip(names, told.sink, strict=True)))
        asyncio.run(run_sink(options, asyncio.Event()))
        return
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        kafka = Kafka(Path(folder) / "kafka", Path(folder) / "kafka.log")
        engine = ClickHouse(Path(folder) / "clickhouse", Path(folder) / "clickhouse.log")
        try:
            kafka.start()
            engine.start()
            assert kafka.address is not None
            count = fill(kafka.address, told.events)
            print(f"{count:,} events on the log")
            costs = [drain(kafka.address, engine, count, sinks) for sinks in told.sinks]
        finally:
            engine.stop()
            kafka.stop()
    for sinks, (sink_s, engine_s) in zip(told.sinks, costs, strict=True):
        print(
            f"{sinks} sinks beside {told.sinks[0]}: CPU of the sinks {sink_s / costs[0][0]:.2f}, "
            f"of the engine {engine_s / costs[0][1]:.2f}"
        )


if __name__ == "__main__":
    main()
