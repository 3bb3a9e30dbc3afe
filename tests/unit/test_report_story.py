"""A trace is told as a tree that reads like what happened."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from support.traces import NOON, Journal
from tailrace.console.report.assembly import assemble
from tailrace.console.report.outline import draw
from tailrace.console.report.story import tell
from tailrace.console.report.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tailrace.schemas.events import Event

ROOT, CHILD, OTHER = "1" * 32, "2" * 32, "3" * 32
SYSTEM = {"role": "system", "content": "You help with orders."}
HELLO = {"role": "user", "content": "Where is my parcel?"}
ASKS = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "c1", "function": {"name": "find_order", "arguments": '{"order_id": "A-17"}'}}
    ],
}
FOUND = {"role": "tool", "tool_call_id": "c1", "content": '{"at": "Bonn", "late": true}'}
SAYS = {"role": "assistant", "content": "It is in Bonn and late. I am sorry."}


def told(
    events: Iterable[Event],
    *,
    width: int = 80,
    full: bool = False,
    bodies: Mapping[str, str] | None = None,
    after_s: int = 60,
) -> str:
    now = NOON + timedelta(seconds=after_s)
    entries = tell(assemble(events), Telling(bodies or {}, now, full))
    return "\n".join(line.plain for line in draw(entries, width, full=full))


def conversation() -> Journal:
    journal = Journal(ROOT).started("Where is my parcel?")
    journal.step(
        "chat",
        {"messages": [SYSTEM, HELLO]},
        ASKS,
        step_kind="llm",
        model="gpt-4o",
        input_tokens=1512,
        output_tokens=33,
        cost_usd=0.0012,
        duration_us=812_000,
    )
    journal.step("find_order", {"order_id": "A-17"}, {"at": "Bonn", "late": True})
    journal.step(
        "chat", {"messages": [SYSTEM, HELLO, ASKS, FOUND]}, SAYS, step_kind="llm", step_key="chat#1"
    )
    return journal.completed(
        "It is in Bonn.", run_input_tokens=3000, run_output_tokens=60, run_cost_usd=0.0031
    )


def test_a_run_with_model_and_tool_calls_reads_as_the_conversation_it_was() -> None:
    assert (
        told(conversation().events)
        == f"""\
✓ run support  ok  4.0s  3 steps  3.0k→60 tokens  $0.0031  dev
│  2026-11-22 12:00:01Z  run {ROOT}
│  in   Where is my parcel?
│  out  It is in Bonn.
├─ ✓ llm chat  812ms  1.5k→33 tokens  $0.0012  gpt-4o  chat#0
│     system     You help with orders.
│     user       Where is my parcel?
│     assistant  → find_order(order_id="A-17")
├─ ✓ tool find_order  12ms  find_order#0
│     out  {{"at": "Bonn", "late": true}}
└─ ✓ llm chat  12ms  chat#1
      assistant  It is in Bonn and late. I am sorry."""
    )


def test_child_runs_stand_under_the_step_that_called_them() -> None:
    parent = Journal(ROOT).started().step("ask_expert", {"q": 1}, step_kind="agent")
    child = Journal(CHILD, "expert", root_run_id=ROOT, parent_run_id=ROOT)
    child.run = child.run.model_copy(update={"caller_step_id": "ask_expert#0"})
    child.started().step("look", None, "it").completed("found it")
    parent.completed(children=(CHILD,))
    assert (
        told([*child.events, *parent.events])
        == f"""\
✓ run support  ok  2.0s  1 step  dev  2026-11-22 12:00:01Z
│  run {ROOT}
└─ ✓ agent ask_expert  12ms  ask_expert#0
   │  in  q: 1
   └─ ✓ run expert  ok  2.0s  1 step  dev  2026-11-22 12:00:01Z
      │  run {CHILD}
      │  out  found it
      └─ ✓ tool look  12ms  look#0
            out  it"""
    )


def test_what_a_child_run_returned_is_not_read_again_as_a_tools_result() -> None:
    parent = Journal(ROOT).started()
    parent.step("chat", {"messages": [HELLO]}, ASKS, step_kind="llm")
    child = Journal(CHILD, "find_order", root_run_id=ROOT, parent_run_id=ROOT)
    child.clock = parent.clock
    child.started({"order_id": "A-17"}).completed({"at": "Bonn", "late": True})
    parent.clock = child.clock
    parent.step("chat", {"messages": [HELLO, ASKS, FOUND]}, SAYS, step_kind="llm", step_key="c#1")
    text = told([*child.events, *parent.completed().events])
    assert text.count("Bonn") == 2
    assert text.index("run find_order") < text.index("It is in Bonn and late.")


def test_errors_show_type_message_and_the_last_lines_of_the_stack() -> None:
    stack = "Traceback (most recent call last):\n" + "".join(
        f'  File "a.py", line {n}, in f{n}\n    g{n}()\n' for n in range(9)
    )
    journal = Journal(ROOT).started()
    journal.step_failed(
        "find_order", {"id": 7}, error_type="KeyError", error_message="7", error_stack=stack
    )
    journal.failed("KeyError", "7", run_errors=1)
    assert (
        told(journal.events)
        == f"""\
✗ run support  failed  1 step  1 failed  dev  2026-11-22 12:00:01Z
│  run {ROOT}
│  error  KeyError: 7
└─ ✗ tool find_order  failed  12ms  find_order#0
      in     id: 7
      error  KeyError: 7
      stack    File "a.py", line 6, in f6
                 g6()
               File "a.py", line 7, in f7
                 g7()
               File "a.py", line 8, in f8
                 g8()"""
    )
    assert "line 0" in told(journal.events, full=True)


def test_what_is_open_says_for_how_long() -> None:
    journal = Journal(ROOT).started().step_open("slow", {"n": 1})
    assert (
        told(journal.events, after_s=125)
        == f"""\
▸ run support  open for 2m04s  dev  2026-11-22 12:00:01Z
│  run {ROOT}
└─ ▸ tool slow  open for 2m03s  slow#0
      in  n: 1"""
    )


def test_a_step_left_open_by_a_run_that_ended_never_ended() -> None:
    journal = Journal(ROOT).started().step_open("slow").completed()
    assert "? tool slow  never ended  slow#0" in told(journal.events)


def test_missing_events_children_and_bodies_are_said() -> None:
    digest = "ab" * 32
    journal = (
        Journal(ROOT)
        .started()
        .step("a")
        .step("b")
        .step("c")
        .step("d", {"x": {"$body": digest}}, {"$body": "cd" * 32}, bodies=(digest, "cd" * 32))
    )
    journal.completed(children=(CHILD,))
    stored = [event for event in journal.events if event.seq not in {0, 2, 3}]
    assert (
        told(stored, bodies={"cd" * 32: '"long"'})
        == f"""\
✓ run support  ok  5.0s  4 steps  dev  2026-11-22 12:00:01Z
│  run {ROOT}
│  gap  event 0 of the run is not stored
│  gap  events 2 to 3 of the run are not stored
│  gap  its child run {CHILD} is not stored
│  gap  1 body is not stored: abababababab
├─ ✓ tool a  12ms  a#0
└─ ✓ tool d  12ms  d#0
      in   x: <body abababababab is not stored>
      out  long"""
    )


def test_attempts_replays_and_retries_are_named() -> None:
    first = Journal(ROOT, attempt=1).started().completed()
    second = Journal(CHILD, replay_of=ROOT).started().completed()
    third = Journal(OTHER, retry_of=ROOT, deployment="d" * 64, tags=("a", "b")).started()
    text = told([*first.events, *second.events, *third.events], width=200)
    assert "attempt 1" in text
    assert f"replay of {ROOT[:12]}" in text
    assert f"retry of {ROOT[:12]}" in text
    assert f"deployment {'d' * 12}  tags a, b" in text


@pytest.mark.parametrize("seed", range(5))
def test_any_order_and_any_repeats_of_events_are_told_the_same(seed: int) -> None:
    events = conversation().events
    shuffled = random.Random(seed).choices(events, k=20) + events  # noqa: S311 - a test's seed
    assert told(shuffled) == told(events)


def test_runs_whose_parent_is_missing_or_in_a_ring_are_not_lost() -> None:
    lost = Journal(OTHER, "lost", root_run_id=ROOT, parent_run_id="9" * 32).started()
    one = Journal(ROOT, "one", parent_run_id=CHILD).started()
    two = Journal(CHILD, "two", parent_run_id=ROOT).started()
    ring = Journal("4" * 32, "self", parent_run_id="4" * 32).started()
    ring.step("a", parent_step_id="b#0").step("b", parent_step_id="a#0")
    text = told(itertools.chain(*(j.events for j in (lost, one, two, ring))))
    for name in ("lost", "one", "two", "self", "tool a", "tool b"):
        assert text.count(f"{name}  ") == 1
    assert f"its parent run {'9' * 32} is not stored" in text


def test_steps_and_runs_nested_a_thousand_deep_are_told() -> None:
    journal = Journal(ROOT).started()
    for n in range(1000):
        parent = f"s{n - 1}#0" if n else ""
        journal.step(f"s{n}", parent_step_id=parent, started_at=NOON + timedelta(seconds=n))
    assert "s999" in told(journal.events)


@pytest.mark.parametrize("text", ["not json", "[" * 5000 + "]" * 5000, '"\\ud83d"', '"\\u0000"'])
def test_unreadable_payloads_are_shown_as_they_are(text: str) -> None:
    journal = Journal(ROOT).started().step("a").completed()
    odd = journal.events[1].model_copy(update={"input": text})
    assert "in  " in told([odd])
