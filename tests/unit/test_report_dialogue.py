"""A run's model calls read as one conversation, each message once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tailrace.console.report.chains import Chains
from tailrace.console.report.dialogue import Dialogue

if TYPE_CHECKING:
    from tailrace.console.report.outline import Detail

SYSTEM = {"role": "system", "content": "Be kind."}
HELLO = {"role": "user", "content": "Where is A-17?"}
ASKS = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "find_order", "arguments": '{"order_id":"A-17"}'},
        }
    ],
}
FOUND = {"role": "tool", "tool_call_id": "c1", "name": "find_order", "content": '{"at": "Bonn"}'}
REPLY = {"role": "assistant", "content": "It is in Bonn."}


def said(dialogue: Dialogue, given: Any, answered: Any) -> list[str]:
    """Read out what a model call adds, given this input."""
    messages = Chains({}).messages(json.dumps(given))
    assert messages is not None
    return read(dialogue.model_call(messages, answered))


def read(details: tuple[Detail, ...]) -> list[str]:
    return [f"{detail.label}: {detail.text}" for detail in details]


def test_each_call_shows_only_what_it_adds_and_a_result_is_shown_once() -> None:
    dialogue = Dialogue()
    assert said(dialogue, {"messages": [SYSTEM, HELLO]}, ASKS) == [
        "system: Be kind.",
        "user: Where is A-17?",
        'assistant: → find_order(order_id="A-17")',
    ]
    assert read(dialogue.tool_call("find_order", {"order_id": "A-17"}, {"at": "Bonn"})) == [
        'out: at: "Bonn"',
    ]
    assert said(dialogue, {"messages": [SYSTEM, HELLO, ASKS, FOUND]}, REPLY) == [
        "assistant: It is in Bonn.",
    ]


def test_a_result_that_no_step_has_shown_is_read_in_the_conversation() -> None:
    dialogue = Dialogue()
    said(dialogue, [SYSTEM, HELLO], ASKS)
    assert said(dialogue, [SYSTEM, HELLO, ASKS, FOUND], REPLY) == [
        'tool: find_order = {"at": "Bonn"}',
        "assistant: It is in Bonn.",
    ]


def test_a_tool_call_that_no_message_asked_for_shows_its_input() -> None:
    assert read(Dialogue().tool_call("find_order", {"order_id": "A-17"}, None)) == [
        'in: order_id: "A-17"',
    ]


def test_two_conversations_in_one_run_are_told_apart() -> None:
    dialogue = Dialogue()
    planner = [{"role": "system", "content": "Plan."}, HELLO]
    said(dialogue, planner, {"role": "assistant", "content": "1"})
    said(dialogue, [SYSTEM, HELLO], {"role": "assistant", "content": "a"})
    more = [*planner, {"role": "assistant", "content": "1"}, {"role": "user", "content": "go on"}]
    assert said(dialogue, more, "2") == ["user: go on", "assistant: 2"]


def test_a_conversation_that_was_cut_back_says_where_it_goes_on() -> None:
    dialogue = Dialogue()
    said(dialogue, [SYSTEM, HELLO], REPLY)
    rewritten = [SYSTEM, {"role": "user", "content": "In short: A-17?"}]
    assert said(dialogue, rewritten, "Bonn") == [
        "…: goes on after message 1",
        "user: In short: A-17?",
        "assistant: Bonn",
    ]


def test_a_history_that_is_not_stored_is_named_and_what_was_added_is_read() -> None:
    chain: dict[str, Any] = {"messages": {"$list": "ab" * 32, "+": [HELLO]}}
    assert said(Dialogue(), chain, REPLY) == [
        "earlier: <body abababababab is not stored>",
        "user: Where is A-17?",
        "assistant: It is in Bonn.",
    ]


def test_content_in_parts_and_responses_of_providers_are_read() -> None:
    parts = {
        "role": "user",
        "content": [
            {"type": "text", "text": "Look:"},
            {"type": "image_url", "image_url": {"url": "data:…"}},
        ],
    }
    use = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "u1", "name": "zoom", "input": {"by": 2}}],
    }
    result = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "u1", "content": "a cat"}],
    }
    response = {"id": "r1", "choices": [{"message": REPLY}]}
    assert said(Dialogue(), [parts, use, result], response) == [
        "user: Look:\n[image_url]",
        "assistant: → zoom(by=2)",
        "tool: a cat",
        "assistant: It is in Bonn.",
    ]


def test_a_call_without_messages_is_no_conversation() -> None:
    assert Chains({}).messages('{"prompt": "x", "question": "y"}') is None


def test_an_answer_that_is_no_message_is_shown_as_a_value() -> None:
    assert said(Dialogue(), [HELLO], {"score": 3}) == [
        "user: Where is A-17?",
        "out: score: 3",
    ]


def test_broken_arguments_are_shown_as_they_are() -> None:
    broken = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}, 7]}
    assert said(Dialogue(), [HELLO], broken)[1:] == ['assistant: → f("{")', ": → ?()"]
