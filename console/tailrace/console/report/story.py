"""Tells a trace as entries of an outline: executions, runs, steps, in the order of what happened.

Steps are told in the order in which they started, so the model calls of a run read as the
conversation that they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.console.report.dialogue import Dialogue
from tailrace.console.report.run_entry import ending_entry, run_entry
from tailrace.console.report.step_entry import step_entry
from tailrace.console.report.tree import Run, Step
from tailrace.sinks.queries.payload_texts import recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.console.report.outline import Entry
    from tailrace.console.report.telling import Telling


@dataclass(frozen=True)
class _Part:
    """What is still to be told, and where."""

    node: Run | Step | None
    """A run, a step, or None for what was said at the end of the run."""
    run: Run
    dialogue: Dialogue
    """Of the run."""
    place: list[Entry]
    around: Dialogue | None = None
    """Of the run that started it, which may read its output as a tool's result."""


def tell(roots: Sequence[Run], telling: Telling) -> list[Entry]:
    """Return one entry for each root run, in the given order, with everything inside."""
    entries: list[Entry] = []
    # Deep nesting is data: a list of what is still to be told instead of recursion.
    waiting = [_Part(run, run, Dialogue(), entries) for run in reversed(roots)]
    while waiting:
        part = waiting.pop()
        entry = _entry(part, telling)
        if entry is None:
            continue
        part.place.append(entry)
        node = part.node
        if node is None:
            continue
        if node is part.run:
            waiting.append(_Part(None, part.run, part.dialogue, entry.children))
        for child in sorted((*node.steps, *node.runs), key=_began, reverse=True):
            if isinstance(child, Run):
                waiting.append(_Part(child, child, Dialogue(), entry.children, part.dialogue))
            else:
                waiting.append(_Part(child, part.run, part.dialogue, entry.children))
    return entries


def _entry(part: _Part, telling: Telling) -> Entry | None:
    if part.node is None:
        return ending_entry(part.run, part.dialogue, telling)
    if isinstance(part.node, Run):
        end = part.node.end
        if part.around is not None and end is not None and end.output is not None:
            part.around.shown(recorded(end.output, telling.bodies))
        return run_entry(part.node, telling)
    return step_entry(part.node, part.run, part.dialogue, telling)


def _began(node: Run | Step) -> tuple[float, int]:
    seq = node.seen.seq if isinstance(node, Step) else -1
    return node.began.timestamp(), seq
