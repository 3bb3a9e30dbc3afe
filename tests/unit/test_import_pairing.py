"""Which answer belongs to which call, in recordings that behave and in those that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given

from support.trajectories import call, conversations
from tailrace.console.importing.pairing import ModelCall, Pairing, ToolCall, parsed_text

if TYPE_CHECKING:
    from support.trajectories import Message


def assistant(*calls: Message) -> Message:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def tool(call_id: str | None, name: str | None = None) -> Message:
    message: Message = {"role": "tool", "content": "done"}
    if call_id:
        message["tool_call_id"] = call_id
    if name:
        message["name"] = name
    return message


@given(conversations())
def test_every_assistant_and_tool_message_is_exactly_one_step(messages: list[Message]) -> None:
    pairing = Pairing(messages)
    places = [step.place for step in pairing.steps]
    expected = {"assistant": ModelCall, "tool": ToolCall, "function": ToolCall}
    assert places == [i for i, one in enumerate(messages) if one["role"] in expected]
    for step in pairing.steps:
        assert isinstance(step, expected[messages[step.place]["role"]])


@given(conversations())
def test_every_call_is_answered_once_or_said_to_be_unanswered(messages: list[Message]) -> None:
    pairing = Pairing(messages)
    calls = [one for m in messages if m["role"] == "assistant" for one in m.get("tool_calls") or ()]
    answered = [one for one in pairing.steps if isinstance(one, ToolCall) and one.paired]
    assert len(answered) + len(pairing.unanswered) == len(calls)


def test_an_id_that_is_used_again_belongs_to_the_newer_call() -> None:
    messages = [assistant(call("x", "find", n=1)), assistant(call("x", "find", n=2)), tool("x")]
    answer = Pairing(messages).steps[-1]
    assert answer == ToolCall(2, "find", {"n": 2}, paired=True)
    assert Pairing(messages).unanswered == ["find"]


def test_parallel_calls_are_answered_in_any_order() -> None:
    messages = [assistant(call("a", "one"), call("b", "two")), tool("b"), tool("a")]
    names = [step.name for step in Pairing(messages).steps if isinstance(step, ToolCall)]
    assert names == ["two", "one"]


def test_an_answer_that_nobody_asked_for_is_kept_under_its_own_name() -> None:
    steps = Pairing([tool("x", "find"), tool(None)]).steps
    assert steps == [
        ToolCall(0, "find", None, paired=False),
        ToolCall(1, "unknown", None, paired=False),
    ]


def test_the_older_form_of_a_call_is_understood() -> None:
    asked: Message = {"role": "assistant", "function_call": {"name": "find", "arguments": "[1]"}}
    answer: Message = {"role": "function", "name": "find", "content": "3"}
    assert Pairing([asked, answer]).steps[-1] == ToolCall(1, "find", [1], paired=True)


def test_roles_that_nobody_knows_are_named() -> None:
    odd: list[Message] = [{"role": "critic", "content": ""}, {"role": "user", "content": ""}]
    assert Pairing(odd).unknown_roles == ["critic"]


def test_only_what_json_can_say_again_is_parsed() -> None:
    assert parsed_text('{"a": 1.5}') == {"a": 1.5}
    for text in ("", "Error: none", "NaN", "1e999", '"\\ud800"', "[" * 100_000):
        assert parsed_text(text) == text
