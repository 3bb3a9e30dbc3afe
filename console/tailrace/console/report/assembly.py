"""Puts the events of one trace together: executions, their runs, their steps, and what is missing.

A pure fold for the eye: any order of events and any repeats give the same tree. Parents that are
not stored, or that name each other in a ring, lose nothing: their children stand at the top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tailrace.console.report.tree import Run, Step, StepEnd
from tailrace.schemas.events import StepStarted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.schemas.events import Event


def assemble(events: Iterable[Event]) -> list[Run]:
    """Return the root runs of a trace by start, everything else inside them."""
    by_run: dict[str, dict[int, Event]] = {}
    for event in events:
        by_run.setdefault(event.run.run_id, {}).setdefault(event.seq, event)
    runs = {run_id: Run(found) for run_id, found in by_run.items()}
    order = sorted(runs, key=lambda r: (runs[r].began, runs[r].fields.attempt, r))
    roots, inside = _forest(order, {r: run.fields.parent_run_id for r, run in runs.items()})
    for run_id, run in runs.items():
        _place(run, [runs[child] for child in inside.get(run_id, ())])
    for run_id in roots:
        parent = runs[run_id].fields.parent_run_id
        runs[run_id].parent_missing = bool(parent) and parent not in runs
    return [runs[run_id] for run_id in roots]


def _place(run: Run, children: Sequence[Run]) -> None:
    """Hang the run's steps and child runs where they were called."""
    steps: dict[str, Step] = {}
    for event in sorted(run.events.values(), key=lambda event: event.seq):
        if isinstance(event, StepStarted):
            steps.setdefault(event.step_id, Step(event))
        elif isinstance(event, StepEnd):
            steps[event.step_id] = Step(event)
    order = sorted(steps, key=lambda step_id: (steps[step_id].began, steps[step_id].seen.seq))
    roots, inside = _forest(order, {s: step.seen.parent_step_id for s, step in steps.items()})
    run.steps = [steps[step_id] for step_id in roots]
    for step_id, step in steps.items():
        step.steps = [steps[child] for child in inside.get(step_id, ())]
    for child in children:
        caller = steps.get(child.fields.caller_step_id)
        (run if caller is None else caller).runs.append(child)


_T = TypeVar("_T")


def _forest(order: Sequence[_T], parents: Mapping[_T, _T]) -> tuple[list[_T], dict[_T, list[_T]]]:
    """Return the tops and what is inside each, in the given order; rings are opened once."""
    inside: dict[_T, list[_T]] = {}
    tops: list[_T] = []
    for item in order:
        parent = parents[item]
        if parent in parents and parent != item:
            inside.setdefault(parent, []).append(item)
        else:
            tops.append(item)
    reached = set(tops)
    waiting = list(tops)
    unreached = iter(order)
    while len(reached) < len(order):
        while waiting:
            below = inside.get(waiting.pop(), [])
            reached.update(below)
            waiting.extend(below)
        ring = next((item for item in unreached if item not in reached), None)
        if ring is None:
            break
        inside[parents[ring]].remove(ring)
        tops.append(ring)
        reached.add(ring)
        waiting.append(ring)
    return tops, inside
