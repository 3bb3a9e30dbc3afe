"""The same work for every side: runs of 50 steps back to back, at a pace, timed from the caller.

Needs nothing but Python, for it runs in each peer's own environment. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STEPS = 50
RUNS_PER_S = 20
GIVEN = {"order_id": "A-17", "customer": {"name": "Ada", "city": "London"}, "notes": "n" * 330}
RETURNED = {"order": "A-17", "state": "sent", "carrier": "post", "history": ["h" * 120, "h" * 110]}

Tool = "Callable[[dict[str, Any]], dict[str, Any]]"


def tool(request: dict[str, Any]) -> dict[str, Any]:
    """Do nothing, so that what is measured is the recording."""
    return RETURNED if request else {}


async def async_tool(request: dict[str, Any]) -> dict[str, Any]:
    """Do nothing, likewise."""
    return RETURNED if request else {}


class Work:
    """What a side traces: the tools as it decorated them, and the runs it decorates itself."""

    def __init__(self, traced: Callable[..., Any], async_traced: Callable[..., Any]) -> None:
        self._traced = traced
        self._async_traced = async_traced
        self.costs_ns: list[int] = []

    def run(self) -> str:
        """Call the tool 50 times."""
        clock = time.perf_counter_ns
        for _ in range(STEPS):
            begun = clock()
            self._traced(GIVEN)
            self.costs_ns.append(clock() - begun)
        return "done"

    async def async_run(self) -> str:
        """Await the tool 50 times."""
        clock = time.perf_counter_ns
        for _ in range(STEPS):
            begun = clock()
            await self._async_traced(GIVEN)
            self.costs_ns.append(clock() - begun)
        return "done"


def measure(
    work: Work,
    run: Callable[[], str],
    async_run: Callable[[], Awaitable[str]],
    flush: Callable[[], Any],
) -> None:
    """Run as the arguments say (how, how many), and print what it cost."""
    how, count = sys.argv[2], int(sys.argv[3])

    async def fleet(runs: int) -> None:
        begun = time.perf_counter()
        for number in range(runs):
            if how == "async":
                await async_run()
            else:
                run()
            wait_s = begun + (number + 1) / RUNS_PER_S - time.perf_counter()
            await asyncio.sleep(max(0.0, wait_s))

    asyncio.run(fleet(5))
    work.costs_ns.clear()
    cpu = time.process_time()
    asyncio.run(fleet(count))
    flush()
    cpu = time.process_time() - cpu
    costs = sorted(work.costs_ns)
    told = {
        "median_us": costs[len(costs) // 2] / 1000,
        "p99_us": costs[int(len(costs) * 0.99)] / 1000,
        "cpu_ms_per_1000": cpu * 1e6 / len(costs),
        "spans": (5 + count) * (STEPS + 1),
    }
    sys.stdout.write("\n" + json.dumps(told) + "\n")
    sys.stdout.flush()
