"""Puts the events of one trace together: executions, their runs, their steps, and what is missing.

A pure fold for the eye: any order of events and any repeats give the same tree. Parents that are
not stored, or that name each other in a ring, lose nothing: their children stand at the top.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from tailrace.schemas.events import (
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepStarted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tailrace.schemas.events import Event, RunFields

RunEnd = RunCompleted | RunFailed | RunCancelled
StepEnd = StepCompleted | StepFailed | StepCancelled
_OUTCOMES = {"completed": "ok", "failed": "failed", "cancelled": "cancelled"}


@dataclass
class Step:
    """One step as far as its events are stored."""

    seen: StepStarted | StepEnd
    """The event that says most: the end, else the start."""

    steps: list[Step] = field(default_factory=list["Step"])
    """Steps called in it, by start."""

    runs: list[Run] = field(default_factory=list["Run"])
    """Runs that it started, by start."""

    @property
    def end(self) -> StepEnd | None:
        """The step's last event; None while it is open."""
        return None if isinstance(self.seen, StepStarted) else self.seen

    @property
    def outcome(self) -> str:
        """`ok`, `failed`, `cancelled`, or `open`."""
        return outcome_of(self.seen)

    @property
    def began(self) -> datetime:
        """When it started."""
        return began(self.seen)


@dataclass
class Run:
    """One run as far as its events are stored."""

    events: dict[int, Event]
    """Its events by seq, each once."""

    steps: list[Step] = field(default_factory=list[Step])
    """Steps at its top, by start."""

    runs: list[Run] = field(default_factory=list["Run"])
    """Runs that it started outside any step that is stored, by start."""

    parent_missing: bool = False
    """Whether it names a parent run that is not stored."""

    @property
    def fields(self) -> RunFields:
        """The run-constant fields."""
        return next(iter(self.events.values())).run

    @property
    def start(self) -> RunStarted | None:
        """The first event; None if it is not stored."""
        return next((e for e in self.events.values() if isinstance(e, RunStarted)), None)

    @property
    def end(self) -> RunEnd | None:
        """The last event; None while the run is open."""
        return next((e for e in self.events.values() if isinstance(e, RunEnd)), None)

    @property
    def outcome(self) -> str:
        """`ok`, `failed`, `cancelled`, or `open`."""
        return outcome_of(self.end)

    @property
    def began(self) -> datetime:
        """When it started; the time of its first stored event if the start is not stored."""
        return min(began(event) for event in self.events.values())

    def all_runs(self) -> list[Run]:
        """Return the runs that it started, in steps or outside of them."""
        found = list(self.runs)
        waiting = list(self.steps)
        while waiting:
            step = waiting.pop()
            found.extend(step.runs)
            waiting.extend(step.steps)
        return found

    def with_descendants(self) -> Iterator[Run]:
        """Yield the run and all below it, each before what it started, by start."""
        waiting: list[Run] = [self]
        while waiting:
            run = waiting.pop()
            yield run
            waiting.extend(sorted(run.all_runs(), key=lambda child: child.began, reverse=True))

    @property
    def missing_seqs(self) -> list[tuple[int, int]]:
        """Ranges of seqs, both ends included, that are known to exist and are not stored."""
        end = self.end
        last = max(self.events) if end is None or end.last_seq is None else end.last_seq
        missing: list[tuple[int, int]] = []
        expected = 0
        for seq in (*sorted(seq for seq in self.events if seq <= last), last + 1):
            if seq > expected:
                missing.append((expected, seq - 1))
            expected = seq + 1
        return missing

    @property
    def missing_children(self) -> list[str]:
        """Ids of runs that it says it started and that are not stored."""
        known = {child.fields.run_id for child in self.all_runs()}
        named = self.end.children if self.end is not None else ()
        return [child for child in named if child not in known]

    def missing_bodies(self, bodies: Mapping[str, str]) -> list[str]:
        """Return the hashes of bodies that its events name and that are not among `bodies`."""
        named = (d for e in self.events.values() for d in getattr(e, "bodies", ()))
        return sorted({digest for digest in named if digest not in bodies})


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


def outcome_of(event: Event | None) -> str:
    """Return `ok`, `failed` or `cancelled` for a last event, `open` for any other."""
    return "open" if event is None else _OUTCOMES.get(event.kind.partition("_")[2], "open")


def began(event: Event) -> datetime:
    """Return when the run or step of the event started, as near as the event says."""
    if event.started_at is not None:
        return event.started_at
    took_us = None if isinstance(event, RunStarted | StepStarted) else event.duration_us
    return event.ts - timedelta(microseconds=took_us or 0)


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
