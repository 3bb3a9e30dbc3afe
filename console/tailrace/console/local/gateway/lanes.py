"""How many statements run at a time, and on which threads.

A lane is one thread: a statement keeps it from its first call to its last, so that every chDB
call of one connection comes from one thread, and the number of lanes is the bound.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from tailrace.console.local.gateway.errors import TOO_MANY_QUERIES, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

T = TypeVar("T")


class Lane:
    """One thread that runs one statement's blocking calls, in order."""

    def __init__(self, number: int) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"query-{number}")

    async def run(self, call: Callable[[], T], interrupt: Callable[[], None] | None = None) -> T:
        """Run a call on this lane's thread.

        If the awaiting task is cancelled, `interrupt` is called on another thread, and this still
        waits until the call has returned: a lane is never given on while its thread is inside the
        engine.
        """
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._thread, call)
        cancelled: asyncio.CancelledError | None = None
        while not running.done():
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError as raised:
                if cancelled is None and interrupt is not None:
                    loop.run_in_executor(None, interrupt)
                cancelled = raised
        if cancelled is not None:
            running.exception()  # seen here, so that it is not reported as forgotten
            raise cancelled
        return running.result()

    def close(self) -> None:
        """Give the thread back; does not wait for a call that still runs."""
        self._thread.shutdown(wait=False)


class Lanes:
    """All lanes, and a queue of bounded length and time in front of them."""

    def __init__(self, count: int, *, max_waiting: int, max_wait_s: float) -> None:
        self._count = count
        self._free = [Lane(number) for number in range(count)]
        self._all = tuple(self._free)
        self._turns = asyncio.Semaphore(count)
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s

    @asynccontextmanager
    async def take(self) -> AsyncGenerator[Lane]:
        """Wait for a lane; raises GatewayError 202 if too many wait or the wait is too long."""
        if self._turns.locked() and self._waiting >= self._max_waiting:
            raise self._too_many()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._max_wait_s):
                await self._turns.acquire()
        except TimeoutError:
            raise self._too_many() from None
        finally:
            self._waiting -= 1
        lane = self._free.pop()
        self._idle.clear()
        try:
            yield lane
        finally:
            self._free.append(lane)
            if len(self._free) == self._count:
                self._idle.set()
            self._turns.release()

    async def until_idle(self, timeout_s: float) -> bool:
        """Wait until no statement runs; False if the time did not suffice."""
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Give all threads back."""
        for lane in self._all:
            lane.close()

    def _too_many(self) -> Exception:
        return refusal(
            TOO_MANY_QUERIES,
            "TOO_MANY_SIMULTANEOUS_QUERIES",
            f"Too many simultaneous queries: {self._count} run and {self._waiting} wait. "
            "Try again later, or start the gateway with a larger --max-concurrent.",
        )
