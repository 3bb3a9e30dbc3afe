"""A conversation becomes a run, and the run is the conversation."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from support.trajectories import Message, conversations, recordings, small_talk
from tailrace.console.importing.errors import ImportFailedError, LineRefusedError
from tailrace.console.importing.identity import Grouping, identify
from tailrace.console.importing.journal import RecordedRun, journal
from tailrace.console.importing.lines import read_lines
from tailrace.console.importing.rebuild import rebuild_messages
from tailrace.console.importing.times import told_time
from tailrace.console.importing.trajectory import Trajectory, parse_trajectory
from tailrace.schemas import wire
from tailrace.schemas.catalog import latest
from tailrace.schemas.events import Event, RunFields, StepCompleted, parse_event
from tailrace.schemas.payload_reading import references, resolve

if TYPE_CHECKING:
    from pathlib import Path

TIME = told_time(datetime(2026, 1, 1, tzinfo=UTC))
SOURCE = {"source_file": "a.jsonl", "source_line": "3", "source_dataset": "a"}


def recorded(trajectory: Trajectory) -> RecordedRun:
    identity = identify(trajectory, Grouping("a", "support"))
    run = RunFields(
        trace_id=identity.trace_id,
        run_id=identity.run_id,
        root_run_id=identity.run_id,
        component="support",
    )
    return journal(trajectory, run, TIME, SOURCE)


def over_the_wire(run: RecordedRun) -> tuple[list[Event], dict[str, str]]:
    schema = latest("journal_event")
    records = [wire.decode(wire.encode(schema, event.flatten()))[1] for event in run.events]
    return [parse_event(record) for record in records], {b.sha256: b.text for b in run.bodies}


@given(conversations())
def test_the_messages_come_back_from_the_stored_events(messages: list[Message]) -> None:
    events, bodies = over_the_wire(recorded(Trajectory(messages)))
    assert rebuild_messages(events, bodies) == messages


@given(conversations())
def test_a_model_call_is_given_all_that_was_said_before_it(messages: list[Message]) -> None:
    events, bodies = over_the_wire(recorded(Trajectory(messages)))
    calls = [one for one in events if isinstance(one, StepCompleted) and one.step_kind == "llm"]
    places = [place for place, one in enumerate(messages) if one["role"] == "assistant"]
    assert len(calls) == len(places)
    for call, place in zip(calls, places, strict=True):
        assert resolve(call.input, bodies) == {"messages": messages[:place]}
        assert resolve(call.output, bodies) == messages[place]


@given(conversations())
def test_every_event_lists_the_bodies_it_names_and_every_body_is_listed(
    messages: list[Message],
) -> None:
    run = recorded(Trajectory(messages, {"note": "long " * 5000}))
    named: set[str] = set()
    for event in run.events:
        wide = event.flatten()
        texts = (wide["input"], wide["output"], *event.attributes.values())
        for text in texts:
            found = references(text) if text and text.startswith(("{", "[")) else set[str]()
            assert found <= set(wide["bodies"])
        named.update(wide["bodies"])
    assert named == {body.sha256 for body in run.bodies}


@given(conversations())
def test_the_same_line_gives_the_same_bytes(messages: list[Message]) -> None:
    schema = latest("journal_event")
    one, two = (recorded(Trajectory(json.loads(json.dumps(messages)))) for _ in range(2))
    assert [wire.encode(schema, event.flatten()) for event in one.events] == [
        wire.encode(schema, event.flatten()) for event in two.events
    ]
    assert one.bodies == two.bodies


@given(conversations())
def test_seqs_are_contiguous_and_the_last_event_names_the_last_one(messages: list[Message]) -> None:
    events = recorded(Trajectory(messages)).events
    assert [event.seq for event in events] == list(range(len(events)))
    last = events[-1].flatten()
    assert (last["kind"], last["last_seq"]) == ("run_completed", len(events) - 1)
    assert last["run_steps"] == len(events) - 2
    assert len({event.flatten()["step_id"] for event in events[1:-1]}) == len(events) - 2


def test_tool_calls_have_parsed_inputs_and_outputs_and_keys_in_order() -> None:
    fields = small_talk(7, 0)
    events = recorded(Trajectory(fields.pop("traj"), fields)).events
    tools = [one for one in events if isinstance(one, StepCompleted) and one.step_kind == "tool"]
    assert [(one.step_key, one.input, one.output, one.effect) for one in tools] == [
        ("find#0", '{"order":"A-7"}', '{"status":"sent"}', "write"),
        ("track#0", '{"order":"A-7"}', '"Error: no carrier"', "write"),
    ]


def test_the_last_event_keeps_the_reward_what_was_expected_and_the_last_words() -> None:
    fields = small_talk(7, 1)
    last = recorded(Trajectory(fields.pop("traj"), fields)).events[-1].flatten()
    assert last["attributes"]["reward"] == "1.0"
    assert json.loads(last["attributes"]["expected"])["actions"][0]["name"] == "find"
    assert json.loads(last["output"]) == {
        "answer": "It is on its way; I tried 2 times.",
        "then": [{"role": "user", "content": "Thanks! ###STOP###"}],
    }


def test_nothing_is_made_up() -> None:
    fields = small_talk(7, 1)
    for event in recorded(Trajectory(fields.pop("traj"), fields)).events:
        wide = event.flatten()
        unknown = ("started_at", "duration_us", "input_tokens", "output_tokens", "cost_usd")
        assert {wide[name] for name in unknown} == {None}
    first = recorded(Trajectory([{"role": "user"}])).events[0]
    assert first.attributes["times"].startswith("not recorded")
    assert first.attributes["tokens"] == "not recorded"
    assert SOURCE.items() <= first.attributes.items()


def test_instructions_that_runs_share_are_one_body() -> None:
    runs = [recorded(Trajectory(small_talk(task, 0)["traj"])) for task in range(5)]
    held = Counter(body.sha256 for run in runs for body in run.bodies)
    shared = {sha256 for sha256, count in held.items() if count == len(runs)}
    system = small_talk(0, 0)["traj"][0]
    texts = [body.text for body in runs[0].bodies if body.sha256 in shared]
    assert any(system["content"] in text for text in texts)
    assert sum(system["content"] in body.text for body in runs[0].bodies) == 1


def test_odd_conversations_are_kept_and_say_what_is_odd() -> None:
    messages: list[Message] = [
        {"role": "critic", "content": "hm"},
        {"role": "assistant", "tool_calls": [{"function": {"name": "find", "arguments": "x"}}]},
        {"role": "assistant", "content": "done"},
        {"role": "tool", "tool_call_id": "nobody", "content": "1"},
    ]
    last = recorded(Trajectory(messages)).events[-1]
    assert last.attributes["unanswered_calls"] == '["find"]'
    assert last.attributes["unknown_roles"] == '["critic"]'
    tool = recorded(Trajectory(messages)).events[-2]
    assert tool.attributes == {"unpaired": "no call was recorded"}


def test_a_message_that_no_record_can_hold_is_refused() -> None:
    with pytest.raises(LineRefusedError, match="message 1 has 800,"):
        recorded(Trajectory([{"role": "user"}, {"role": "user", "content": "x" * 800_000}]))


def test_a_missing_body_is_said_not_shown_as_messages() -> None:
    run = recorded(Trajectory(small_talk(1, 1)["traj"]))
    with pytest.raises(ImportFailedError, match="import it again"):
        rebuild_messages(run.events, {})


def test_every_message_of_whole_files_is_accounted_for(tmp_path: Path) -> None:
    for path in recordings(tmp_path):
        in_file: Counter[str] = Counter()
        in_events: Counter[str] = Counter()
        for line in read_lines(path):
            assert isinstance(line.text, bytes)
            trajectory = parse_trajectory(line.text)
            events, bodies = over_the_wire(recorded(trajectory))
            assert rebuild_messages(events, bodies) == trajectory.messages
            in_file.update(called_tools(trajectory.messages))
            in_events.update(
                one.name
                for one in events
                if isinstance(one, StepCompleted) and one.step_kind == "tool"
            )
        assert in_file == in_events
        assert in_file.total() > 0


def called_tools(messages: list[Message]) -> list[str]:
    calls: list[Any] = [one for m in messages for one in m.get("tool_calls") or ()]
    return [one["function"]["name"] for one in calls]
