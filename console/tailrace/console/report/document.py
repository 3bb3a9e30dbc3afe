"""A trace as one JSON document for programs: a stable, flat shape with its payloads resolved.

Runs and steps are lists with their parents' ids, so nesting of any depth stays easy to read. Fields
have the names of the journal event; times are ISO 8601 in UTC, durations microseconds. New fields
may come, none of these goes or changes its meaning within a major version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.sinks.queries.payload_texts import recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tailrace.console.report.tree import Run, Step
    from tailrace.schemas.events import Event

_RUN_TOTALS = (
    "run_steps",
    "run_errors",
    "run_input_tokens",
    "run_output_tokens",
    "run_cached_tokens",
    "run_cost_usd",
    "not_replayable",
)
_STEP_FIELDS = (
    "step_id",
    "parent_step_id",
    "step_key",
    "name",
    "step_kind",
    "effect",
    "provider",
    "model",
    "finish_reason",
    "duration_us",
    "first_item_us",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cost_usd",
    "definition_digest",
    "input_digest",
)
_ERROR = ("type", "message", "stack")


def document(
    trace_id: str,
    roots: Sequence[Run],
    bodies: Mapping[str, str],
    abandoned: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return `{"trace_id", "executions": [{"root_run_id", "outcome", "abandoned", "runs": []}]}`.

    `abandoned` is null, or where the execution was when it gave its last sign of life.
    """
    silent = {each["root_run_id"]: _silence(each) for each in abandoned}
    return {
        "trace_id": trace_id,
        "executions": [
            {
                "root_run_id": root.fields.root_run_id,
                "outcome": root.outcome,
                "abandoned": silent.get(root.fields.root_run_id),
                "runs": [_run(run, bodies) for run in root.with_descendants()],
            }
            for root in roots
        ],
    }


def _silence(execution: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "last_seen_at": _time(execution["last_seen_at"]),
        "last_step": execution["last_step"],
        "open_runs": list(execution["open_runs"]),
    }


def _run(run: Run, bodies: Mapping[str, str]) -> dict[str, Any]:
    end, start = run.end, run.start
    given = next((e.input for e in (end, start) if e is not None and e.input is not None), None)
    ends: dict[str, Any] = {name: getattr(end, name, None) for name in _RUN_TOTALS}
    return {
        **run.fields.model_dump(mode="json"),
        "outcome": run.outcome,
        "began": _time(run.began),
        "duration_us": end.duration_us if end is not None else None,
        "input": recorded(given, bodies),
        "output": recorded(end.output, bodies) if end is not None else None,
        "error": _error(end),
        **ends,
        "attributes": {
            **(start.attributes if start is not None else {}),
            **(end.attributes if end is not None else {}),
        },
        "missing_seqs": [list(pair) for pair in run.missing_seqs],
        "missing_bodies": run.missing_bodies(bodies),
        "missing_children": run.missing_children,
        "parent_missing": run.parent_missing,
        "steps": [_step(step, bodies) for step in _all_steps(run)],
    }


def _step(step: Step, bodies: Mapping[str, str]) -> dict[str, Any]:
    seen, end = step.seen, step.end
    return {
        "seq": seen.seq,
        **{name: getattr(seen, name, None) for name in _STEP_FIELDS},
        "outcome": step.outcome,
        "began": _time(step.began),
        "input": recorded(seen.input, bodies),
        "output": recorded(end.output, bodies) if end is not None else None,
        "error": _error(end),
        "attributes": seen.attributes,
    }


def _error(end: Event | None) -> dict[str, str] | None:
    if not getattr(end, "error_type", ""):
        return None
    return {name: getattr(end, f"error_{name}") for name in _ERROR}


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _all_steps(run: Run) -> Iterator[Step]:
    waiting = run.steps[::-1]
    while waiting:
        step = waiting.pop()
        yield step
        waiting.extend(step.steps[::-1])
