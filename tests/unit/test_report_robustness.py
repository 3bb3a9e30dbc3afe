"""Whatever was recorded, it is shown: no value, no subset of events makes the rendering fail."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from support.traces import NOON, TRACE, Journal
from tailrace.console.report.assembly import assemble
from tailrace.console.report.chains import Chains
from tailrace.console.report.dialogue import Dialogue
from tailrace.console.report.document import document
from tailrace.console.report.listing import input_text
from tailrace.console.report.outline import draw
from tailrace.console.report.story import tell
from tailrace.console.report.telling import Telling
from tailrace.console.report.values import value_text

if TYPE_CHECKING:
    from tailrace.schemas.events import Event

_MESSAGE_KEYS = ["role", "content", "tool_calls", "function", "name", "arguments", "id", "type"]
_REFERENCES = ["$body", "$list", "+", "$cut", "size_bytes", "ab" * 32]
_PARTS = ["text", "tool_use", "tool_result", "input", "messages", "message", "choices"]
_ROLES = ["user", "assistant", "tool"]
_WORDS = st.sampled_from([*_MESSAGE_KEYS, *_REFERENCES, *_PARTS, *_ROLES])
_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | _WORDS
)
# Values that look like messages and references, and mostly are none.
_ODD: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(st.tuples(_ODD, _ODD), max_size=4))
def test_any_value_can_be_a_model_calls_or_a_tools(calls: list[tuple[Any, Any]]) -> None:
    dialogue = Dialogue()
    for given_, answered in calls:
        messages = Chains({"ab" * 32: json.dumps(answered)}).messages(json.dumps(given_))
        dialogue.model_call(messages or (), answered)
        dialogue.tool_call("a", given_, answered)
        value_text(given_)
        dialogue.rest(messages or ())


@given(_ODD | st.text().map(lambda text: text))
def test_any_input_is_listed(value: Any) -> None:
    assert len(input_text(json.dumps(value))) <= 200


def events() -> list[Event]:
    root, child = Journal("1" * 32), Journal("2" * 32, root_run_id="1" * 32, parent_run_id="1" * 32)
    root.started("a").step("b").step("c", step_kind="llm", parent_step_id="b#0").step_open("d")
    root.step_failed("e", error_type="E", error_message="m", error_stack="s\nE: m")
    root.completed("f", children=("2" * 32,))
    child.started().step("g", parent_step_id="gone").failed("E", "m")
    return [*root.events, *child.events]


@given(st.lists(st.sampled_from(range(len(events()))), max_size=30), st.integers(40, 140))
def test_any_subset_of_events_is_told_within_the_width(chosen: list[int], width: int) -> None:
    stored = [events()[index] for index in chosen]
    roots = assemble(stored)
    entries = tell(roots, Telling({}, NOON + timedelta(hours=1)))
    assert all(line.cell_len <= width for line in draw(entries, width, full=False))
    runs = [run for root in roots for run in root.with_descendants()]
    assert {run.fields.run_id for run in runs} == {event.run.run_id for event in stored}
    assert len(runs) == len({run.fields.run_id for run in runs})
    json.dumps(document(TRACE, roots, {}))
