"""Folds the run events of one partition into closed executions.

Pure but for its own memory: what it does depends on the rows that it was loaded from and on the
records that it is given, never on a clock. The same rows and records give the same executions under
the same revisions, so redelivery, a crash between any two rows and a handover change nothing.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tailrace.streams.closing import close
from tailrace.streams.execution import Execution, Limits
from tailrace.streams.rows import (
    Closing,
    RowKey,
    decode_closing,
    decode_key,
    decode_run,
    encode_closing,
    encode_run,
)
from tailrace.streams.run_state import RunState, fold_event, fold_heartbeat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tailrace.schemas.records.trace import Trace
    from tailrace.streams.closing import Source
    from tailrace.streams.execution import Verdict
    from tailrace.streams.run_state import Place


class Rows(Protocol):
    """Where rows are kept; what was set or deleted is seen at once."""

    def get(self, key: bytes, /) -> bytes | None:
        """Return a row, None if there is none."""
        ...

    def set(self, key: bytes, row: bytes, /) -> None:
        """Keep a row."""
        ...

    def delete(self, key: bytes, /) -> None:
        """Forget a row."""
        ...


@dataclass(frozen=True)
class Begun:
    """A root run that was seen for the first time."""

    execution: Execution
    root: RunState


@dataclass(frozen=True)
class Closed:
    """An execution that was closed, perhaps again."""

    execution: Execution
    root: RunState | None
    before: Closing | None
    after: Closing


@dataclass
class Folded:
    """What came of records and of time."""

    traces: list[Trace] = field(default_factory=list["Trace"])
    """To be published, in this order."""

    begun: list[Begun] = field(default_factory=list[Begun])
    closed: list[Closed] = field(default_factory=list[Closed])


class Assembly:
    """The executions of one partition.

    Args:
        source: the partition.
        rows: its state.
        limits: how long things are waited for.
    """

    def __init__(self, source: Source, rows: Rows, limits: Limits) -> None:
        self._source = source
        self._rows = rows
        self._limits = limits
        self._executions: dict[tuple[str, str], Execution] = {}
        self._queue: list[tuple[int, str, str]] = []
        self.applied = -1
        """Offset of the newest record that was folded; none up to it is folded again."""

        self.loaded_ms: int | None = None
        """Broker time of the newest record that the loaded rows know of."""

    def __len__(self) -> int:
        return len(self._executions)

    @property
    def open_executions(self) -> int:
        """How many are not closed; looks at each."""
        return sum(1 for execution in self._executions.values() if execution.is_open)

    @property
    def next_due_ms(self) -> int | None:
        """The broker time at which time alone may change something; None if there is none."""
        return self._queue[0][0] if self._queue else None

    def load(self, items: Iterable[tuple[bytes, bytes]]) -> Folded:
        """Take in the partition's rows as they were left, wherever that was.

        Closings that the last rows call for and that were not written are made up for.
        """
        for raw_key, row in items:
            key = decode_key(raw_key)
            execution = self._execution(key.trace_id, key.root_run_id)
            if key.run_id:
                execution.take(key.run_id, decode_run(row), self._limits)
            else:
                execution.closing = decode_closing(row)
        folded = Folded()
        for execution in list(self._executions.values()):
            self.applied = max(self.applied, execution.offset)
            self.loaded_ms = max(self.loaded_ms or 0, execution.last_ms)
            if not execution.runs:
                # A crash while it was being forgotten left the last row alone.
                self._forget(execution)
                continue
            self._tell_loaded(execution, folded)
            self._settle(execution, execution.last_ms, folded)
        return folded

    def fold_event(self, event: Mapping[str, Any], place: Place) -> Folded:
        """Fold a journal event; one that was folded already does nothing."""
        return self._fold(event, place, fold_event)

    def fold_heartbeat(self, beat: Mapping[str, Any], place: Place) -> Folded:
        """Fold a heartbeat; one that was folded already does nothing."""
        return self._fold(beat, place, fold_heartbeat)

    def pass_time(self, now_ms: int) -> Folded:
        """Close and forget what is due before a broker time.

        Every record that the broker took before that time must have been folded.
        """
        folded = Folded()
        self._pass_time(now_ms, folded)
        return folded

    def _fold(self, record: Mapping[str, Any], place: Place, fold: Any) -> Folded:
        folded = Folded()
        if place.offset <= self.applied:
            return folded
        self._pass_time(place.ts_ms, folded)
        self.applied = place.offset
        trace_id, root_run_id = str(record["trace_id"]), str(record["root_run_id"])
        run_id = str(record["run_id"])
        key = RowKey(self._source.partition, trace_id, root_run_id, run_id).encode()
        row = self._rows.get(key)
        before = None if row is None else decode_run(row)
        after: RunState = fold(before, record, place)
        if after == before:
            return folded
        self._rows.set(key, encode_run(after))
        execution = self._execution(trace_id, root_run_id)
        execution.take(run_id, after, self._limits)
        if after.route is not None and (before is None or before.route is None):
            folded.begun.append(Begun(execution, after))
        self._settle(execution, place.ts_ms, folded)
        return folded

    def _pass_time(self, now_ms: int, folded: Folded) -> None:
        while self._queue and self._queue[0][0] < now_ms:
            due_ms, trace_id, root_run_id = heapq.heappop(self._queue)
            execution = self._executions.get((trace_id, root_run_id))
            if execution is None or execution.scheduled_ms != due_ms:
                continue
            execution.scheduled_ms = None
            if not execution.is_open and (execution.due_ms(self._limits) or 0) < now_ms:
                self._forget(execution)
            else:
                self._settle(execution, now_ms, folded)

    def _settle(self, execution: Execution, now_ms: int, folded: Folded) -> None:
        """Close an execution if it is to be closed, and see to it that it is looked at again."""
        verdict = execution.verdict(now_ms, self._limits)
        if verdict is not None:
            self._close(execution, verdict, folded)
        due_ms = execution.due_ms(self._limits)
        if due_ms is None:
            return
        # Later is found out when it is looked at: signs of life would fill the queue.
        if execution.scheduled_ms is None or due_ms < execution.scheduled_ms:
            execution.scheduled_ms = due_ms
            heapq.heappush(self._queue, (due_ms, execution.trace_id, execution.root_run_id))

    def _close(self, execution: Execution, verdict: Verdict, folded: Folded) -> None:
        runs = {run_id: self._run(execution, run_id) for run_id in execution.runs}
        trace, closing = close(execution, runs, verdict, self._limits, self._source)
        root = runs.get(execution.root_run_id)
        folded.traces.append(trace)
        folded.closed.append(Closed(execution, root, execution.closing, closing))
        execution.closing = closing
        self._rows.set(self._key(execution), encode_closing(closing))

    def _forget(self, execution: Execution) -> None:
        # The closing goes last: without it, runs that are left would be closed once more.
        for run_id in execution.runs:
            self._rows.delete(self._key(execution, run_id))
        self._rows.delete(self._key(execution))
        del self._executions[execution.trace_id, execution.root_run_id]

    def _tell_loaded(self, execution: Execution, folded: Folded) -> None:
        root_run_id = execution.root_run_id
        root = self._run(execution, root_run_id) if root_run_id in execution.runs else None
        if root is not None and root.route is not None:
            folded.begun.append(Begun(execution, root))
        if execution.closing is not None:
            folded.closed.append(Closed(execution, root, None, execution.closing))

    def _execution(self, trace_id: str, root_run_id: str) -> Execution:
        found = self._executions.get((trace_id, root_run_id))
        if found is None:
            found = Execution(trace_id, root_run_id)
            self._executions[trace_id, root_run_id] = found
        return found

    def _run(self, execution: Execution, run_id: str) -> RunState:
        row = self._rows.get(self._key(execution, run_id))
        assert row is not None, "a run that was taken in has a row"
        return decode_run(row)

    def _key(self, execution: Execution, run_id: str = "") -> bytes:
        partition = self._source.partition
        return RowKey(partition, execution.trace_id, execution.root_run_id, run_id).encode()
