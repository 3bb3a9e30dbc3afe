"""The processors of one partition of `runs`, put together: what comes in, what goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.schemas import topics
from tailrace.schemas.catalog import latest
from tailrace.schemas.wire import encode
from tailrace.streams.assemble import Assembly
from tailrace.streams.publisher import Outgoing
from tailrace.streams.reading import HEARTBEAT
from tailrace.streams.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.streams.assemble import Folded
    from tailrace.streams.closing import Source
    from tailrace.streams.execution import Limits
    from tailrace.streams.run_state import Place
    from tailrace.streams.staging import StagedRows


class Partition:
    """One partition's state and what it makes of records.

    Args:
        source: the partition.
        rows: its state; loaded at once.
        limits: how long things are waited for.
        prefix: what the topics' names begin with.
    """

    def __init__(self, source: Source, rows: StagedRows, limits: Limits, prefix: str) -> None:
        self.source = source
        self._traces = topics.TRACES.name(prefix)
        self._health = topics.HEALTH.name(prefix)
        self._assembly = Assembly(source, rows, limits)
        self._windows = Windows(source)
        self.made_up = self._outgoing(self._assembly.load(rows.items()))
        """What the last owner had no time to publish."""

    @property
    def open_executions(self) -> int:
        """How many executions are not closed; looks at each."""
        return self._assembly.open_executions

    @property
    def newest_ms(self) -> int | None:
        """Broker time of the newest record in the state when it was loaded; None if it is empty."""
        return self._assembly.loaded_ms

    @property
    def next_due_ms(self) -> int | None:
        """The broker time at which time alone may change something; None if there is none."""
        dues = (self._assembly.next_due_ms, self._windows.next_due_ms)
        return min((due_ms for due_ms in dues if due_ms is not None), default=None)

    def fold(self, name: str, record: Mapping[str, Any], place: Place) -> list[Outgoing]:
        """Fold a record of `runs`; return what is to be published."""
        is_beat = name == HEARTBEAT
        fold = self._assembly.fold_heartbeat if is_beat else self._assembly.fold_event
        return [*self._outgoing(fold(record, place)), *self._told(place.ts_ms)]

    def pass_time(self, now_ms: int) -> list[Outgoing]:
        """Do what is due before a broker time up to which everything was folded."""
        return [*self._outgoing(self._assembly.pass_time(now_ms)), *self._told(now_ms)]

    def _told(self, now_ms: int) -> list[Outgoing]:
        return [
            Outgoing(
                self._health,
                f"{each.environment}:{each.component}".encode(),
                encode(latest("health"), each.flatten()),
                counts_as="health",
            )
            for each in self._windows.pass_time(now_ms)
        ]

    def _outgoing(self, folded: Folded) -> list[Outgoing]:
        self._windows.count(folded)
        return [
            Outgoing(
                self._traces,
                trace.trace_id.encode(),
                encode(latest("trace"), trace.flatten()),
                counts_as=trace.status,
            )
            for trace in folded.traces
        ]
