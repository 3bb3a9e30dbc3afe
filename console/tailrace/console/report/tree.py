"""A trace as a tree of what is stored: runs, their steps, and what is known to be missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

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
    from collections.abc import Iterator, Mapping

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


def outcome_of(event: Event | None) -> str:
    """Return `ok`, `failed` or `cancelled` for a last event, `open` for any other."""
    return "open" if event is None else _OUTCOMES.get(event.kind.partition("_")[2], "open")


def began(event: Event) -> datetime:
    """Return when the run or step of the event started, as near as the event says."""
    if event.started_at is not None:
        return event.started_at
    took_us = None if isinstance(event, RunStarted | StepStarted) else event.duration_us
    return event.ts - timedelta(microseconds=took_us or 0)
