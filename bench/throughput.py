"""How many steps a second one process brings to a local broker, acknowledged by all replicas.

Runs of 50 steps, 400 B in and 300 B out, as many at once as told, as fast as possible. The limit of
the same run is aiokafka sending batches that were made before: the same records, the same producer
settings, no journal. Memory is printed along the way: it must stay flat.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from tailrace.console.local.kafka import Kafka
from tailrace.producers import Tailrace, component, step
from tailrace.producers.delivery import producer as settings
from tailrace.schemas.topics import STEPS as TOPIC

STEPS = 50
CONCURRENT = 500
GIVEN = {"order_id": "A-17", "customer": {"name": "Ada", "city": "London"}, "notes": "n" * 330}
RETURNED = {"order": "A-17", "state": "sent", "carrier": "post", "history": ["h" * 120, "h" * 110]}
PREFIX = "throughput."
EVENT_BYTES = 1090
"""About what an event of such a step takes; the limit sends as much."""


@step(kind="tool", effect="read")
async def tool(request: dict[str, Any]) -> dict[str, Any]:
    """Do nothing, so that what is measured is the recording."""
    return RETURNED if request else {}


@component("throughput")
async def run() -> None:
    """Run 50 steps back to back."""
    for _ in range(STEPS):
        await tool(GIVEN)


def rss_mb() -> int:
    """Return the memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // (1 << 20)


async def fleet(seconds: float) -> tuple[int, float, list[int]]:
    """Keep runs going for that long; return how many, how long it took, memory on the way."""
    begun = time.perf_counter()
    runs = 0
    memory = [rss_mb()]

    async def worker() -> None:
        nonlocal runs
        while time.perf_counter() - begun < seconds:
            await run()
            runs += 1
            if runs % 2000 == 0:
                memory.append(rss_mb())

    await asyncio.gather(*(worker() for _ in range(CONCURRENT)))
    return runs, time.perf_counter() - begun, memory


async def limit(kafka: str, seconds: float) -> float:
    """Return records a second that aiokafka sends in batches made of them, one a partition."""
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=kafka, enable_idempotence=True, acks="all",
        compression_type=settings.COMPRESSION, max_batch_size=settings.BATCH_BYTES,
        max_request_size=4 * settings.BATCH_BYTES, linger_ms=0,
    )  # fmt: skip
    await producer.start()
    partitions = sorted(await producer.partitions_for(PREFIX + TOPIC.suffix))
    value = os.urandom(EVENT_BYTES // 4) + b"v" * (EVENT_BYTES - EVENT_BYTES // 4)
    begun = time.perf_counter()
    sent = 0

    async def worker(partition: int) -> None:
        nonlocal sent
        while time.perf_counter() - begun < seconds:
            batch = producer.create_batch()
            while batch.append(key=b"k" * 32, value=value, timestamp=None) is not None:
                pass
            batch.close()
            delivered = await producer.send_batch(batch, PREFIX + TOPIC.suffix, partition=partition)
            await delivered
            sent += batch.record_count()

    await asyncio.gather(*map(worker, partitions))
    rate = sent / (time.perf_counter() - begun)
    await producer.stop()
    return rate


def profiled(client: Tailrace, seconds: float) -> None:
    """Print where the sender's thread spends its time."""
    profile = cProfile.Profile()
    assert client.sender is not None
    loop = client.sender.loop
    assert loop is not None
    loop.call_soon_threadsafe(profile.enable)
    asyncio.run(fleet(seconds))
    done = threading.Event()

    def end() -> None:
        profile.disable()
        done.set()

    loop.call_soon_threadsafe(end)
    done.wait(10)
    pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(22)


def measure(kafka: str, seconds: float, *, profile: bool) -> bool:
    """Measure and print; say whether the goal is reached."""
    with Tailrace(kafka, prefix=PREFIX) as client:
        asyncio.run(fleet(1.0))
        if profile:
            profiled(client, seconds)
        cpu = time.process_time()
        runs, took_s, memory = asyncio.run(fleet(seconds))
        cpu = time.process_time() - cpu
    steps = runs * STEPS
    ours = steps / took_s
    best = asyncio.run(limit(kafka, min(seconds, 5)))
    print(
        f"{steps} steps in {runs} runs, {CONCURRENT} at once, acknowledged by all replicas: "
        f"{ours:,.0f} steps/s, {cpu / steps * 1e6:.1f} us CPU a step"
    )
    print(f"memory on the way: {memory[0]} to {memory[-1]} MB, highest {max(memory)} MB")
    print(f"aiokafka alone, whole batches: {best:,.0f} records/s; ours is {ours / best:.2f} of it")
    print(client.stats)
    lost = client.stats.shed + client.stats.unsent + client.stats.unacknowledged
    return ours >= 30_000 and not lost  # noqa: PLR2004 - the goal


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--profile", action="store_true", help="show the sender's thread first")
    told = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tailrace-bench-"))
    os.environ["TAILRACE_SPOOL"] = str(folder / "spool")
    kafka = Kafka(folder / "kafka", folder / "kafka.log")
    kafka.start()
    try:
        assert kafka.address is not None
        reached = measure(kafka.address, told.seconds, profile=told.profile)
    finally:
        kafka.stop()
        shutil.rmtree(folder)
    print("30,000 steps/s: " + ("reached" if reached else "NOT reached"))


if __name__ == "__main__":
    main()
