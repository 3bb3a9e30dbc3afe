"""What a step costs the thread that calls it, and how many steps a second one process brings out.

Runs of 50 steps, 400 B in and 300 B out. The ratio that is printed is against the work nobody can
avoid who records the same event: `json.dumps` of both values and one fastavro encoding.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailrace.console.local.kafka import Kafka
from tailrace.producers import Tailrace, component, step
from tailrace.producers.testing import memory_journal
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

STEPS = 50
GIVEN = {"order_id": "A-17", "customer": {"name": "Ada", "city": "London"}, "notes": "n" * 330}
RETURNED = {"order": "A-17", "state": "sent", "carrier": "post", "history": ["h" * 120, "h" * 110]}


@step(kind="tool", effect="read")
def tool(request: dict[str, Any]) -> dict[str, Any]:
    """Do nothing, so that what is measured is the recording."""
    return RETURNED if request else {}


@step(kind="tool", effect="read")
async def async_tool(request: dict[str, Any]) -> dict[str, Any]:
    """Do nothing, likewise."""
    return RETURNED if request else {}


@component("bench")
def bench_run(costs: list[int]) -> None:
    """Run 50 steps back to back."""
    clock = time.perf_counter_ns
    for _ in range(STEPS):
        begun = clock()
        tool(GIVEN)
        costs.append(clock() - begun)


@component("async_bench")
async def async_bench_run(costs: list[int]) -> None:
    """Run 50 steps back to back."""
    clock = time.perf_counter_ns
    for _ in range(STEPS):
        begun = clock()
        await async_tool(GIVEN)
        costs.append(clock() - begun)


@component("spaced")
def spaced_run(costs: list[int]) -> None:
    """Run 50 steps with a pause before each, so that each finds the processor's caches cold."""
    clock = time.perf_counter_ns
    for _ in range(STEPS):
        time.sleep(0.01)
        begun = clock()
        tool(GIVEN)
        costs.append(clock() - begun)


class Hidden(list[int]):
    """Appends to another list and looks empty, so that recording the argument costs nothing."""

    def __init__(self, target: list[int]) -> None:
        super().__init__()
        self._target = target

    def append(self, value: int) -> None:
        """Append to the other list."""
        self._target.append(value)


def say(what: str, costs_ns: list[int], limit_us: float | None = None) -> None:
    """Print median and 99th percentile in microseconds."""
    costs = sorted(costs_ns)
    median = statistics.median(costs) / 1000
    p99 = costs[int(len(costs) * 0.99)] / 1000
    ratio = "" if limit_us is None else f"   {median / limit_us:5.2f} x the unavoidable"
    print(f"{what:<52} median {median:7.2f} us   p99 {p99:8.2f} us{ratio}")


def timed(function: Callable[[], Any], count: int = 20_000) -> list[int]:
    """Return the nanoseconds of each call."""
    clock = time.perf_counter_ns
    costs: list[int] = []
    for _ in range(count):
        begun = clock()
        function()
        costs.append(clock() - begun)
    return costs


def unavoidable() -> float:
    """Measure json.dumps of both values and one fastavro encoding; return the median in us."""
    schema = latest("journal_event")
    record = {
        "trace_id": "a" * 32, "run_id": "b" * 32, "root_run_id": "b" * 32, "component": "bench",
        "deployment": "c" * 64, "code_digest": "d" * 64, "environment": "dev", "seq": 7,
        "kind": "step_completed", "ts": 1_790_000_000_000_000, "step_id": "e" * 16,
        "step_key": "tool#7", "name": "tool", "step_kind": "tool", "effect": "read",
        "definition_digest": "f" * 64, "input_digest": "0" * 64,
        "started_at": 1_790_000_000_000_000, "duration_us": 5,
    }  # fmt: skip

    def once() -> None:
        given, returned = json.dumps({"request": GIVEN}), json.dumps(RETURNED)
        wire.encode(schema, {**record, "input": given, "output": returned})

    costs = timed(once)
    say("json.dumps of both values and fastavro", costs)
    return statistics.median(costs) / 1000


def plain_calls() -> None:
    """Measure a decorated function without a client against the bare one."""
    bare: Any = tool.__wrapped__  # pyright: ignore[reportFunctionMemberAccess] - set by functools.wraps
    costs = statistics.median(timed(lambda: tool(GIVEN))) - statistics.median(
        timed(lambda: bare(GIVEN))
    )
    print(f"{'no client open, over the bare call':<52} median {costs / 1000:7.2f} us")


def paced(limit_us: float, runs: int, per_second: float) -> None:
    """Measure steps in runs at a pace, while the sender sends."""

    async def fleet(costs: list[int], *, is_async: bool) -> None:
        begun = time.perf_counter()
        for number in range(runs):
            if is_async:
                await async_bench_run(Hidden(costs))
            else:
                bench_run(Hidden(costs))
            await asyncio.sleep(max(0.0, begun + (number + 1) / per_second - time.perf_counter()))

    for name, is_async in (("sync", False), ("async", True)):
        costs: list[int] = []
        asyncio.run(fleet(costs, is_async=is_async))
        say(f"{name} steps, {per_second:g} runs of {STEPS} a second", costs[STEPS:], limit_us)


def spaced(runs: int) -> None:
    """Measure steps that come one at a time."""
    costs: list[int] = []
    for _ in range(runs):
        spaced_run(Hidden(costs))
    say("sync steps, one each 10 ms", costs[STEPS:])


def throughput(runs: int) -> None:
    """Measure how many steps a second are acknowledged when runs are made as fast as possible."""

    async def fleet() -> float:
        begun = time.perf_counter()
        await asyncio.gather(*(async_bench_run(Hidden([])) for _ in range(runs)))
        return time.perf_counter() - begun

    cpu = time.process_time()
    took_s = asyncio.run(fleet())
    cpu = time.process_time() - cpu
    steps = runs * STEPS
    print(
        f"{steps} steps in {runs} concurrent runs, acknowledged by all replicas: "
        f"{steps / took_s:,.0f} steps/s, {cpu / steps * 1e6:.1f} us CPU a step, "
        f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
    )


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kafka", help="bootstrap servers; a broker of its own when left out")
    options.add_argument("--runs", type=int, default=200)
    told = options.parse_args()
    print(f"Python {sys.version.split()[0]}, runs of {STEPS} steps, 400 B in, 300 B out")
    limit_us = unavoidable()
    plain_calls()
    with memory_journal():
        costs: list[int] = []
        for _ in range(40):
            bench_run(Hidden(costs))
        say("sync steps into memory", costs[STEPS:], limit_us)
    with broker(told.kafka) as kafka, Tailrace(kafka, prefix="bench.") as client:
        paced(limit_us, told.runs, 20)
        spaced(10)
        throughput(1000)
        print(client.stats)


@contextmanager
def broker(told: str | None) -> Generator[str]:
    """Give the address of the broker that was named, or of one for this bench alone."""
    if told is not None:
        yield told
        return
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        kafka = Kafka(Path(folder) / "kafka", Path(folder) / "kafka.log")
        kafka.start()
        try:
            assert kafka.address is not None
            yield kafka.address
        finally:
            kafka.stop()


if __name__ == "__main__":
    main()
