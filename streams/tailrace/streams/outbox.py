"""What was folded and is on its way: published, kept, then acknowledged, in this order.

The order is what makes a crash harmless: outputs are on the log before the rows that say so, rows
are in the changelog before their records are acknowledged, and acknowledged offsets are all that
Faust may commit. While one batch is on its way the next one gathers, so the round trips are shared.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tailrace.streams.publisher import Outgoing, Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tailrace.streams.guard import Guard
    from tailrace.streams.staging import Change, StagedRows

MAX_BATCH = 1_000
"""So many records wait to be published; then no more is read."""


class Keeper(Protocol):
    """Where rows lie once they are in the changelog."""

    @property
    def changelog(self) -> str:
        """The changelog topic's full name."""
        ...

    def keep(self, partition: int, changes: Sequence[Change], offset: int) -> None:
        """Take in changes that lie in the changelog up to an offset."""
        ...


@dataclass
class Batch:
    """What goes to the broker together."""

    outgoing: list[Outgoing] = field(default_factory=list[Outgoing])
    acknowledge: list[Callable[[], object]] = field(default_factory=list["Callable[[], object]"])
    touched: dict[int, StagedRows] = field(default_factory=dict[int, "StagedRows"])

    def __bool__(self) -> bool:
        return bool(self.outgoing or self.acknowledge or self.touched)


@dataclass(frozen=True)
class Published:
    """What a batch came to."""

    records: int
    """Records of `runs` that were acknowledged."""

    counts: Counter[str]
    """Outputs by what they count as."""

    seconds: float


class Outbox:
    """Gathers and publishes.

    Args:
        publisher: sends.
        keeper: keeps rows that are in the changelog.
        guard: asked before anything is sent, told of a failure.
        tell: told of each batch.
    """

    def __init__(
        self,
        publisher: Publisher,
        keeper: Keeper,
        guard: Guard,
        tell: Callable[[Published], None],
    ) -> None:
        self._publisher = publisher
        self._keeper = keeper
        self._guard = guard
        self._tell = tell
        self._batch = Batch()
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._rest = asyncio.Event()
        self._rest.set()

    @property
    def waits(self) -> bool:
        """Whether something that was folded is not acknowledged yet."""
        return not self._rest.is_set()

    def put(self, outgoing: Iterable[Outgoing], partition: int, rows: StagedRows) -> None:
        """Add outputs, and the rows that say so; sent at once or with the next batch."""
        self._batch.outgoing += outgoing
        self._batch.touched[partition] = rows
        self._stir()

    def acknowledge_after(self, acknowledge: Callable[[], object]) -> None:
        """Have this called once all that was put until now is on the log."""
        self._batch.acknowledge.append(acknowledge)
        self._stir()

    async def room(self) -> None:
        """Return once there is room for one more record."""
        while len(self._batch.acknowledge) >= MAX_BATCH:
            self._room.clear()
            await self._room.wait()

    async def drain(self) -> None:
        """Return once all that was put is on the log, or never will be: the worker failed."""
        rest = asyncio.ensure_future(self._rest.wait())
        try:
            await asyncio.wait({rest, self._guard.failure}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rest.cancel()

    async def run(self) -> None:
        """Publish batch after batch, until cancelled or failed."""
        while True:
            await self._more.wait()
            self._more.clear()
            batch, self._batch = self._batch, Batch()
            changes = {number: rows.take() for number, rows in batch.touched.items()}
            self._room.set()
            try:
                await self._publish(batch, changes)
            except Exception as error:  # noqa: BLE001 - told through the guard, whatever it is
                self._guard.fail(error)
                return
            if not self._batch:
                self._rest.set()

    def _stir(self) -> None:
        self._rest.clear()
        self._more.set()

    async def _publish(self, batch: Batch, changes: dict[int, list[Change]]) -> None:
        begun = time.monotonic()
        await self._guard.confirm()
        await self._publisher.publish(batch.outgoing)
        await self._guard.confirm()
        keeping = [
            self._keep(number, batch.touched[number], changed)
            for number, changed in changes.items()
            if changed
        ]
        await asyncio.gather(*keeping)
        for acknowledge in batch.acknowledge:
            acknowledge()
        counts = Counter(each.counts_as for each in batch.outgoing)
        self._tell(Published(len(batch.acknowledge), counts, time.monotonic() - begun))

    async def _keep(self, partition: int, rows: StagedRows, changes: list[Change]) -> None:
        changelog = self._keeper.changelog
        outgoing = [Outgoing(changelog, key, row, partition) for key, row in changes]
        offset = await self._publisher.publish(outgoing)
        self._keeper.keep(partition, changes, offset)
        rows.settle(changes)
