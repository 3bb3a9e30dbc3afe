"""The record of a closed execution, made of its runs: what lies on `traces`.

Pure: the order in which the runs were seen leaves no mark on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import fsum
from typing import TYPE_CHECKING, Any

from tailrace.schemas.records.trace import Trace
from tailrace.streams.rows import Closing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.streams.execution import Execution, Limits, Verdict
    from tailrace.streams.run_state import RunEnd, RunState

MAX_LISTED = 100_000
"""So many runs and offers are named in a record; all of them are counted."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUMS = ("input_tokens", "output_tokens", "cached_tokens")


@dataclass(frozen=True)
class Source:
    """The partition that executions are assembled from."""

    log_id: str
    topic: str
    partition: int


def at_us(micros: int) -> datetime:
    """Return a time from microseconds since the epoch, exactly."""
    return _EPOCH + timedelta(microseconds=micros)


def at_ms(millis: int) -> datetime:
    """Return a time from milliseconds since the epoch, exactly."""
    return _EPOCH + timedelta(milliseconds=millis)


def close(
    execution: Execution,
    runs: Mapping[str, RunState],
    verdict: Verdict,
    limits: Limits,
    source: Source,
) -> tuple[Trace, Closing]:
    """Return the record of an execution as it is closed, and what is kept of that.

    Args:
        execution: which runs are known of, and what it waits for.
        runs: what was seen of each.
        verdict: how it is closed.
        limits: how long a closed one is remembered.
        source: where its events lie.
    """
    order = _in_order(execution.root_run_id, runs)
    ended = verdict.status == "ended"
    trace = Trace(
        trace_id=execution.trace_id,
        root_run_id=execution.root_run_id,
        revision=execution.next_revision(),
        status=verdict.status,
        closed_at=at_ms(verdict.at_ms),
        runs=tuple(order[:MAX_LISTED]),
        components=tuple(dict.fromkeys(runs[run_id].component for run_id in order)),
        open_runs=tuple(_open_runs(execution, order)[:MAX_LISTED]),
        unclaimed_offers=tuple(execution.unclaimed()[:MAX_LISTED]),
        last_step="" if ended else _last_step(execution, runs),
        source_log_id=source.log_id,
        source_topic=source.topic,
        source_partition=source.partition,
        first_offset=min(run.first_offset for run in runs.values()),
        last_offset=execution.offset,
        last_seen_at=at_ms(execution.last_ms),
        **_of_root(runs.get(execution.root_run_id), ended=ended),
        **_of_all([runs[run_id] for run_id in order], ended=ended),
    )
    return trace, _closing(execution, trace, verdict, limits)


def _in_order(root_run_id: str, runs: Mapping[str, RunState]) -> list[str]:
    """Return the runs, the root first, then by their starts; those that tell none come last."""

    def place(run_id: str) -> tuple[bool, bool, int, str]:
        started_us = runs[run_id].started_us
        return run_id != root_run_id, started_us is None, started_us or 0, run_id

    return sorted(runs, key=place)


def _open_runs(execution: Execution, order: Sequence[str]) -> list[str]:
    seen = [run_id for run_id in order if run_id in execution.waiting]
    return seen + sorted(execution.waiting - set(order))


def _last_step(execution: Execution, runs: Mapping[str, RunState]) -> str:
    """Return the step at which the run that was heard of last was."""
    left = [runs[run_id] for run_id in execution.waiting if run_id in runs]
    newest = max(left, key=lambda run: (run.last_ms, run.offset), default=None)
    return "" if newest is None else newest.last_step


def _of_root(root: RunState | None, *, ended: bool) -> dict[str, Any]:
    if root is None:
        return {"component": ""}
    told: dict[str, Any] = {"component": root.component}
    if root.started_us is not None:
        told["started_at"] = at_us(root.started_us)
    if root.route is not None:
        told |= {name: getattr(root.route, name) for name in root.route.__slots__}
    if root.end is not None:
        told["duration_us"] = root.end.duration_us
        told["error_type"] = root.end.error_type
        told["error_message"] = root.end.error_message
        told["outcome"] = root.end.outcome if ended else ""
    return told


def _of_all(runs: Sequence[RunState], *, ended: bool) -> dict[str, Any]:
    ends = [run.end for run in runs if run.end is not None]
    costs = [end.cost_usd for end in ends if end.cost_usd is not None]
    return {
        "code_mismatch": any(run.code_mismatch for run in runs),
        "ended_at": at_us(max(end.ts_us for end in ends)) if ended else None,
        "expected_events": sum(end.last_seq + 1 for end in ends) if ended else None,
        "steps": sum(end.steps for end in ends),
        "errors": sum(end.errors for end in ends),
        "cost_usd": fsum(costs) if costs else None,
        "not_replayable": next((end.not_replayable for end in ends if end.not_replayable), ""),
        **{name: _sum_known(ends, name) for name in _SUMS},
    }


def _sum_known(ends: Iterable[RunEnd], name: str) -> int | None:
    known = [value for end in ends if (value := getattr(end, name)) is not None]
    return sum(known) if known else None


def _closing(execution: Execution, trace: Trace, verdict: Verdict, limits: Limits) -> Closing:
    settled = verdict.status == "ended" and not trace.unclaimed_offers
    before = execution.closing
    first = before is None or (before.revision < 0 <= trace.revision)
    return Closing(
        revision=trace.revision,
        offset=execution.offset,
        closed_ms=verdict.at_ms,
        status=verdict.status,
        keep_ms=limits.late_ms if settled else limits.late_abandoned_ms,
        first_closed_ms=verdict.at_ms if first or before is None else before.first_closed_ms,
        outcome=trace.outcome,
        duration_us=trace.duration_us,
        errors=trace.errors,
        input_tokens=trace.input_tokens,
        output_tokens=trace.output_tokens,
        cost_usd=trace.cost_usd,
        code_mismatch=trace.code_mismatch,
    )
