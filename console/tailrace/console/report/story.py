"""Tells a trace as entries of an outline: executions, runs, steps, what was said, what is missing.

Steps are told in the order in which they started, so the model calls of a run read as the
conversation that they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.console.report.assembly import Run, Step
from tailrace.console.report.dialogue import Dialogue
from tailrace.console.report.facts import run_facts, step_facts
from tailrace.console.report.gaps import gaps
from tailrace.console.report.outline import Detail, Entry
from tailrace.console.report.signs import kind_style, sign_of
from tailrace.console.report.values import recorded, value_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

_STACK_LINES = 6
_MODEL_CALL = "llm"


@dataclass(frozen=True)
class Told:
    """What a telling needs beside the trace."""

    bodies: Mapping[str, str]
    """Bodies by their hash."""

    now: datetime
    """The time from which the age of what is open is counted."""

    full: bool = False
    """Whether nothing is folded: stacks are told whole."""


def tell(roots: Sequence[Run], told: Told) -> list[Entry]:
    """Return one entry for each root run, in the given order, with everything inside."""
    entries: list[Entry] = []
    # Deep nesting is data: a list of what is still to be told instead of recursion.
    waiting: list[tuple[Run | Step, list[Entry], Run, Dialogue]] = [
        (run, entries, run, Dialogue()) for run in reversed(roots)
    ]
    while waiting:
        node, place, run, dialogue = waiting.pop()
        if isinstance(node, Run):
            entry = _run_entry(node, told)
            inside = [(child, node, dialogue) for child in node.steps]
        else:
            entry = _step_entry(node, run, dialogue, told)
            inside = [(child, run, dialogue) for child in node.steps]
        place.append(entry)
        below = [*inside, *((child, child, Dialogue()) for child in node.runs)]
        for child, its_run, its_dialogue in sorted(below, key=_began, reverse=True):
            waiting.append((child, entry.children, its_run, its_dialogue))
    return entries


def _began(item: tuple[Run | Step, Run, Dialogue]) -> datetime:
    return item[0].began


def _run_entry(run: Run, told: Told) -> Entry:
    end = run.end
    given = next((e for e in (end, run.start) if e is not None and e.input is not None), None)
    details = [Detail("gap", text, "bold yellow") for text in gaps(run, told.bodies)]
    if given is not None:
        details.append(Detail("in", value_text(recorded(given.input, told.bodies))))
    if end is not None and end.output is not None:
        details.append(Detail("out", value_text(recorded(end.output, told.bodies))))
    details.extend(_error(end, full=told.full))
    return Entry(
        sign_of(run.outcome),
        "run",
        "bold cyan",
        run.fields.component,
        run_facts(run, told.now),
        tuple(details),
    )


def _step_entry(step: Step, run: Run, dialogue: Dialogue, told: Told) -> Entry:
    seen, end = step.seen, step.end
    given = recorded(seen.input, told.bodies)
    answered = recorded(end.output, told.bodies) if end is not None else None
    said: Sequence[Detail] | None = None
    if seen.step_kind == _MODEL_CALL:
        said = dialogue.model_call(given, answered)
    if said is None:
        said = dialogue.tool_call(seen.name, given, answered)
    outcome = step.outcome
    if end is None and run.end is not None:
        outcome = "abandoned"
    return Entry(
        sign_of(outcome),
        seen.step_kind or "step",
        kind_style(seen.step_kind),
        seen.name or seen.step_key or seen.step_id,
        step_facts(step, outcome, told.now),
        (*said, *_error(end, full=told.full)),
    )


def _error(end: Any, *, full: bool) -> list[Detail]:
    if not getattr(end, "error_type", ""):
        return []
    message = f"{end.error_type}: {end.error_message}" if end.error_message else end.error_type
    details = [Detail("error", message, "red", 4)]
    stack = end.error_stack.strip("\n")
    if stack:
        kept = stack if full else "\n".join(stack.rsplit("\n", _STACK_LINES)[-_STACK_LINES:])
        details.append(Detail("stack", kept, "dim red", _STACK_LINES * 2))
    return details
