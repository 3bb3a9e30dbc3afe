"""One run as an entry of the outline: what it was given, gave back, and lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.console.report.error_details import error_details
from tailrace.console.report.facts import run_facts
from tailrace.console.report.gaps import gaps
from tailrace.console.report.outline import Detail, Entry
from tailrace.console.report.signs import Sign, sign_of
from tailrace.console.report.values import value_text
from tailrace.sinks.queries.payload_texts import recorded

if TYPE_CHECKING:
    from tailrace.console.report.dialogue import Dialogue
    from tailrace.console.report.telling import Telling
    from tailrace.console.report.tree import Run

TRANSCRIPT = "transcript"
"""The attribute in which an imported run keeps its whole conversation, by reference."""

_FIRST = ("reward",)
_LARGE = frozenset({"expected", "recorded"})
"""What an import keeps of its line: a document, which is shown only where nothing is folded."""


def run_entry(run: Run, telling: Telling) -> Entry:
    """Return the run's entry, without what happened in it."""
    end = run.end
    given = next((e for e in (end, run.start) if e is not None and e.input is not None), None)
    details = [Detail("gap", text, "bold yellow") for text in gaps(run, telling.bodies)]
    if given is not None:
        details.append(Detail("in", value_text(recorded(given.input, telling.bodies))))
    if end is not None and end.output is not None:
        details.append(Detail("out", value_text(recorded(end.output, telling.bodies))))
    details.extend(error_details(end, full=telling.full))
    others = ", ".join(_attributes(run, full=telling.full))
    if others:
        details.append(Detail("also", others, "dim", 2))
    return Entry(
        sign_of(run.outcome),
        "run",
        "bold cyan",
        run.fields.component,
        run_facts(run, telling.now),
        tuple(details),
    )


def ending_entry(run: Run, dialogue: Dialogue, telling: Telling) -> Entry | None:
    """Return what the run's transcript holds after its last model call; None if nothing."""
    transcript = run.end.attributes.get(TRANSCRIPT) if run.end is not None else None
    rest = dialogue.rest(telling.chains.messages(transcript) or ())
    return Entry(Sign("·", "dim"), "said", "dim", "after", (), rest) if rest else None


def _attributes(run: Run, *, full: bool) -> list[str]:
    """Return the run's attributes as `name: value`, the most wanted first, then short ones."""
    found: dict[str, str] = {}
    for event in (run.start, run.end):
        found.update(event.attributes if event is not None else {})
    found.pop(TRANSCRIPT, None)
    if not full:
        found = {
            name: value
            for name, value in found.items()
            if name not in _LARGE and not value.startswith('{"$')
        }
    by_want = sorted(found.items(), key=lambda item: (item[0] not in _FIRST, len(item[1])))
    return [f"{name}: {value}" for name, value in by_want]
