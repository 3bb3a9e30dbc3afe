"""Records that lie on disk on their way to the broker: who waits until a group of them arrived."""

from __future__ import annotations

import asyncio


class OnDisk:
    """Says of a record that it lies in a spool, and whether it is on the log by now."""

    __slots__ = ("arrived", "passage")

    def __init__(self) -> None:
        self.arrived = False
        self.passage: Passage | None = None

    def arrive(self) -> None:
        """Say that the record is on the log."""
        self.arrived = True
        if self.passage is not None:
            self.passage.arrive()


class Passage:
    """A group of records that are sent together; what comes behind waits for all of them."""

    def __init__(self) -> None:
        self._pending = 0
        self._done = asyncio.Event()

    def add(self, record: OnDisk) -> None:
        """Wait for a record, unless it has arrived."""
        if not record.arrived:
            record.passage = self
            self._pending += 1

    def arrive(self) -> None:
        """Say that one of them is on the log."""
        self._pending -= 1
        if self._pending == 0:
            self._done.set()

    async def wait(self) -> None:
        """Return when all that were added have arrived."""
        if self._pending:
            await self._done.wait()
