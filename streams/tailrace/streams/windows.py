"""Rolling health: what closed, minute by minute, of each deployment of a component.

A function of the executions that are remembered: it keeps nothing of its own, so after a crash it
is counted anew from what `assemble` has kept. Replays are left out. An execution counts in the
minute in which it was first closed; what comes late changes that minute, while it is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.schemas.records.health import Health
from tailrace.streams.closing import at_ms
from tailrace.streams.durations import bucket, quantiles

if TYPE_CHECKING:
    from tailrace.streams.assemble import Folded
    from tailrace.streams.closing import Source
    from tailrace.streams.rows import Closing
    from tailrace.streams.run_state import RunState

MINUTE_MS = 60_000
KEPT_MS = 300_000
"""So long after its end a window takes late changes: less than executions are remembered."""

EVERY_MS = 5_000
"""How often a changing window is told anew."""

_NANO = 1_000_000_000
_QUANTILES = (0.5, 0.95, 0.99)

Key = tuple[str, str, str, int]
"""Environment, component, deployment, begin of the window in milliseconds."""


@dataclass(slots=True)
class Window:
    """One minute's figures."""

    changes: int = 0
    last_offset: int = -1
    started: int = 0
    outcomes: dict[str, int] = field(default_factory=dict[str, int])
    step_errors: int = 0
    mismatches: int = 0
    sums: dict[str, int] = field(default_factory=dict[str, int])
    """Tokens, and cost in billionths of a dollar: whole numbers, so that no order matters."""

    known: dict[str, int] = field(default_factory=dict[str, int])
    """How many executions told each of these."""

    durations: dict[str, int] = field(default_factory=dict[str, int])
    told_ms: int | None = None
    told: int = -1
    """The revision that was told last."""

    def add(self, closing: Closing, sign: int) -> None:
        """Count an execution, or take it back."""
        outcome = closing.outcome or closing.status
        _add(self.outcomes, outcome, sign)
        self.step_errors += sign * closing.errors
        self.mismatches += sign * closing.code_mismatch
        costs = None if closing.cost_usd is None else round(closing.cost_usd * _NANO)
        sums = {"input": closing.input_tokens, "output": closing.output_tokens, "cost": costs}
        for name, value in sums.items():
            if value is not None:
                _add(self.sums, name, sign * value)
                _add(self.known, name, sign)
        if closing.duration_us is not None and closing.status == "ended":
            _add(self.durations, bucket(closing.duration_us), sign)

    def sum_of(self, name: str) -> int | None:
        """Return a sum, None if no execution told any."""
        return self.sums.get(name, 0) if self.known.get(name) else None


class Windows:
    """The windows of one partition.

    Args:
        source: the partition.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._windows: dict[Key, Window] = {}
        self.next_due_ms: int | None = None
        """The broker time from which on there is something to tell or to forget."""

    def count(self, folded: Folded) -> None:
        """Take in what came of records, of time, or of the rows that were loaded."""
        for begun in folded.begun:
            window = self._window(begun.root, begun.root.begun_ms)
            if window is not None:
                window.started += 1
                window.changes += 1
                window.last_offset = max(window.last_offset, begun.root.first_offset)
        for closed in folded.closed:
            after = closed.after
            window = closed.root and self._window(closed.root, after.first_closed_ms)
            if not window or after.revision < 0:
                continue
            before = closed.before if closed.before and closed.before.revision >= 0 else None
            if before is not None:
                window.add(before, -1)
            window.add(after, 1)
            window.changes += after.revision - (-1 if before is None else before.revision)
            window.last_offset = max(window.last_offset, after.offset)

    def pass_time(self, now_ms: int) -> list[Health]:
        """Return what is to be told by now: changed windows, and those that are over."""
        if self.next_due_ms is None or now_ms < self.next_due_ms:
            return []
        told: list[Health] = []
        due_ms: list[int] = []
        for key, window in sorted(self._windows.items(), key=lambda each: each[0]):
            end_ms = key[3] + MINUTE_MS
            if now_ms > end_ms + KEPT_MS:
                del self._windows[key]
                continue
            over = end_ms <= now_ms
            revision = 2 * window.changes + over
            rests = window.told_ms is not None and not over and now_ms < window.told_ms + EVERY_MS
            if revision > window.told and not rests:
                told.append(self._health(key, window, over=over))
                window.told, window.told_ms = revision, now_ms
            due_ms.append(now_ms + EVERY_MS if not over else end_ms + KEPT_MS + 1)
        self.next_due_ms = min(due_ms, default=None)
        return told

    def _window(self, root: RunState, at: int) -> Window | None:
        route = root.route
        if route is None or route.replay_of:
            return None
        key = (route.environment, root.component, route.deployment, at - at % MINUTE_MS)
        self.next_due_ms = min(at, self.next_due_ms or at)
        return self._windows.setdefault(key, Window())

    def _health(self, key: Key, window: Window, *, over: bool) -> Health:
        environment, component, deployment, begin_ms = key
        p50, p95, p99 = quantiles(window.durations, _QUANTILES)
        cost = window.sum_of("cost")
        return Health(
            environment=environment,
            component=component,
            deployment=deployment,
            window_start=at_ms(begin_ms),
            window_end=at_ms(begin_ms + MINUTE_MS),
            revision=2 * window.changes + over,
            final=over,
            started=window.started,
            completed=window.outcomes.get("ok", 0),
            failed=window.outcomes.get("failed", 0),
            cancelled=window.outcomes.get("cancelled", 0),
            abandoned=window.outcomes.get("abandoned", 0),
            p50_us=p50,
            p95_us=p95,
            p99_us=p99,
            step_errors=window.step_errors,
            input_tokens=window.sum_of("input"),
            output_tokens=window.sum_of("output"),
            cost_usd=None if cost is None else cost / _NANO,
            source_log_id=self._source.log_id,
            source_partition=self._source.partition,
            last_offset=window.last_offset,
            code_mismatches=window.mismatches,
            durations={name: count for name, count in sorted(window.durations.items()) if count},
        )


def _add(counts: dict[str, int], name: str, value: int) -> None:
    counts[name] = counts.get(name, 0) + value
