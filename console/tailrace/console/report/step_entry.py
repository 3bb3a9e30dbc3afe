"""One step as an entry of the outline: what was said, given and given back in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.console.report.error_details import error_details
from tailrace.console.report.facts import step_facts
from tailrace.console.report.outline import Entry
from tailrace.console.report.signs import kind_style, sign_of
from tailrace.sinks.queries.payload_texts import recorded

if TYPE_CHECKING:
    from tailrace.console.report.dialogue import Dialogue
    from tailrace.console.report.telling import Telling
    from tailrace.console.report.tree import Run, Step

_MODEL_CALL = "llm"


def step_entry(step: Step, run: Run, dialogue: Dialogue, telling: Telling) -> Entry:
    """Return the step's entry; what it says is added to the run's dialogue."""
    seen, end = step.seen, step.end
    answered = recorded(end.output, telling.bodies) if end is not None else None
    messages = telling.chains.messages(seen.input) if seen.step_kind == _MODEL_CALL else None
    if messages is None:
        said = dialogue.tool_call(seen.name, recorded(seen.input, telling.bodies), answered)
    else:
        said = dialogue.model_call(messages, answered)
    never_ended = end is None and run.end is not None
    outcome = "abandoned" if never_ended else step.outcome
    return Entry(
        sign_of(outcome),
        seen.step_kind or "step",
        kind_style(seen.step_kind),
        seen.name or seen.step_key or seen.step_id,
        step_facts(step, outcome, telling.now),
        (*said, *error_details(end, full=telling.full)),
    )
