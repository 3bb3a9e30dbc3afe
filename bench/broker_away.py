"""A broker that is away for minutes: what its agents notice, what they need, and what is lost.

Runs of 50 steps, 400 B in and 300 B out, at a steady pace; the broker is stopped, and started again
after the given time. Printed for before, during and after: what a step and the end of a run cost
the caller, and memory; then what lies on the log against what ran.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from tailrace.console.local.kafka import Kafka
from tailrace.producers import Tailrace, component, step
from tailrace.schemas import wire
from tailrace.schemas.consumers import stop_consumer
from tailrace.schemas.topics import RUNS, STEPS

STEPS_A_RUN = 50
GIVEN = {"order_id": "A-17", "customer": {"name": "Ada", "city": "London"}, "notes": "n" * 330}
RETURNED = {"order": "A-17", "state": "sent", "carrier": "post", "history": ["h" * 120, "h" * 110]}
BEFORE_S = 5
PREFIX = "away."
MEMORY_LIMIT_MB = 300


class Costs:
    """What callers paid in one phase."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps_ns: list[int] = []
        self.runs_ns: list[int] = []
        self.runs = 0

    def say(self) -> None:
        """Print the phase in one line."""
        steps, runs = sorted(self.steps_ns), sorted(self.runs_ns)
        print(
            f"{self.name:<8} {self.runs:>7} runs   step median {_us(steps, 0.5):6.1f} us  "
            f"p99 {_us(steps, 0.99):7.1f} us   end of a run median {_us(runs, 0.5) / 1000:6.2f} ms"
            f"  p99 {_us(runs, 0.99) / 1000:7.2f} ms  max {runs[-1] / 1e6:7.1f} ms   "
            f"memory {rss_mb()} MB",
            flush=True,
        )


def _us(ordered: list[int], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1000


def rss_mb() -> int:
    """Return the memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // (1 << 20)


@step(kind="tool", effect="read")
async def tool(request: dict[str, Any]) -> dict[str, Any]:
    """Do nothing, so that what is measured is the recording."""
    return RETURNED if request else {}


@component("away")
async def run() -> list[int]:
    """Run 50 steps back to back; return what each cost, and when the last one was done."""
    clock = time.perf_counter_ns
    costs: list[int] = []
    for _ in range(STEPS_A_RUN):
        begun = clock()
        await tool(GIVEN)
        costs.append(clock() - begun)
    _DONE.append((clock(), costs))
    return []


_DONE: list[tuple[int, list[int]]] = []


async def agents(phases: dict[str, Costs], phase: list[str], per_second: float) -> None:
    """Start runs at a steady pace, whatever becomes of those before, until the phase is `end`."""
    running: set[asyncio.Task[None]] = set()
    begun = time.perf_counter()
    number = 0

    async def one() -> None:
        await run()
        done_at, costs = _DONE.pop()
        into = phases[phase[0]] if phase[0] in phases else phases["after"]
        into.runs += 1
        into.runs_ns.append(time.perf_counter_ns() - done_at)
        if into.runs % 10 == 0:  # every tenth run's steps are enough, and keep the lists small
            into.steps_ns.extend(costs)

    while phase[0] != "end":
        number += 1
        task = asyncio.create_task(one())
        running.add(task)
        task.add_done_callback(running.discard)
        await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
    await asyncio.gather(*running)


def events_on_log(kafka: str) -> Counter[tuple[str, int]]:
    """Return how often each event lies on the log."""

    async def read() -> Counter[tuple[str, int]]:
        found: Counter[tuple[str, int]] = Counter()
        consumer: Any = AIOKafkaConsumer(
            RUNS.name(PREFIX), STEPS.name(PREFIX), bootstrap_servers=kafka,
            auto_offset_reset="earliest",
        )  # fmt: skip
        await consumer.start()
        try:
            while not consumer.assignment():
                await consumer.getmany(timeout_ms=100)
            await consumer.seek_to_beginning()
            places = cast("set[TopicPartition]", consumer.assignment())
            ends = await consumer.end_offsets(places)
            while any([await consumer.position(each) < ends[each] for each in places]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        event = wire.decode(record.value)[1]
                        if "seq" in event:  # a sign of life has none
                            found[event["run_id"], event["seq"]] += 1
        finally:
            await stop_consumer(consumer)
        return found

    return asyncio.run(read())


def measure(kafka: Kafka, away_s: float, steps_per_second: float, spool: Path) -> bool:
    """Measure and print; say whether all limits hold."""
    assert kafka.address is not None
    phases = {name: Costs(name) for name in ("before", "away", "after")}
    phase = ["before"]
    peak = [0]
    client = Tailrace(kafka.address, prefix=PREFIX, spool=str(spool), close_timeout_s=120)
    client.open()
    thread = threading.Thread(
        target=lambda: asyncio.run(agents(phases, phase, steps_per_second / STEPS_A_RUN))
    )
    thread.start()

    def pass_time(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            peak[0] = max(peak[0], rss_mb())
            time.sleep(0.2)

    pass_time(BEFORE_S)
    phases["before"].say()
    phase[0] = "away"
    kafka.stop()
    pass_time(away_s)
    phases["away"].say()
    on_disk = sum(path.stat().st_size for path in spool.rglob("*.spool")) / (1 << 20)
    kafka.start()
    begun = time.monotonic()
    phase[0] = "after"
    while list(spool.rglob("*.spool")) and time.monotonic() - begun < away_s + 60:
        pass_time(0.2)
    caught_up_s = time.monotonic() - begun
    pass_time(BEFORE_S)
    phases["after"].say()
    phase[0] = "end"
    thread.join()
    client.close()
    print(f"spool {on_disk:.0f} MB, sent {caught_up_s:.1f} s after the broker was there again")
    print(f"peak memory {peak[0]} MB (limit {MEMORY_LIMIT_MB}); {client.stats}")
    return verdict(kafka.address, sum(each.runs for each in phases.values()), phases, peak[0])


def verdict(kafka: str, runs: int, phases: dict[str, Costs], peak_mb: int) -> bool:
    """Compare the log with what ran, and the costs with each other."""
    found = events_on_log(kafka)
    expected = runs * (STEPS_A_RUN + 2)
    lost, repeated = expected - len(found), sum(found.values()) - len(found)
    print(f"{runs} runs: {expected} events made, {lost} lost, {repeated} repeated")
    before, away = (statistics.median(phases[name].steps_ns) for name in ("before", "away"))
    print(f"a step with the broker away costs {away / before:.2f} of what it costs else")
    return lost == 0 and repeated == 0 and peak_mb < MEMORY_LIMIT_MB


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=300, help="how long the broker is away")
    options.add_argument("--steps-per-second", type=float, default=2000)
    told = options.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="tailrace-bench-"))
    kafka = Kafka(folder / "kafka", folder / "kafka.log")
    kafka.start()
    try:
        held = measure(kafka, told.seconds, told.steps_per_second, folder / "spool")
    finally:
        kafka.stop()
        shutil.rmtree(folder)
    print("held" if held else "NOT held")
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
