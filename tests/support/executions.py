"""Executions made up for the stream processors: trees of runs, their events, and logs of these."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tailrace.schemas.events.base import wide_defaults
from tailrace.streams.assemble import Assembly, Folded
from tailrace.streams.closing import Source
from tailrace.streams.execution import Limits
from tailrace.streams.run_state import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.schemas.records.trace import Trace

START_US = 1_790_000_000_000_000
SOURCE = Source("log-1", "t.runs", 3)
LIMITS = Limits(abandon_ms=1_000, claim_ms=1_500, late_ms=2_000, late_abandoned_ms=4_000)
MINDFUL = replace(LIMITS, late_ms=10**8, late_abandoned_ms=10**8)
"""Limits that forget nothing."""


Record = dict[str, Any]
"""A journal event, or a heartbeat: that one has no `seq`."""

COORDINATES = ("revision", "closed_at", "first_offset", "last_offset", "last_seen_at")
"""What another order of the same records may change in a trace."""


@dataclass
class MadeRun:
    """A run with what it starts."""

    run_id: str
    parent: MadeRun | None = None
    offer: str = ""
    children: list[MadeRun] = field(default_factory=list["MadeRun"])
    claimants: list[MadeRun] = field(default_factory=list["MadeRun"])
    offers: list[str] = field(default_factory=list[str])
    steps: int = 1
    beats: int = 0
    outcome: str = "run_completed"

    def records(self, root: MadeRun, trace_id: str) -> list[Record]:
        """Return its own records on `runs`, in their order."""
        number = int(self.run_id[-6:], 16)
        constant = {
            "trace_id": trace_id,
            "run_id": self.run_id,
            "root_run_id": root.run_id,
            "parent_run_id": "" if self.parent is None else self.parent.run_id,
            "offer": self.offer,
            "component": f"component-{number % 3}",
            "environment": "dev",
            "deployment": "d" * 64,
            "code_mismatch": number % 5 == 0,
            "tags": [f"tag-{root.run_id[-2:]}"],
        }
        began_us = START_US + number * 1_000
        begun = event(**constant, seq=0, kind="run_started", ts=began_us)
        last = {
            "seq": self.steps + 1,
            "last_seq": self.steps + 1,
            "kind": self.outcome,
            "ts": began_us + 500,
            "started_at": began_us,
            "duration_us": 500,
            "children": [child.run_id for child in self.children],
            "offers": list(self.offers),
            "run_steps": self.steps,
            "run_errors": number % 2,
            "run_input_tokens": number if number % 3 else None,
            "run_cost_usd": number / 7 if number % 2 else None,
            "error_type": "Oops" if self.outcome == "run_failed" else "",
        }
        beats = [beat(**constant, open_step_keys=[f"step#{i}"]) for i in range(self.beats)]
        return [begun, *beats, event(**constant, **last)]

    def whole(self) -> list[MadeRun]:
        """Return this run and all below it."""
        below = [run for one in (*self.children, *self.claimants) for run in one.whole()]
        return [self, *below]


def event(**fields: Any) -> Record:
    """Return a wide event with the defaults of what is not said."""
    return {**wide_defaults(), **fields}


def beat(**fields: Any) -> Record:
    """Return a heartbeat."""
    kept = ("trace_id", "run_id", "root_run_id", "component", "open_step_keys")
    return {name: fields[name] for name in kept}


@st.composite
def made_runs(draw: st.DrawFn, ids: list[int], depth: int = 2) -> MadeRun:
    """Draw a run with children in its process, and claimants of its offers elsewhere."""
    ids[0] += 1
    run = MadeRun(f"{ids[0]:032x}")
    run.steps = draw(st.integers(0, 3))
    run.beats = draw(st.integers(0, 2))
    run.outcome = draw(st.sampled_from(["run_completed", "run_failed", "run_cancelled"]))
    if depth:
        for _ in range(draw(st.integers(0, 2))):
            child = draw(made_runs(ids, depth - 1))
            child.parent = run
            run.children.append(child)
        for _ in range(draw(st.integers(0, 2))):
            ids[0] += 1
            offer = f"{ids[0]:032x}"
            run.offers.append(offer)
            # None, one, or a request that was sent twice.
            for _ in range(draw(st.integers(0, 2))):
                claimant = draw(made_runs(ids, depth - 1))
                claimant.parent, claimant.offer = run, offer
                run.claimants.append(claimant)
    return run


@st.composite
def fleets(draw: st.DrawFn) -> list[list[Record]]:
    """Draw executions; each is its records, run after run."""
    ids = [0]
    found: list[list[Record]] = []
    for number in range(draw(st.integers(1, 3))):
        root = draw(made_runs(ids))
        trace_id = f"{number:032x}"
        found.append([record for run in root.whole() for record in run.records(root, trace_id)])
    return found


class StoredRows:
    """Rows in memory, and every write to them in its order."""

    def __init__(self, rows: Mapping[bytes, bytes] | None = None) -> None:
        self.rows = dict(rows or {})
        self.writes: list[tuple[bytes, bytes | None]] = []

    def get(self, key: bytes, /) -> bytes | None:
        return self.rows.get(key)

    def set(self, key: bytes, row: bytes, /) -> None:
        self.rows[key] = row
        self.writes.append((key, row))

    def delete(self, key: bytes, /) -> None:
        self.rows.pop(key, None)
        self.writes.append((key, None))

    def after(self, count: int) -> dict[bytes, bytes]:
        """Return the rows as the first writes left them."""
        rows: dict[bytes, bytes] = {}
        for key, row in self.writes[:count]:
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row
        return rows


@dataclass(frozen=True)
class Entry:
    """A record in its place in the log."""

    record: Record
    place: Place


def as_log(records: Sequence[Record], gaps_ms: Sequence[int] = ()) -> list[Entry]:
    """Lay records down one after the other, each later than the one before by its gap."""
    entries: list[Entry] = []
    now_ms = START_US // 1_000
    for offset, record in enumerate(records):
        now_ms += gaps_ms[offset] if offset < len(gaps_ms) else 1
        entries.append(Entry(record, Place(offset, now_ms)))
    return entries


def fold(assembly: Assembly, entry: Entry) -> Folded:
    """Fold a record of either sort."""
    is_event = "seq" in entry.record
    take = assembly.fold_event if is_event else assembly.fold_heartbeat
    return take(entry.record, entry.place)


def play(
    entries: Iterable[Entry], rows: StoredRows | None = None, limits: Limits = LIMITS
) -> list[Trace]:
    """Fold a log that has nothing before it; return every trace in order."""
    assembly = Assembly(SOURCE, rows or StoredRows(), limits)
    return [trace for entry in entries for trace in fold(assembly, entry).traces]


def last_revisions(traces: Iterable[Trace]) -> dict[tuple[str, str], Trace]:
    """Return the highest revision of each execution."""
    found: dict[tuple[str, str], Trace] = {}
    for trace in traces:
        identity = trace.trace_id, trace.root_run_id
        if identity not in found or trace.revision >= found[identity].revision:
            found[identity] = trace
    return found


def content(trace: Trace) -> dict[str, Any]:
    """Return what a trace says, whatever the order of the log was."""
    return trace.model_dump(exclude=set(COORDINATES))
